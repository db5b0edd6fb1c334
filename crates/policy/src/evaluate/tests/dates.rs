//! Rules that are announced before they deny, and rules that end.

use model::{Outcome, Severity, Verdict};

use crate::scene::{ask, facts, finding, judge, rule, scan, set, time};
use crate::{Exceptions, evaluate};

fn dated(keys: &str) -> crate::PolicySet {
    set(&format!("rules: [{{ id: r, vulnerabilities: {{ max: {{ critical: 0 }} }}, {keys} }}]"))
}

#[test]
fn b10_a_rule_is_announced_before_it_denies() {
    let facts = scan(vec![finding("CVE-1", Severity::Critical)]).facts();
    for (keys, expected) in [
        ("effectiveFrom: 2026-03-11", Verdict::Warn),
        ("effectiveFrom: 2026-03-11, before: audit", Verdict::Allow),
        ("effectiveFrom: 2026-03-11, action: audit", Verdict::Allow),
        ("effectiveFrom: 2026-03-11, action: warn, before: audit", Verdict::Allow),
        ("effectiveFrom: 2026-03-10", Verdict::Deny),
        ("effectiveFrom: 2026-03-10T12:00:00Z", Verdict::Deny),
        ("effectiveFrom: 2026-03-10T12:00:01Z", Verdict::Warn),
    ] {
        let judgement = judge(&dated(keys), &facts);
        assert_eq!(judgement.verdict, expected, "{keys}");
        assert!(matches!(judgement.rules.first().outcome, Outcome::Fail(_)), "{keys}: it is broken all the same");
    }
    let judgement = judge(&dated("effectiveFrom: 2026-03-11"), &facts);
    assert_eq!(judgement.valid_until, Some(time("2026-03-11T00:00:00Z")), "S8: the day it denies ends the judgement");
    assert!(judgement.rules.first().notes.iter().any(|note| note.contains("deny from then on")));
}

#[test]
fn b10_an_announced_rule_that_is_unknown_weighs_no_more_than_its_announcement() {
    let judgement = judge(&dated("effectiveFrom: 2026-03-11"), &crate::scene::heard(Vec::new()));
    assert!(matches!(judgement.rules.first().outcome, Outcome::Unknown(..)));
    assert_eq!(judgement.verdict, Verdict::Warn);
}

#[test]
fn a5_a_policy_whose_rules_have_all_ended_is_none_that_matches() {
    let facts = scan(Vec::new()).facts();
    let ended = dated("until: 2026-03-09");
    let judgement = judge(&ended, &facts);
    assert_eq!(judgement.verdict, Verdict::Deny);
    assert_eq!(crate::scene::codes(&judgement), ["policy.noneMatched"]);
    assert!(judgement.warnings.iter().any(|warning| warning.contains("ended on 2026-03-10T00:00Z")), "{judgement:?}");
    // The last day counts to its end.
    let last = judge(&dated("until: 2026-03-10"), &facts);
    assert_eq!(last.verdict, Verdict::Allow);
    assert_eq!(last.valid_until, Some(time("2026-03-11T00:00:00Z")));
}

#[test]
fn a1_dates_that_contradict_each_other_are_refused_with_their_place() {
    for (keys, says) in [
        ("before: audit", "without `effectiveFrom`"),
        ("effectiveFrom: 2026-03-10, until: 2026-03-08", "`until` is before"),
        ("effectiveFrom: 2026-03-10T12:00", "is not a date"),
        ("before: deny, effectiveFrom: 2026-03-10", "unknown value `deny`"),
    ] {
        let (name, text) = crate::scene::document(
            "p",
            &format!("rules: [{{ id: r, vulnerabilities: {{ max: {{ critical: 0 }} }}, {keys} }}]"),
        );
        let error = crate::PolicySet::from_documents(&[(name, text)]).unwrap_err();
        assert!(error.what.contains(says) && error.line == Some(4), "{keys}: {error:?}");
    }
}

#[test]
fn s3_what_no_policy_is_about_means_what_the_environment_says() {
    let facts = facts(model::Signal::Present(scan(Vec::new()).observed()));
    for (said, expected) in
        [("", Verdict::Warn), (", noneMatched: deny", Verdict::Deny), (", noneMatched: audit", Verdict::Allow)]
    {
        let spec = format!(
            "environments: {{ production: {{ class: production }}, dev: {{ class: non-production{said} }} }}, \
             match: {{ images: [\"other.example/**\"] }}, rules: [{{ id: r, vulnerabilities: {{ max: {{ high: 0 }} }} }}]"
        );
        let set = set(&spec);
        let judge = |environment: &str| {
            let ask = model::Ask { environment: environment.to_owned(), ..ask() };
            evaluate(&set, &ask, &facts, &Exceptions::none(), crate::scene::now())
        };
        let judgement = judge("dev");
        assert_eq!(judgement.verdict, expected, "{said}");
        assert_eq!(crate::scene::codes(&judgement), ["policy.noneMatched"]);
        assert_eq!(judge("production").verdict, Verdict::Deny);
    }
    let (name, text) = crate::scene::document(
        "p",
        "environments: { production: { class: production, noneMatched: warn } }, rules: [{ id: r, vulnerabilities: {} }]",
    );
    let error = crate::PolicySet::from_documents(&[(name, text)]).unwrap_err();
    assert!(error.what.contains("is production"), "{error}");
    let _ = rule("{ max: { high: 0 } }");
}
