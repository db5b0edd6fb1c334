//! `/healthz`, `/readyz`: whether the process lives, and whether it can answer.

use serde::{Deserialize, Serialize};

/// The process lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alive {
    /// `ok`
    pub status: String,
    /// The version of the program.
    pub version: String,
}

/// Whether the process can answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// It can.
    pub ready: bool,
    /// Why it cannot, each in a sentence.
    pub reasons: Vec<String>,
}
