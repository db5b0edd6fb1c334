//! What holds of whole sets of policies, whatever is in them: one more finding, rule or policy never makes a verdict lighter, an
//! exception never makes it heavier, and in which order anything stands changes nothing.

use model::{Facts, Finding, Judgement, Severity, Verdict};
use proptest::prelude::*;
use proptest::sample::select;

use crate::scene::{document, exceptions_text, finding, heard, judge_with, now, scan};
use crate::{Exceptions, PolicySet};

const SEVERITIES: [Severity; 4] = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];

fn found() -> impl Strategy<Value = Finding> {
    (0_u8..12, select(SEVERITIES.to_vec())).prop_map(|(number, severity)| finding(&format!("CVE-{number}"), severity))
}

/// One rule without its id.
fn rule() -> impl Strategy<Value = String> {
    let limits = proptest::collection::btree_map(select(SEVERITIES.to_vec()), 0_u32..3, 0..3);
    let keys = select(vec![
        "",
        "allow: [CVE-1]",
        "deny: [CVE-2]",
        "ignoreUnfixed: true",
        "denyCvssFrom: 7",
        "knownExploited: deny",
    ]);
    let action = select(vec!["", ", action: deny", ", action: warn", ", action: audit"]);
    let more = select(vec![
        "",
        ", effectiveFrom: 2026-03-09",
        ", effectiveFrom: 2026-04-01",
        ", effectiveFrom: 2026-04-01, before: audit",
        ", waivable: false",
        ", until: 2026-04-01",
    ]);
    let vulnerabilities = (limits, keys).prop_map(|(limits, keys)| {
        let limits: Vec<String> =
            limits.iter().map(|(severity, limit)| format!("{}: {limit}", severity.as_str().to_lowercase())).collect();
        let comma = if keys.is_empty() { "" } else { ", " };
        format!("vulnerabilities: {{ max: {{ {} }}{comma}{keys} }}", limits.join(", "))
    });
    let other = select(vec!["config: { nonRoot: true }", "registries: { digestOnly: true }", "age: { max: 30d }"]);
    let what = prop_oneof![3 => vulnerabilities, 1 => other.prop_map(str::to_owned)];
    (what, action, more).prop_map(|(what, action, more)| format!("{what}{action}{more}"))
}

/// The `spec` of a policy, its rules apart.
type Written = (String, Vec<String>);

fn policy() -> impl Strategy<Value = Written> {
    let unknown =
        select(vec!["", "onUnknown: { default: warn }, ", "onUnknown: { internal: pending, default: deny }, "]);
    (unknown.prop_map(str::to_owned), proptest::collection::vec(rule(), 1..4))
}

fn set(policies: &[Written]) -> PolicySet {
    let documents: Vec<_> = policies
        .iter()
        .enumerate()
        .map(|(number, (unknown, rules))| {
            let rules: Vec<String> =
                rules.iter().enumerate().map(|(id, rule)| format!("{{ id: r{id}, {rule} }}")).collect();
            document(&format!("p{number}"), &format!("{unknown}rules: [{}]", rules.join(", ")))
        })
        .collect();
    PolicySet::from_documents(&documents).unwrap_or_else(|error| panic!("{error}: {documents:?}"))
}

fn entries() -> impl Strategy<Value = Vec<String>> {
    let what = select(vec![
        "cve: CVE-1",
        "cve: CVE-3",
        "cve: CVE-2, package: openssl",
        "rule: r0",
        "rule: r1",
        "rule: r0, unknown: [internal, scanMissing]",
    ]);
    let when = select(vec!["2026-03-20", "2026-03-09"]);
    proptest::collection::vec((what, when), 0..4).prop_map(|list| {
        let entry = |(id, (what, expires)): (usize, (&str, &str))| {
            format!("id: e{id}, {what}, repository: team/app, expires: {expires}")
        };
        list.into_iter().enumerate().map(entry).collect()
    })
}

/// The same entries for every policy.
fn exceptions(entries: &[String], policies: usize) -> Exceptions {
    let mut exceptions = Exceptions::none();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    for number in 0..policies {
        exceptions.add(&format!("p{number}"), "exceptions.yaml", &exceptions_text(&entries)).unwrap();
    }
    exceptions
}

fn about(findings: &[Finding]) -> Facts {
    scan(findings.to_vec()).facts()
}

/// What a judgement says, without the order in which it says it.
fn said(judgement: &Judgement) -> (Verdict, Vec<String>) {
    let mut rules: Vec<String> = judgement
        .rules
        .iter()
        .map(|rule| {
            let mut findings: Vec<String> =
                rule.findings.iter().map(|one| format!("{} {:?}", one.finding.id, one.disposition)).collect();
            findings.sort();
            format!("{} {} {:?} {findings:?}", rule.policy, rule.rule, rule.verdict)
        })
        .collect();
    rules.sort();
    (judgement.verdict, rules)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn b10_one_more_finding_never_makes_the_verdict_lighter(
        policies in proptest::collection::vec(policy(), 1..4),
        findings in proptest::collection::vec(found(), 0..6),
        more in found(),
        entries in entries(),
    ) {
        let (set, exceptions) = (set(&policies), exceptions(&entries, policies.len()));
        let before = judge_with(&set, &about(&findings), &exceptions);
        let after = judge_with(&set, &about(&[findings, vec![more]].concat()), &exceptions);
        prop_assert!(after.verdict >= before.verdict, "{:?} {:?}", before.verdict, after.verdict);
    }

    #[test]
    fn b10_one_more_rule_or_policy_never_makes_the_verdict_lighter(
        policies in proptest::collection::vec(policy(), 1..4),
        one in policy(),
        findings in proptest::collection::vec(found(), 0..6),
    ) {
        let facts = about(&findings);
        let none = Exceptions::none();
        let before = judge_with(&set(&policies), &facts, &none).verdict;
        let mut longer = policies.clone();
        longer.push(one.clone());
        prop_assert!(judge_with(&set(&longer), &facts, &none).verdict >= before);
        let mut stricter = policies;
        stricter[0].1.push(one.1[0].clone());
        prop_assert!(judge_with(&set(&stricter), &facts, &none).verdict >= before);
    }

    #[test]
    fn s29_an_exception_never_makes_the_verdict_heavier(
        policies in proptest::collection::vec(policy(), 1..3),
        findings in proptest::collection::vec(found(), 0..6),
        scanned: bool,
        entries in entries(),
    ) {
        let set = set(&policies);
        let facts = if scanned { about(&findings) } else { heard(Vec::new()) };
        let plain = judge_with(&set, &facts, &Exceptions::none());
        let waived = judge_with(&set, &facts, &exceptions(&entries, policies.len()));
        prop_assert!(waived.verdict <= plain.verdict);
        // A5, S14: nor does one make a scan of what was not scanned.
        prop_assert!(scanned || waived.counts().is_none());
    }

    #[test]
    fn b10_the_order_of_anything_changes_nothing(
        policies in proptest::collection::vec(policy(), 1..4),
        findings in proptest::collection::vec(found(), 0..6),
        entries in entries(),
    ) {
        let exceptions_of = exceptions(&entries, policies.len());
        let one = judge_with(&set(&policies), &about(&findings), &exceptions_of);
        let mut names: Vec<(String, String)> = policies
            .iter()
            .enumerate()
            .map(|(number, (unknown, rules))| {
                let rules: Vec<String> =
                    rules.iter().enumerate().rev().map(|(id, rule)| format!("{{ id: r{id}, {rule} }}")).collect();
                document(&format!("p{number}"), &format!("{unknown}rules: [{}]", rules.join(", ")))
            })
            .collect();
        names.reverse();
        let turned: Vec<Finding> = findings.iter().rev().cloned().collect();
        let entries: Vec<String> = entries.into_iter().rev().collect();
        let other = judge_with(
            &PolicySet::from_documents(&names).unwrap(),
            &about(&turned),
            &exceptions(&entries, policies.len()),
        );
        let (verdict, rules) = said(&one);
        let (turned_verdict, turned_rules) = said(&other);
        prop_assert_eq!(verdict, turned_verdict);
        if entries.is_empty() {
            // Of several exceptions for one finding the first is named.
            prop_assert_eq!(rules, turned_rules);
        }
        prop_assert_eq!(one.valid_until, other.valid_until);
    }

    #[test]
    fn b2_the_same_arguments_give_the_same_judgement(
        policies in proptest::collection::vec(policy(), 1..4),
        findings in proptest::collection::vec(found(), 0..6),
        entries in entries(),
    ) {
        let (facts, exceptions) = (about(&findings), exceptions(&entries, policies.len()));
        let judge = || crate::evaluate(&set(&policies), &crate::scene::ask(), &facts, &exceptions, now());
        prop_assert_eq!(judge(), judge());
    }
}
