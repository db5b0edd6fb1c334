//! JUnit XML: a suite for each file, a test for each test. Too little coverage is a test of its own that fails, so that the
//! report is red where the command is.

use policy::{TestOutcome, Why};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Outcomes, differing};
use crate::failure::Failure;
use crate::output::{inert_xml, line};

const NAME: usize = 300;
const SENTENCE: usize = 1000;

pub(super) fn render(outcomes: &Outcomes) -> Result<String, Failure> {
    let mut report = Report::new("ecr-gate policy test");
    for file in &outcomes.files {
        let mut suite = TestSuite::new(line(&file.file, NAME));
        suite.add_property(Property::new("name", line(&file.name, NAME)));
        for (name, outcome) in &file.tests {
            let mut case = TestCase::new(line(name, NAME), status(outcome));
            case.set_classname(line(&file.file, NAME));
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    if outcomes.show_coverage {
        let coverage = &outcomes.coverage;
        let said = format!("{} of {} rules are covered, {}%", coverage.covered(), coverage.total(), coverage.percent());
        let mut suite = TestSuite::new("coverage");
        let status = match outcomes.min_coverage.filter(|_| outcomes.lacks_coverage()) {
            Some(least) => failed(&format!("{said}; {least}% are asked for"), "coverage", &said),
            None => TestCaseStatus::success(),
        };
        suite.add_property(Property::new("percent", coverage.percent().to_string()));
        suite.add_test_case(TestCase::new("coverage", status));
        report.add_test_suite(suite);
    }
    let text = report.to_string();
    text.map(inert_xml).map_err(|error| Failure::internal(format!("the report cannot be written as XML: {error}")))
}

fn status(outcome: &TestOutcome) -> TestCaseStatus {
    let Some(first) = outcome.differences.first() else { return TestCaseStatus::success() };
    let mut lines = Vec::new();
    for (difference, new) in differing(outcome) {
        lines.push(line(&difference.to_string(), SENTENCE));
        for Why { rule, reason } in new {
            lines.push(format!("  {}: {}: {}", line(rule, NAME), reason.code, line(&reason.message, SENTENCE)));
        }
    }
    failed(&first.to_string(), &first.what, &lines.join("\n"))
}

fn failed(message: &str, kind: &str, description: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(line(message, SENTENCE)).set_type(line(kind, NAME)).set_description(description);
    status
}
