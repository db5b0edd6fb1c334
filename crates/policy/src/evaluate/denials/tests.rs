//! S30: what the deny list names is denied whatever else is said of it (S6), and nothing else is.

use model::{Component, Digest, Facts, Observed, Origin, ReasonCode, Sbom, Severity, Signal, UnknownClass, Verdict};

use crate::denials::{Denial, Denials, DeniedThing, RepositoryPattern};
use crate::evaluate::evaluate_beside;
use crate::evaluate::tests::image::{contents, holding as holding_packages};
use crate::scene::{
    HOST, about, ask, attached, by_key, by_pipeline, codes, exceptions, finding, index, messages, now, rule, scan, set,
    signature, unverified,
};
use crate::{Exceptions, PolicySet};

fn denial(what: DeniedThing) -> Denial {
    Denial { id: "0199".to_owned(), what, also: Vec::new(), quarantine: false, reason: "seen mining".to_owned() }
}

fn judge(set: &PolicySet, facts: &Facts, what: DeniedThing) -> model::Judgement {
    let denials = Denials::of(vec![denial(what)]);
    evaluate_beside(set, &ask(), facts, &Exceptions::none(), &denials, now())
}

fn vulnerability(name: &str) -> DeniedThing {
    DeniedThing::Vulnerability(name.to_owned())
}

fn repository(text: &str) -> DeniedThing {
    DeniedThing::Repository(RepositoryPattern::parse(text).unwrap())
}

/// A policy that lets everything through.
fn open() -> PolicySet {
    rule("{}")
}

fn clean() -> Facts {
    scan(vec![]).facts()
}

#[test]
fn s30_an_image_is_denied_by_its_digest_its_repository_and_what_is_in_it() {
    let holds = scan(vec![finding("CVE-2026-1", Severity::Low)]).facts();
    let digest = |text: &str| DeniedThing::Digest(Digest::of(text.as_bytes()));
    for (facts, what) in [
        (clean(), digest("image")),
        (clean(), repository(&format!("{HOST}/team/app"))),
        (clean(), repository(&format!("{HOST}/team/*"))),
        (clean(), repository("*.dkr.ecr.*.amazonaws.com/**")),
        (holds.clone(), vulnerability("CVE-2026-1")),
        (holds.clone(), vulnerability("cve-2026-1")),
    ] {
        let told = format!("{what:?}");
        let judgement = judge(&open(), &facts, what);
        assert_eq!((judgement.verdict, codes(&judgement)[0]), (Verdict::Deny, "deny.listed"), "{told}");
        assert!(messages(&judgement).contains("seen mining"), "{told}");
    }
    for (facts, what) in [
        (clean(), digest("other")),
        (clean(), repository(&format!("{HOST}/team/app2"))),
        (clean(), repository(&format!("{HOST}/*"))),
        (clean(), repository("elsewhere.example/team/app")),
        (holds, vulnerability("CVE-2026-11")),
        (clean(), vulnerability("CVE-2026-1")),
    ] {
        let told = format!("{what:?}");
        assert_eq!(judge(&open(), &facts, what).verdict, Verdict::Allow, "{told}");
    }
}

#[test]
fn s6_nothing_lifts_the_deny_list() {
    let facts = scan(vec![finding("CVE-2026-1", Severity::High)]).facts();
    let waived = exceptions(&["id: e, cve: CVE-2026-1, repository: \"**\", expires: 2026-03-20"]);
    let strict = rule("{ max: { high: 0 } }");
    let denials = Denials::of(vec![denial(vulnerability("CVE-2026-1"))]);
    let allowed = evaluate_beside(&strict, &ask(), &facts, &waived, &Denials::none(), now());
    assert_eq!(allowed.verdict, Verdict::Allow, "{}", messages(&allowed));
    let judgement = evaluate_beside(&strict, &ask(), &facts, &waived, &denials, now());
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["deny.listed"]));
    // Nor does a policy that only warns, or that nobody matches outside production.
    let warns = set("action: warn, rules: [{ id: r, vulnerabilities: { max: { high: 0 } } }]");
    assert_eq!(judge(&warns, &facts, vulnerability("CVE-2026-1")).verdict, Verdict::Deny);
}

#[test]
fn s30_a_platform_that_is_denied_denies_its_index_and_an_index_its_platforms() {
    let facts = index(vec![
        ("linux/amd64", Signal::Present(scan(vec![]).observed())),
        ("linux/arm64", Signal::Present(scan(vec![]).observed())),
    ]);
    let child = facts.platforms.as_ref().unwrap().first().1.digest.clone();
    assert_eq!(judge(&open(), &facts, DeniedThing::Digest(child)).verdict, Verdict::Deny);
    // Its platforms are listed with it, so that none is let through by itself.
    let mut listed = denial(DeniedThing::Digest(Digest::of(b"index")));
    assert_eq!(
        evaluate_beside(&open(), &ask(), &clean(), &Exceptions::none(), &Denials::of(vec![listed.clone()]), now())
            .verdict,
        Verdict::Allow
    );
    listed.also.push(ask().digest);
    assert_eq!(
        evaluate_beside(&open(), &ask(), &clean(), &Exceptions::none(), &Denials::of(vec![listed]), now()).verdict,
        Verdict::Deny
    );
}

#[test]
fn s30_a_signer_is_denied_by_what_is_proven_of_it() {
    let signers = set("signers: { a: { key: a.pub } }, rules: [{ id: r, signatures: {} }]");
    let of = |what: &str, facts: &Facts| judge(&signers, facts, DeniedThing::Signer(what.to_owned())).verdict;
    let key = Digest::of(b"a");
    assert_eq!(of(key.as_str(), &attached(vec![signature(by_key("a"))])), Verdict::Deny);
    assert_eq!(of(key.as_str(), &attached(vec![signature(by_key("a")), signature(by_key("b"))])), Verdict::Deny);
    let other = Digest::of(b"b");
    assert_eq!(of(other.as_str(), &attached(vec![signature(by_key("a"))])), Verdict::Allow);
    // What does not verify proves nothing of anybody.
    let forged = attached(vec![signature(by_key("a")), unverified(ReasonCode::SignatureInvalid)]);
    assert_eq!(of(other.as_str(), &forged), Verdict::Allow);
    let by_pipeline = attached(vec![signature(by_key("a")), signature(by_pipeline())]);
    assert_eq!(of(crate::scene::PIPELINE, &by_pipeline), Verdict::Deny);
    assert_eq!(of("https://gitlab.com/acme/app", &by_pipeline), Verdict::Allow, "an identity is compared whole");
}

fn with_sbom(components: &[(&str, &str)]) -> Facts {
    let component = |&(purl, version): &(&str, &str)| Component {
        purl: Some(purl.to_owned()),
        name: "any".to_owned(),
        version: version.to_owned(),
        licenses: Vec::new(),
        hashes: Vec::new(),
    };
    let value = Sbom {
        format: "cyclonedx".to_owned(),
        version: "1.6".to_owned(),
        created: None,
        tools: Vec::new(),
        describes: vec![ask().digest],
        name: None,
        components: components.iter().map(component).collect(),
    };
    let seen =
        |value| Observed { value, origin: Origin::File("s.json".to_owned()), at: now(), evidence: Digest::of(b"s") };
    let mut facts = clean();
    facts.root.sboms = Signal::Present(Observed {
        value: vec![seen(value)],
        origin: Origin::File("s.json".to_owned()),
        at: now(),
        evidence: Digest::of(b"s"),
    });
    facts
}

#[test]
fn s30_a_package_is_denied_wherever_it_is_listed() {
    let package = |purl: &str| DeniedThing::package(purl).unwrap();
    let listed = with_sbom(&[("pkg:npm/event-stream@3.3.6", "3.3.6")]);
    assert_eq!(judge(&open(), &listed, package("pkg:npm/event-stream")).verdict, Verdict::Deny);
    assert_eq!(judge(&open(), &listed, package("pkg:npm/event-stream@3.3.6")).verdict, Verdict::Deny);
    assert_eq!(judge(&open(), &listed, package("pkg:npm/event-stream@4.0.0")).verdict, Verdict::Allow);
    assert_eq!(judge(&open(), &listed, package("pkg:pypi/event-stream")).verdict, Verdict::Allow);
    let mut layers = about(holding_packages(contents(&["deb xz-utils 5.6.1-1"])));
    layers.root.reports = clean().root.reports;
    assert_eq!(judge(&open(), &layers, package("pkg:deb/debian/xz-utils@5.6.1-1")).verdict, Verdict::Deny);
    assert_eq!(judge(&open(), &layers, package("pkg:deb/debian/xz-utils@5.6.2-1")).verdict, Verdict::Allow);
}

#[test]
fn s30_what_nobody_looked_at_is_said_and_does_not_deny() {
    let quiet = |what: DeniedThing| {
        let judgement = judge(
            &set("rules: [{ id: r, registries: { deny: [\"elsewhere.example/**\"] } }]"),
            &about(model::ManifestFacts::bare(ask().digest, None)),
            what,
        );
        assert_eq!(judgement.verdict, Verdict::Allow);
        judgement.warnings.join("\n")
    };
    assert!(quiet(vulnerability("CVE-2026-1")).contains("no scan of it is known"));
    assert!(quiet(DeniedThing::package("pkg:npm/x").unwrap()).contains("no list of its packages"));
    assert!(quiet(DeniedThing::Signer("x".to_owned())).contains("signatures were not looked at"));
    // What could not be scanned is unknown to the rules, whatever the list says of it.
    let judgement =
        judge(&rule("{}"), &about(model::ManifestFacts::bare(ask().digest, None)), vulnerability("CVE-2026-1"));
    assert_eq!(judgement.verdict, Verdict::Deny);
    assert_eq!(crate::scene::class(&judgement), UnknownClass::ScanMissing, "{}", messages(&judgement));
}

#[test]
fn s30_quarantine_is_called_so() {
    let denials = Denials::of(vec![Denial { quarantine: true, ..denial(DeniedThing::Digest(ask().digest)) }]);
    let judgement = evaluate_beside(&open(), &ask(), &clean(), &Exceptions::none(), &denials, now());
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["deny.quarantined"]));
}

#[test]
fn s30_a_pattern_that_means_no_repository_is_refused() {
    for bad in
        ["", "app", "/app", "host/", "host/app:1", "host/app@sha256:00", "host/[", &format!("h/{}", "a".repeat(600))]
    {
        assert!(RepositoryPattern::parse(bad).is_err(), "{bad}");
    }
    assert!(RepositoryPattern::parse("index.docker.io/library/debian").unwrap().covers("docker.io/library/debian"));
    assert!(DeniedThing::package("left-pad").is_err());
}
