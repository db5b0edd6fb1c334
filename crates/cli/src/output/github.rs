//! GitHub Actions (B2): annotations on the run, as workflow commands on stderr, and the step summary. Written only when
//! running there. A command is one line; what it says is escaped, so that no scanner's text becomes a command.

use std::path::PathBuf;

use model::Verdict;

use super::View;
use super::markdown::summary;
use super::view::is_about_findings;
use super::words::{ended, logged, sentence};
use crate::env;
use crate::failure::Failure;
use crate::files;
use crate::ui::Ui;

/// What GitHub shows of one step.
const ANNOTATIONS: usize = 10;
/// GitHub takes 1 MiB of summary a step.
const SUMMARY: usize = 900 * 1024;
const SENTENCE: usize = 1000;

/// Tells the workflow run, if there is one.
pub(crate) fn tell(view: &View<'_>, ui: Ui) -> Result<(), Failure> {
    if env::GITHUB_ACTIONS.get().as_deref() != Some("true") {
        return Ok(());
    }
    for annotation in annotations(view) {
        ui.insist(&annotation);
    }
    let Some(file) = env::GITHUB_STEP_SUMMARY.get() else { return Ok(()) };
    let mut text = summary(view);
    if text.len() > SUMMARY {
        let end = (0..=SUMMARY).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    files::append("the step summary", &PathBuf::from(file), &format!("{text}\n"))
}

/// The reasons that no finding shows, then the findings that block; of as many as GitHub shows.
fn annotations(view: &View<'_>) -> Vec<String> {
    let record = view.record;
    let command = |weight: Verdict| match weight {
        Verdict::Deny | Verdict::Pending => Some("error"),
        Verdict::Warn => Some("warning"),
        Verdict::Allow => None,
    };
    let listed = !record.findings.blocking.is_empty();
    let reasons =
        record.reasons.iter().map(|reason| &reason.reason).filter(|reason| !listed || !is_about_findings(reason.code));
    let reasons = reasons.filter_map(|reason| {
        let title = format!("ecr-gate: {}", reason.code);
        Some(annotation(
            command(view.weight(reason.code))?,
            &title,
            &format!("{} {}", ended(&reason.message), reason.remedy),
        ))
    });
    let findings = view.blocking().into_iter().filter_map(|judged| {
        let model::Disposition::Blocks(code) = judged.disposition else { return None };
        let title = format!("ecr-gate: {}", judged.finding.id);
        let message =
            format!("{} ({code}, {})", sentence(&judged.finding, judged.platform.as_ref()), record.image.name);
        Some(annotation(command(view.weight(code))?, &title, &message))
    });
    reasons.chain(findings).take(ANNOTATIONS).collect()
}

fn annotation(command: &str, title: &str, message: &str) -> String {
    let data = |text: &str, most| logged(text, most).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = data(title, 120).replace(':', "%3A").replace(',', "%2C");
    format!("::{command} title={property}::{}", data(message, SENTENCE))
}

#[cfg(test)]
mod tests {
    use super::annotation;

    #[test]
    fn a_command_holds_no_other_command() {
        assert_eq!(
            annotation("error", "a:b,c%\n::stop", "50 %\r\n::error::x ##[add-mask]y"),
            "::error title=a%3Ab%2Cc%25 %3A%3Astop::50 %25  ::error::x ## [add-mask]y"
        );
    }
}
