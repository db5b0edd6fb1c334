//! The two forms of an examination: a list for people, a document for programs. Its JSON form is versioned by its
//! `schema` field; fields are added, never renamed.

use std::fmt::Write as _;

use engine::{CheckState, DoctorCheck, Examination, Fix, Target};
use model::{Reason, Timestamp};
use serde::Serialize;

use super::SENTENCE;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{inert_json, logged};
use crate::target::Image;

const SCHEMA: &str = "ecr-gate.dev/doctor/v1";

/// An examination and what was changed before it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report<'a> {
    schema: &'static str,
    examined_at: Timestamp,
    exit_code: u8,
    repository: &'a str,
    /// The reference, if it names an image and not just a repository.
    image: Option<String>,
    identity: Option<&'a str>,
    summary: Summary,
    checks: &'a [DoctorCheck],
    changes: Vec<Change>,
}

/// How many checks ended how.
#[derive(Debug, Clone, Copy, Serialize)]
struct Summary {
    ok: usize,
    warning: usize,
    problem: usize,
    unknown: usize,
}

/// A change that `--fix` made or could not make.
#[derive(Debug, Serialize)]
pub(super) struct Change {
    fix: Fix,
    applied: bool,
    reason: Option<Reason>,
}

impl Change {
    pub(super) fn new(fix: Fix, failed: Option<Reason>) -> Self {
        Self { fix, applied: failed.is_none(), reason: failed }
    }
}

impl<'a> Report<'a> {
    pub(super) fn new(image: &Image, examination: &'a Examination, changes: Vec<Change>) -> Self {
        let reference = &image.reference;
        let named = reference.tag.is_some() || reference.digest.is_some();
        let count = |state| examination.count(state);
        let refused = changes.iter().filter_map(|change| change.reason.as_ref()).map(|reason| reason.code);
        Self {
            schema: SCHEMA,
            examined_at: examination.examined_at,
            exit_code: Exit::of_examination(examination, refused) as u8,
            repository: &examination.repository,
            image: named.then(|| reference.to_string()),
            identity: examination.identity.as_deref(),
            summary: Summary {
                ok: count(CheckState::Ok),
                warning: count(CheckState::Warning),
                problem: count(CheckState::Problem),
                unknown: count(CheckState::Unknown),
            },
            checks: &examination.checks,
            changes,
        }
    }

    pub(super) fn exit(&self) -> Exit {
        let known = Exit::ALL.iter().map(|(exit, _)| *exit).find(|exit| *exit as u8 == self.exit_code);
        known.unwrap_or(Exit::Unavailable)
    }

    pub(super) fn json(&self) -> Result<String, Failure> {
        let text = serde_json::to_string_pretty(self);
        text.map(inert_json)
            .map_err(|error| Failure::internal(format!("the report cannot be written as JSON: {error}")))
    }

    /// One line for what is as it should be; why and what to do for the rest.
    pub(super) fn text(&self, color: bool) -> String {
        let mut text = format!("{}\n", logged(self.repository, SENTENCE));
        if let Some(image) = &self.image {
            let _ = writeln!(text, "{}", logged(image, SENTENCE));
        }
        text.push('\n');
        for check in self.checks {
            let (mark, code) = match check.state {
                CheckState::Ok => ("ok", "32"),
                CheckState::Warning => ("warn", "33"),
                CheckState::Problem => ("FAIL", "31"),
                CheckState::Unknown => ("?", "33"),
            };
            let space = " ".repeat(6 - mark.len());
            let mark = if color { format!("\x1b[1;{code}m{mark}\x1b[0m") } else { mark.to_owned() };
            let of = check.subject.as_ref().map_or_else(String::new, |subject| format!(" ({subject})"));
            let _ = writeln!(
                text,
                "{mark}{space}{}{}: {}",
                check.title,
                logged(&of, SENTENCE),
                logged(&check.found, SENTENCE)
            );
            if let Some(remedy) = &check.remedy {
                let _ = writeln!(text, "      why: {}", check.why);
                let _ = writeln!(text, "      -> {}", logged(remedy, SENTENCE));
            }
        }
        let Summary { ok, warning, problem, unknown } = self.summary;
        let _ = writeln!(
            text,
            "\n{problem} problem{}, {warning} warning{}, {unknown} not known, {ok} ok",
            if problem == 1 { "" } else { "s" },
            if warning == 1 { "" } else { "s" },
        );
        text
    }
}

/// What is shown before a change.
pub(super) fn will(fix: Fix, target: &Target) -> String {
    let repository = &target.repository;
    match fix {
        Fix::ScanOnPush => format!("will turn on scan on push for {repository}"),
        Fix::Immutability => {
            format!("will make tags immutable for {repository}: pushes that reuse a tag will fail from then on")
        }
    }
}

/// What is said after it.
pub(super) fn done(fix: Fix, target: &Target) -> String {
    let repository = &target.repository;
    match fix {
        Fix::ScanOnPush => format!("done: scan on push is on for {repository}"),
        Fix::Immutability => format!("done: tags are immutable for {repository}"),
    }
}
