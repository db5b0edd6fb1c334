//! S19, B14: what holds of any sources and any findings. Hearing one more source never makes an image look better under
//! `any`, and nobody whose word does not count ever does.

use model::{Finding, Fix, Package, ScanReport, Scanner, Severity, Signal, Verdict};
use proptest::prelude::*;
use proptest::sample::select;

use crate::PolicySet;
use crate::scene::{Scan, file, heard, judge, rule, unproven, vulnerability};

const NAMES: [&str; 8] = ["CVE-1", "CVE-2", "CVE-3", "GHSA-1", "GHSA-2", "RHSA-1", "ALAS-1", "PYSEC-1"];

/// Severities that are ratings: a rating stands for the absence of one, which is meant to be no longer limited.
fn severity() -> impl Strategy<Value = Severity> {
    let odd = Severity::Unknown("SEVERE".to_owned());
    select(Severity::KNOWN.into_iter().take(5).chain([odd]).collect::<Vec<_>>())
}

fn package() -> impl Strategy<Value = Package> {
    let fix = select(vec![Fix::None, Fix::NotSaid, Fix::Available, Fix::In("2".to_owned())]);
    let purl = select(vec![None, Some("pkg:deb/debian/a@1"), Some("pkg:deb/debian/b")]);
    (select(vec!["a", "A", "b", "c"]), fix, purl).prop_map(|(name, fix, purl)| Package {
        name: name.to_owned(),
        version: "1".to_owned(),
        fix,
        purl: purl.map(str::to_owned),
        layer: None,
    })
}

fn finding() -> impl Strategy<Value = Finding> {
    (
        select(NAMES.to_vec()),
        proptest::collection::vec(select(NAMES.to_vec()), 0..3),
        severity(),
        proptest::collection::vec(package(), 0..3),
        proptest::option::of(0..100_u16),
        proptest::option::of(any::<bool>()),
        proptest::option::weighted(0.1, Just("ignored".to_owned())),
    )
        .prop_map(|(id, aliases, severity, packages, cvss_tenths, exploit_available, suppressed)| Finding {
            aliases: aliases.into_iter().map(vulnerability).collect(),
            packages,
            cvss_tenths,
            exploit_available,
            suppressed,
            ..Finding::new(vulnerability(id), severity)
        })
}

fn findings() -> impl Strategy<Value = Vec<Finding>> {
    proptest::collection::vec(finding(), 0..6)
}

/// Keys that soften only what their source says itself, or nothing.
fn keys() -> impl Strategy<Value = String> {
    let keys = ["ignoreUnfixed: true", "knownExploited: deny", "denyCvssFrom: 9.5", "deny: [CVE-3, ALAS-1]"];
    proptest::sample::subsequence(keys.to_vec(), 0..=2).prop_map(|keys| keys.join(", "))
}

fn limits(most: u32) -> impl Strategy<Value = String> {
    let words = ["critical", "high", "medium", "low", "informational"];
    proptest::collection::btree_map(select(words.to_vec()), 0..=most, 0..5).prop_map(|limits| {
        let limits: Vec<_> = limits.iter().map(|(word, limit)| format!("{word}: {limit}")).collect();
        format!("max: {{ {} }}", limits.join(", "))
    })
}

/// A source that the policy of [`policy`] accepts.
fn counted(scanner: Scanner, findings: Vec<Finding>) -> ScanReport {
    file(scanner, findings).report()
}

fn policy(agree: &str, limits: &str, keys: &str) -> PolicySet {
    let keys = if keys.is_empty() { String::new() } else { format!(", {keys}") };
    rule(&format!(
        "{{ {limits}, sources: {{ accept: [ecr, file, trivy, grype, snyk, osv], blockWhen: {agree} }}{keys} }}"
    ))
}

fn verdict(set: &PolicySet, reports: &[ScanReport]) -> Verdict {
    judge(set, &heard(reports.to_vec())).verdict
}

/// How many CVEs a finding names.
fn cves(finding: &Finding) -> usize {
    finding.names().filter(|name| name.is_cve()).collect::<std::collections::BTreeSet<_>>().len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 768, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s19_what_one_source_alone_would_deny_several_deny(
        one in findings(), two in findings(), three in findings(),
        more in 0..4_u64, limits in limits(3), keys in keys(),
    ) {
        let set = policy("any", &limits, &keys);
        let mut summary = model::SeverityCounts::new();
        for finding in &two {
            *summary.entry(finding.severity.clone()).or_insert(0) += 1;
        }
        *summary.entry(Severity::High).or_insert(0) += more.saturating_sub(2);
        let two = Scan { summary: Some(summary.into_iter().collect()), ..file(Scanner::Grype, two) }.report();
        let reports = [counted(Scanner::Trivy, one), two, counted(Scanner::Snyk, three)];
        let all = verdict(&set, &reports);
        for report in &reports {
            prop_assert!(verdict(&set, std::slice::from_ref(report)) <= all, "{report:?}");
        }
        prop_assert!(verdict(&set, &reports[..2]) >= verdict(&set, &reports[..1]));
    }

    #[test]
    fn s19_one_more_source_never_turns_deny_into_allow_where_nothing_is_allowed(
        one in findings(), two in findings(), three in findings(),
        limits in limits(0), keys in keys(), way in 0..4,
    ) {
        let set = policy("any", &limits, &keys);
        let before = vec![counted(Scanner::Trivy, one), counted(Scanner::Grype, two)];
        let more = match way {
            0 => counted(Scanner::Snyk, three),
            1 => unproven(Scanner::Osv, three),
            2 => counted(Scanner::Harbor, three),
            _ => unproven(Scanner::Sarif, three),
        };
        let after: Vec<_> = before.iter().cloned().chain([more]).collect();
        prop_assert!(verdict(&set, &after) >= verdict(&set, &before));
    }

    #[test]
    fn s22_what_does_not_count_never_makes_a_verdict_lighter(
        one in findings(), two in findings(), stranger in findings(), limits in limits(3), keys in keys(), allow in select(NAMES.to_vec()),
        proven in any::<bool>(), agree in select(vec!["any", "majority", "all"]),
    ) {
        // With waivers, too: names, packages and fixes that a stranger gives waive nothing.
        let set = policy(agree, &limits, &format!("allow: [{allow}]{}{keys}", if keys.is_empty() { "" } else { ", " }));
        let counts = vec![counted(Scanner::Trivy, one), counted(Scanner::Grype, two)];
        let stranger = if proven { counted(Scanner::Harbor, stranger) } else { unproven(Scanner::Harbor, stranger) };
        let both: Vec<_> = counts.iter().cloned().chain([stranger]).collect();
        prop_assert!(verdict(&set, &both) >= verdict(&set, &counts));
        // And it never is the scan.
        let alone = judge(&set, &heard(both[2..].to_vec()));
        prop_assert_eq!(alone.verdict, Verdict::Deny);
        prop_assert!(alone.counts().is_none());
    }

    #[test]
    fn s19_any_is_the_strictest_and_all_the_mildest(
        lists in proptest::collection::vec(findings(), 1..4), limits in limits(2), keys in keys(),
    ) {
        let scanners = [Scanner::Trivy, Scanner::Grype, Scanner::Snyk];
        let reports: Vec<_> = lists.into_iter().zip(scanners).map(|(list, scanner)| counted(scanner, list)).collect();
        let of = |agree| verdict(&policy(agree, &limits, &keys), &reports);
        prop_assert!(of("all") <= of("majority") && of("majority") <= of("any"));
        if reports.len() == 1 {
            prop_assert_eq!(of("all"), of("any"));
        }
    }

    #[test]
    fn b14_no_source_lists_more_than_all_together(one in findings(), two in findings(), three in findings()) {
        let set = policy("any", "max: { critical: 99 }", "");
        let reports = [counted(Scanner::Trivy, one), counted(Scanner::Grype, two), counted(Scanner::Snyk, three)];
        let total = |reports: &[ScanReport]| judge(&set, &heard(reports.to_vec())).counts().unwrap().values().sum::<u64>();
        let all = total(&reports);
        prop_assert!(reports.iter().all(|report| total(std::slice::from_ref(report)) <= all));
        prop_assert!(all <= reports.iter().map(|report| total(std::slice::from_ref(report))).sum());
        let judgement = judge(&set, &heard(reports.to_vec()));
        prop_assert_eq!(&judgement, &judge(&set, &heard(reports.to_vec())), "the same every time");
        for judged in &judgement.rules.first().findings {
            // Two CVEs in one finding were two in one finding of a source.
            let mut whole = reports.iter().flat_map(|report| match &report.scan {
                Signal::Present(observed) => observed.value.findings(),
                _ => &[],
            });
            let merged = &judged.finding;
            prop_assert!(cves(merged) <= 1 || whole.any(|one| cves(one) > 1 && one.id == merged.id), "{judged:?}");
        }
    }
}
