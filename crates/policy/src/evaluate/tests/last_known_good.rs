//! S5: the last known good fact may stand in for a source that could not be asked, never for anything else.

use model::{Finding, Reason, ReasonCode, Severity, Signal, SignedDuration, UnknownClass, Verdict};

use crate::PolicySet;
use crate::scene::{self, Scan, class, codes, days, facts, finding, hours, index, judge, now, scan, set};

/// The classes that `lastKnownGood` may be for and that a scan signal can have today, each with a code.
const AWAY: [ReasonCode; 3] = [ReasonCode::AwsThrottled, ReasonCode::AwsUnavailable, ReasonCode::Deadline];

fn policy(age: &str) -> PolicySet {
    let classes =
        ["throttled", "registryUnavailable", "deadline"].map(|class| format!("{class}: {{ lastKnownGood: {age} }}"));
    let rules = "rules: [{ id: r, vulnerabilities: { max: { high: 0 }, deny: [CVE-666] } }]";
    set(&format!("onUnknown: {{ {} }}, {rules}", classes.join(", ")))
}

fn away(code: ReasonCode, last: Option<Scan>) -> Signal<model::CompleteScan> {
    let why = Reason::new(code, "the registry does not answer");
    Signal::Unavailable { why, last: last.map(|scan| Box::new(scan.observed())) }
}

#[test]
fn s5_without_a_last_fact_it_is_denied() {
    for code in AWAY {
        let judgement = judge(&policy("24h"), &facts(away(code, None)));
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec![code.as_str()]));
    }
}

#[test]
fn s5_a_last_fact_counts_up_to_its_age() {
    // The fact was read an hour ago.
    let nano = SignedDuration::from_nanos(1);
    for code in AWAY {
        for (age, verdict) in
            [("2h", Verdict::Allow), ("61m", Verdict::Allow), ("1h", Verdict::Deny), ("59m", Verdict::Deny)]
        {
            let judgement = judge(&policy(age), &facts(away(code, Some(scan(vec![])))));
            assert_eq!(judgement.verdict, verdict, "{code} {age}");
        }
    }
    let facts = facts(away(ReasonCode::AwsUnavailable, Some(scan(vec![]))));
    let judgement = judge(&policy("2h"), &facts);
    assert_eq!(judgement.valid_until, Some(now() + hours(1)));
    let at = |moment| crate::evaluate(&policy("2h"), &scene::ask(), &facts, &crate::Exceptions::none(), moment).verdict;
    assert_eq!(at(now() + hours(1) - nano), Verdict::Allow);
    assert_eq!(at(now() + hours(1)), Verdict::Deny);
}

#[test]
fn s5_a_last_fact_is_judged_by_todays_policy() {
    let with = |finding| judge(&policy("24h"), &facts(away(ReasonCode::AwsUnavailable, Some(scan(vec![finding])))));
    assert_eq!(codes(&with(finding("CVE-666", Severity::Low))), ["vuln.denied"], "never past a deny list");
    assert_eq!(codes(&with(finding("CVE-1", Severity::High))), ["vuln.maxExceeded"]);
    let last = Scan { dated: now() - days(8), ..scan(vec![]) };
    let judgement = judge(&policy("30d"), &facts(away(ReasonCode::AwsUnavailable, Some(last))));
    assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::ScanStale), "its data age too");
}

#[test]
fn s5_only_the_class_that_the_policy_names() {
    let rules = "rules: [{ id: r, vulnerabilities: {} }]";
    let set = set(&format!("onUnknown: {{ throttled: {{ lastKnownGood: 24h }} }}, {rules}"));
    assert_eq!(judge(&set, &facts(away(ReasonCode::AwsThrottled, Some(scan(vec![]))))).verdict, Verdict::Allow);
    for code in ReasonCode::ALL.iter().filter(|code| code.class() != Some(UnknownClass::Throttled)) {
        let judgement = judge(&set, &facts(away(*code, Some(scan(vec![])))));
        assert_eq!(judgement.verdict, Verdict::Deny, "{code}");
    }
}

#[test]
fn s5_never_for_a_source_that_answered() {
    let why = |code| Reason::new(code, "answered");
    for code in AWAY {
        for signal in [Signal::Absent(why(code)), Signal::Failed(why(code)), Signal::Pending(why(code))] {
            assert_eq!(judge(&policy("24h"), &facts(signal)).verdict, Verdict::Deny);
        }
    }
}

#[test]
fn s43_a_stand_in_is_named_and_counted() {
    let unfixable = Finding { packages: vec![], ..finding("CVE-1", Severity::Low) };
    let facts = index(vec![
        ("linux/amd64", Signal::Present(scan(vec![unfixable.clone()]).observed())),
        ("linux/arm64", away(ReasonCode::AwsUnavailable, Some(scan(vec![unfixable])))),
    ]);
    let judgement = judge(&policy("24h"), &facts);
    assert_eq!(judgement.verdict, Verdict::Allow);
    let notes = &judgement.rules.first().notes;
    assert!(notes.len() == 1 && notes[0].starts_with("linux/arm64: the last known good scan"), "{notes:?}");
    assert_eq!(judgement.inputs.signals.len(), 2, "it is evidence like any other");
    assert_eq!(judgement.counts().unwrap().get(&Severity::Low), Some(&2), "and its findings are in the numbers");
}
