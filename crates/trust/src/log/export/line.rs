//! The three kinds of lines, read back.

use serde_json::Value;

use super::{Fault, SCHEMA};
use crate::log::{Entry, Frontier, Hash, read_canonical};

/// The first line.
pub(super) struct Header {
    pub(super) origin: String,
    pub(super) before: Frontier,
}

/// The line of an entry.
pub(super) struct EntryLine<'a> {
    pub(super) index: u64,
    pub(super) hash: Hash,
    /// The bytes of the entry and the entry; nothing where retention dropped it.
    pub(super) entry: Option<(&'a [u8], Entry)>,
}

const ENTRY: &[u8] = b"{\"entry\":";
const CHECKPOINT: &[u8] = b"{\"checkpoint\":";
const NO_ENTRY: Fault = Fault::Line("the line was changed: it is not `{\"entry\":…,\"hash\":\"…\",\"index\":…}`");

impl Header {
    pub(super) fn read(line: &[u8]) -> Result<Self, Fault> {
        let wrong = Fault::Line;
        let Value::Object(mut members) = read_canonical(line)? else {
            return Err(wrong("this is no export of an audit log: its first line is no object"));
        };
        if members.remove("schema") != Some(SCHEMA.into()) {
            return Err(wrong(
                "this is no export of an audit log that this version reads: its first line names another schema",
            ));
        }
        let Some(from) = members.remove("from").and_then(|from| from.as_u64()) else {
            return Err(wrong("the first line has no `from`"));
        };
        let (Some(Value::String(origin)), Some(Value::Array(peaks))) =
            (members.remove("origin"), members.remove("peaks"))
        else {
            return Err(wrong("the first line has no `origin` or no `peaks`"));
        };
        let peak = |peak: Value| match peak {
            Value::String(text) => hash(text.as_bytes()),
            _ => None,
        };
        let Some(peaks) = peaks.into_iter().map(peak).collect() else {
            return Err(wrong("one of the `peaks` of the first line is no hash"));
        };
        if !members.is_empty() {
            return Err(wrong("the first line has a member that no export has"));
        }
        Ok(Self { origin, before: Frontier::from_peaks(from, peaks)? })
    }
}

impl<'a> EntryLine<'a> {
    /// Whether a line is meant to be one.
    pub(super) fn is(line: &[u8]) -> bool {
        line.starts_with(ENTRY)
    }

    /// What surrounds the entry is fixed but for hash and index, and the entry has one spelling: so has the line.
    pub(super) fn read(line: &'a [u8]) -> Result<Self, Fault> {
        let rest = line.strip_prefix(ENTRY).and_then(|rest| rest.strip_suffix(b"}")).ok_or(NO_ENTRY)?;
        let (rest, index) = split_last(rest, b",\"index\":")?;
        let (entry, hex) = split_last(rest, b",\"hash\":\"")?;
        let hash = hex.strip_suffix(b"\"").and_then(hash).ok_or(NO_ENTRY)?;
        let index = number(index)?;
        let entry = if entry == b"null" { None } else { Some((entry, Entry::read(entry)?)) };
        Ok(Self { index, hash, entry })
    }
}

/// Whether a line is meant to be the last one.
pub(super) fn is_checkpoint(line: &[u8]) -> bool {
    line.starts_with(CHECKPOINT)
}

/// The note in the last line.
pub(super) fn checkpoint(line: &[u8]) -> Result<String, Fault> {
    match read_canonical(line)? {
        Value::Object(mut members) if members.len() == 1 => match members.remove("checkpoint") {
            Some(Value::String(note)) => Ok(note),
            _ => Err(Fault::Line("the checkpoint is no text")),
        },
        _ => Err(Fault::Line("the line of the checkpoint has a member that it never has")),
    }
}

fn split_last<'a>(line: &'a [u8], at: &[u8]) -> Result<(&'a [u8], &'a [u8]), Fault> {
    // Whatever follows is at most 64 digits and two marks long.
    let first = line.len().saturating_sub(at.len() + 70);
    let found = line.get(first..).and_then(|tail| tail.windows(at.len()).rposition(|window| window == at));
    let found = first + found.ok_or(NO_ENTRY)?;
    Ok((&line[..found], &line[found + at.len()..]))
}

/// 64 hexadecimal digits in lower case.
fn hash(digits: &[u8]) -> Option<Hash> {
    let lower = digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut hash = Hash::default();
    (lower && hex::decode_to_slice(digits, &mut hash).is_ok()).then_some(hash)
}

/// A number as it is written: no sign, no leading zero.
fn number(digits: &[u8]) -> Result<u64, Fault> {
    let text = std::str::from_utf8(digits).map_err(|_| NO_ENTRY)?;
    let number = text.parse::<u64>().map_err(|_| NO_ENTRY)?;
    if number.to_string() == text { Ok(number) } else { Err(NO_ENTRY) }
}
