//! Policy versions: bundles of documents and every file they name.

use std::collections::BTreeMap;

use model::{Digest, PolicyId, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

/// Policy documents and every file they name. The same content is the same version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// The documents, each with its name and text.
    pub documents: Vec<(String, String)>,
    /// Files that documents name, by document (its position) and the path as it is written there: their bytes in base64.
    pub files: Vec<BTreeMap<String, String>>,
}

/// A version.
#[derive(Debug, Clone)]
pub struct PolicyVersion {
    /// The digest of its bundle.
    pub digest: Digest,
    /// Its policies; empty in lists.
    pub policies: Vec<PolicyId>,
    /// The names of its policies.
    pub names: Vec<String>,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// By whom.
    pub uploaded_by: String,
    /// When it came into force last, and by whom; `None`: never.
    pub activated: Option<(Timestamp, String)>,
    /// It is in force.
    pub in_force: bool,
    /// What is odd about it, as `policy check` says it.
    pub remarks: Vec<String>,
}

/// A page of a replay.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// What would change: repository, digest, environment, verdict of then, verdict now, the reasons of now.
    pub flips: Vec<(String, Digest, String, Verdict, Verdict, Vec<String>)>,
    /// How many were judged.
    pub judged: u64,
    /// How many could not be: their facts were not kept, or cannot be read.
    pub not_judged: u64,
    /// Where the next page begins; `None`: this was the last one.
    pub next: Option<String>,
}
