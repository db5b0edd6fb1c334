//! Not knowing: every class, every action, every `onUnknown`; never a pass.

use model::{NonEmpty, Outcome, Reason, ReasonCode, Severity, Signal, UnknownClass, Verdict};

use crate::document::Action;
use crate::evaluate::rule::on_unknown;
use crate::scene::{class, codes, facts, finding, judge, scan, set};

const ACTIONS: [(&str, Verdict); 3] = [("deny", Verdict::Deny), ("warn", Verdict::Warn), ("audit", Verdict::Allow)];
const ANSWERS: [(&str, Verdict); 3] = [("deny", Verdict::Deny), ("pending", Verdict::Pending), ("warn", Verdict::Warn)];

fn reason(code: ReasonCode) -> Reason {
    Reason::new(code, "made for the test")
}

/// Every signal that is not `Present`.
fn gaps(why: &Reason) -> [Signal<model::CompleteScan>; 7] {
    let last = Some(Box::new(scan(vec![]).observed()));
    [
        Signal::Absent(why.clone()),
        Signal::Pending(why.clone()),
        Signal::Unsupported(why.clone()),
        Signal::Failed(why.clone()),
        Signal::Unavailable { why: why.clone(), last: None },
        Signal::Unavailable { why: why.clone(), last },
        Signal::NotCollected(why.clone()),
    ]
}

#[test]
fn s3_every_class_means_the_milder_of_action_and_on_unknown() {
    let mut judged = 0;
    for class_ in UnknownClass::ALL {
        for (action, of_action) in ACTIONS {
            for (answer, of_answer) in ANSWERS {
                let other = if answer == "deny" { "warn" } else { "deny" };
                let rules = "rules: [{ id: r, vulnerabilities: {} }]";
                let set =
                    set(&format!("onUnknown: {{ {class_}: {answer}, default: {other} }}, {rules}, action: {action}"));
                assert_eq!(on_unknown(&set.members[0], class_), of_answer);
                for code in ReasonCode::ALL.iter().filter(|code| code.class() == Some(class_)) {
                    let judgement = judge(&set, &facts(Signal::Failed(reason(*code))));
                    assert_eq!(judgement.verdict, of_action.min(of_answer), "{code} {action} {answer}");
                    assert_eq!(class(&judgement), class_);
                    assert_eq!(codes(&judgement), [code.as_str()]);
                    judged += 1;
                }
            }
        }
    }
    assert!(judged >= 9 * 12, "{judged}");
}

#[test]
fn s4_what_no_policy_mentions_is_denied() {
    for on_unknown_ in ["", "onUnknown: {},", "onUnknown: { default: deny },"] {
        let set = set(&format!("{on_unknown_} rules: [{{ id: r, vulnerabilities: {{}} }}]"));
        for class in UnknownClass::ALL {
            assert_eq!(on_unknown(&set.members[0], class), Verdict::Deny, "{class}");
        }
    }
}

#[test]
fn s4_the_default_answers_for_the_classes_left_out() {
    let set = set("onUnknown: { scanPending: pending, default: warn }, rules: [{ id: r, vulnerabilities: {} }]");
    for class in UnknownClass::ALL {
        let answer = if class == UnknownClass::ScanPending { Verdict::Pending } else { Verdict::Warn };
        assert_eq!(on_unknown(&set.members[0], class), answer, "{class}");
    }
}

#[test]
fn s16_nothing_but_a_present_scan_is_ever_allowed_under_deny() {
    for answer in ["deny", "pending", "warn"] {
        let set = set(&format!("onUnknown: {{ default: {answer} }}, rules: [{{ id: r, vulnerabilities: {{}} }}]"));
        for code in ReasonCode::ALL {
            for signal in gaps(&reason(*code)) {
                let judgement = judge(&set, &facts(signal.clone()));
                assert_ne!(judgement.verdict, Verdict::Allow, "{signal:?} with onUnknown {answer}");
                assert!(matches!(judgement.rules.first().outcome, Outcome::Unknown(..)));
                assert_eq!(judgement.counts(), None, "no numbers without a scan (S14)");
                assert!(judgement.inputs.signals.is_empty());
            }
        }
    }
}

#[test]
fn a5_a_reason_without_a_class_is_a_fault_of_the_gate() {
    let set = set("onUnknown: { default: warn, internal: deny }, rules: [{ id: r, vulnerabilities: {} }]");
    let judgement = judge(&set, &facts(Signal::Absent(reason(ReasonCode::VulnMaxExceeded))));
    assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::Internal));
}

#[test]
fn s3_audit_records_what_is_not_known() {
    let set = set("action: audit, rules: [{ id: r, vulnerabilities: {} }]");
    let judgement = judge(&set, &facts(Signal::Absent(reason(ReasonCode::ScanMissing))));
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Allow, vec!["scan.missing"]));
    assert_eq!(judgement.counts(), None);
}

#[test]
fn s10_the_worst_class_of_several_platforms_is_named() {
    let platforms = vec![
        ("linux/amd64", Signal::Pending(reason(ReasonCode::ScanPending))),
        ("linux/arm64", Signal::Failed(reason(ReasonCode::ScanFailed))),
        ("linux/s390x", Signal::Present(scan(vec![]).observed())),
    ];
    let set = set("onUnknown: { scanPending: pending }, rules: [{ id: r, vulnerabilities: {} }]");
    let judgement = judge(&set, &crate::scene::index(platforms));
    assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::ScanFailed));
    assert_eq!(codes(&judgement), ["scan.pending", "scan.failed"]);
}

#[test]
fn s3_a_real_failure_stands_beside_what_is_not_known() {
    let platforms = vec![
        ("linux/amd64", Signal::Pending(reason(ReasonCode::ScanPending))),
        ("linux/arm64", Signal::Present(scan(vec![finding("CVE-1", Severity::High)]).observed())),
    ];
    let rules = "rules: [{ id: r, vulnerabilities: { max: { high: 0 } } }]";
    let judgement = judge(&set(&format!("onUnknown: {{ default: warn }}, {rules}")), &crate::scene::index(platforms));
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.maxExceeded", "scan.pending"]));
}

#[test]
fn s3_verdicts_are_ordered_by_weight() {
    assert!(Verdict::Allow < Verdict::Warn && Verdict::Warn < Verdict::Pending && Verdict::Pending < Verdict::Deny);
    assert_eq!(
        [Action::Deny, Action::Warn, Action::Audit].map(Action::verdict),
        [Verdict::Deny, Verdict::Warn, Verdict::Allow]
    );
    assert_eq!(
        NonEmpty::new(vec![Verdict::Warn, Verdict::Deny, Verdict::Pending]).unwrap().max_by(|v| *v),
        &Verdict::Deny
    );
}
