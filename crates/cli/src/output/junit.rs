//! JUnit XML (A1, B2): one suite with a test for the scan, for each rule and for each finding that policy touched. An
//! image that could not be judged is an error of the first test, so the suite is never empty and never green by lack.

use model::{Disposition, Judged, Reason, Verdict};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::View;
use super::words::{justification, line, sentence};
use crate::failure::Failure;

const NAME: usize = 300;
const SENTENCE: usize = 1000;

pub(crate) fn render(view: &View<'_>) -> Result<String, Failure> {
    let mut suite = TestSuite::new("ecr-gate");
    suite.add_properties(properties(view));
    let mut add = |name: &str, status: TestCaseStatus| {
        let mut case = TestCase::new(line(name, NAME), status);
        case.set_classname(line(&view.record.image.name, NAME));
        suite.add_test_case(case);
    };
    add("complete scan", scan(view));
    for rule in &view.record.rules {
        let policy = if rule.policy.is_empty() { String::new() } else { format!("{}/", rule.policy) };
        add(&format!("rule {policy}{}", rule.rule), outcome(rule.outcome, rule.verdict, &rule.reasons));
    }
    for judged in view.blocking() {
        let text = format!("{}; it {}", sentence(&judged.finding, judged.platform.as_ref()), does(view, judged));
        add(&name(judged), told(TestCaseStatus::non_success(NonSuccessKind::Failure), &text, "finding", &text));
    }
    for judged in view.waived() {
        let why = justification(view.record, &judged.disposition);
        add(
            &name(judged),
            told(TestCaseStatus::skipped(), &why, "waived", &sentence(&judged.finding, judged.platform.as_ref())),
        );
    }
    let mut report = Report::new("ecr-gate");
    report.add_test_suite(suite);
    report.to_string().map_err(|error| Failure::internal(format!("the report cannot be written as XML: {error}")))
}

fn properties(view: &View<'_>) -> Vec<Property> {
    let record = view.record;
    let mut list = vec![
        Property::new("verdict", record.verdict.as_str()),
        Property::new("exitCode", record.exit_code.to_string()),
        Property::new("image", line(&record.image.reference, NAME)),
        Property::new("environment", line(&record.environment.name, NAME)),
        Property::new("recordedAt", record.recorded_at.to_string()),
    ];
    let known = [("digest", &record.image.digest), ("decision", &record.id)];
    list.extend(known.into_iter().filter_map(|(name, value)| Some(Property::new(name, value.as_ref()?))));
    list
}

/// Whether every finding there is was read.
fn scan(view: &View<'_>) -> TestCaseStatus {
    if !view.record.findings.judged && view.is_complete() {
        let why = "no rule is about vulnerabilities: nobody looked for a scan";
        return told(TestCaseStatus::skipped(), why, "scan", why);
    }
    if view.is_complete() {
        return TestCaseStatus::success();
    }
    let unknown = view.record.reasons.iter().filter(|reason| reason.class.is_some());
    let reasons: Vec<&Reason> = unknown.map(|reason| &reason.reason).collect();
    let first = reasons.first().map_or("there is no complete scan", |reason| reason.message.as_str());
    let code = reasons.first().map_or("scan", |reason| reason.code.as_str());
    told(TestCaseStatus::non_success(NonSuccessKind::Error), first, code, &words(&reasons))
}

fn outcome(outcome: &str, verdict: Verdict, reasons: &[Reason]) -> TestCaseStatus {
    if outcome == "pass" {
        return TestCaseStatus::success();
    }
    let message = reasons.first().map_or(outcome, |reason| reason.message.as_str());
    let code = reasons.first().map_or(outcome, |reason| reason.code.as_str());
    let all = words(&reasons.iter().collect::<Vec<_>>());
    let (status, message) = match verdict {
        // Recorded, and nothing more.
        Verdict::Allow => (TestCaseStatus::skipped(), format!("audit only: {message}")),
        Verdict::Warn => (TestCaseStatus::non_success(NonSuccessKind::Failure), format!("soft-fail: {message}")),
        _ => (TestCaseStatus::non_success(NonSuccessKind::Failure), message.to_owned()),
    };
    told(status, &message, code, &all)
}

fn told(mut status: TestCaseStatus, message: &str, kind: &str, description: &str) -> TestCaseStatus {
    status.set_message(line(message, SENTENCE)).set_type(kind).set_description(description);
    status
}

/// Each reason and its next step, a line each.
fn words(reasons: &[&Reason]) -> String {
    let line = |text: &str| line(text, SENTENCE);
    let words = reasons
        .iter()
        .map(|reason| format!("{}: {}\n  -> {}", reason.code, line(&reason.message), line(&reason.remedy)));
    words.collect::<Vec<_>>().join("\n")
}

fn does(view: &View<'_>, judged: &Judged) -> String {
    match judged.disposition {
        Disposition::Blocks(code) => format!("{}: {code}", view.does(code)),
        _ => "does not count".to_owned(),
    }
}

fn name(judged: &Judged) -> String {
    let platform = judged.platform.as_ref().map_or_else(String::new, |platform| format!("{platform} "));
    format!("finding {platform}{} in {}", judged.finding.id, judged.finding.package_names())
}
