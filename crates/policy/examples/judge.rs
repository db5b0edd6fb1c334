//! How long it takes to judge recorded facts by a policy, in one process: the evaluation alone, and with reading the facts.
//! `make bench` runs it; a release build tells something, a debug build does not.
//!
//! ```text
//! judge FACTS.json POLICY.yaml MILLISECONDS
//! ```
//! It prints one JSON object: what the policy says, and the median of each.

#![allow(clippy::disallowed_methods)] // it reads files and measures time

use std::collections::BTreeSet;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use model::{Disposition, Judgement, Outcome, RecordedFacts};
use policy::{DocumentError, Exceptions, PolicySet, evaluate};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [facts, policy, milliseconds] = arguments.as_slice() else {
        return Err("usage: judge FACTS.json POLICY.yaml MILLISECONDS".into());
    };
    let for_all = Duration::from_millis(milliseconds.parse()?);
    let bytes = std::fs::read(facts)?;
    let folder = Path::new(policy).parent().map(Path::to_owned).ok_or("the policy is no file")?;
    let documents = [(policy.clone(), std::fs::read_to_string(policy)?)];
    let read = |_: usize, file: &str, _| {
        std::fs::read(folder.join(file)).map_err(|error| DocumentError::new(file, error.to_string()))
    };
    let set = PolicySet::load(&documents, &read).map_err(|error| error.to_string())?;
    let exceptions = Exceptions::none();
    let recorded = RecordedFacts::read(&bytes)?;
    let judge = |recorded: &RecordedFacts| evaluate(&set, &recorded.ask, &recorded.facts, &exceptions, recorded.at);
    let judgement = judge(&recorded);
    // What a call makes is freed within it.
    let alone = || drop(black_box(judge(&recorded)));
    let reading = || drop(black_box(RecordedFacts::read(&bytes)));
    let both = || drop(black_box(RecordedFacts::read(&bytes).map(|recorded| judge(&recorded))));
    let took = medians(for_all, &[&alone, &reading, &both]);
    let [alone, reading, both] = took.as_slice() else { return Err("three calls have three medians".into()) };
    let answer = json!({
        "verdict": judgement.verdict.as_str(),
        "rules": rules(&judgement),
        "evaluateNs": alone,
        "readNs": reading,
        "readAndEvaluateNs": both,
    });
    writeln!(std::io::stdout().lock(), "{answer}")?;
    Ok(())
}

/// The rules that do not pass: each with its reasons, and with the findings that block.
fn rules(judgement: &Judgement) -> Vec<serde_json::Value> {
    let not_passed = judgement.rules.iter().filter_map(|rule| match &rule.outcome {
        Outcome::Pass => None,
        Outcome::Fail(reasons) | Outcome::Unknown(_, reasons) => Some((rule, reasons)),
    });
    let described = not_passed.map(|(rule, reasons)| {
        let blocks = rule.findings.iter().filter(|judged| matches!(judged.disposition, Disposition::Blocks(_)));
        let blocks: BTreeSet<String> =
            blocks.map(|judged| format!("{} {}", judged.finding.id.as_str(), judged.finding.package_names())).collect();
        json!({
            "rule": rule.rule,
            "unknown": matches!(rule.outcome, Outcome::Unknown(..)),
            "reasons": reasons.iter().map(|reason| reason.message.as_str()).collect::<Vec<_>>(),
            "blocks": blocks,
        })
    });
    described.collect()
}

/// The medians of these calls in nanoseconds: all in turns, at least 5 times and until the time is over, after a third of it that is
/// not counted.
fn medians(time: Duration, calls: &[&dyn Fn()]) -> Vec<u128> {
    let mut took: Vec<Vec<u128>> = vec![Vec::new(); calls.len()];
    let mut turns = |time: Duration, least: usize| {
        took.iter_mut().for_each(Vec::clear);
        let started = Instant::now();
        while took.iter().any(|of_one| of_one.len() < least) || started.elapsed() < time {
            for (call, of_one) in calls.iter().zip(&mut took) {
                let one = Instant::now();
                call();
                of_one.push(one.elapsed().as_nanos());
            }
        }
    };
    turns(time / 3, 1);
    turns(time, 5);
    let median = |mut of_one: Vec<u128>| {
        of_one.sort_unstable();
        of_one[of_one.len() / 2]
    };
    took.into_iter().map(median).collect()
}
