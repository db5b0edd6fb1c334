//! Exports of the log: JSON lines that need no server to be verified. The first line says where the export begins and what the tree was then,
//! each following one is an entry with its hash and place, the last one the checkpoint that covers them all. Every line has one spelling, so
//! that a changed byte is always found. What writes lines and what verifies them stand side by side.

mod error;
mod line;
mod verify;

pub use error::{ExportError, Fault};
pub use verify::{Continuity, ExportVerifier, Verified};

use super::canonical::write_string;
use super::{Frontier, Hash, MAX_ENTRY};

/// The schema of an export.
pub const SCHEMA: &str = "ecr-gate.dev/audit-export/v1";
/// The most bytes a line may have, without its end: an entry, its hash and its place.
pub const MAX_LINE: usize = MAX_ENTRY + 128;

/// The first line: which log, and the tree before the first entry.
pub fn header(origin: &str, before: &Frontier) -> String {
    let mut text = format!("{{\"from\":{},\"origin\":", before.size());
    write_string(&mut text, origin);
    let peaks: Vec<_> = before.peaks().iter().map(|hash| format!("\"{}\"", hex::encode(hash))).collect();
    text + &format!(",\"peaks\":[{}],\"schema\":\"{SCHEMA}\"}}\n", peaks.join(","))
}

/// The line of an entry: its canonical bytes, or nothing where retention dropped them.
pub fn entry(index: u64, hash: &Hash, bytes: Option<&str>) -> String {
    format!("{{\"entry\":{},\"hash\":\"{}\",\"index\":{index}}}\n", bytes.unwrap_or("null"), hex::encode(hash))
}

/// The last line: the checkpoint of the tree after the last entry.
pub fn checkpoint(note: &str) -> String {
    let mut text = "{\"checkpoint\":".to_owned();
    write_string(&mut text, note);
    text + "}\n"
}

#[cfg(test)]
mod tests;
