//! Several sources under one rule: limits, counts, exceptions and grace over what they say together; and one source, for
//! which nothing changes.

use model::{Disposition, Finding, Fix, ScanReport, Scanner, Severity, Verdict};

use crate::scene::{
    aliased, became, codes, days, exceptions, file, finding, heard, judge, judge_with, now, package, rule, scan, set,
    shown, unproven,
};

fn policy(keys: &str) -> crate::PolicySet {
    rule(&format!("{{ sources: {{ accept: [ecr, file] }}, {keys} }}"))
}

fn of(scanner: Scanner, findings: Vec<Finding>) -> ScanReport {
    file(scanner, findings).report()
}

#[test]
fn b14_one_source_is_judged_as_it_is() {
    let findings = || vec![aliased("GHSA-1", &["CVE-1"], Severity::High), finding("CVE-2", Severity::Low)];
    let set = policy("max: { high: 0, low: 5 }");
    let judgement = judge(&set, &heard(vec![of(Scanner::Trivy, findings())]));
    let shown: Vec<_> = judgement.rules.first().findings.iter().map(|judged| judged.finding.clone()).collect();
    assert_eq!(shown, findings(), "neither renamed nor marked");
    // Reports beside it that have nothing to say change nothing of that.
    let more = vec![of(Scanner::Trivy, findings()), unproven(Scanner::Osv, vec![])];
    let beside = judge(&set, &heard(more));
    assert_eq!(beside.rules.first().findings, judgement.rules.first().findings);
}

#[test]
fn b14_what_several_sources_report_counts_once() {
    let high = || finding("CVE-1", Severity::High);
    let facts = heard(vec![
        of(Scanner::Trivy, vec![high(), finding("CVE-2", Severity::Low)]),
        of(Scanner::Grype, vec![high()]),
    ]);
    let judgement = judge(&policy("max: { high: 1 }"), &facts);
    assert_eq!(judgement.verdict, Verdict::Allow);
    let counts = judgement.counts().unwrap();
    assert_eq!((counts.get(&Severity::High), counts.get(&Severity::Low)), (Some(&1), Some(&1)));
    assert_eq!(judgement.inputs.signals.len(), 2);
    let names: Vec<_> = judgement.inputs.signals.iter().map(|signal| signal.scanner).collect();
    assert_eq!(names, [Scanner::Trivy, Scanner::Grype]);
}

#[test]
fn b14_numbers_are_one_whatever_the_rules_accept() {
    let facts = heard(vec![
        scan(vec![finding("CVE-1", Severity::High)]).report(),
        of(Scanner::Trivy, vec![finding("CVE-1", Severity::High), finding("CVE-2", Severity::High)]),
    ]);
    let spec = "rules: [{ id: one, vulnerabilities: { sources: { accept: [ecr], blockWhen: all } } },
                        { id: two, vulnerabilities: { sources: { accept: [file] } } }]";
    assert_eq!(judge(&set(spec), &facts).counts().unwrap()[&Severity::High], 2);
}

#[test]
fn b14_two_packages_of_one_name_are_two() {
    let of_package = |purl: &str, version: &str| {
        let package = model::Package {
            name: "core".to_owned(),
            version: version.to_owned(),
            fix: Fix::NotSaid,
            purl: Some(purl.to_owned()),
            layer: None,
        };
        Finding { packages: vec![package], ..finding("CVE-1", Severity::High) }
    };
    let facts = |one: (&str, &str), two: (&str, &str)| {
        heard(vec![
            of(Scanner::Trivy, vec![of_package(one.0, one.1)]),
            of(Scanner::Grype, vec![of_package(two.0, two.1)]),
        ])
    };
    let apart = facts(("pkg:npm/%40a/core@1.0.0", "1.0.0"), ("pkg:npm/%40b/core@2.0.0", "2.0.0"));
    assert_eq!(judge(&policy("max: { high: 1 }"), &apart).verdict, Verdict::Deny);
    let other_kind = facts(("pkg:deb/debian/core@1.0.0", "1.0.0"), ("pkg:npm/core@1.0.0", "1.0.0"));
    assert_eq!(judge(&policy("max: { high: 1 }"), &other_kind).verdict, Verdict::Deny);
    let same = facts(("pkg:deb/debian/core@1.0.0?arch=amd64", "1.0.0"), ("pkg:deb/debian/core@1.0.0", "1.0.0"));
    assert_eq!(judge(&policy("max: { high: 1 }"), &same).verdict, Verdict::Allow);
}

#[test]
fn s18_of_two_reports_of_one_moment_both_count() {
    let (clean, bad) = (|| of(Scanner::Trivy, vec![]), || of(Scanner::Trivy, vec![finding("CVE-1", Severity::High)]));
    for reports in [vec![clean(), bad()], vec![bad(), clean()]] {
        assert_eq!(judge(&policy("max: { high: 0 }"), &heard(reports)).verdict, Verdict::Deny);
    }
}

#[test]
fn s17_a_report_without_counts_of_its_own_disagrees_with_nobody() {
    let facts = || heard(vec![of(Scanner::Trivy, vec![finding("CVE-1", Severity::High)])]);
    let judgement = judge(&policy("max: { high: 1 }"), &facts());
    assert_eq!((judgement.verdict, judgement.counts().unwrap()[&Severity::High]), (Verdict::Allow, 1));
    assert!(judgement.rules.first().notes.is_empty());
}

#[test]
fn s19_a_limit_that_one_source_breaks_is_not_passed_by_a_higher_word_of_another() {
    // Under `any` one source's word is enough, whatever the rule limits.
    let facts = heard(vec![
        of(Scanner::Trivy, vec![finding("CVE-1", Severity::High)]),
        of(Scanner::Grype, vec![finding("CVE-1", Severity::Critical)]),
    ]);
    for limits in ["high: 0", "critical: 5, high: 0", "critical: 0"] {
        let judgement = judge(&policy(&format!("max: {{ {limits} }}")), &facts);
        assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.maxExceeded"]), "{limits}");
        assert_eq!(judgement.rules.first().findings.len(), 1, "shown once");
        assert!(matches!(became(&judgement, "CVE-1"), Some(Disposition::Blocks(_))));
    }
    let within = judge(&policy("max: { critical: 1, high: 1 }"), &facts);
    assert_eq!((within.verdict, within.rules.first().findings.len()), (Verdict::Allow, 1));
    // A rating stands for the absence of one.
    let unrated = heard(vec![
        of(Scanner::Trivy, vec![finding("CVE-1", Severity::Undefined)]),
        of(Scanner::Grype, vec![finding("CVE-1", Severity::Low)]),
    ]);
    assert_eq!(judge(&policy("max: { undefined: 0, low: 9 }"), &unrated).verdict, Verdict::Allow);
}

#[test]
fn s29_an_exception_covers_what_several_sources_report() {
    let both =
        |one: Finding, other: Finding| heard(vec![of(Scanner::Trivy, vec![one]), of(Scanner::Grype, vec![other])]);
    let high = || finding("CVE-1", Severity::High);
    let set = policy("max: { high: 0 }");
    let entry = |rest: &str| exceptions(&[&format!("id: e, {rest}, repository: team/app, expires: 2026-03-20")]);
    let judgement =
        judge_with(&set, &both(high(), aliased("GHSA-1", &["CVE-1"], Severity::High)), &entry("cve: CVE-1"));
    assert_eq!((judgement.verdict, judgement.inputs.exceptions[0].findings), (Verdict::Allow, 1));
    let by_alias =
        judge_with(&set, &both(high(), aliased("GHSA-1", &["CVE-1"], Severity::High)), &entry("cve: ghsa-1"));
    assert_eq!(by_alias.verdict, Verdict::Allow);
    // A package binds it to what every source says is in that package and in nothing else.
    let entry = entry("cve: CVE-1, package: openssl");
    assert_eq!(judge_with(&set, &both(high(), high()), &entry).verdict, Verdict::Allow);
    let elsewhere =
        Finding { packages: vec![package("openssl", Fix::NotSaid), package("libssl3", Fix::NotSaid)], ..high() };
    let nowhere = Finding { packages: vec![], ..high() };
    for other in [elsewhere, nowhere] {
        assert_eq!(judge_with(&set, &both(high(), other.clone()), &entry).verdict, Verdict::Deny, "{other:?}");
    }
}

#[test]
fn s29_a_name_of_one_source_is_an_alias_of_one_vulnerability_alone() {
    let set = policy("max: { high: 0 }");
    let entry = |cve: &str| exceptions(&[&format!("id: e, cve: {cve}, repository: team/app, expires: 2026-03-20")]);
    let advisory = || heard(vec![of(Scanner::Trivy, vec![aliased("ALAS-1", &["CVE-1", "CVE-2"], Severity::High)])]);
    assert_eq!(judge_with(&set, &advisory(), &entry("CVE-1")).verdict, Verdict::Deny, "it is about CVE-2, too");
    assert_eq!(judge_with(&set, &advisory(), &entry("ALAS-1")).verdict, Verdict::Allow);
    let one = || heard(vec![of(Scanner::Trivy, vec![aliased("GHSA-1", &["CVE-1"], Severity::High)])]);
    assert_eq!(judge_with(&set, &one(), &entry("cve-1")).verdict, Verdict::Allow);
    // The same for `allow`; `deny` takes any name.
    let listed =
        |list: &str, facts: &model::Facts| judge(&policy(&format!("max: {{ high: 0 }}, {list}: [CVE-1]")), facts);
    assert_eq!(listed("allow", &advisory()).verdict, Verdict::Deny);
    assert_eq!(listed("allow", &one()).verdict, Verdict::Allow);
    assert_eq!(codes(&listed("deny", &advisory())), ["vuln.denied"]);
}

#[test]
fn s20_grace_runs_from_the_first_sighting_under_any_name_it_is_on_record_by() {
    let set = policy("max: { critical: 0, high: 0 }, gracePeriod: { high: 7d }");
    let judged = |recorded: &str, ago: i64, findings: Vec<Vec<Finding>>| {
        let scanners = [Scanner::Trivy, Scanner::Grype];
        let mut facts = heard(findings.into_iter().zip(scanners).map(|(list, scanner)| of(scanner, list)).collect());
        facts.first_seen.insert((recorded.to_owned(), "openssl".to_owned()), now() - days(ago));
        judge(&set, &facts).verdict
    };
    let ghsa = || aliased("GHSA-1", &["CVE-1"], Severity::High);
    let cve = || finding("CVE-1", Severity::High);
    for recorded in ["GHSA-1", "CVE-1"] {
        assert_eq!(judged(recorded, 1, vec![vec![ghsa()]]), Verdict::Allow, "{recorded}");
        assert_eq!(judged(recorded, 1, vec![vec![cve()], vec![ghsa()]]), Verdict::Allow, "{recorded}");
        assert_eq!(judged(recorded, 8, vec![vec![cve()], vec![ghsa()]]), Verdict::Deny, "{recorded}");
    }
    assert_eq!(judged("CVE-2", 1, vec![vec![cve()], vec![ghsa()]]), Verdict::Deny);
    let advisory = aliased("ALAS-1", &["CVE-1", "CVE-2"], Severity::High);
    assert_eq!(judged("CVE-1", 1, vec![vec![advisory]]), Verdict::Deny, "the record of one of its CVEs is not its own");
    // Where a source calls it worse, for which there is no grace, there is none.
    assert_eq!(judged("CVE-1", 1, vec![vec![cve()], vec![finding("CVE-1", Severity::Critical)]]), Verdict::Deny);
    let nowhere = Finding { packages: vec![], ..cve() };
    assert_eq!(judged("CVE-1", 1, vec![vec![cve()], vec![nowhere]]), Verdict::Deny);
}

#[test]
fn b14_ten_thousand_findings_of_two_sources_are_merged() {
    let many = |scanner, offset: u32| {
        of(scanner, (0..10_000).map(|n| finding(&format!("CVE-{}", n + offset), Severity::Low)).collect())
    };
    let judgement =
        judge(&policy("max: { low: 20000 }"), &heard(vec![many(Scanner::Trivy, 0), many(Scanner::Grype, 5_000)]));
    assert_eq!(judgement.counts().unwrap()[&Severity::Low], 15_000);
    assert_eq!(shown(&judgement, "CVE-7000").unwrap().finding.said_by.len(), 2);
    // And where all of them have one name.
    let same = |scanner| of(scanner, vec![finding("CVE-1", Severity::Low); 3_000]);
    let judgement = judge(&policy("max: { low: 20000 }"), &heard(vec![same(Scanner::Trivy), same(Scanner::Grype)]));
    assert_eq!(judgement.counts().unwrap()[&Severity::Low], 3_000);
    // Advisories that all name the same CVE: one of them is what the other source reports, the others stand alone.
    let advisories = (0..3_000).map(|n| aliased(&format!("ALAS-{n}"), &["CVE-1", "CVE-2"], Severity::Low)).collect();
    let both = vec![
        of(Scanner::Grype, advisories),
        of(Scanner::Trivy, vec![finding("CVE-1", Severity::Low), finding("CVE-2", Severity::Low)]),
    ];
    assert_eq!(judge(&policy("max: { low: 20000 }"), &heard(both)).counts().unwrap()[&Severity::Low], 3_001);
}
