//! What holds of any findings, layers, fixes and limits.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn any_finding() -> impl Strategy<Value = Finding> {
    let fix = select(vec![
        fixed("3.0.9"),
        fixed("3.1.0"),
        fixed("3.1.0, 4.0.0"),
        fixed("1:3-1"),
        Fix::Available,
        Fix::None,
        Fix::NotSaid,
    ]);
    let layer = select(vec![None, diff_id("base 1"), diff_id("own 1"), diff_id("elsewhere")]);
    let packages = proptest::collection::vec((select(vec!["a", "b", "c"]), fix, layer), 0..3);
    let severity =
        select(vec![Severity::Critical, Severity::High, Severity::Low, Severity::Unknown("SEVERE".to_owned())]);
    (0_u8..6, severity, packages).prop_map(|(id, severity, packages)| Finding {
        packages: packages.into_iter().map(|(name, fix, layer)| Package { layer, ..package(name, fix) }).collect(),
        ..Finding::new(vulnerability(&format!("CVE-{id}")), severity)
    })
}

fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn b23_every_finding_is_in_one_place_and_no_step_clears_more_than_blocks(
        (findings, shuffled) in proptest::collection::vec(any_finding(), 0..10)
            .prop_flat_map(|findings| (Just(findings.clone()), Just(findings).prop_shuffle())),
        limits in (0_u32..4, 0_u32..4),
        is_current in any::<bool>(),
    ) {
        let rules = set(&format!(
            "rules: [{{ id: r, vulnerabilities: {{ max: {{ critical: {}, high: {} }}, deny: [CVE-5] }} }}, \
             {{ id: s, action: warn, vulnerabilities: {{ max: {{ low: 0 }} }} }}]",
            limits.0, limits.1
        ));
        let on = |findings| if is_current { built_on(findings, &[(DEBIAN, today())]) } else { outdated(findings) };
        let facts = on(findings);
        let judgement = judge(&rules, &facts);
        let Some(path) = path_to_green(&judgement, &facts) else {
            prop_assert_eq!(judgement.verdict, Verdict::Allow);
            return Ok(());
        };
        let blocking = judgement.blocking().len() as u64;
        prop_assert_eq!(path.blocking, blocking);
        prop_assert_eq!(sum(path.introduced.iter().map(|who| who.findings)), blocking);
        prop_assert_eq!(sum(path.packages.iter().map(|package| package.findings)), blocking);
        for package in &path.packages {
            prop_assert_eq!(package.fixed + package.no_fix + package.fix_not_said, package.findings);
            prop_assert!(package.only_warned <= package.findings && package.version_not_said <= package.fixed);
        }
        let clears = sum(path.steps.iter().map(|step| step.clears));
        prop_assert_eq!(clears + path.stays.findings, blocking, "cleared by one step, or left");
        prop_assert!(path.stays.blocking <= path.stays.findings);
        prop_assert!(path.steps.is_sorted_by_key(|step| std::cmp::Reverse(step.clears)));

        let facts = on(shuffled);
        prop_assert_eq!(path_to_green(&judge(&rules, &facts), &facts), Some(path));
    }
}
