//! What a verified export, or one that does not verify, is shown as: for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use model::Timestamp;
use serde::Serialize;
use trust::log::TreeHead;
use trust::log::export::{Continuity, ExportError, Verified};

use crate::commands::input::to_json;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{inert_json, logged};
use crate::ui::Ui;

/// The longest sentence.
const SENTENCE: usize = 1000;
/// How many kinds of entries, and stretches of dropped ones, people are shown; the JSON form has more.
const ROWS: usize = 20;

/// What was found out.
pub(super) struct Answer<'a> {
    pub(super) file: &'a str,
    pub(super) exit: Exit,
    pub(super) outcome: &'a Result<Verified, ExportError>,
    /// Where the known checkpoints came from, in the order in which they were given.
    pub(super) known: &'a [PathBuf],
}

/// The answer for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema: &'static str,
    file: &'a str,
    /// Every entry is what was signed, and the log begins with each known checkpoint.
    verified: bool,
    exit_code: u8,
    error: Option<Wrong>,
    log: Option<Log<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wrong {
    line: u64,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log<'a> {
    origin: &'a str,
    /// The first entry of the export.
    from: u64,
    /// The entries of the log, those before the export too.
    size: u64,
    root: String,
    checkpoint: &'a str,
    /// `null` without a key: nobody vouches for it.
    signed_by: Option<String>,
    entries: u64,
    kinds: &'a BTreeMap<String, u64>,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    dropped: Dropped,
    known_checkpoints: Vec<Known>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dropped {
    entries: u64,
    /// The first hundred stretches.
    stretches: Vec<Stretch>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stretch {
    first: u64,
    last: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    file: String,
    size: u64,
    root: String,
    /// `extended`, or `notCovered`: the export begins after it.
    state: &'static str,
}

impl<'a> Log<'a> {
    fn of(verified: &'a Verified, files: &[PathBuf]) -> Self {
        let TreeHead { origin, size, root } = &verified.head;
        let stretch = |&(first, last): &(u64, u64)| Stretch { first, last };
        let known = |(file, (head, shown)): (&PathBuf, &(TreeHead, Continuity))| Known {
            file: file.display().to_string(),
            size: head.size,
            root: hex::encode(head.root),
            state: match shown {
                Continuity::Extends => "extended",
                Continuity::NotCovered => "notCovered",
            },
        };
        Self {
            origin,
            from: verified.from,
            size: *size,
            root: hex::encode(root),
            checkpoint: &verified.note,
            signed_by: verified.signed_by.as_ref().map(ToString::to_string),
            entries: size - verified.from,
            kinds: &verified.kinds,
            first_at: verified.times.map(|(first, _)| first),
            last_at: verified.times.map(|(_, last)| last),
            dropped: Dropped {
                entries: verified.dropped,
                stretches: verified.dropped_stretches.iter().map(stretch).collect(),
            },
            known_checkpoints: files.iter().zip(&verified.known).map(known).collect(),
        }
    }
}

/// For programs.
pub(super) fn json(answer: &Answer<'_>) -> Result<String, Failure> {
    let (error, log) = match answer.outcome {
        Ok(verified) => (None, Some(Log::of(verified, answer.known))),
        Err(error) => (Some(Wrong { line: error.line, message: error.fault.to_string() }), None),
    };
    let document = Document {
        schema: "ecr-gate.dev/audit-verification/v1",
        file: answer.file,
        verified: answer.exit == Exit::Allowed,
        exit_code: answer.exit as u8,
        error,
        log,
    };
    Ok(inert_json(to_json(&document)? + "\n"))
}

/// For people.
pub(super) fn table(answer: &Answer<'_>, color: bool) -> String {
    let verified = answer.exit == Exit::Allowed;
    let signed = answer.outcome.as_ref().is_ok_and(|verified| verified.signed_by.is_some());
    let (word, code) = match (verified, signed) {
        (true, true) => ("VERIFIED", "32"),
        (true, false) => ("VERIFIED IN ITSELF", "33"),
        (false, _) => ("NOT VERIFIED", "31"),
    };
    let word = if color { format!("\x1b[1;{code}m{word}\x1b[0m") } else { word.to_owned() };
    let mut text = format!("{word}  {}\n", logged(answer.file, SENTENCE));
    match answer.outcome {
        Err(error) => fact(&mut text, &format!("line {}", error.line), &error.fault.to_string()),
        Ok(verified) => log(&mut text, &Log::of(verified, answer.known)),
    }
    text
}

fn log(text: &mut String, log: &Log<'_>) {
    fact(text, "log", log.origin);
    match &log.signed_by {
        Some(key) => fact(text, "signed by", key),
        None => fact(text, "signed by", "not verified: no key was given, so anybody could have written this file"),
    }
    fact(text, "size", &entries(log.size));
    fact(text, "root", &log.root);
    match log.entries {
        0 => fact(text, "entries", &format!("none: nothing was logged after the first {}", log.from)),
        number => fact(text, "entries", &format!("{number}, from {} to {}", log.from, log.size - 1)),
    }
    for (kind, number) in log.kinds.iter().take(ROWS) {
        fact(text, "", &format!("{number} {kind}"));
    }
    if log.kinds.len() > ROWS {
        fact(text, "", &format!("… and {} more kinds; `--output json` has all", log.kinds.len() - ROWS));
    }
    if let (Some(first), Some(last)) = (log.first_at, log.last_at) {
        fact(text, "time", &format!("{first} to {last}"));
    }
    if log.dropped.entries > 0 {
        let stretches: Vec<_> = log.dropped.stretches.iter().take(ROWS).map(Stretch::shown).collect();
        let more = if log.dropped.stretches.len() > ROWS { ", …" } else { "" };
        let which = stretches.join(", ");
        fact(text, "dropped", &format!("{} by retention: {which}{more}", entries(log.dropped.entries)));
    }
    for Known { file, size, state, .. } in &log.known_checkpoints {
        let said = match *state {
            "extended" => format!("begins with the {} of {file}", entries(*size)),
            _ => format!("not shown: {file} has {}, and this export begins after it", entries(*size)),
        };
        fact(text, "continuity", &said);
    }
}

fn entries(number: u64) -> String {
    format!("{number} {}", if number == 1 { "entry" } else { "entries" })
}

impl Stretch {
    fn shown(&self) -> String {
        if self.first == self.last { self.first.to_string() } else { format!("{}–{}", self.first, self.last) }
    }
}

/// What to do next.
pub(super) fn hints(answer: &Answer<'_>, saved: bool, ui: Ui) {
    match answer.outcome {
        Err(_) => ui.say(
            "hint: nothing after that line was looked at; export again, and if it stays so, compare with an older copy",
        ),
        Ok(verified) if answer.exit != Exit::Allowed => {
            let not_covered = verified.known.iter().filter(|(_, shown)| *shown == Continuity::NotCovered);
            let from = not_covered.map(|(head, _)| head.size).min().unwrap_or(0);
            ui.say(&format!("hint: export from entry {from} on, or from an earlier one, to show that the log was not rewritten"));
        }
        Ok(verified) if verified.signed_by.is_none() => ui.say("hint: --key shows who signed the log"),
        Ok(_) if !saved => ui.say(
            "hint: --save-checkpoint FILE keeps the checkpoint; with it the next export shows that nothing was rewritten",
        ),
        Ok(_) => {}
    }
}

fn fact(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<11}  {}", logged(value, SENTENCE));
}
