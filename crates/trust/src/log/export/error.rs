//! What can be wrong with an export, and in which line.

use crate::log::{CanonicalError, EntryError, Hash, NoteError, PeaksError};

/// An export that does not verify: the first thing that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct ExportError {
    /// The line, from 1 on.
    pub line: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Longer than any line.
    #[error("the line has more than {} bytes", super::MAX_LINE)]
    LongLine,
    /// The line is not written as exports are.
    #[error("{0}")]
    Line(&'static str),
    /// The first or the last line in another spelling.
    #[error("the line was changed: {0}")]
    Spelling(#[from] CanonicalError),
    /// The first line does not fit itself.
    #[error("the first line: {0}")]
    Peaks(#[from] PeaksError),
    /// Not an entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The entry is not the one that was hashed.
    #[error("entry {index} was changed: its hash is {computed}, and the line says {said}")]
    Hash {
        /// Its place.
        index: u64,
        /// The hash of the bytes that are there.
        computed: String,
        /// The hash that the line says.
        said: String,
    },
    /// An entry is missing, or stands elsewhere.
    #[error("entry {found} stands where entry {expected} has to be: entries are missing, doubled or in another order")]
    Gap {
        /// Which one follows.
        expected: u64,
        /// Which one stands there.
        found: u64,
    },
    /// More kinds of entries than a log has.
    #[error("there are more than {0} kinds of entries")]
    Kinds(usize),
    /// Something after the checkpoint.
    #[error("something follows the checkpoint, which is the end")]
    AfterEnd,
    /// The last line has no end.
    #[error("the export is cut off within this line")]
    CutLine,
    /// No checkpoint at the end.
    #[error("the export is cut off: it does not end with a checkpoint")]
    NoCheckpoint,
    /// The checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
    /// The first line names another log than the checkpoint.
    #[error("the first line says the log is {header:?}, and the checkpoint is one of {checkpoint:?}")]
    Origin {
        /// By the first line.
        header: String,
        /// By the checkpoint.
        checkpoint: String,
    },
    /// The checkpoint covers another number of entries.
    #[error(
        "the checkpoint is of {signed} entries, and the export ends after entry {there}, counted from 1: it was cut or added to"
    )]
    Size {
        /// By the checkpoint.
        signed: u64,
        /// Those that are there, and before.
        there: u64,
    },
    /// The entries are not those that were signed.
    #[error("the entries are not those that were signed: their root is {computed}, and the checkpoint's is {signed}")]
    Root {
        /// Of what is there.
        computed: String,
        /// By the checkpoint.
        signed: String,
    },
    /// A checkpoint that is known is one of another log.
    #[error("the known checkpoint of {size} entries is one of the log {known:?}, and this is an export of {origin:?}")]
    KnownOtherLog {
        /// Its size.
        size: u64,
        /// Its log.
        known: String,
        /// The log of the export.
        origin: String,
    },
    /// The log no longer begins with a checkpoint that is known.
    #[error(
        "the log was rewritten: after {size} entries its root is {computed}, and the known checkpoint says {known}"
    )]
    Rewritten {
        /// The size of the known checkpoint.
        size: u64,
        /// Of what is there.
        computed: String,
        /// By the known checkpoint.
        known: String,
    },
    /// The export ends before a checkpoint that is known.
    #[error(
        "the export ends after {to} entries, and a known checkpoint covers {known}: it is older than that checkpoint, or the log was cut back"
    )]
    Shorter {
        /// The size of the known checkpoint.
        known: u64,
        /// Where the export ends.
        to: u64,
    },
}

/// A root as people compare it.
pub(super) fn shown(hash: &Hash) -> String {
    hex::encode(hash)
}
