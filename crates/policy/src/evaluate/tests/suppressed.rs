//! What scanners were told not to count (`.trivyignore`, ignore rules): honoured or counted, as the rule says.

use model::{Disposition, Finding, Scanner, Severity, Verdict};

use crate::scene::{became, codes, exceptions, file, finding, heard, judge, judge_with, rule, shown};

fn ignored(id: &str) -> Finding {
    Finding { suppressed: Some(".trivyignore".to_owned()), ..finding(id, Severity::High) }
}

fn policy(suppressed: &str, more: &str) -> crate::PolicySet {
    rule(&format!("{{ max: {{ high: 0 }}, sources: {{ accept: [file]{suppressed} }}{more} }}"))
}

#[test]
fn s19_a_suppressed_finding_is_shown_and_counts_only_if_the_rule_says_so() {
    let facts = heard(vec![file(Scanner::Trivy, vec![ignored("CVE-1")]).report()]);
    for honoured in ["", ", suppressed: honour"] {
        let judgement = judge(&policy(honoured, ""), &facts);
        assert_eq!(judgement.verdict, Verdict::Allow);
        assert_eq!(became(&judgement, "CVE-1"), Some(Disposition::Suppressed(".trivyignore".to_owned())));
    }
    let judgement = judge(&policy(", suppressed: count", ""), &facts);
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.maxExceeded"]));
}

#[test]
fn s6_a_deny_list_is_not_for_scanners_to_lift() {
    let facts = heard(vec![file(Scanner::Trivy, vec![ignored("CVE-1")]).report()]);
    assert_eq!(codes(&judge(&policy("", ", deny: [CVE-1]"), &facts)), ["vuln.denied"]);
}

#[test]
fn s19_what_one_source_suppresses_and_another_reports_counts() {
    let both = |second| {
        heard(vec![file(Scanner::Trivy, vec![ignored("CVE-1")]).report(), file(Scanner::Grype, vec![second]).report()])
    };
    let judgement = judge(&policy("", ""), &both(finding("CVE-1", Severity::Low)));
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.maxExceeded"]));
    assert_eq!(shown(&judgement, "CVE-1").unwrap().finding.suppressed, None);
    // Suppressed by all of them it does not.
    let judgement = judge(&policy("", ""), &both(ignored("CVE-1")));
    assert_eq!(judgement.verdict, Verdict::Allow);
    assert!(matches!(became(&judgement, "CVE-1"), Some(Disposition::Suppressed(_))));
    // Somebody whose word does not count cannot suppress what another source reports.
    let set = rule("{ max: { high: 0 }, sources: { accept: [file, grype] } }");
    let facts = heard(vec![
        file(Scanner::Grype, vec![finding("CVE-1", Severity::High)]).report(),
        file(Scanner::Trivy, vec![ignored("CVE-1")]).report(),
    ]);
    assert_eq!(judge(&set, &facts).verdict, Verdict::Deny);
}

#[test]
fn s29_an_exception_for_what_is_suppressed_is_not_used() {
    let facts = heard(vec![file(Scanner::Trivy, vec![ignored("CVE-1")]).report()]);
    let entries = exceptions(&["id: e, cve: CVE-1, repository: team/app, expires: 2026-03-20"]);
    assert!(judge_with(&policy("", ""), &facts, &entries).inputs.exceptions.is_empty());
    let counted = judge_with(&policy(", suppressed: count", ""), &facts, &entries);
    assert_eq!((counted.verdict, counted.inputs.exceptions.len()), (Verdict::Allow, 1));
}
