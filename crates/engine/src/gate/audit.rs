//! The audit log as the service shows it.

use model::{Digest, Timestamp};

/// Something that happened to an image.
#[derive(Debug, Clone)]
pub struct HistoryEntry {
    /// UUIDv7.
    pub id: String,
    /// `decision`, `signal`, `promotion`, …
    pub kind: String,
    /// `host/repository`
    pub repository: Option<String>,
    /// The image.
    pub subject: Option<Digest>,
    /// When.
    pub at: Timestamp,
    /// The entry as JSON; `None` if retention dropped it.
    pub entry: Option<String>,
}

/// That an entry is in the log.
#[derive(Debug, Clone)]
pub struct AuditProof {
    /// The entry's bytes.
    pub entry: String,
    /// Its place.
    pub index: u64,
    /// The hashes beside the way from it to the root, lowest first.
    pub hashes: Vec<[u8; 32]>,
    /// The checkpoint whose root that is.
    pub checkpoint: String,
}
