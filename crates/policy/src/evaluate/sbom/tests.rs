//! Each key of the `sbom` rule: what holds, what breaks, what cannot be told, and the values at the edge.

use model::{
    Clock, Component, Contents, Digest, Entrypoint, ImageConfig, ManifestFacts, Observed, OsPackage, Reason,
    ReasonCode, Sbom, Signal, Timestamp,
};

use super::*;

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn rule(text: &str) -> Rule {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused_text(text: &str) -> String {
    serde_saphyr::from_str::<Rule>(text).expect_err(text).to_string()
}

fn image() -> Digest {
    Digest::of(b"image")
}

fn seen<T>(value: T, origin: Origin) -> Observed<T> {
    Observed { value, origin, at: now(), evidence: Digest::of(b"bytes") }
}

fn file() -> Origin {
    Origin::File("sbom.json".to_owned())
}

fn registry() -> Origin {
    Origin::Registry("sha256:abc".to_owned())
}

fn component(purl: &str, licenses: &[&str]) -> Component {
    let purl_of = (!purl.is_empty()).then(|| purl.to_owned());
    let licenses = licenses.iter().map(|text| (*text).to_owned()).collect();
    Component { purl: purl_of, name: "left".to_owned(), version: "1".to_owned(), licenses, hashes: Vec::new() }
}

fn sbom(components: Vec<Component>) -> Sbom {
    Sbom {
        format: "cyclonedx".to_owned(),
        version: "1.6".to_owned(),
        created: None,
        tools: Vec::new(),
        describes: vec![image()],
        name: None,
        components,
    }
}

fn facts(documents: Vec<Observed<Sbom>>) -> ManifestFacts {
    let mut facts = ManifestFacts::bare(image(), None);
    facts.sboms = Signal::Present(seen(documents, registry()));
    facts
}

/// Judges with a policy that declares no signers.
fn judge(rule: &Rule, facts: &ManifestFacts, clock: &Clock) -> Found {
    let set = crate::scene::set("rules: [{ id: r, vulnerabilities: {} }]");
    weigh(rule, facts, &Believing { member: &set.members[0], trust: None, clock })
}

fn about(rule_text: &str, facts: &ManifestFacts) -> Found {
    judge(&rule(rule_text), facts, &Clock::at(now()))
}

/// The codes of failures, then of gaps.
fn codes(found: &Found) -> Vec<ReasonCode> {
    let gaps = found.gaps.iter().map(|gap| gap.reason.code);
    found.failures.iter().map(|reason| reason.code).chain(gaps).collect()
}

fn messages(found: &Found) -> String {
    let gaps = found.gaps.iter().map(|gap| &gap.reason);
    let all = found.failures.iter().chain(gaps);
    all.flat_map(|reason| [reason.message.as_str(), "\n", reason.remedy.as_str(), "\n"]).collect()
}

fn one(rule_text: &str, sbom: Sbom) -> Found {
    about(rule_text, &facts(vec![seen(sbom, file())]))
}

#[test]
fn s22_what_nobody_signed_counts_only_from_where_the_policy_says() {
    for (rule_text, origin, counts) in [
        ("{ from: [file] }", file(), true),
        ("{ from: [registry] }", registry(), true),
        ("{ from: [file, registry] }", registry(), true),
        ("{ from: [registry] }", file(), false),
        ("{ from: [file] }", registry(), false),
        ("{ from: [file, registry] }", Origin::Ecr("eu-central-1".to_owned()), false),
        ("{}", file(), false),
        ("{}", registry(), false),
        ("{ formats: [cyclonedx] }", file(), false),
    ] {
        let found = about(rule_text, &facts(vec![seen(sbom(vec![]), origin.clone())]));
        let wanted = if counts { vec![] } else { vec![ReasonCode::SbomMissing] };
        assert_eq!(codes(&found), wanted, "{rule_text} {origin:?}");
        assert_eq!(found.notes.len(), usize::from(!counts), "what does not count is said: {:?}", found.notes);
    }
    assert!(messages(&about("{}", &facts(vec![seen(sbom(vec![]), file())]))).contains("`from: [file]`"));
}

#[test]
fn s22_a_document_that_does_not_count_is_shown_and_breaks_nothing() {
    let bad = sbom(vec![component("pkg:npm/event-stream@3.3.6", &[])]);
    let both = facts(vec![seen(sbom(vec![]), file()), seen(bad, registry())]);
    let found = about("{ from: [file], denyPackages: [pkg:npm/event-stream] }", &both);
    assert_eq!(codes(&found), []);
    assert!(found.notes.iter().any(|note| note.contains("event-stream")), "{:?}", found.notes);
}

#[test]
fn s4_a_missing_one_is_broken_and_one_that_could_not_be_asked_for_is_unknown() {
    let mut facts = facts(vec![]);
    assert_eq!(codes(&about("{ from: [file] }", &facts)), [ReasonCode::SbomMissing]);
    assert_eq!(codes(&about("{}", &facts)), [ReasonCode::SbomMissing]);
    let why = |code| Reason::new(code, "why");
    facts.sboms = Signal::Absent(why(ReasonCode::SbomMissing));
    assert_eq!(codes(&about("{ from: [file] }", &facts)), [ReasonCode::SbomMissing]);
    facts.sboms = Signal::Absent(why(ReasonCode::NotHandedOver));
    assert_eq!(codes(&about("{ from: [file] }", &facts)), [ReasonCode::SbomMissing]);
    for elsewhere in ["{ from: [registry] }", "{ from: [file, registry] }", "{ from: [ci] }"] {
        let found = about(elsewhere, &facts);
        assert_eq!((found.failures.len(), codes(&found)), (0, vec![ReasonCode::NotHandedOver]), "{elsewhere}");
    }
    for (signal, code) in [
        (Signal::NotCollected(why(ReasonCode::NotCollected)), ReasonCode::NotCollected),
        (Signal::Failed(why(ReasonCode::SbomInvalid)), ReasonCode::SbomInvalid),
        (
            Signal::Unavailable { why: why(ReasonCode::RegistryUnavailable), last: None },
            ReasonCode::RegistryUnavailable,
        ),
        (
            Signal::Unavailable {
                why: why(ReasonCode::RegistryReferrersCut),
                last: Some(Box::new(seen(vec![seen(sbom(vec![]), registry())], registry()))),
            },
            ReasonCode::RegistryReferrersCut,
        ),
    ] {
        facts.sboms = signal;
        let found = about("{ from: [registry] }", &facts);
        assert_eq!((found.failures.len(), codes(&found)), (0, vec![code]));
    }
}

#[test]
fn b19_only_listed_formats_count() {
    let spdx = Sbom { format: "spdx".to_owned(), ..sbom(vec![]) };
    for (formats, cyclone_counts, spdx_counts) in
        [("[cyclonedx]", true, false), ("[spdx]", false, true), ("[cyclonedx, spdx]", true, true)]
    {
        let text = format!("{{ from: [file], formats: {formats} }}");
        assert_eq!(codes(&one(&text, sbom(vec![]))).is_empty(), cyclone_counts, "{formats}");
        assert_eq!(codes(&one(&text, spdx.clone())).is_empty(), spdx_counts, "{formats}");
    }
    assert_eq!(codes(&one("{ from: [file] }", spdx)), []);
}

fn config(id: &str) -> ImageConfig {
    ImageConfig {
        id: Digest::of(id.as_bytes()),
        platform: "linux/amd64".parse().unwrap(),
        created: None,
        user: String::new(),
        entrypoint: Vec::new(),
        command: Vec::new(),
        working_dir: String::new(),
        path: Vec::new(),
        variables: Vec::new(),
        ports: Vec::new(),
        labels: std::collections::BTreeMap::new(),
        annotations: std::collections::BTreeMap::new(),
        layers: Vec::new(),
        diff_ids: Vec::new(),
        secrets: Vec::new(),
        base: None,
    }
}

#[test]
fn b15_must_match_digest_takes_the_manifest_and_the_image_id() {
    const RULE: &str = "{ from: [file], mustMatch: digest, denyPackages: [pkg:npm/bad] }";
    let naming = |digests: &[&str]| Sbom {
        describes: digests.iter().map(|text| Digest::of(text.as_bytes())).collect(),
        ..sbom(vec![])
    };
    let with = |config_id: Option<&str>, documents: Vec<Sbom>| {
        let mut facts = facts(documents.into_iter().map(|document| seen(document, file())).collect());
        if let Some(id) = config_id {
            facts.config = Signal::Present(seen(config(id), registry()));
        }
        about(RULE, &facts)
    };
    assert_eq!(codes(&with(Some("id"), vec![naming(&["image"])])), []);
    assert_eq!(codes(&with(Some("id"), vec![naming(&["id"])])), []);
    assert_eq!(codes(&with(Some("id"), vec![naming(&["other", "id"])])), []);
    assert_eq!(codes(&with(None, vec![naming(&["image"])])), [], "the image id is not needed then");
    assert_eq!(codes(&with(Some("id"), vec![naming(&["other"])])), [ReasonCode::SbomMismatch]);
    assert_eq!(codes(&with(Some("id"), vec![naming(&[])])), [ReasonCode::SbomMismatch], "it names nothing");
    assert_eq!(codes(&with(None, vec![naming(&[])])), [ReasonCode::SbomMismatch]);
    assert_eq!(codes(&with(None, vec![naming(&["id"])])), [ReasonCode::NotCollected], "it may be the image id");
    assert_eq!(codes(&with(Some("id"), vec![])), [ReasonCode::SbomMissing], "one reason, not two");
    // One of several is enough; those about other images are not searched.
    let mut other = naming(&["other"]);
    other.components = vec![component("pkg:npm/bad@1", &[])];
    let found = with(Some("id"), vec![other.clone(), naming(&["image"])]);
    assert_eq!((codes(&found), found.notes.len()), (vec![], 1));
    other.describes.push(image());
    assert_eq!(codes(&with(Some("id"), vec![other, naming(&["image"])])), [ReasonCode::SbomDeniedPackage]);
    // Without `mustMatch` every one that counts is searched.
    let mut other = naming(&["other"]);
    other.components = vec![component("pkg:npm/bad@1", &[])];
    let found = one("{ from: [file], denyPackages: [pkg:npm/bad] }", other);
    assert_eq!(codes(&found), [ReasonCode::SbomDeniedPackage]);
}

fn held(packages: &[&str]) -> Contents {
    let package = |name: &&str| OsPackage {
        kind: "deb".to_owned(),
        name: (*name).to_owned(),
        version: "1".to_owned(),
        architecture: "amd64".to_owned(),
    };
    Contents {
        os: None,
        databases: if packages.is_empty() { vec![] } else { vec!["dpkg".to_owned()] },
        packages: packages.iter().map(package).collect(),
        removed: Vec::new(),
        unreadable: Vec::new(),
        entrypoint: Entrypoint::NotSet,
    }
}

fn listing(packages: &[&str]) -> Sbom {
    sbom(packages.iter().map(|name| component(&format!("pkg:deb/debian/{name}@1?arch=amd64"), &[])).collect())
}

#[test]
fn b15_must_match_os_packages_compares_with_what_the_layers_hold() {
    let compared = |documents: Vec<Sbom>, contents: Signal<Contents>| {
        let mut facts = facts(documents.into_iter().map(|document| seen(document, file())).collect());
        facts.contents = contents;
        about("{ from: [file], mustMatch: osPackages }", &facts)
    };
    let present = |contents| Signal::Present(seen(contents, registry()));
    assert_eq!(codes(&compared(vec![listing(&["a", "b"])], present(held(&["a", "b"])))), []);
    let found = compared(vec![listing(&["a", "x"])], present(held(&["a", "b", "c", "d", "e", "f", "g"])));
    assert_eq!(codes(&found), [ReasonCode::SbomMismatch]);
    let text = messages(&found);
    assert!(text.contains("deb b 1, deb c 1, deb d 1, deb e 1, deb f 1 and 1 more (6 in all)"), "{text}");
    assert!(text.contains("listed but not in the image: deb x 1"), "{text}");
    // Neither too few nor too many.
    assert_eq!(codes(&compared(vec![listing(&[])], present(held(&["a"])))), [ReasonCode::SbomMismatch]);
    assert_eq!(codes(&compared(vec![listing(&["a"])], present(held(&[])))), [ReasonCode::SbomMismatch]);
    // The closest of several is named; one that matches is enough.
    assert_eq!(codes(&compared(vec![listing(&[]), listing(&["a"])], present(held(&["a"])))), []);
    let found = compared(vec![listing(&["x", "y"]), listing(&["a", "z"])], present(held(&["a"])));
    assert!(messages(&found).contains("deb z 1") && !messages(&found).contains("deb x 1"));
    // An image without packages: nothing to compare, and that is said.
    let found = compared(vec![listing(&[])], present(held(&[])));
    assert_eq!((codes(&found), found.notes.len()), (vec![], 1));
    // What cannot be read is not known.
    let unreadable = Contents { unreadable: vec!["rpm Packages".to_owned()], ..held(&["a"]) };
    assert_eq!(codes(&compared(vec![listing(&["a"])], present(unreadable))), [ReasonCode::ContentUnsupported]);
    let down = Signal::Unavailable { why: Reason::new(ReasonCode::RegistryUnavailable, "down"), last: None };
    assert_eq!(codes(&compared(vec![listing(&["a"])], down)), [ReasonCode::RegistryUnavailable]);
    // The digest is compared all the same.
    let other = Sbom { describes: vec![Digest::of(b"other")], ..listing(&["a"]) };
    let found = compared(vec![other], present(held(&["a"])));
    assert_eq!(codes(&found), [ReasonCode::NotCollected], "the image id was not asked for");
    let nameless = Sbom { describes: vec![], ..listing(&["a"]) };
    assert_eq!(codes(&compared(vec![nameless], present(held(&["a"])))), [ReasonCode::SbomMismatch]);
}

#[test]
fn b15_the_rule_says_what_it_needs() {
    for (text, contents) in [
        ("{ mustMatch: osPackages }", true),
        ("{ mustMatch: [digest, osPackages] }", true),
        ("{ mustMatch: [osPackages, digest] }", true),
        ("{ mustMatch: [digest] }", false),
        ("{ mustMatch: digest }", false),
        ("{}", false),
    ] {
        assert_eq!(rule(text).needs_contents(), contents, "{text}");
    }
}

#[test]
fn b19_denied_packages_are_found_in_every_spelling() {
    for (pattern, purl, denied) in [
        ("pkg:npm/event-stream@3.3.6", "pkg:npm/event-stream@3.3.6", true),
        ("pkg:npm/event-stream@3.3.6", "pkg:npm/Event-Stream@3.3.6?package-id=1", true),
        ("pkg:npm/event-stream@3.3.6", "pkg:npm/event-stream@3.3.5", false),
        ("pkg:npm/event-stream@3.3.6", "pkg:npm/event-stream@3.3.60", false),
        ("pkg:npm/event-stream", "pkg:npm/event-stream@9", true),
        ("pkg:npm/event-stream", "pkg:npm/event-stream", true),
        ("pkg:npm/event-stream", "pkg:npm/event-streams@9", false),
        ("pkg:npm/event-stream", "pkg:npm/%40acme/event-stream@9", false),
        ("pkg:npm/@acme/x", "pkg:npm/%40acme/x@9", true),
        ("pkg:npm/event-stream", "pkg:pypi/event-stream@9", false),
        ("pkg:pypi/a-b", "pkg:pypi/A_b@1", true),
        ("pkg:golang/github.com/a/b@1.2.3", "pkg:golang/github.com/a/b@v1.2.3", true),
        ("pkg:golang/github.com/a/b", "pkg:golang/github.com/a/c@v1", false),
        ("pkg:deb/openssl", "pkg:deb/debian/openssl@3.0", true),
        ("pkg:deb/debian/openssl", "pkg:deb/ubuntu/openssl@3.0", false),
        ("pkg:deb/debian/x@1:2.0-1", "pkg:deb/debian/x@2.0-1?epoch=1", true),
        ("pkg:rpm/redhat/x@2.0-1", "pkg:rpm/redhat/x@2.0-1?epoch=1", false),
        ("pkg:maven/org.acme/x", "pkg:maven/org.acme/x@1", true),
        ("pkg:maven/org.acme/x", "pkg:maven/org.other/x@1", false),
    ] {
        let found =
            one(&format!("{{ from: [file], denyPackages: [\"{pattern}\"] }}"), sbom(vec![component(purl, &[])]));
        let wanted = if denied { vec![ReasonCode::SbomDeniedPackage] } else { vec![] };
        assert_eq!(codes(&found), wanted, "{pattern} {purl}");
        assert!(!denied || messages(&found).contains(purl));
    }
}

#[test]
fn b19_what_does_not_say_enough_to_be_denied_is_unknown() {
    let named = |purl: Option<&str>, name: &str, version: &str| {
        let purl = purl.map(str::to_owned);
        Component { purl, name: name.to_owned(), version: version.to_owned(), ..component("", &[]) }
    };
    for (pattern, component, unknown) in [
        ("pkg:npm/bad@1", named(None, "bad", "1"), true),
        ("pkg:npm/bad@1", named(None, "bad", ""), true),
        ("pkg:npm/bad@1", named(None, "bad", "2"), false),
        ("pkg:npm/bad", named(None, "bad", "2"), true),
        ("pkg:npm/bad", named(Some("no purl"), "bad", "2"), true),
        ("pkg:npm/bad", named(None, "good", "2"), false),
        ("pkg:npm/@acme/bad", named(None, "@acme/bad", "2"), true),
        ("pkg:npm/bad@1", named(Some("pkg:npm/bad"), "bad", ""), true),
    ] {
        let found = one(&format!("{{ from: [file], denyPackages: [\"{pattern}\"] }}"), sbom(vec![component.clone()]));
        let wanted = if unknown { vec![ReasonCode::SbomInvalid] } else { vec![] };
        assert_eq!((found.failures.len(), codes(&found)), (0, wanted), "{pattern} {component:?}");
    }
    // The component's own version stands in for one that its purl leaves out.
    let found =
        one("{ from: [file], denyPackages: [\"pkg:npm/bad@1\"] }", sbom(vec![named(Some("pkg:npm/bad"), "bad", "1")]));
    assert_eq!(codes(&found), [ReasonCode::SbomDeniedPackage]);
}

#[test]
fn b19_licence_expressions_are_denied_as_a_whole() {
    for (denied_ids, text, denied) in [
        ("[AGPL-3.0-only]", "AGPL-3.0-only", true),
        ("[AGPL-3.0-only]", "agpl-3.0-ONLY", true),
        ("[agpl-3.0-only]", "AGPL-3.0-only", true),
        ("[AGPL-3.0-only]", "AGPL-3.0-or-later", false),
        ("[AGPL-3.0-only]", "AGPL-3.0", true),
        ("[AGPL-3.0-or-later]", "AGPL-3.0+", true),
        ("[AGPL-3.0]", "AGPL-3.0-only", true),
        ("[GPL-2.0-only]", "GPL-2", true),
        ("[GPL-2.0-or-later]", "GPLv2+", true),
        ("[GPL-2.0-only]", "LGPL-2.0-only", false),
        ("[GPL-2.0-only]", "GPL-2.0-with-classpath-exception", true),
        ("[GPL-2.0-only]", "GPL-2.0-only WITH Classpath-exception-2.0", true),
        ("[Classpath-exception-2.0]", "GPL-2.0-only WITH Classpath-exception-2.0", false),
        ("[AGPL-3.0-only]", "MIT OR AGPL-3.0-only", false),
        ("[AGPL-3.0-only, MIT]", "MIT OR AGPL-3.0-only", true),
        ("[AGPL-3.0-only]", "MIT AND AGPL-3.0-only", true),
        ("[AGPL-3.0-only]", "MIT and AGPL-3.0-only", true),
        ("[AGPL-3.0-only]", "MIT OR Apache-2.0 AND AGPL-3.0-only", false),
        ("[AGPL-3.0-only]", "(MIT OR Apache-2.0) AND AGPL-3.0-only", true),
        ("[AGPL-3.0-only]", "AGPL-3.0-only AND (MIT OR Apache-2.0)", true),
        ("[AGPL-3.0-only, MIT]", "(AGPL-3.0-only OR MIT) OR BSD-3-Clause", false),
        ("[Apache-2.0]", "Apache-2.0+", true),
        ("[LicenseRef-house]", "LicenseRef-house", true),
        ("[AGPL-3.0-only]", "NOASSERTION", false),
        ("[AGPL-3.0-only]", "", false),
        // No expressions: searched for words, so that a broken text hides nothing.
        ("[AGPL-3.0-only]", "MIT OR (AGPL-3.0-only", true),
        ("[AGPL-3.0-only]", "licensed under AGPL-3.0-only.", true),
        ("[MIT]", "MIT/X11", true),
        ("[MIT]", "MITRE licence", false),
        ("[MIT]", "OR MIT", true),
        ("[MIT]", "MIT WITH", true),
    ] {
        let found = one(
            &format!("{{ from: [file], denyLicenses: {denied_ids} }}"),
            sbom(vec![component("pkg:npm/left@1", &["ISC"]), component("pkg:npm/right@1", &["BSD-2-Clause", text])]),
        );
        let wanted = if denied { vec![ReasonCode::SbomDeniedLicense] } else { vec![] };
        assert_eq!(codes(&found), wanted, "{denied_ids} {text}");
    }
    let deep = format!("{}MIT{}", "(".repeat(100_000), ")".repeat(100_000));
    let found = one("{ from: [file], denyLicenses: [MIT] }", sbom(vec![component("", &[&deep])]));
    assert_eq!(codes(&found), [ReasonCode::SbomDeniedLicense], "deeper than is read: searched for words");
}

#[test]
fn b19_components_without_a_licence_are_counted_aloud() {
    let components = vec![
        component("pkg:npm/a@1", &["MIT"]),
        component("pkg:npm/b@1", &[]),
        component("pkg:npm/c@1", &["NOASSERTION"]),
        component("pkg:npm/d@1", &["see the file COPYING"]),
    ];
    let found = one("{ from: [file], denyLicenses: [AGPL-3.0-only] }", sbom(components));
    assert_eq!(codes(&found), []);
    assert!(found.notes.iter().any(|note| note.contains("3 of 4 components")), "{:?}", found.notes);
}

#[test]
fn b19_every_denied_thing_is_a_reason_of_its_own_and_long_lists_are_counted() {
    let components =
        (0..8).map(|n| component(&format!("pkg:npm/bad@{n}"), &["AGPL-3.0-only"])).collect::<Vec<Component>>();
    let found =
        one("{ from: [file], denyPackages: [\"pkg:npm/bad\"], denyLicenses: [AGPL-3.0-only] }", sbom(components));
    assert_eq!(codes(&found), [ReasonCode::SbomDeniedPackage, ReasonCode::SbomDeniedLicense]);
    assert!(messages(&found).contains("pkg:npm/bad@4 and 3 more (8 in all)"), "{}", messages(&found));
}

#[test]
fn b15_documents_that_make_no_sense_are_refused() {
    for (text, says) in [
        ("{ form: [file] }", "form"),
        ("{ from: [ecr] }", "ecr"),
        ("{ from: [trivy] }", "trivy"),
        ("{ from: [\"\"] }", "signer"),
        ("{ from: [\"release key\"] }", "signer"),
        ("{ from: [ci/main] }", "signer"),
        ("{ from: file }", ""),
        ("{ formats: [syft] }", "syft"),
        ("{ mustMatch: digests }", "digests"),
        ("{ mustMatch: [] }", "empty"),
        ("{ mustMatch: [digest, x] }", "x"),
        ("{ denyPackages: [event-stream] }", "package URL"),
        ("{ denyPackages: [\"pkg:npm/event-*\"] }", "*"),
        ("{ denyPackages: [\"pkg:npm/x@1?arch=amd64\"] }", "only type"),
        ("{ denyPackages: [\"pkg:npm/x@\"] }", "only type"),
        ("{ denyPackages: [\"pkg:maven/log4j-core\"] }", "group"),
        ("{ denyLicenses: [\"GPL 2\"] }", "SPDX"),
        ("{ denyLicenses: [\"MIT OR GPL-2.0-only\"] }", "SPDX"),
        ("{ denyLicenses: [OR] }", "SPDX"),
        ("{ denyLicenses: [\"\"] }", "SPDX"),
    ] {
        let error = refused_text(text);
        assert!(error.contains(says), "{text}: {error}");
    }
    for key in ["from", "formats", "denyPackages", "denyLicenses"] {
        let (what, hint) = rule(&format!("{{ {key}: [] }}")).check("r").expect_err(key);
        assert!(what.contains(key) && what.contains("\"r\"") && !hint.is_empty(), "{what}");
    }
    let full = "{ from: [file, registry, release-key], formats: [cyclonedx, spdx], mustMatch: [digest], denyPackages: [pkg:npm/x], \
                denyLicenses: [MIT] }";
    assert_eq!(rule(full).check("r"), Ok(()));
    assert_eq!(rule(full).signers(), ["release-key"]);
    assert_eq!(rule("{}").check("r"), Ok(()));
}
