//! Checkpoints (<https://c2sp.org/tlog-checkpoint>): which log, how many leaves, which root, signed. Whoever keeps one can later ask the log
//! whether it still begins with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{LogKey, VerifierKey};
use super::note::{NoteError, UnverifiedNote};
use super::{Hash, MAX_SIZE};

/// What a tree is, in few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// The log's name.
    pub origin: String,
    /// How many leaves the tree has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// A checkpoint that the log's key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    head: TreeHead,
    note: String,
}

/// What somebody says is a checkpoint. Its signature is not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedCheckpoint {
    head: TreeHead,
    note: String,
}

impl LogKey {
    /// Signs the checkpoint of a tree; its origin is the name of the key.
    ///
    /// # Errors
    /// The tree is too large, or the key does not sign.
    pub fn sign_checkpoint(&self, size: u64, root: &Hash) -> Result<String, NoteError> {
        if size > MAX_SIZE {
            return Err(NoteError::NotACheckpoint("the tree is larger than a log can be"));
        }
        self.sign(&format!("{}\n{size}\n{}\n", self.verifier().name(), STANDARD.encode(root)))
    }
}

impl Checkpoint {
    /// Reads a checkpoint that this key, under the name of the log, has to have signed. Other signatures do not count.
    ///
    /// # Errors
    /// It is no checkpoint, one of another log, or not signed by the key.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        UnverifiedCheckpoint::read(note)?.verify(key)
    }

    /// What was signed.
    pub fn head(&self) -> &TreeHead {
        &self.head
    }

    /// The note, as it was read.
    pub fn note(&self) -> &str {
        &self.note
    }
}

impl UnverifiedCheckpoint {
    /// Takes a checkpoint apart.
    ///
    /// # Errors
    /// It is none.
    pub fn read(note: &str) -> Result<Self, NoteError> {
        let wrong = NoteError::NotACheckpoint;
        let text = UnverifiedNote::read(note)?.text;
        let mut lines = text.strip_suffix('\n').ok_or(wrong("its text has no end"))?.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(wrong("it has not three lines"));
        let (origin, size, root) = (line()?, line()?, line()?);
        if lines.any(str::is_empty) {
            return Err(wrong("one of its lines is empty"));
        }
        let digits = size.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || (size.starts_with('0') && size != "0") {
            return Err(wrong("its second line is not the number of leaves"));
        }
        let size = size.parse().map_err(|_| wrong("the tree is larger than a log can be"))?;
        if size > MAX_SIZE {
            return Err(wrong("the tree is larger than a log can be"));
        }
        let root = STANDARD.decode(root).map_err(|_| wrong("its third line is not the root in base64"))?;
        let root = root.try_into().map_err(|_| wrong("its third line is not a root of 32 bytes"))?;
        Ok(Self { head: TreeHead { origin: origin.to_owned(), size, root }, note: note.to_owned() })
    }

    /// What it says, though nobody may have signed it.
    pub fn unverified_head(&self) -> &TreeHead {
        &self.head
    }

    /// The checkpoint, if this key signed it.
    ///
    /// # Errors
    /// It is one of another log, or not signed by the key.
    pub fn verify(self, key: &VerifierKey) -> Result<Checkpoint, NoteError> {
        if self.head.origin != key.name() {
            return Err(NoteError::OtherLog { origin: self.head.origin, key: key.name().to_owned() });
        }
        key.verify(&UnverifiedNote::read(&self.note)?)?;
        Ok(Checkpoint { head: self.head, note: self.note })
    }
}

#[cfg(test)]
pub(super) mod tests;
