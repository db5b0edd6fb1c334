//! What holds of any findings, limits and ends: compared with a second, independent computation.

use std::collections::BTreeMap;

use model::{
    Facts, Finding, Fix, Outcome, Reason, ReasonCode, Severity, Signal, SignedDuration, UnknownClass, Verdict,
};
use proptest::prelude::*;
use proptest::sample::select;

use crate::scene::{ask, days, exceptions, facts, finding, hours, judge, now, package, rule, scan, set};
use crate::{Exceptions, PolicySet, evaluate};

const NANO: SignedDuration = SignedDuration::from_nanos(1);

fn severity() -> impl Strategy<Value = Severity> {
    let unknown = ["SEVERE", "important"].map(|word| Severity::Unknown(word.to_owned()));
    select(Severity::KNOWN.into_iter().chain(unknown).collect::<Vec<_>>())
}

fn limits() -> impl Strategy<Value = BTreeMap<Severity, u32>> {
    proptest::collection::btree_map(select(Severity::KNOWN.to_vec()), 0_u32..4, 0..5)
}

fn max(limits: &BTreeMap<Severity, u32>) -> String {
    let keys: Vec<_> =
        limits.iter().map(|(severity, limit)| format!("{}: {limit}", severity.as_str().to_lowercase())).collect();
    format!("max: {{ {} }}", keys.join(", "))
}

/// What S17 and S21 say about these counts, computed from the page alone.
fn expected(
    limits: &BTreeMap<Severity, u32>,
    listed: &BTreeMap<Severity, u64>,
    summary: &BTreeMap<Severity, u64>,
) -> Verdict {
    let (mut totals, mut unsure) = (BTreeMap::<&Severity, u64>::new(), false);
    let words: std::collections::BTreeSet<_> = listed.keys().chain(summary.keys()).collect();
    for word in words {
        let (ours, theirs) = (listed.get(word).copied().unwrap_or(0), summary.get(word).copied().unwrap_or(0));
        let under = match word {
            Severity::Unknown(_) => limits.keys().next(),
            known => limits.get_key_value(known).map(|(key, _)| key),
        };
        if let Some(under) = under {
            *totals.entry(under).or_insert(0) += ours.max(theirs);
            unsure |= ours != theirs;
        }
    }
    let over = totals.iter().any(|(severity, total)| *total > u64::from(limits[*severity]));
    if over || unsure { Verdict::Deny } else { Verdict::Allow }
}

/// A signal that is anything but present.
fn gap() -> impl Strategy<Value = Signal<model::CompleteScan>> {
    (select(ReasonCode::ALL.to_vec()), 0..6).prop_map(|(code, variant)| {
        let why = Reason::new(code, "made for the test");
        match variant {
            0 => Signal::Absent(why),
            1 => Signal::Pending(why),
            2 => Signal::Unsupported(why),
            3 => Signal::Failed(why),
            4 => Signal::Unavailable { why, last: None },
            _ => Signal::NotCollected(why),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s16_allowed_only_if_the_scan_is_there_and_its_counts_are_within_the_limits(
        severities in proptest::collection::vec(severity(), 0..8),
        limits in limits(),
        changes in proptest::collection::vec((severity(), 0_u64..3, any::<bool>()), 0..3),
        missing in proptest::option::weighted(0.2, gap()),
    ) {
        let findings: Vec<_> = severities.iter().enumerate().map(|(n, s)| finding(&format!("CVE-{n}"), s.clone())).collect();
        let mut listed = BTreeMap::new();
        for severity in &severities {
            *listed.entry(severity.clone()).or_insert(0_u64) += 1;
        }
        let mut summary = listed.clone();
        for (severity, by, up) in changes {
            let count = summary.entry(severity).or_insert(0);
            *count = if up { *count + by } else { count.saturating_sub(by) };
        }
        let set = rule(&format!("{{ {} }}", max(&limits)));
        let counts = Some(summary.clone().into_iter().collect());
        let present = crate::scene::Scan { summary: counts, ..scan(findings) }.facts();
        if let Some(signal) = missing {
            let judgement = judge(&set, &facts(signal));
            prop_assert_eq!(judgement.verdict, Verdict::Deny);
            prop_assert!(matches!(judgement.rules.first().outcome, Outcome::Unknown(..)));
        } else {
            let judgement = judge(&set, &present);
            prop_assert_eq!(judgement.verdict, expected(&limits, &listed, &summary));
            prop_assert_eq!(&judgement, &judge(&set, &present));
        }
    }

    #[test]
    fn a5_one_platform_without_a_scan_keeps_the_index_from_being_allowed(
        signals in proptest::collection::vec(proptest::option::weighted(0.6, Just(())), 1..4),
        gap in gap(),
        answer in select(vec!["deny", "pending", "warn"]),
    ) {
        const NAMES: [&str; 4] = ["linux/amd64", "linux/arm64", "linux/s390x", "windows/amd64"];
        let present = || Signal::Present(scan(vec![]).observed());
        let platforms = signals.iter().zip(NAMES).map(|(there, name)| (name, there.map_or_else(|| gap.clone(), |()| present())));
        let set = set(&format!("onUnknown: {{ default: {answer} }}, rules: [{{ id: r, vulnerabilities: {{}} }}]"));
        let judgement = judge(&set, &crate::scene::index(platforms.collect()));
        prop_assert_eq!(judgement.verdict == Verdict::Allow, signals.iter().all(Option::is_some));
    }

    #[test]
    fn s3_a_waiver_never_makes_the_verdict_heavier_and_a_limit_never_lighter(
        severities in proptest::collection::vec(severity(), 1..6),
        limits in limits(),
        more in limits(),
    ) {
        let findings: Vec<_> = severities.iter().enumerate().map(|(n, s)| finding(&format!("CVE-{n}"), s.clone())).collect();
        let facts = scan(findings).facts();
        let plain = judge(&rule(&format!("{{ {} }}", max(&limits))), &facts).verdict;
        let waived = judge(&rule(&format!("{{ {}, allow: [CVE-0] }}", max(&limits))), &facts).verdict;
        prop_assert!(waived <= plain);
        let denied = judge(&rule(&format!("{{ {}, deny: [CVE-0] }}", max(&limits))), &facts).verdict;
        prop_assert_eq!(denied, Verdict::Deny);
        // Lower limits for the same severities.
        let lower = limits.iter().map(|(s, limit)| (s.clone(), more.get(s).map_or(*limit, |other| *limit.min(other)))).collect();
        let stricter = judge(&rule(&format!("{{ {} }}", max(&lower))), &facts).verdict;
        prop_assert!(stricter >= plain);
    }
}

/// A scene in which time matters: exceptions, grace, the age of the scan and of a last known good fact.
fn scene() -> impl Strategy<Value = (PolicySet, Facts, Exceptions)> {
    let ends = proptest::collection::vec((0..4_u8, -2 * 24..29 * 24_i64), 0..4);
    let seen = proptest::collection::vec(proptest::option::of(0..10 * 24_i64), 3);
    (ends, seen, any::<bool>(), -7 * 24 * 60..60_i64, any::<bool>(), any::<bool>(), proptest::option::of(2..48_i64))
        .prop_map(|(ends, seen, continuous, dated, exploited, unfixed, away)| {
            let fix = if unfixed { Fix::None } else { Fix::Available };
            let findings = (0..3).map(|n| Finding {
                exploit_available: Some(exploited && n == 0),
                packages: vec![package("openssl", fix.clone())],
                ..finding(&format!("CVE-{n}"), Severity::KNOWN[n].clone())
            });
            let dated = now() + SignedDuration::from_mins(dated);
            let observed = crate::scene::Scan { continuous, dated, ..scan(findings.collect()) }.observed();
            let signal = if away.is_none() {
                Signal::Present(observed)
            } else {
                let why = Reason::new(ReasonCode::AwsUnavailable, "no answer");
                Signal::Unavailable { why, last: Some(Box::new(observed)) }
            };
            let mut facts = facts(signal);
            for (n, ago) in seen.iter().enumerate() {
                if let Some(ago) = ago {
                    facts.first_seen.insert((format!("CVE-{n}"), "openssl".to_owned()), now() - hours(*ago));
                }
            }
            let entries = ends.iter().enumerate().map(|(n, (cve, end))| {
                format!("id: e{n}, cve: CVE-{cve}, repository: team/app, expires: \"{}\"", now() + hours(*end))
            });
            let entries: Vec<_> = entries.collect();
            let entries = exceptions(&entries.iter().map(String::as_str).collect::<Vec<_>>());
            let vulnerabilities =
                "{ max: { critical: 0, high: 0 }, gracePeriod: { critical: 2d, high: 7d, medium: 3d },
                                     knownExploited: deny, ignoreUnfixed: true, maxScanAge: 8d }";
            let away = away.unwrap_or(2);
            let on_unknown = format!("onUnknown: {{ registryUnavailable: {{ lastKnownGood: {away}h }} }}");
            (set(&format!("{on_unknown}, rules: [{{ id: r, vulnerabilities: {vulnerabilities} }}]")), facts, entries)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s8_a_judgement_repeated_before_valid_until_is_equal_and_at_valid_until_differs(
        (set, facts, entries) in scene(),
        part in 0.0..1.0_f64,
    ) {
        let at = |moment| evaluate(&set, &ask(), &facts, &entries, moment);
        let judgement = at(now());
        let end = judgement.valid_until.expect("the scan is young");
        prop_assert!(end > now());
        let between = now() + SignedDuration::from_secs_f64(end.duration_since(now()).as_secs_f64() * part * 0.999);
        prop_assert_eq!(&at(between), &judgement);
        prop_assert_eq!(&at(end - NANO), &judgement);
        prop_assert_ne!(&at(end), &judgement);
    }

    #[test]
    fn s8_what_valid_until_promises_holds_step_by_step((set, facts, entries) in scene()) {
        // Walking from end to end visits every moment at which anything changes, and comes to an end.
        let at = |moment| evaluate(&set, &ask(), &facts, &entries, moment);
        let (mut moment, mut steps) = (now(), 0);
        while let Some(end) = at(moment).valid_until {
            prop_assert!(end > moment);
            (moment, steps) = (end, steps + 1);
            prop_assert!(steps < 20);
        }
        let last = at(moment + days(60));
        prop_assert_eq!(last.verdict, Verdict::Deny, "in the end the scan is stale");
        let classes = [UnknownClass::ScanStale, UnknownClass::RegistryUnavailable];
        prop_assert!(matches!(last.rules.first().outcome, Outcome::Unknown(class, _) if classes.contains(&class)));
    }
}
