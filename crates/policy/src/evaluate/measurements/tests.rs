//! Each key of the `measurements` rule: what holds, what breaks, what cannot be told, and the values at the edge.

use model::{Clock, Origin, UnknownClass};
use proptest::prelude::*;

use super::*;

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn rule(text: &str) -> Rule {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn image() -> Digest {
    Digest::of(b"image")
}

fn baseline() -> Digest {
    Digest::of(b"baseline")
}

fn seen<T>(value: T, origin: Origin) -> Observed<T> {
    Observed { value, origin, at: now(), evidence: Digest::of(b"bytes") }
}

fn file() -> Origin {
    Origin::File("measurement.json".to_owned())
}

fn registry() -> Origin {
    Origin::Registry("sha256:abc".to_owned())
}

/// A run on the image, an hour ago.
fn run(samples: &[&str]) -> Measurement {
    Measurement {
        subject: image(),
        metric: "memory".to_owned(),
        samples: samples.iter().map(|text| text.parse().unwrap()).collect(),
        tool: "k6".to_owned(),
        stage: "smoke".to_owned(),
        at: now() - SignedDuration::from_hours(1),
    }
}

fn of_baseline(samples: &[&str]) -> Measurement {
    Measurement { subject: baseline(), ..run(samples) }
}

fn facts(runs: Vec<Measurement>) -> ManifestFacts {
    let mut facts = ManifestFacts::bare(image(), None);
    let runs = runs.into_iter().map(|run| seen(run, registry())).collect();
    facts.measurements = Signal::Present(seen(runs, registry()));
    facts
}

/// Judges with a policy that declares no signers.
fn judge(rule: &Rule, facts: &ManifestFacts, clock: &Clock) -> Found {
    let set = crate::scene::set("rules: [{ id: r, vulnerabilities: {} }]");
    weigh(rule, facts, &Believing { member: &set.members[0], trust: None, clock })
}

/// The text is what follows `from` and `metric`.
fn about(rest: &str, runs: Vec<Measurement>) -> Found {
    judge(&rule(&format!("{{ from: [registry], metric: memory, {rest} }}")), &facts(runs), &Clock::at(now()))
}

/// The codes of failures, then of gaps.
fn codes(found: &Found) -> Vec<ReasonCode> {
    let gaps = found.gaps.iter().map(|gap| gap.reason.code);
    found.failures.iter().map(|reason| reason.code).chain(gaps).collect()
}

fn messages(found: &Found) -> String {
    let gaps = found.gaps.iter().map(|gap| &gap.reason);
    let all = found.failures.iter().chain(gaps);
    all.flat_map(|reason| [reason.message.as_str(), "\n", reason.remedy.as_str(), "\n"]).collect()
}

const EXCEEDED: ReasonCode = ReasonCode::MeasurementExceeded;
const INVALID: ReasonCode = ReasonCode::MeasurementInvalid;
const MISSING: ReasonCode = ReasonCode::MeasurementMissing;

#[test]
fn b17_absolute_limits_are_strict_at_the_edge() {
    for (limits, sample, wanted) in [
        ("max: 512MiB", "512MiB", vec![]),
        ("max: 512MiB", "536870913B", vec![EXCEEDED]),
        ("max: 512MiB", "0B", vec![]),
        ("min: 10", "10", vec![]),
        ("min: 10", "9.999999", vec![EXCEEDED]),
        ("min: 10, max: 20", "20", vec![]),
        ("min: 10, max: 20", "20.000001", vec![EXCEEDED]),
        ("max: 250ms", "0.25s", vec![]),
        ("max: 2%", "0.02ratio", vec![]),
        ("max: 0.5cores", "501millicores", vec![EXCEEDED]),
    ] {
        assert_eq!(codes(&about(limits, vec![run(&[sample])])), wanted, "{limits} {sample}");
    }
    let text = messages(&about("max: 512MiB", vec![run(&["600MiB"])]));
    assert!(text.contains("memory is 600MiB; the policy allows at most 512MiB"), "{text}");
    let text = messages(&about("min: 10", vec![run(&["9"])]));
    assert!(text.contains("memory is 9; the policy allows at least 10"), "{text}");
}

#[test]
fn b17_without_a_flake_rule_every_sample_counts_and_with_one_the_best_of_the_first() {
    let samples = || vec![run(&["600MiB", "700MiB", "500MiB", "400MiB"])];
    for (rest, wanted) in [
        ("max: 700MiB", vec![]),
        ("max: 699MiB", vec![EXCEEDED]),
        ("max: 600MiB, bestOf: 1", vec![]),
        ("max: 599MiB, bestOf: 1", vec![EXCEEDED]),
        ("max: 599MiB, bestOf: 2", vec![EXCEEDED]),
        ("max: 500MiB, bestOf: 3", vec![]),
        // The fourth sample is no fourth chance.
        ("max: 499MiB, bestOf: 3", vec![EXCEEDED]),
        ("max: 499MiB, bestOf: 4", vec![]),
        ("max: 900MiB, bestOf: 5", vec![INVALID]),
        ("max: 900MiB, bestOf: 4294967295", vec![INVALID]),
        ("min: 400MiB", vec![]),
        ("min: 401MiB", vec![EXCEEDED]),
        ("min: 700MiB, bestOf: 2", vec![]),
        ("min: 701MiB, bestOf: 2", vec![EXCEEDED]),
    ] {
        assert_eq!(codes(&about(rest, samples())), wanted, "{rest}");
    }
    assert_eq!(codes(&about("max: 1GiB", vec![run(&[])])), [INVALID], "no samples");
}

#[test]
fn s23_all_samples_are_of_one_run() {
    let three = || vec![run(&["1MiB"]), run(&["2MiB"]), run(&["3MiB"])];
    let found = about("max: 9MiB, bestOf: 3", three());
    assert_eq!((found.failures.len(), codes(&found)), (0, vec![INVALID; 3]), "{found:?}");
    assert!(messages(&found).contains("has 1 samples; the policy asks for 3"));
    assert!(found.gaps.iter().all(|gap| gap.class == UnknownClass::EvidenceInvalid));
}

#[test]
fn b17_units_of_another_kind_are_unknown() {
    for sample in ["500ms", "500", "1cores", "10%"] {
        let found = about("max: 512MiB", vec![run(&["1MiB", sample])]);
        assert_eq!((found.failures.len(), codes(&found)), (0, vec![INVALID]), "{sample}");
    }
}

#[test]
fn s22_what_nobody_signed_counts_only_from_where_the_policy_says() {
    for (from, origin, counts) in [
        ("from: [registry],", registry(), true),
        ("from: [file],", file(), true),
        ("from: [file],", registry(), false),
        ("from: [registry],", file(), false),
        ("from: [file, registry],", Origin::Ecr("eu-central-1".to_owned()), false),
        ("", file(), false),
        ("", registry(), false),
    ] {
        let mut facts = facts(vec![]);
        facts.measurements = Signal::Present(seen(vec![seen(run(&["1MiB"]), origin.clone())], registry()));
        let found = judge(&rule(&format!("{{ {from} metric: memory, max: 1GiB }}")), &facts, &Clock::at(now()));
        assert_eq!(codes(&found), if counts { vec![] } else { vec![MISSING] }, "{from} {origin:?}");
        assert_eq!(found.notes.len(), usize::from(!counts));
        assert_eq!(messages(&found).contains("from: ["), from.is_empty(), "the remedy says what to add");
    }
}

#[test]
fn s4_a_missing_one_is_broken_and_one_that_could_not_be_asked_for_is_unknown() {
    assert_eq!(codes(&about("max: 1GiB", vec![])), [MISSING]);
    let mut facts = facts(vec![]);
    let rule = rule("{ from: [registry], metric: memory, max: 1GiB }");
    facts.measurements = Signal::Absent(Reason::new(MISSING, "none"));
    assert_eq!(codes(&judge(&rule, &facts, &Clock::at(now()))), [MISSING]);
    let good = vec![seen(run(&["1MiB"]), registry())];
    facts.measurements = Signal::Absent(Reason::new(ReasonCode::NotHandedOver, "nobody looked"));
    let found = judge(&rule, &facts, &Clock::at(now()));
    assert_eq!((found.failures.len(), codes(&found)), (0, vec![ReasonCode::NotHandedOver]));
    for (signal, code) in [
        (
            Signal::Unavailable {
                why: Reason::new(ReasonCode::RegistryUnavailable, "down"),
                last: Some(Box::new(seen(good, registry()))),
            },
            ReasonCode::RegistryUnavailable,
        ),
        (Signal::Failed(Reason::new(INVALID, "broken")), INVALID),
        (Signal::NotCollected(Reason::new(ReasonCode::NotCollected, "nobody")), ReasonCode::NotCollected),
    ] {
        facts.measurements = signal;
        let found = judge(&rule, &facts, &Clock::at(now()));
        assert_eq!((found.failures.len(), codes(&found)), (0, vec![code]));
    }
}

#[test]
fn b17_only_runs_of_this_image_metric_stage_and_tool_count() {
    let other = |change: fn(&mut Measurement)| {
        let mut other = run(&["1MiB"]);
        change(&mut other);
        other
    };
    for (rest, run, noted) in [
        ("max: 1GiB", other(|run| run.subject = Digest::of(b"other")), 1),
        ("max: 1GiB", other(|run| run.metric = "start".to_owned()), 0),
        ("max: 1GiB, stage: canary", other(|_| {}), 0),
        ("max: 1GiB, tool: wrk", other(|_| {}), 0),
    ] {
        let found = about(rest, vec![run]);
        assert_eq!((codes(&found), found.notes.len()), (vec![MISSING], noted), "{rest}");
    }
    assert_eq!(codes(&about("max: 1GiB, stage: smoke, tool: k6", vec![run(&["1MiB"])])), []);
    // The baseline's run is not the image's.
    let rest = format!("max: 1GiB, maxIncrease: 10%, baseline: {{ digest: \"{}\" }}", baseline());
    assert_eq!(codes(&about(&rest, vec![of_baseline(&["1MiB"])])), [MISSING]);
}

#[test]
fn b17_the_newest_run_counts_and_none_of_the_future() {
    let at =
        |minutes: i64, sample: &str| Measurement { at: now() + SignedDuration::from_mins(minutes), ..run(&[sample]) };
    assert_eq!(codes(&about("max: 2MiB", vec![at(-60, "9MiB"), at(-1, "1MiB"), at(-30, "9MiB")])), []);
    assert_eq!(codes(&about("max: 2MiB", vec![at(-60, "1MiB"), at(-1, "9MiB"), at(-30, "1MiB")])), [EXCEEDED]);
    assert_eq!(codes(&about("max: 2MiB", vec![at(-1, "1MiB"), at(-1, "9MiB")])), [EXCEEDED], "both are the newest");
    assert_eq!(codes(&about("max: 2MiB", vec![at(-1, "9MiB"), at(10, "1MiB")])), [], "clocks differ a little");
    let clock = Clock::at(now());
    let future = facts(vec![at(-1, "9MiB"), at(11, "1MiB")]);
    let found = judge(&rule("{ from: [registry], metric: memory, max: 2MiB }"), &future, &clock);
    assert_eq!((codes(&found), found.notes.len()), (vec![EXCEEDED], 1));
    assert_eq!(clock.horizon(), Some(now() + SignedDuration::from_mins(1)), "s8: from then on it counts");
}

#[test]
fn b17_a_comparison_allows_so_much_more_and_no_more() {
    let rest = |more: &str| format!("max: 1GiB, maxIncrease: {more}, baseline: {{ digest: \"{}\" }}", baseline());
    for (more, then, is, wanted) in [
        ("20%", "100MiB", "120MiB", vec![]),
        ("20%", "100MiB", "125829121B", vec![EXCEEDED]),
        ("20%", "100MiB", "50MiB", vec![]),
        ("0%", "100MiB", "100MiB", vec![]),
        ("0%", "100MiB", "104857601B", vec![EXCEEDED]),
        ("0.1%", "1000B", "1001B", vec![]),
        ("0.1%", "1000B", "1002B", vec![EXCEEDED]),
        ("20%", "0B", "0B", vec![]),
        ("20%", "0B", "1B", vec![EXCEEDED]),
        ("900%", "100MiB", "1000MiB", vec![]),
        ("20%", "1000MiB", "1100MiB", vec![EXCEEDED]),
        ("20%", "2000MiB", "1025MiB", vec![EXCEEDED]),
    ] {
        let found = about(&rest(more), vec![of_baseline(&[then]), run(&[is])]);
        assert_eq!(codes(&found), wanted, "{more} {then} {is}: {found:?}");
    }
    let text = messages(&about(&rest("20%"), vec![of_baseline(&["200MiB"]), run(&["243MiB"])]));
    assert!(text.contains("memory grew by 21.50%, from 200MiB of the baseline"), "{text}");
    assert!(messages(&about(&rest("20%"), vec![of_baseline(&["0B"]), run(&["1B"])])).contains("from nothing"));
    // The flake rule holds on both sides.
    let best = format!("{}, bestOf: 2", rest("10%"));
    assert_eq!(codes(&about(&best, vec![of_baseline(&["10MiB", "20MiB"]), run(&["99MiB", "11MiB"])])), []);
    assert_eq!(codes(&about(&best, vec![of_baseline(&["20MiB", "10MiB"]), run(&["99MiB", "12MiB"])])), [EXCEEDED]);
    let found = about(&best, vec![of_baseline(&["10MiB"]), run(&["10MiB", "10MiB"])]);
    assert_eq!(codes(&found), [INVALID]);
    assert!(messages(&found).contains("the baseline"));
}

#[test]
fn b17_the_baseline_has_to_be_there_and_comparable() {
    let rest = format!("max: 1GiB, maxIncrease: 20%, baseline: {{ digest: \"{}\" }}", baseline());
    assert_eq!(codes(&about(&rest, vec![run(&["1MiB"])])), [MISSING]);
    assert!(messages(&about(&rest, vec![run(&["1MiB"])])).contains(baseline().as_str()));
    assert_eq!(codes(&about(&rest, vec![run(&["1MiB"]), of_baseline(&["1s"])])), [INVALID]);
    assert_eq!(codes(&about(&rest, vec![run(&["1MiB"]), of_baseline(&[])])), [INVALID]);
    // A baseline from where nothing counts is none.
    let mut mixed = facts(vec![]);
    mixed.measurements =
        Signal::Present(seen(vec![seen(run(&["1MiB"]), registry()), seen(of_baseline(&["1MiB"]), file())], registry()));
    let parsed = rule(&format!("{{ from: [registry], metric: memory, {rest} }}"));
    assert_eq!(parsed.baseline_digest(), Some(&baseline()));
    assert_eq!(codes(&judge(&parsed, &mixed, &Clock::at(now()))), [MISSING]);
    // The newest of the baseline, and of several the one that gives the least room.
    let older = |hours: i64, sample: &str| Measurement {
        at: now() - SignedDuration::from_hours(hours),
        ..of_baseline(&[sample])
    };
    let is = || run(&["100MiB"]);
    assert_eq!(codes(&about(&rest, vec![is(), older(9, "1MiB"), older(8, "100MiB")])), []);
    assert_eq!(codes(&about(&rest, vec![is(), older(9, "100MiB"), older(8, "1MiB")])), [EXCEEDED]);
    assert_eq!(codes(&about(&rest, vec![is(), older(8, "100MiB"), older(8, "1MiB")])), [EXCEEDED]);
    assert_eq!(codes(&about(&rest, vec![is(), older(8, "1MiB"), older(8, "100MiB")])), [EXCEEDED]);
    // The release that the policy names is judged again.
    let itself = format!("max: 1GiB, maxIncrease: 20%, baseline: {{ digest: \"{}\" }}", image());
    let found = about(&itself, vec![run(&["1MiB"])]);
    assert_eq!((codes(&found), found.notes.len()), (vec![], 1));
    // Only a server knows what was promoted last.
    let found = about("max: 1GiB, maxIncrease: 20%, baseline: last-promoted", vec![run(&["1MiB"])]);
    assert_eq!((found.failures.len(), codes(&found)), (0, vec![INVALID]));
    assert!(messages(&found).contains("baseline: { digest"));
    let found = about("max: 1MiB, maxIncrease: 20%, baseline: last-promoted", vec![run(&["2MiB"])]);
    assert_eq!(codes(&found), [EXCEEDED, INVALID], "the absolute limit holds all the same");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn b17_comparing_never_overflows(then in any::<u64>(), is in any::<u64>(), more in prop_oneof![0_u64..300, 0..=1_844_674_407_370_955_u64]) {
        let text = format!(
            "max: 17179869183GiB, maxIncrease: {more}%, baseline: {{ digest: \"{}\" }}", baseline()
        );
        let amount = |amount| Quantity { dimension: model::Dimension::Size, amount };
        let base = Measurement { samples: vec![amount(then)], ..of_baseline(&[]) };
        let image = Measurement { samples: vec![amount(is)], ..run(&[]) };
        let found = about(&text, vec![base, image]);
        // The same in whole percents.
        let over_max = is > 17_179_869_183_u64 << 30;
        let over = u128::from(is) * 100 > u128::from(then).saturating_mul(100 + u128::from(more));
        let wanted = [over_max, over].into_iter().filter(|over| *over).count();
        prop_assert_eq!(codes(&found), vec![EXCEEDED; wanted]);
    }
}

#[test]
fn b17_documents_that_make_no_sense_are_refused() {
    for (text, says) in [
        ("{ max: 1 }", "metric"),
        ("{ metric: m, maximum: 1 }", "maximum"),
        ("{ metric: m, from: [ecr] }", "ecr"),
        ("{ metric: m, max: 512 MeB }", "amount"),
        ("{ metric: m, max: -1 }", ""),
        ("{ metric: m, max: 1.5 }", ""),
        ("{ metric: m, maxIncrease: 20 }", ""),
        ("{ metric: m, maxIncrease: 20MiB }", "percentage"),
        ("{ metric: m, maxIncrease: -20% }", ""),
        ("{ metric: m, baseline: last }", "last"),
        ("{ metric: m, baseline: {} }", "digest"),
        ("{ metric: m, baseline: { digest: \"sha256:0\" } }", "digest"),
        ("{ metric: m, baseline: { tag: x } }", "tag"),
        ("{ metric: m, bestOf: -1 }", ""),
    ] {
        let error = serde_saphyr::from_str::<Rule>(text).expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    for text in [
        "{ metric: m }",
        "{ metric: \"\", max: 1 }",
        "{ metric: m, max: 1, stage: \" \" }",
        "{ metric: m, max: 1, tool: \"\" }",
        "{ metric: m, max: 1, from: [] }",
        "{ metric: m, max: 1, bestOf: 0 }",
        "{ metric: m, max: 1, baseline: last-promoted }",
        "{ metric: m, max: 1, maxIncrease: 5% }",
        "{ metric: m, maxIncrease: 5%, baseline: last-promoted }",
        "{ metric: m, min: 1, maxIncrease: 5%, baseline: last-promoted }",
        "{ metric: m, min: 1s, max: 1MiB }",
        "{ metric: m, min: 3s, max: 2s }",
    ] {
        let (what, hint) = rule(text).check("r").expect_err(text);
        assert!(what.contains("\"r\"") && !hint.is_empty(), "{text}: {what}");
    }
    let full = "{ from: [file, registry, ci], metric: memory, stage: smoke, tool: k6, min: 1MiB, max: 512MiB, baseline: \
                last-promoted, maxIncrease: 20%, bestOf: 3 }";
    assert_eq!(rule(full).check("r"), Ok(()));
    assert_eq!(rule(full).signers(), ["ci"]);
    assert_eq!(rule("{ metric: m, min: 2s, max: 2s }").check("r"), Ok(()));
    assert_eq!(rule(full).baseline_digest(), None);
}
