//! The form for people: a line for each test, what was expected and what came out where they differ, and at the end how many
//! passed. Colour only repeats what a word says.

use std::fmt::Write as _;

use policy::{TestOutcome, Why};

use super::{FileOutcome, Outcomes, differing};
use crate::output::logged;

/// The longest name, and the longest sentence.
const NAME: usize = 200;
const SENTENCE: usize = 1000;
/// How many reasons of one difference are shown; JSON has all.
const REASONS: usize = 10;

pub(super) fn render(outcomes: &Outcomes, color: bool) -> String {
    let mut text = String::new();
    for file in &outcomes.files {
        of_file(&mut text, file, color);
    }
    let (passed, failed) = (outcomes.passed(), outcomes.failed());
    let files = outcomes.files.len();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let total = passed + failed;
    let _ = writeln!(
        text,
        "{total} test{} in {files} file{}: {passed} passed, {failed} failed",
        plural(total),
        plural(files)
    );
    if outcomes.show_coverage {
        coverage(&mut text, outcomes);
    }
    text
}

fn of_file(text: &mut String, file: &FileOutcome, color: bool) {
    let _ = writeln!(text, "{} ({})", logged(&file.file, NAME), logged(&file.name, NAME));
    for (name, outcome) in &file.tests {
        let (word, code) = if outcome.differences.is_empty() { ("ok  ", "32") } else { ("FAIL", "31") };
        let word = if color { format!("\x1b[1;{code}m{word}\x1b[0m") } else { word.to_owned() };
        let _ = writeln!(text, "  {word}  {}", logged(name, NAME));
        differences(text, outcome);
    }
    text.push('\n');
}

fn differences(text: &mut String, outcome: &TestOutcome) {
    for (difference, new) in differing(outcome) {
        let _ = writeln!(text, "        {}", logged(&difference.to_string(), SENTENCE));
        for Why { rule, reason } in new.iter().take(REASONS) {
            let (rule, message) = (logged(rule, NAME), logged(&reason.message, SENTENCE));
            let _ = writeln!(text, "          {rule}: {}: {message}", reason.code);
        }
        if let Some(more) = new.len().checked_sub(REASONS).filter(|more| *more > 0) {
            let _ = writeln!(text, "          and {more} more");
        }
    }
}

fn coverage(text: &mut String, outcomes: &Outcomes) {
    let coverage = &outcomes.coverage;
    let (covered, total, percent) = (coverage.covered(), coverage.total(), coverage.percent());
    let _ =
        writeln!(text, "coverage: {covered} of {total} rules were seen to pass and to hold an image back ({percent}%)");
    for seen in coverage.rules().filter(|seen| !seen.is_covered()) {
        let lacks = match (seen.passed, seen.held_back) {
            (false, false) => "never judged",
            (false, true) => "never seen to pass",
            (true, _) => "never seen broken or unknown",
        };
        let _ = writeln!(text, "  {}/{}: {lacks}", logged(&seen.policy, NAME), logged(&seen.rule, NAME));
    }
    if let Some(least) = outcomes.min_coverage.filter(|_| outcomes.lacks_coverage()) {
        let _ = writeln!(text, "that is less than the {least}% asked for");
    }
}
