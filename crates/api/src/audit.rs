//! `/api/v1/audit`: the log, and proofs about it. The checkpoint, the key and the export are text as auditors read it, so they have no types here.

use serde::{Deserialize, Serialize};

/// Which lines of the export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntriesQuery {
    /// The first entry; 0 if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// How many entries at most: 1000 if it is left out, never more than 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Between which sizes of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsistencyQuery {
    /// The smaller size.
    pub from: u64,
    /// The larger size.
    pub to: u64,
}

/// That an entry is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InclusionProof {
    /// The entry's bytes, as a text: what is hashed.
    pub entry: String,
    /// Its place.
    pub index: u64,
    /// The hashes beside the way from it to the root, lowest first, in hexadecimal digits.
    pub hashes: Vec<String>,
    /// The checkpoint whose root that is: a signed note.
    pub checkpoint: String,
}

/// That the log of `to` entries begins with the log of `from` entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsistencyProof {
    /// The smaller size.
    pub from: u64,
    /// The larger size.
    pub to: u64,
    /// The proof of RFC 6962, in hexadecimal digits.
    pub hashes: Vec<String>,
}
