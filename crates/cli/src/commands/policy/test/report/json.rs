//! The form for programs.

use model::{Outcome, Reason, RuleResult, Verdict};
use policy::{Difference, TestOutcome, Why};
use serde::Serialize;

use super::{FileOutcome, Outcomes};
use crate::failure::Failure;
use crate::output::inert_json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    schema: &'static str,
    passed: usize,
    failed: usize,
    files: Vec<OfFile<'a>>,
    coverage: Share<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfFile<'a> {
    file: &'a str,
    name: &'a str,
    policies: &'a [String],
    tests: Vec<Test<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Test<'a> {
    name: &'a str,
    passed: bool,
    verdict: Verdict,
    differences: Vec<Differing<'a>>,
    rules: Vec<Found<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Differing<'a> {
    what: &'a str,
    expected: &'a str,
    found: &'a str,
    reasons: Vec<Because<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Because<'a> {
    rule: &'a str,
    #[serde(flatten)]
    reason: &'a Reason,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'a> {
    policy: &'a str,
    rule: &'a str,
    outcome: &'static str,
    verdict: Verdict,
    reasons: Vec<&'a Reason>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Share<'a> {
    rules: usize,
    covered: usize,
    percent: u8,
    uncovered: Vec<Uncovered<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Uncovered<'a> {
    policy: &'a str,
    rule: &'a str,
    passed: bool,
    held_back: bool,
}

pub(super) fn render(outcomes: &Outcomes) -> Result<String, Failure> {
    let coverage = &outcomes.coverage;
    let uncovered = coverage.rules().filter(|seen| !seen.is_covered()).map(|seen| Uncovered {
        policy: &seen.policy,
        rule: &seen.rule,
        passed: seen.passed,
        held_back: seen.held_back,
    });
    let report = Report {
        schema: "ecr-gate.dev/policy-test/v1",
        passed: outcomes.passed(),
        failed: outcomes.failed(),
        files: outcomes.files.iter().map(of_file).collect(),
        coverage: Share {
            rules: coverage.total(),
            covered: coverage.covered(),
            percent: coverage.percent(),
            uncovered: uncovered.collect(),
        },
    };
    serde_json::to_string_pretty(&report)
        .map(inert_json)
        .map_err(|error| Failure::internal(format!("the report cannot be written as JSON: {error}")))
}

fn of_file(file: &FileOutcome) -> OfFile<'_> {
    let tests = file.tests.iter().map(|(name, outcome)| of_test(name, outcome)).collect();
    OfFile { file: &file.file, name: &file.name, policies: &file.policies, tests }
}

fn of_test<'a>(name: &'a str, outcome: &'a TestOutcome) -> Test<'a> {
    let differing = |difference: &'a Difference| Differing {
        what: &difference.what,
        expected: &difference.expected,
        found: &difference.found,
        reasons: difference.reasons.iter().map(|Why { rule, reason }| Because { rule, reason }).collect(),
    };
    Test {
        name,
        passed: outcome.differences.is_empty(),
        verdict: outcome.judgement.verdict,
        differences: outcome.differences.iter().map(differing).collect(),
        rules: outcome.judgement.rules.iter().map(of_rule).collect(),
    }
}

fn of_rule(result: &RuleResult) -> Found<'_> {
    let (outcome, reasons) = match &result.outcome {
        Outcome::Pass => ("pass", Vec::new()),
        Outcome::Fail(reasons) => ("fail", reasons.iter().collect()),
        Outcome::Unknown(_, reasons) => ("unknown", reasons.iter().collect()),
    };
    Found { policy: &result.policy, rule: &result.rule, outcome, verdict: result.verdict, reasons }
}
