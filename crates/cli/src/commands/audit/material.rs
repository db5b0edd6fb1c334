//! What an auditor holds beside the export: the key of the log, and checkpoints that were kept.

use std::path::Path;

use trust::log::{Checkpoint, MAX_NOTE, NoteError, TreeHead, UnverifiedCheckpoint, VerifierKey};

use crate::failure::Failure;
use crate::files;

/// The most bytes of a file with a key: one line.
const MAX_KEY: usize = 4 << 10;

/// The key of the log: itself, or a file that holds it.
///
/// # Errors
/// It is none.
pub(super) fn key(text: &str) -> Result<VerifierKey, Failure> {
    let path = Path::new(text);
    match text.trim().parse() {
        Ok(key) => Ok(key),
        // A `+` in a file's name is rare, and a key with a slip in it is not.
        Err(error) if text.contains('+') && !path.exists() => {
            Err(Failure::usage(format!("--key: {error}")).hint("copy the whole line; the key is `NAME+HASH+KEY`"))
        }
        Err(_) => {
            let line = files::read_text("the key", path, MAX_KEY)?;
            line.trim().parse().map_err(|error| wrong_key(path, &line, &error))
        }
    }
}

fn wrong_key(path: &Path, text: &str, error: &NoteError) -> Failure {
    let failure = Failure::configuration(format!("the key {}: {error}", path.display()));
    if text.contains("-----BEGIN") {
        return failure.hint(
            "the audit log has a key of its own, a line `NAME+HASH+KEY`: `curl SERVER/api/v1/audit/key`; keep private keys to yourself",
        );
    }
    failure.hint("the file holds one line, `NAME+HASH+KEY`, as `curl SERVER/api/v1/audit/key` prints it")
}

/// A checkpoint that was kept. With a key it has to be signed by it.
///
/// # Errors
/// It cannot be read, is no checkpoint, or is signed by another key.
pub(super) fn checkpoint(path: &Path, key: Option<&VerifierKey>) -> Result<TreeHead, Failure> {
    let note = files::read_text("the checkpoint", path, MAX_NOTE)?;
    let head = match key {
        Some(key) => Checkpoint::open(&note, key).map(|checkpoint| checkpoint.head().clone()),
        None => UnverifiedCheckpoint::read(&note).map(|checkpoint| checkpoint.unverified_head().clone()),
    };
    head.map_err(|error| {
        Failure::configuration(format!("the checkpoint {}: {error}", path.display()))
            .hint("a checkpoint is kept as it came, byte for byte, and belongs to one log and one key")
    })
}
