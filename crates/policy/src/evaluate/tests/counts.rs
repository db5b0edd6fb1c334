//! S17: the scanner's counts against its list. S21: severities outside the usual four.

use model::{Disposition, Outcome, ReasonCode, Severity, UnknownClass, Verdict};

use crate::scene::{Scan, became, class, codes, finding, index, judge, messages, rule, scan};

/// A scan with so many HIGH findings listed, and this summary.
fn listed(count: u32, summary: &[(Severity, u64)]) -> Scan {
    let findings = (0..count).map(|n| finding(&format!("CVE-{n}"), Severity::High)).collect();
    Scan { summary: Some(summary.to_vec()), ..scan(findings) }
}

#[test]
fn s17_a_larger_summary_that_blocks_denies() {
    let judgement = judge(&rule("{ max: { high: 2 } }"), &listed(2, &[(Severity::High, 3)]).facts());
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.countExceeded"]));
    assert!(messages(&judgement).contains("counts 3 HIGH findings and lists 2"), "{}", messages(&judgement));
    let judgement = judge(&rule("{ max: { high: 0 } }"), &listed(0, &[(Severity::High, 1)]).facts());
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.countExceeded"]));
}

#[test]
fn s17_a_list_that_blocks_by_itself_says_so() {
    for summary in [0, 1, 2, 9] {
        let judgement = judge(&rule("{ max: { high: 0 } }"), &listed(2, &[(Severity::High, summary)]).facts());
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.maxExceeded"]), "{summary}");
        assert_eq!(judgement.blocking().len(), 2);
    }
}

#[test]
fn s17_any_other_disagreement_in_a_limited_severity_is_unknown() {
    let set = rule("{ max: { high: 5 } }");
    for (count, summary) in [(1, 2), (1, 5), (2, 1), (3, 0), (0, 1)] {
        let judgement = judge(&set, &listed(count, &[(Severity::High, summary)]).facts());
        assert_eq!(
            (judgement.verdict, class(&judgement)),
            (Verdict::Deny, UnknownClass::EvidenceInvalid),
            "{count} {summary}"
        );
        assert_eq!(codes(&judgement), ["scan.countsDisagree"]);
        assert_eq!(judgement.counts(), None, "numbers that disagree are not given");
    }
    assert_eq!(judge(&set, &listed(2, &[(Severity::High, 2)]).facts()).verdict, Verdict::Allow);
    // A summary without the severity at all counts it as zero.
    assert_eq!(class(&judge(&set, &listed(1, &[]).facts())), UnknownClass::EvidenceInvalid);
}

#[test]
fn s17_a_disagreement_in_an_unlimited_severity_is_a_note() {
    for (listed_, summary) in [(0, 7), (3, 1)] {
        let judgement =
            judge(&rule("{ max: { critical: 0 } }"), &listed(listed_, &[(Severity::High, summary)]).facts());
        assert_eq!((judgement.verdict, &judgement.rules.first().outcome), (Verdict::Allow, &Outcome::Pass));
        assert_eq!(
            judgement.rules.first().notes,
            [format!("the scanner counts {summary} HIGH findings and lists {listed_}")]
        );
        assert_eq!(
            judgement.counts().unwrap()[&Severity::High],
            u64::from(listed_).max(summary),
            "the larger of the two"
        );
    }
}

#[test]
fn s17_a_rule_about_single_findings_limits_every_severity() {
    // What the scanner counts and does not list could be on the deny list, exploited, or of any score.
    for key in ["deny: [CVE-666]", "knownExploited: deny", "denyCvssFrom: 9", "denyEpssFrom: 0.5"] {
        let judgement = judge(&rule(&format!("{{ {key} }}")), &listed(0, &[(Severity::High, 1)]).facts());
        assert_eq!((judgement.verdict, class(&judgement)), (Verdict::Deny, UnknownClass::EvidenceInvalid), "{key}");
    }
    assert_eq!(judge(&rule("{ deny: [] }"), &listed(0, &[(Severity::High, 1)]).facts()).verdict, Verdict::Allow);
}

#[test]
fn s17_what_is_not_listed_cannot_be_waived() {
    let set = rule("{ max: { high: 0 }, allow: [CVE-0, CVE-1] }");
    assert_eq!(judge(&set, &listed(2, &[(Severity::High, 2)]).facts()).verdict, Verdict::Allow);
    let judgement = judge(&set, &listed(2, &[(Severity::High, 3)]).facts());
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.countExceeded"]));
}

#[test]
fn s17_the_largest_summary_does_not_wrap() {
    let judgement = judge(&rule("{ max: { high: 4294967295 } }"), &listed(1, &[(Severity::High, u64::MAX)]).facts());
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.countExceeded"]));
}

#[test]
fn a17_a_note_names_its_platform() {
    let scan = listed(0, &[(Severity::High, 1)]).observed();
    let judgement = judge(&rule("{}"), &index(vec![("linux/arm64", model::Signal::Present(scan))]));
    assert_eq!(judgement.rules.first().notes, ["linux/arm64: the scanner counts 1 HIGH findings and lists 0"]);
}

#[test]
fn s21_unrated_severities_have_limits_of_their_own() {
    for severity in [Severity::Undefined, Severity::Untriaged, Severity::Informational] {
        let facts = scan(vec![finding("CVE-1", severity.clone())]).facts();
        assert_eq!(
            judge(&crate::PolicySet::built_in().unwrap(), &facts).verdict,
            Verdict::Allow,
            "{severity} by default"
        );
        let key = severity.as_str().to_lowercase();
        assert_eq!(judge(&rule(&format!("{{ max: {{ {key}: 0 }} }}")), &facts).verdict, Verdict::Deny, "{severity}");
        assert_eq!(judge(&rule(&format!("{{ max: {{ {key}: 1 }} }}")), &facts).verdict, Verdict::Allow, "{severity}");
    }
}

#[test]
fn s21_an_unknown_word_counts_under_the_most_serious_limited_severity() {
    let odd = || finding("CVE-odd", Severity::Unknown("SEVERE".to_owned()));
    let one = scan(vec![odd()]).facts();
    for limits in [
        "critical: 0",
        "critical: 0, low: 9",
        "high: 0, medium: 9",
        "low: 0",
        "untriaged: 0",
        "undefined: 0, untriaged: 5",
    ] {
        let judgement = judge(&rule(&format!("{{ max: {{ {limits} }} }}")), &one);
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.maxExceeded"]), "{limits}");
        assert_eq!(became(&judgement, "CVE-odd"), Some(Disposition::Blocks(ReasonCode::VulnMaxExceeded)));
    }
    // It counts together with those of that severity.
    let two = scan(vec![odd(), finding("CVE-1", Severity::Critical)]).facts();
    assert_eq!(judge(&rule("{ max: { critical: 2 } }"), &two).verdict, Verdict::Allow);
    assert_eq!(judge(&rule("{ max: { critical: 1 } }"), &two).verdict, Verdict::Deny);
}

#[test]
fn s21_an_unknown_word_does_not_block_without_limits() {
    let facts = scan(vec![finding("CVE-1", Severity::Unknown("SEVERE".to_owned()))]).facts();
    for limits in ["{}", "{ max: {} }", "{ knownExploited: deny }"] {
        assert_eq!(judge(&rule(limits), &facts).verdict, Verdict::Allow, "{limits}");
    }
    assert_eq!(judge(&crate::PolicySet::built_in().unwrap(), &facts).verdict, Verdict::Deny);
}

#[test]
fn s21_an_unknown_word_in_the_summary_alone_counts_too() {
    let odd = Severity::Unknown("SEVERE".to_owned());
    let facts = listed(0, &[(odd.clone(), 1)]).facts();
    assert_eq!(codes(&judge(&rule("{ max: { critical: 0 } }"), &facts)), ["vuln.countExceeded"]);
    assert_eq!(class(&judge(&rule("{ max: { critical: 1 } }"), &facts)), UnknownClass::EvidenceInvalid);
    // An unknown and a known word add up.
    let facts = listed(0, &[(odd, 1), (Severity::Critical, 1)]).facts();
    assert_eq!(codes(&judge(&rule("{ max: { critical: 1 } }"), &facts)), ["vuln.countExceeded"]);
}
