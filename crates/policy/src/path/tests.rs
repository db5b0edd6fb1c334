//! The path to green of an image on a base: who brought what, what clears how many, and what is said where it is not known.

mod properties;

use std::collections::BTreeMap;

use model::{
    Digest, Facts, Finding, Fix, ImageConfig, KnownBase, Layer, ManifestFacts, NonEmpty, Observed, Origin, Package,
    PackageLayer, Reason, ReasonCode, Severity, Signal, Verdict,
};

use super::*;
use crate::scene::{Scan, facts, judge, now, package, rule, scan, set, vulnerability};

const DEBIAN: &str = "docker.io/library/debian:12";

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn seen<T>(value: T) -> Signal<T> {
    let (origin, evidence) = (Origin::Registry("image".to_owned()), digest("bytes"));
    Signal::Present(Observed { value, origin, at: now(), evidence })
}

/// An image with two layers of its own on a base with two.
fn image() -> ImageConfig {
    let layer = |name: &str| Layer {
        digest: digest(&format!("{name} packed")),
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
        size_bytes: 1,
    };
    let layers = ["base 1", "base 2", "own 1", "own 2"];
    ImageConfig {
        id: digest("id"),
        platform: "linux/amd64".parse().unwrap(),
        created: None,
        user: String::new(),
        entrypoint: Vec::new(),
        command: Vec::new(),
        working_dir: String::new(),
        path: Vec::new(),
        variables: Vec::new(),
        ports: Vec::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        layers: layers.map(layer).to_vec(),
        diff_ids: layers.map(digest).to_vec(),
        secrets: Vec::new(),
        base: None,
    }
}

fn base(layers: &[&str]) -> Signal<KnownBase> {
    let diff_ids = layers.iter().map(|layer| digest(layer)).collect();
    seen(KnownBase { digest: digest(&layers.join(" ")), index: None, diff_ids, created: None })
}

/// What the image is built on, as its registry has it now.
fn today() -> Signal<KnownBase> {
    base(&["base 1", "base 2"])
}

/// A build of another day.
fn other() -> Signal<KnownBase> {
    base(&["base 1", "base 3"])
}

fn pinned() -> String {
    format!("{DEBIAN}@{}", digest("index"))
}

/// Facts of [`image`] with these findings and bases.
fn built_on(findings: Vec<Finding>, bases: &[(&str, Signal<KnownBase>)]) -> Facts {
    let mut facts = scan(findings).facts();
    facts.root.config = seen(image());
    facts.bases = bases.iter().map(|(name, signal)| ((*name).to_owned(), signal.clone())).collect();
    facts
}

/// The same on a build of yesterday.
fn outdated(findings: Vec<Finding>) -> Facts {
    built_on(findings, &[(DEBIAN, other()), (&pinned(), today())])
}

fn diff_id(name: &str) -> Option<PackageLayer> {
    PackageLayer::named(Some(digest(name)), None)
}

fn of(id: &str, name: &str, fix: Fix, layer: Option<PackageLayer>) -> Finding {
    let packages = vec![Package { layer, ..package(name, fix) }];
    Finding { packages, ..Finding::new(vulnerability(id), Severity::High) }
}

fn fixed(version: &str) -> Fix {
    Fix::In(version.to_owned())
}

const NO_HIGH: &str = "{ max: { high: 0 } }";

fn path(spec: &str, facts: &Facts) -> PathToGreen {
    path_to_green(&judge(&rule(spec), facts), facts).expect("something blocks")
}

fn texts(path: &PathToGreen) -> Vec<&str> {
    path.steps.iter().map(|step| step.text.as_str()).collect()
}

/// Who brought each package, in the order of the path.
fn brought(path: &PathToGreen) -> Vec<(&Introducer, &str, u64)> {
    path.packages.iter().map(|package| (&package.by, package.names[0].as_str(), package.findings)).collect()
}

#[test]
fn b23_where_nothing_blocks_there_is_no_path() {
    let facts = built_on(vec![of("CVE-1", "a", Fix::None, None)], &[]);
    assert_eq!(path_to_green(&judge(&rule("{ max: { critical: 0 } }"), &facts), &facts), None);
    let audit = set("rules: [{ id: r, action: audit, vulnerabilities: { max: { high: 0 } } }]");
    assert_eq!(path_to_green(&judge(&audit, &facts), &facts), None, "what is only recorded asks for nothing");
}

#[test]
fn b23_findings_are_told_apart_by_who_brought_them() {
    let findings = vec![
        of("CVE-1", "zlib", fixed("1.3"), diff_id("base 2")),
        of("CVE-2", "zlib", Fix::NotSaid, diff_id("base 1")),
        of("CVE-3", "openssl", Fix::None, diff_id("base 1")),
        of("CVE-4", "lodash", fixed("4.17.21"), diff_id("own 1")),
        of("CVE-5", "mystery", fixed("2"), None),
    ];
    let path = path(NO_HIGH, &outdated(findings));
    let debian = Introducer::Base(DEBIAN.to_owned());
    assert_eq!(
        brought(&path),
        [
            (&debian, "openssl", 1),
            (&debian, "zlib", 2),
            (&Introducer::Own, "lodash", 1),
            (&Introducer::Unknown, "mystery", 1)
        ]
    );
    assert_eq!(
        texts(&path),
        [
            "build again on docker.io/library/debian:12 of today (`docker build --pull`): may clear 2 findings (zlib)",
            "upgrade lodash 3.0.8 to 4.17.21: clears 1 finding",
            "upgrade mystery 3.0.8 to 2: clears 1 finding",
        ]
    );
    assert_eq!(
        path.steps.iter().map(|step| (step.clears, step.certain)).collect::<Vec<_>>(),
        [(2, false), (1, true), (1, true)]
    );
    assert_eq!(
        path.origins(),
        "3 from the base image docker.io/library/debian:12, 1 from the image's own layers, \
         1 of unknown origin (no source names the layer, or two name different ones)"
    );
    assert_eq!((path.blocking, path.stays.findings, path.stays.no_fix), (5, 1, 1));
    assert_eq!(
        path.stays.text,
        "After all steps, if the newer base has the fixes, 1 finding is left: 1 without a fix. \
         What remains: an exception with an end date, a VEX statement, or another package."
    );
}

#[test]
fn b23_a_base_that_is_of_today_is_not_built_on_again() {
    let findings =
        vec![of("CVE-1", "zlib", fixed("1.3"), diff_id("base 2")), of("CVE-2", "x", Fix::NotSaid, diff_id("base 1"))];
    let path_on = |bases: &[(&str, Signal<KnownBase>)]| path(NO_HIGH, &built_on(findings.clone(), bases));
    let current = path_on(&[(DEBIAN, today())]);
    assert_eq!(current.introduced[0].newer_build, Some(false));
    let above = "upgrade zlib 3.0.8 to 1.3 above docker.io/library/debian:12, of which there is no other build today: clears 1 finding";
    assert_eq!(texts(&current), [above]);
    assert_eq!((current.stays.findings, current.stays.fix_not_said), (1, 1), "nothing may clear that");

    // Only the build itself was looked up, or the name could not be.
    let down = Signal::Unavailable { why: Reason::new(ReasonCode::RegistryThrottled, "slow down"), last: None };
    for bases in [vec![(pinned(), today())], vec![(pinned(), today()), (DEBIAN.to_owned(), down)]] {
        let bases: Vec<_> = bases.iter().map(|(name, signal)| (name.as_str(), signal.clone())).collect();
        let path = path_on(&bases);
        assert_eq!(path.introduced[0].newer_build, None);
        assert!(path.steps[0].text.starts_with("build again on a newer docker.io/library/debian:12: may clear 2"));
    }
}

#[test]
fn b23_the_nearest_base_counts_and_only_if_the_image_begins_with_it() {
    let findings = vec![of("CVE-1", "zlib", fixed("1.3"), diff_id("base 2"))];
    let on = |bases: &[(&str, Signal<KnownBase>)]| {
        path(NO_HIGH, &built_on(findings.clone(), bases)).introduced[0].by.clone()
    };
    let below = base(&["base 1"]);
    assert_eq!(on(&[("python:3", today()), (DEBIAN, below.clone())]), Introducer::Base("python:3".to_owned()));
    assert_eq!(on(&[(DEBIAN, below)]), Introducer::Own, "above the only base that is known");
    assert_eq!(on(&[(DEBIAN, other())]), Introducer::Unknown);
    assert_eq!(on(&[(DEBIAN, base(&[]))]), Introducer::Unknown, "a base without layers begins nothing");
}

#[test]
fn b23_who_brought_it_is_not_guessed() {
    let why = |layer: Option<PackageLayer>, bases: &[(&str, Signal<KnownBase>)]| {
        let path = path(NO_HIGH, &built_on(vec![of("CVE-1", "zlib", Fix::None, layer)], bases));
        (path.introduced[0].by.clone(), path.introduced[0].why.len())
    };
    let known = [(DEBIAN, today())];
    let debian = (Introducer::Base(DEBIAN.to_owned()), 0);
    assert_eq!(why(None, &known), (Introducer::Unknown, 1));
    assert_eq!(why(diff_id("base 1"), &[]), (Introducer::Unknown, 1), "no base is known");
    assert_eq!(why(diff_id("of another image"), &known), (Introducer::Unknown, 1));
    // By the digest of the packed layer, or by both.
    let packed = |diff_id: Option<&str>, name: &str| {
        PackageLayer::named(diff_id.map(digest), Some(digest(&format!("{name} packed"))))
    };
    assert_eq!(why(packed(None, "base 2"), &known), debian);
    assert_eq!(why(packed(None, "own 2"), &known), (Introducer::Own, 0));
    assert_eq!(why(packed(Some("base 1"), "base 1"), &known), debian);
    assert_eq!(why(packed(Some("base 1"), "packed elsewhere"), &known), debian);
    assert_eq!(why(packed(Some("base 1"), "own 1"), &known), (Introducer::Unknown, 1), "the two contradict each other");
    // The layer that last wrote the package database is no later than the package.
    let database = |name: &str| Some(PackageLayer { or_below: true, ..diff_id(name).unwrap() });
    assert_eq!(why(database("base 2"), &known), debian);
    assert_eq!(why(database("own 1"), &known), (Introducer::Unknown, 1));

    let nowhere = Finding::new(vulnerability("CVE-1"), Severity::High);
    let path = path(NO_HIGH, &built_on(vec![nowhere], &known));
    assert_eq!((path.packages[0].names.len(), path.packages[0].fix_not_said), (0, 1));
    assert_eq!(path.origins(), "1 of unknown origin (the source names no package)");
}

#[test]
fn b23_layers_and_diff_ids_go_together_only_where_they_are_as_many() {
    let mut facts = built_on(
        vec![of("CVE-1", "zlib", Fix::None, PackageLayer::named(None, Some(digest("base 1 packed"))))],
        &[(DEBIAN, today())],
    );
    let mut config = image();
    config.layers.remove(3);
    facts.root.config = seen(config);
    assert_eq!(path(NO_HIGH, &facts).introduced[0].by, Introducer::Unknown);
}

#[test]
fn b23_an_upgrade_names_its_versions_and_what_no_version_is_said_for() {
    let at = |fix: Fix, id: &str| of(id, "a", fix, diff_id("own 1"));
    let text = |findings: Vec<Finding>| texts(&path(NO_HIGH, &outdated(findings))).join("\n");
    assert_eq!(
        text(vec![at(fixed("3.0.9"), "CVE-1"), at(fixed("3.0.10"), "CVE-2")]),
        "upgrade a 3.0.8 to 3.0.10: clears 2 findings"
    );
    assert_eq!(
        text(vec![at(fixed("1:3.1-2"), "CVE-1"), at(fixed("1:3.1-10"), "CVE-2")]),
        "upgrade a 3.0.8 to at least each of 1:3.1-10, 1:3.1-2: clears 2 findings"
    );
    assert_eq!(text(vec![at(fixed("3.1, 4"), "CVE-1")]), "upgrade a 3.0.8 to 3.1 or 4: clears 1 finding");
    assert_eq!(
        text(vec![at(Fix::Available, "CVE-1"), at(fixed("3.1"), "CVE-2")]),
        "upgrade a 3.0.8 to 3.1: clears 2 findings; of 1 the fixed version is not said"
    );
    let both = Finding {
        packages: vec![package("libssl3", fixed("3.0.9")), package("openssl", fixed("3.0.9"))],
        ..Finding::new(vulnerability("CVE-1"), Severity::High)
    };
    assert_eq!(text(vec![both]), "upgrade libssl3, openssl to 3.0.9: clears 1 finding");
    assert_eq!(text(vec![at(Fix::None, "CVE-1"), at(Fix::NotSaid, "CVE-2")]), "", "nothing helps");
}

#[test]
fn b23_under_a_limit_not_every_finding_has_to_go() {
    let findings = |without_fix: u32| {
        let own = |n: u32, fix| of(&format!("CVE-{n}"), "a", fix, diff_id("own 1"));
        (0..4).map(|n| own(n, if n < without_fix { Fix::None } else { fixed("3.1") })).collect::<Vec<_>>()
    };
    let allowed = path("{ max: { high: 2 } }", &outdated(findings(2)));
    assert_eq!(
        allowed.limits.iter().map(ToGo::text).collect::<Vec<_>>(),
        ["HIGH: 2 of 4 findings have to go; rule r of policy p allows 2"]
    );
    assert_eq!((allowed.stays.findings, allowed.stays.blocking), (2, 0));
    assert_eq!(allowed.stays.text, "After all steps 2 findings are left: 2 without a fix. The limits allow that.");
    let too_many = path("{ max: { high: 2 } }", &outdated(findings(3)));
    assert_eq!((too_many.stays.findings, too_many.stays.blocking), (3, 3));
    // Another rule forgives nothing.
    let denied = path("{ max: { high: 2 }, deny: [CVE-0] }", &outdated(findings(3)));
    assert_eq!((denied.stays.findings, denied.stays.blocking), (3, 1), "two are within the limit then");
    assert!(denied.stays.text.contains("not for what a deny list names"), "{}", denied.stays.text);
}

#[test]
fn b23_what_is_counted_and_not_listed_is_not_called_clean() {
    let findings = vec![of("CVE-1", "a", fixed("3.1"), diff_id("own 1"))];
    let scan = Scan { summary: Some(vec![(Severity::High, 4)]), ..scan(findings) };
    let path = path("{ max: { high: 2 } }", &scan.facts());
    assert_eq!((path.limits[0].found, path.limits[0].to_go, path.stays.unlisted), (4, 2, 3));
    assert!(
        path.stays.text.ends_with("3 more are counted by the scanner and not listed: nothing can be said about them.")
    );
    assert!(path.steps.iter().any(|step| step.text.contains("(vuln.countExceeded)")), "{:?}", texts(&path));
}

#[test]
fn a5_counts_as_large_as_they_can_be_are_added_up() {
    let counts = Some(vec![(Severity::Critical, u64::MAX), (Severity::High, u64::MAX)]);
    let scan = Scan { summary: counts, ..scan(Vec::new()) };
    assert_eq!(path("{ max: { critical: 0, high: 0 } }", &scan.facts()).stays.unlisted, u64::MAX);
}

#[test]
fn b23_a_soft_fail_has_a_path_too_and_says_so() {
    let warns = "{ id: soft, action: warn, vulnerabilities: { max: { high: 0 } } }";
    let denies = "{ id: hard, vulnerabilities: { deny: [CVE-1] } }";
    let facts = outdated(vec![of("CVE-1", "a", fixed("3.1"), None), of("CVE-2", "a", fixed("3.1"), None)]);
    let of = |rules: &str| path_to_green(&judge(&set(&format!("rules: [{rules}]")), &facts), &facts).unwrap();
    let soft = of(warns);
    assert_eq!((soft.from, soft.blocking, soft.packages[0].only_warned), (Verdict::Warn, 2, 0));
    let both = of(&format!("{warns}, {denies}"));
    assert_eq!((both.from, both.blocking, both.packages[0].only_warned), (Verdict::Deny, 2, 1), "each counted once");
    assert!(both.steps[0].text.ends_with("1 of this package are only warned of"), "{}", both.steps[0].text);
}

#[test]
fn b23_other_rules_give_their_remedy_once_for_each_reason() {
    let rules =
        set("rules: [{ id: r, vulnerabilities: { max: { high: 0 } } }, { id: signed, signatures: { of: [a] } }, \
         { id: soft, action: warn, sbom: {} }], signers: { a: { key: a.pub } }");
    let facts = outdated(vec![of("CVE-1", "a", fixed("3.1"), None)]);
    let path = path_to_green(&judge(&rules, &facts), &facts).unwrap();
    let rules: Vec<_> = path.steps[1..]
        .iter()
        .map(|step| match &step.of {
            StepOf::Rule { policy, rule, verdict, .. } => (policy.as_str(), rule.as_str(), *verdict, step.clears),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(rules, [("p", "signed", Verdict::Deny, 0), ("p", "soft", Verdict::Warn, 0)]);
    assert!(
        path.steps[2].text.starts_with("rule soft of policy p (notCollected, only a warning): "),
        "{}",
        path.steps[2].text
    );

    let unscanned = crate::scene::facts(Signal::Pending(Reason::new(ReasonCode::ScanPending, "not done")));
    let path = super::path_to_green(&judge(&rule(NO_HIGH), &unscanned), &unscanned).unwrap();
    assert_eq!((path.blocking, path.steps.len()), (0, 1), "a scan that is not there is a step of its own");
    assert_eq!(path.stays.text, "After all steps no listed finding is left.");

    let elsewhere = set("match: { images: [\"example.com/**\"] }, rules: [{ id: r, vulnerabilities: {} }]");
    let path = super::path_to_green(&judge(&elsewhere, &facts), &facts).unwrap();
    assert!(path.steps[0].text.starts_with("policy.noneMatched: "), "{}", path.steps[0].text);
}

#[test]
fn b23_each_platform_of_an_index_has_its_own_layers() {
    let child = |name: &str, layers: &[&str], findings| {
        let mut child = ManifestFacts { digest: digest(name), ..scan(findings).facts().root };
        let diff_ids = layers.iter().map(|layer| digest(layer)).collect();
        child.config = seen(ImageConfig { diff_ids, ..image() });
        (format!("linux/{name}").parse().unwrap(), child)
    };
    let zlib = |layer| vec![of("CVE-1", "zlib", fixed("1.3"), diff_id(layer))];
    let mut facts = facts(Signal::NotCollected(Reason::new(ReasonCode::NotCollected, "an index")));
    facts.platforms = NonEmpty::new(vec![
        child("amd64", &["base 1", "base 2", "own 1"], zlib("base 1")),
        child("arm64", &["arm 1", "own 1"], zlib("arm 1")),
        child("s390x", &["other 1", "own 1"], zlib("own 1")),
    ]);
    facts.bases = vec![(DEBIAN.to_owned(), today()), (DEBIAN.to_owned(), base(&["arm 1"]))];
    let all = path(NO_HIGH, &facts);
    assert_eq!(all.blocking, 3, "one vulnerability, once for each platform");
    let of_debian = all.packages.iter().find(|package| package.by == Introducer::Base(DEBIAN.to_owned())).unwrap();
    assert_eq!((of_debian.findings, of_debian.platforms.len()), (2, 2));
    assert_eq!(
        texts(&all)[0],
        "upgrade zlib 3.0.8 to 1.3 above docker.io/library/debian:12, of which there is no other build today: \
         clears 2 findings (linux/amd64, linux/arm64)"
    );
    assert_eq!(all.packages.iter().filter(|package| package.by == Introducer::Unknown).count(), 1);
    // One platform is up to date and one is not.
    facts.bases =
        vec![(DEBIAN.to_owned(), today()), (DEBIAN.to_owned(), base(&["arm 2"])), (pinned(), base(&["arm 1"]))];
    let half = path(NO_HIGH, &facts);
    assert_eq!(half.introduced[0].newer_build, None);
}
