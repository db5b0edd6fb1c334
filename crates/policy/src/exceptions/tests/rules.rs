//! Exceptions for rules: what they waive, what they never do, and what is said about them (S29).

use model::{Disposition, Outcome, Severity, UnknownClass, Verdict};

use crate::scene::{
    attached, exceptions, facts, finding, heard, judge, judge_with, messages, now, rule, scan, set, signed_rule,
    unproven,
};

const FOR_R: &str = "id: e, rule: r, repository: team/app, expires: 2026-03-20";

#[test]
fn s29_an_exception_for_a_rule_waives_what_breaks_it() {
    let set = rule("{ max: { critical: 0 } }");
    let facts = scan(vec![finding("CVE-1", Severity::Critical)]).facts();
    let judgement = judge_with(&set, &facts, &exceptions(&[&FOR_R.replace("03-20", "03-14")]));
    assert_eq!(judgement.verdict, Verdict::Allow);
    let result = judgement.rules.first();
    assert!(matches!(result.outcome, Outcome::Pass));
    assert!(result.notes.iter().any(|note| note.starts_with("waived: ") && note.contains("of ann")), "{result:?}");
    assert_eq!(result.findings[0].disposition, Disposition::Excepted("e".to_owned()));
    assert_eq!(judgement.inputs.exceptions[0].id, "e");
    assert_eq!(judgement.valid_until, Some(crate::scene::time("2026-03-15T00:00:00Z")), "S8");
}

#[test]
fn a5_an_exception_for_a_rule_accepts_no_unknown_but_those_it_names() {
    let set = rule("{ max: { critical: 0 } }");
    let nothing = heard(Vec::new());
    let unscanned = judge_with(&set, &nothing, &exceptions(&[FOR_R]));
    assert_eq!(unscanned.verdict, Verdict::Deny);
    let class = crate::scene::class(&unscanned);
    let with = |classes: &str| {
        let entry = format!("{FOR_R}, unknown: [{classes}]");
        judge_with(&set, &nothing, &exceptions(&[&entry]))
    };
    assert_eq!(class, UnknownClass::ScanMissing);
    assert_eq!(with("scanFailed, deadline").verdict, Verdict::Deny);
    let accepted = with("scanMissing");
    assert_eq!(accepted.verdict, Verdict::Allow);
    assert!(!accepted.complete && accepted.counts().is_none(), "nobody looked: there are no counts");
    // Findings of a report that proves nothing are waived, and that nothing is proven is not.
    let partly = heard(vec![unproven(model::Scanner::Trivy, vec![finding("CVE-1", Severity::Critical)])]);
    assert_eq!(judge_with(&set, &partly, &exceptions(&[FOR_R])).verdict, Verdict::Deny);
}

#[test]
fn s29_signatures_are_not_waivable_unless_the_rule_says_so() {
    let unsigned = attached(Vec::new());
    for (keys, expected) in [
        ("signatures: { threshold: 1, of: [a] }", Verdict::Deny),
        ("signatures: { threshold: 1, of: [a] }, waivable: true", Verdict::Allow),
        ("attestations: { type: vuln, signers: [a] }", Verdict::Deny),
        ("provenance: { signers: [a], builders: [\"b\"] }", Verdict::Deny),
    ] {
        let judgement = judge_with(&signed_rule(keys), &unsigned, &exceptions(&[FOR_R]));
        assert_eq!(judgement.verdict, expected, "{keys}");
        if expected == Verdict::Deny {
            assert!(judgement.warnings.iter().any(|warning| warning.contains("cannot be waived")), "{judgement:?}");
        }
    }
}

#[test]
fn s29_a_rule_that_is_not_waivable_hears_no_exception_for_a_vulnerability_either() {
    let facts = scan(vec![finding("CVE-1", Severity::Critical)]).facts();
    let locked = set("rules: [{ id: r, waivable: false, vulnerabilities: { max: { critical: 0 } } }]");
    for entry in [FOR_R, "id: e, cve: CVE-1, repository: team/app, expires: 2026-03-20"] {
        let judgement = judge_with(&locked, &facts, &exceptions(&[entry]));
        assert_eq!(judgement.verdict, Verdict::Deny, "{entry}");
        assert!(
            judgement.warnings.iter().any(|warning| warning.contains("waives nothing")),
            "{:?}",
            judgement.warnings
        );
    }
}

#[test]
fn s29_expired_foreign_and_misspelt_exceptions_waive_nothing() {
    let set = rule("{ max: { critical: 0 } }");
    let facts = scan(vec![finding("CVE-1", Severity::Critical)]).facts();
    for (entry, says) in [
        ("id: e, rule: r, repository: team/app, expires: 2026-03-09", "expired"),
        ("id: e, rule: R, repository: team/app, expires: 2026-03-20", "no such rule"),
        ("id: e, rule: r, repository: team/other, expires: 2026-03-20", ""),
        ("id: e, rule: r, repository: team/app, environment: staging, expires: 2026-03-20", ""),
    ] {
        let judgement = judge_with(&set, &facts, &exceptions(&[entry]));
        assert_eq!(judgement.verdict, Verdict::Deny, "{entry}");
        assert!(judgement.warnings.iter().all(|warning| warning.contains(says)), "{entry}: {:?}", judgement.warnings);
        assert_eq!(judgement.warnings.is_empty(), says.is_empty(), "{entry}");
    }
}

#[test]
fn s29_an_exception_never_adds_a_reason_to_deny() {
    let set = set("onUnknown: { default: warn }, rules: [{ id: r, vulnerabilities: { max: { critical: 0 } } }]");
    for facts in [
        scan(vec![finding("CVE-1", Severity::Critical)]).facts(),
        scan(Vec::new()).facts(),
        heard(Vec::new()),
        facts(model::Signal::Pending(model::Reason::new(model::ReasonCode::ScanPending, "-"))),
    ] {
        let plain = judge(&set, &facts);
        for entry in [FOR_R, &format!("{FOR_R}, unknown: [scanPending]")] {
            let waived = judge_with(&set, &facts, &exceptions(&[entry]));
            assert!(waived.verdict <= plain.verdict, "{}", messages(&waived));
        }
    }
}

#[test]
fn s29_a_review_names_what_is_expired_over_broad_or_pointless() {
    let set = set(
        "rules: [{ id: r, vulnerabilities: { max: { critical: 0 } } }, { id: l, waivable: false, config: { nonRoot: true } }]",
    );
    let listed = exceptions(&[
        "id: narrow, cve: CVE-1, package: p, repository: team/app, environment: production, \
         digest: \"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\", expires: 2026-03-20",
        "id: old, rule: r, repository: team/app, expires: 2026-01-01",
        "id: wide, cve: CVE-1, repository: \"team/*\", expires: 2027-01-01",
        "id: gone, rule: g, repository: team/app, expires: 2026-03-20",
        "id: locked, rule: l, repository: team/app, expires: 2026-03-20",
        "id: nowhere, rule: r, repository: team/app, environment: qa, expires: 2026-03-11",
    ]);
    let found = listed.review(&set, now());
    let said: Vec<(&str, bool)> = found.iter().map(|one| (one.id.as_str(), one.is_error)).collect();
    assert_eq!(
        said,
        [("old", false), ("wide", false), ("gone", true), ("locked", true), ("nowhere", false), ("nowhere", true),]
    );
    assert!(
        found[1].about.what.contains("several repositories, every image of the repository, every package"),
        "{found:?}"
    );
}

#[test]
fn s6_an_exception_for_a_rule_lifts_no_deny_list() {
    let facts = scan(vec![finding("CVE-1", Severity::Critical), finding("CVE-2", Severity::Critical)]).facts();
    let judged = |keys: &str| {
        let set =
            set(&format!("rules: [{{ id: r, vulnerabilities: {{ max: {{ critical: 0 }}, deny: [CVE-1] }}{keys} }}]"));
        judge_with(&set, &facts, &exceptions(&[FOR_R]))
    };
    let judgement = judged("");
    assert_eq!(judgement.verdict, Verdict::Deny);
    assert_eq!(crate::scene::codes(&judgement), ["vuln.denied"], "the limit is waived, the list is not");
    assert_eq!(judged(", waivable: true").verdict, Verdict::Allow, "unless the rule says so");
    for rule in [
        "registries: { deny: [\"*.dkr.ecr.*.amazonaws.com/**\"] }",
        "registries: { deny: [\"other.example/**\"], allow: [\"other.example/**\"] }",
    ] {
        let Ok(set) =
            crate::PolicySet::from_documents(&[crate::scene::document("p", &format!("rules: [{{ id: r, {rule} }}]"))])
        else {
            continue;
        };
        assert_eq!(judge_with(&set, &facts, &exceptions(&[FOR_R])).verdict, Verdict::Deny, "{rule}");
    }
}

#[test]
fn s29_an_exception_for_another_registry_covers_no_mirror_of_it() {
    let set = rule("{ max: { critical: 0 } }");
    let facts = scan(vec![finding("CVE-1", Severity::Critical)]).facts();
    let judged = |image: &str, repository: &str| {
        let entry = format!("id: e, cve: CVE-1, repository: \"{repository}\", expires: 2026-03-20");
        crate::evaluate(&set, &crate::scene::ask_about(image), &facts, &exceptions(&[&entry]), now()).verdict
    };
    for repository in ["registry.example.com/team/app", "registry.example.com/**"] {
        assert_eq!(judged("registry.example.com/team/app:1", repository), Verdict::Allow);
        assert_eq!(
            judged("REGISTRY.example.com:443/team/app:1", repository),
            Verdict::Allow,
            "one registry, spelled otherwise"
        );
        assert_eq!(judged("mirror.example/registry.example.com/team/app:1", repository), Verdict::Deny);
    }
}
