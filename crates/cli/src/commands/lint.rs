//! `ecr-gate lint FILE…`: finds the classic mistakes of scan gates in existing GitLab, GitHub and shell pipelines and says
//! the fix (requirement A11). Reads files only; follows no includes; runs nothing of what it reads. The rules are listed
//! in `finding.rs`; a secret is never repeated (`redact.rs`).

mod commands;
mod finding;
mod flow;
mod github;
mod gitlab;
mod keys;
mod redact;
mod reference;
mod script;
mod shell;
mod source;
#[cfg(test)]
mod tests;
mod timeouts;
mod words;
mod yaml;

use std::fmt::Write as _;

use serde::Serialize;

use super::input::{read_text, shown, to_json};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::{OutputFormat, Ui};
use finding::{Finding, Note, Report, Severity};
use source::{Kind, Source};

/// Find the classic mistakes of scan gates in existing pipelines
///
/// Looks for what makes a gate silently green: a gate that may fail, a deploy that does not wait for it, swallowed
/// errors, severity counts read with --query or `// empty`, waiters that know only COMPLETE, images named by tag, stored
/// AWS keys. Each finding says where, why, and the fix. Included and called files are not followed; a note says so.
///
/// Exit code 0 without errors, 1 with errors (with --strict also for warnings), 3 for a file that cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  ecr-gate lint .gitlab-ci.yml
  ecr-gate lint --strict .github/workflows/*.yml scripts/deploy.sh
  ecr-gate init gitlab … | ecr-gate lint -")]
pub(crate) struct LintArgs {
    /// The pipelines; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,

    /// What the files are, when it cannot be told from name and content
    #[arg(long, value_enum)]
    kind: Option<Kind>,

    /// Warnings count as errors
    #[arg(long)]
    strict: bool,

    /// How to print: like a compiler, or JSON
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

/// What was found in one file.
#[derive(Debug, Serialize)]
struct FileReport {
    file: String,
    kind: &'static str,
    findings: Vec<Finding>,
    notes: Vec<Note>,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    schema: &'static str,
    errors: usize,
    warnings: usize,
    files: &'a [FileReport],
}

impl LintArgs {
    /// Lints every file; one that cannot be read ends the run.
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        if self.files.iter().filter(|file| *file == "-").count() > 1 {
            return Err(Failure::usage("standard input can be read only once").hint("give `-` once"));
        }
        let mut files = Vec::new();
        for file in &self.files {
            let name = if file == "-" { "standard input".to_owned() } else { shown(file, 300) };
            files.push(examine(&name, &read_text(file)?, self.kind)?);
        }
        let count = |severity| {
            files.iter().flat_map(|file| &file.findings).filter(|finding| finding.severity == severity).count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        match self.output {
            OutputFormat::Json => {
                ui.data(&to_json(&Answer { schema: "ecr-gate.dev/lint/v1", errors, warnings, files: &files })?)?;
            }
            OutputFormat::Text => {
                let text: String = files.iter().map(render).collect();
                if !text.is_empty() {
                    ui.data(&text)?;
                }
            }
        }
        let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        ui.say(&format!(
            "{}, {} in {}",
            plural(errors, "error"),
            plural(warnings, "warning"),
            plural(files.len(), "file")
        ));
        Ok(if errors > 0 || (self.strict && warnings > 0) { Exit::Blocked } else { Exit::Allowed })
    }
}

fn examine(name: &str, text: &str, kind: Option<Kind>) -> Result<FileReport, Failure> {
    let mut report = Report::new(text);
    let source = source::understand(name, text, kind)?;
    commands::literal_keys(text, &mut report);
    let kind = match source {
        Source::Gitlab(root) => {
            gitlab::check(&root, &mut report).map_err(|gitlab::TooBig| {
                Failure::configuration(format!("{name}: its templates expand to more values than are read"))
                    .hint("split the file")
            })?;
            Kind::Gitlab
        }
        Source::Github(root) => {
            github::check(&root, &mut report);
            Kind::Github
        }
        Source::Shell => {
            script::check(text, &mut report);
            Kind::Shell
        }
    };
    let (findings, notes) = report.finish();
    Ok(FileReport { file: name.to_owned(), kind: kind.name(), findings, notes })
}

fn render(report: &FileReport) -> String {
    let mut text = String::new();
    let file = &report.file;
    // Writing to a String cannot fail.
    for note in &report.notes {
        let _ = writeln!(text, "{file}:{}:{}: note: {}", note.line, note.column, note.message);
    }
    for finding in &report.findings {
        let Finding { rule, severity, line, column, message, .. } = finding;
        let _ = writeln!(text, "{file}:{line}:{column}: {}[{rule}]: {message}", severity.word());
        if !finding.text.is_empty() {
            let _ = writeln!(text, "  | {}", finding.text);
        }
        let _ = writeln!(text, "  why: {}\n  fix: {}", finding.why, finding.fix);
    }
    text
}

/// The findings in a text, for the tests of commands that emit pipelines.
#[cfg(test)]
pub(crate) fn rules_found(name: &str, text: &str) -> Result<Vec<Finding>, Failure> {
    examine(name, text, None).map(|report| report.findings)
}
