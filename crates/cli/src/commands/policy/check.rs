//! `ecr-gate policy check`: what is wrong with policies and exceptions, each with its place, and what is odd about them. With
//! recorded facts also what no recorded image uses.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use model::RecordedFacts;
use policy::{DocumentError, Exceptions, PolicySet, evaluate};
use serde::Serialize;

use crate::clock::now;
use crate::exit::Exit;
use crate::facts_files::{documents, list};
use crate::failure::Failure;
use crate::output::{inert_json, logged};
use crate::policies;
use crate::trust;
use crate::ui::{OutputFormat, Ui};

/// Reads policies and every file they name, and says what is wrong and what is odd about them
///
/// Wrong: unknown keys, impossible values, rules that nothing can pass, exceptions that waive nothing. Odd: rules that never
/// decide, parameters nobody uses, environments nobody judges, expired and over-broad exceptions. Each with file, line and column.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 nothing wrong; 3 something is wrong, with --strict also if something is odd; 64 wrong usage.

Examples:
  ecr-gate policy check gate.yaml
  ecr-gate policy check org.yaml team.yaml --strict
  ecr-gate policy check gate.yaml --facts facts/     # exceptions and policies that no recorded image uses")]
pub(crate) struct CheckArgs {
    /// Policy files, as they are in force together
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A file or folder of recorded facts: says which exceptions and policies none of them uses
    #[arg(long, value_name = "DIR")]
    facts: Option<PathBuf>,
    /// What is odd is wrong
    #[arg(long)]
    strict: bool,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    /// `error` or `warning`.
    level: &'static str,
    file: String,
    line: Option<u64>,
    column: Option<u64>,
    message: String,
    hint: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    schema: &'static str,
    policies: Vec<model::PolicyId>,
    findings: Vec<Finding>,
}

impl Finding {
    fn of(error: DocumentError, is_error: bool) -> Self {
        let DocumentError { file, line, column, what, hint } = error;
        Self { level: if is_error { "error" } else { "warning" }, file, line, column, message: what, hint }
    }

    fn plain(is_error: bool, file: &str, message: String) -> Self {
        Self::of(DocumentError::new(file, message), is_error)
    }
}

impl CheckArgs {
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let report = self.look()?;
        let wrong = |finding: &Finding| finding.level == "error" || self.strict;
        let exit = if report.findings.iter().any(wrong) { Exit::Configuration } else { Exit::Allowed };
        match self.output {
            OutputFormat::Json => {
                let text = serde_json::to_string_pretty(&report)
                    .map_err(|error| Failure::internal(format!("the answer cannot be written: {error}")))?;
                ui.data(&inert_json(text + "\n"))?;
            }
            OutputFormat::Text => ui.data(&page(&report))?,
        }
        Ok(exit)
    }

    fn look(&self) -> Result<Report, Failure> {
        let mut report = Report { schema: "ecr-gate.dev/policy-check/v1", policies: Vec::new(), findings: Vec::new() };
        let read = policies::read(&self.files)?;
        let (set, exceptions) = match policies::assemble(&self.files, &read) {
            Ok(loaded) => loaded,
            Err(error) => {
                // Of each file the first thing that is wrong with it; together they may contradict each other as well.
                for (path, document) in self.files.iter().zip(&read) {
                    let alone = policies::assemble(std::slice::from_ref(path), std::slice::from_ref(document));
                    if let Err(error) = alone {
                        report.findings.push(Finding::of(error, true));
                    }
                }
                if !report.findings.iter().any(|finding| finding.message == error.what) {
                    report.findings.push(Finding::of(error, true));
                }
                return Ok(report);
            }
        };
        if let Err(failure) = trust::inputs(&set, &self.files) {
            let error = DocumentError::new(&self.files[0].display().to_string(), failure.what);
            let hint = failure.hints.into_iter().next();
            report.findings.push(Finding::of(DocumentError { hint, ..error }, true));
        }
        let remarks = set.lint(&read, now());
        report.findings.extend(remarks.into_iter().map(|remark| Finding::of(remark.about, remark.is_error)));
        for found in exceptions.review(&set, now()) {
            let message = format!("exception {:?} {}", found.id, found.what);
            report.findings.push(Finding::plain(found.is_error, &found.file, message));
        }
        if let Some(folder) = &self.facts {
            unused(&set, &exceptions, folder, &mut report)?;
        }
        report.findings.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        report.policies = set.ids().into_iter().cloned().collect();
        Ok(report)
    }
}

/// What none of the recorded images uses.
fn unused(
    set: &PolicySet,
    exceptions: &Exceptions,
    folder: &std::path::Path,
    report: &mut Report,
) -> Result<(), Failure> {
    let (mut used, mut matched) = (BTreeSet::new(), BTreeSet::new());
    let mut looked_at = 0_u64;
    for file in list(folder)? {
        documents(&file, &mut |document| {
            let recorded = document
                .bytes
                .map_err(|why| why.clone())
                .and_then(|bytes| RecordedFacts::read(&bytes).map_err(|error| error.to_string()));
            match recorded {
                Ok(recorded) => {
                    let judgement = evaluate(set, &recorded.ask, &recorded.facts, exceptions, recorded.at);
                    used.extend(judgement.inputs.exceptions.into_iter().map(|exception| exception.id));
                    matched.extend(judgement.inputs.policies.into_iter().map(|policy| policy.name));
                    looked_at += 1;
                }
                Err(why) => report.findings.push(Finding::plain(false, &document.name, why)),
            }
            true
        });
    }
    for (file, id) in exceptions.ids() {
        if !used.contains(id) {
            let message = format!("exception {id:?} is used by none of {looked_at} recorded images");
            report.findings.push(Finding::plain(false, file, message));
        }
    }
    for id in set.ids() {
        if !matched.contains(&id.name) {
            let message = format!("policy {:?} matches none of {looked_at} recorded images", id.name);
            report.findings.push(Finding::plain(false, &id.name, message));
        }
    }
    Ok(())
}

fn page(report: &Report) -> String {
    let mut text = String::new();
    for Finding { level, file, line, column, message, hint } in &report.findings {
        let place = match (line, column) {
            (Some(line), Some(column)) => format!(":{line}:{column}"),
            (Some(line), None) => format!(":{line}"),
            (None, _) => String::new(),
        };
        let _ = writeln!(text, "{}{place}: {level}: {}", logged(file, 300), logged(message, 1000));
        if let Some(hint) = hint {
            let _ = writeln!(text, "    hint: {}", logged(hint, 1000));
        }
    }
    for id in &report.policies {
        let errors = report.findings.iter().any(|finding| finding.level == "error");
        let _ =
            writeln!(text, "{}: policy {} ({})", if errors { "read" } else { "ok" }, logged(&id.name, 200), id.digest);
    }
    text
}
