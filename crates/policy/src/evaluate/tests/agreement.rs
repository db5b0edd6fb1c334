//! S19: how many of the sources that answered must report a finding for it to count.

use model::{Disposition, Finding, Fix, Scanner, Severity, Verdict};

use crate::scene::{aliased, became, codes, file, finding, heard, judge, package, rule, scan, unproven};

const SCANNERS: [Scanner; 4] = [Scanner::Trivy, Scanner::Grype, Scanner::Snyk, Scanner::Osv];

fn policy(agree: &str, more: &str) -> crate::PolicySet {
    rule(&format!("{{ max: {{ high: 0 }}, sources: {{ accept: [ecr, file], blockWhen: {agree} }}{more} }}"))
}

/// So many sources, of which the first ones report CVE-1.
fn facts(sources: usize, yes: usize) -> model::Facts {
    let one = |n: usize, scanner| {
        let findings = if n < yes { vec![finding("CVE-1", Severity::High)] } else { vec![] };
        file(scanner, findings).report()
    };
    heard(SCANNERS.into_iter().take(sources).enumerate().map(|(n, scanner)| one(n, scanner)).collect())
}

#[test]
fn s19_any_majority_and_all_of_the_sources_that_answered() {
    for sources in 1..=4 {
        for yes in 0..=sources {
            for (agree, blocks) in [("any", yes > 0), ("majority", yes * 2 > sources), ("all", yes == sources)] {
                let judgement = judge(&policy(agree, ""), &facts(sources, yes));
                let verdict = if blocks && yes > 0 { Verdict::Deny } else { Verdict::Allow };
                assert_eq!(judgement.verdict, verdict, "{agree}: {yes} of {sources}");
                let shown = (yes > 0 && !blocks).then_some(Disposition::NotAgreed);
                assert_eq!(became(&judgement, "CVE-1").filter(|became| *became == Disposition::NotAgreed), shown);
            }
        }
    }
}

#[test]
fn s19_any_is_the_default() {
    let set = rule("{ max: { high: 0 }, sources: { accept: [file] } }");
    assert_eq!(judge(&set, &facts(4, 1)).verdict, Verdict::Deny);
}

#[test]
fn s6_a_denied_vulnerability_blocks_whoever_reports_it() {
    for agree in ["majority", "all"] {
        let judgement = judge(&policy(agree, ", deny: [CVE-1]"), &facts(4, 1));
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.denied"]), "{agree}");
        // What does not count is not looked at further.
        let exploited = Finding { exploit_available: Some(true), ..finding("CVE-1", Severity::Low) };
        let one = heard(vec![file(Scanner::Trivy, vec![exploited]).report(), file(Scanner::Grype, vec![]).report()]);
        assert_eq!(judge(&policy(agree, ", knownExploited: deny"), &one).verdict, Verdict::Allow, "{agree}");
    }
}

#[test]
fn s19_a_known_exploit_that_one_of_the_agreeing_sources_names_blocks() {
    let exploited = Finding { exploit_available: Some(true), ..finding("CVE-1", Severity::Low) };
    let both = heard(vec![
        file(Scanner::Trivy, vec![exploited]).report(),
        file(Scanner::Grype, vec![finding("CVE-1", Severity::Low)]).report(),
    ]);
    assert_eq!(codes(&judge(&policy("all", ", knownExploited: deny"), &both)), ["vuln.knownExploited"]);
}

#[test]
fn s19_a_source_that_did_not_answer_has_no_say() {
    let mut facts = facts(2, 1);
    assert_eq!(judge(&policy("majority", ""), &facts).verdict, Verdict::Allow, "one of two");
    facts.root.reports.remove(1);
    assert_eq!(judge(&policy("majority", ""), &facts).verdict, Verdict::Deny, "one of one");
    // A report that proves nothing adds its yes and is not asked for one.
    facts.root.reports.push(unproven(Scanner::Osv, vec![]));
    assert_eq!(judge(&policy("all", ""), &facts).verdict, Verdict::Deny);
    let two = |third| {
        heard(vec![
            file(Scanner::Trivy, vec![finding("CVE-1", Severity::High)]).report(),
            file(Scanner::Grype, vec![]).report(),
            unproven(Scanner::Osv, third),
        ])
    };
    assert_eq!(judge(&policy("majority", ""), &two(vec![])).verdict, Verdict::Allow);
    let yes = vec![finding("CVE-1", Severity::High)];
    assert_eq!(judge(&policy("majority", ""), &two(yes.clone())).verdict, Verdict::Deny);
    assert_eq!(judge(&policy("all", ""), &two(yes)).verdict, Verdict::Allow, "one that answered does not report it");
}

#[test]
fn s19_a_scanner_has_one_voice_however_it_is_heard() {
    // ECR by its API and saved, and one other: a majority of two.
    let high = || vec![finding("CVE-1", Severity::High)];
    let reports =
        |trivy| vec![scan(high()).report(), file(Scanner::Ecr, high()).report(), file(Scanner::Trivy, trivy).report()];
    assert_eq!(judge(&policy("majority", ""), &heard(reports(vec![]))).verdict, Verdict::Allow, "one of two voices");
    assert_eq!(judge(&policy("majority", ""), &heard(reports(high()))).verdict, Verdict::Deny);
}

#[test]
fn s19_scanners_that_name_packages_or_ids_differently_still_agree() {
    let named =
        |name: &str| Finding { packages: vec![package(name, Fix::Available)], ..finding("CVE-1", Severity::High) };
    let ghsa = aliased("GHSA-1", &["CVE-1"], Severity::High);
    let advisory = aliased("ALAS-1", &["CVE-1", "CVE-2"], Severity::High);
    for other in [named("libssl3"), ghsa, advisory, Finding { packages: vec![], ..named("") }] {
        let facts = heard(vec![
            file(Scanner::Trivy, vec![named("openssl")]).report(),
            file(Scanner::Grype, vec![other.clone()]).report(),
        ]);
        assert_eq!(judge(&policy("all", ""), &facts).verdict, Verdict::Deny, "{other:?}");
    }
    let facts = heard(vec![
        file(Scanner::Trivy, vec![finding("CVE-1", Severity::High)]).report(),
        file(Scanner::Grype, vec![finding("CVE-2", Severity::High)]).report(),
    ]);
    assert_eq!(judge(&policy("all", ""), &facts).verdict, Verdict::Allow, "two CVEs are never the same");
}
