//! S1, A18: an image index is judged over the platforms the policy names.

use model::{CompleteScan, Disposition, Reason, ReasonCode, Severity, Signal, UnknownClass, Verdict};

use crate::scene::{class, codes, exceptions, finding, index, judge, judge_with, messages, scan, set};

fn clean() -> Signal<CompleteScan> {
    Signal::Present(scan(vec![]).observed())
}

fn bad() -> Signal<CompleteScan> {
    Signal::Present(scan(vec![finding("CVE-1", Severity::Critical)]).observed())
}

fn policy(platforms: &str) -> crate::PolicySet {
    set(&format!("{platforms} rules: [{{ id: r, vulnerabilities: {{ max: {{ critical: 0 }} }} }}]"))
}

#[test]
fn a18_all_platforms_have_to_be_clean() {
    for platforms in ["", "match: {},", "match: { platforms: all },"] {
        let set = policy(platforms);
        assert_eq!(
            judge(&set, &index(vec![("linux/amd64", clean()), ("linux/arm64", clean())])).verdict,
            Verdict::Allow
        );
        let judgement = judge(&set, &index(vec![("linux/amd64", clean()), ("linux/arm64", bad())]));
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.maxExceeded"]), "{platforms}");
        assert!(messages(&judgement).starts_with("linux/arm64: 1 CRITICAL"), "{}", messages(&judgement));
        assert_eq!(judgement.blocking()[0].platform.as_ref().unwrap().to_string(), "linux/arm64");
    }
}

#[test]
fn a18_only_named_platforms_are_judged() {
    let facts = index(vec![("linux/amd64", clean()), ("windows/amd64", bad())]);
    assert_eq!(judge(&policy("match: { platforms: [linux/amd64] },"), &facts).verdict, Verdict::Allow);
    assert_eq!(judge(&policy("match: { platforms: [windows/amd64] },"), &facts).verdict, Verdict::Deny);
    assert_eq!(judge(&policy("match: { platforms: [linux/amd64, windows/amd64] },"), &facts).verdict, Verdict::Deny);
}

#[test]
fn a18_a_name_without_a_variant_covers_every_variant() {
    let both = index(vec![("linux/arm/v6", clean()), ("linux/arm/v7", clean())]);
    assert_eq!(judge(&policy("match: { platforms: [linux/arm] },"), &both).verdict, Verdict::Allow);
    let facts = index(vec![("linux/arm/v6", clean()), ("linux/arm/v7", bad())]);
    assert_eq!(judge(&policy("match: { platforms: [linux/arm] },"), &facts).verdict, Verdict::Deny);
    assert_eq!(judge(&policy("match: { platforms: [linux/arm/v6] },"), &facts).verdict, Verdict::Allow);
    assert_eq!(class(&judge(&policy("match: { platforms: [linux/arm/v8] },"), &facts)), UnknownClass::NotFound);
}

#[test]
fn s1_a_missing_platform_is_not_found() {
    let set = policy("match: { platforms: [linux/amd64, linux/arm64] },");
    let judgement = judge(&set, &index(vec![("linux/amd64", clean())]));
    assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::NotFound));
    assert_eq!(codes(&judgement), ["image.platformMissing"]);
    assert!(messages(&judgement).contains("linux/arm64"));
    let judgement = judge(&set, &index(vec![("windows/amd64", clean())]));
    assert_eq!(codes(&judgement), ["image.platformMissing", "image.platformMissing"]);
    let soft = self::set(
        "onUnknown: { notFound: warn }, match: { platforms: [linux/arm64] }, rules: [{ id: r, vulnerabilities: {} }]",
    );
    assert_eq!(judge(&soft, &index(vec![("linux/amd64", clean())])).verdict, Verdict::Warn);
}

#[test]
fn s1_a_platform_without_a_scan_is_unknown_and_named() {
    let why = Reason::new(ReasonCode::ScanMissing, "there is no scan");
    let judgement = judge(&policy(""), &index(vec![("linux/amd64", clean()), ("linux/arm64", Signal::Absent(why))]));
    assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::ScanMissing));
    assert_eq!(messages(&judgement), "linux/arm64: there is no scan\n");
}

#[test]
fn s1_an_index_alone_is_never_clean() {
    // No platforms known: the root is judged, and an index is never scanned.
    let mut facts = index(vec![("linux/amd64", clean())]);
    facts.platforms = None;
    let judgement = judge(&policy(""), &facts);
    assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::ScanMissing));
}

#[test]
fn s1_exceptions_name_the_platform_they_were_used_for() {
    let facts = index(vec![("linux/amd64", clean()), ("linux/arm64", bad())]);
    let entries = exceptions(&["id: e, cve: CVE-1, repository: team/app, expires: 2026-04-01"]);
    let judgement = judge_with(&policy(""), &facts, &entries);
    assert_eq!(judgement.verdict, Verdict::Allow);
    let findings = &judgement.rules.first().findings;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].disposition, Disposition::Excepted("e".to_owned()));
    assert_eq!(findings[0].platform.as_ref().unwrap().to_string(), "linux/arm64");
    assert_eq!(judgement.inputs.exceptions[0].findings, 1);
}

#[test]
fn b3_every_platform_that_was_read_is_in_the_inputs() {
    let judgement = judge(&policy(""), &index(vec![("linux/amd64", clean()), ("linux/arm64", bad())]));
    let platforms: Vec<_> =
        judgement.inputs.signals.iter().map(|used| used.platform.as_ref().unwrap().to_string()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(judgement.counts().unwrap()[&Severity::Critical], 1);
}

#[test]
fn a18_one_finding_on_two_platforms_blocks_on_both() {
    let judgement = judge(&policy(""), &index(vec![("linux/amd64", bad()), ("linux/arm64", bad())]));
    assert_eq!(judgement.blocking().len(), 2);
    assert_eq!(codes(&judgement), ["vuln.maxExceeded", "vuln.maxExceeded"]);
}
