//! What judged at the end of a report's time (O7): thresholds, settings of scanners, keys and who is trusted, as the policies say them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Timestamp;

/// The policies in force at the end of the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoliciesInForce {
    /// The version: the digest of its bundle.
    pub version: String,
    /// Since when.
    pub since: Timestamp,
    /// By whom.
    pub by: String,
    /// Every rule of every policy, in their order.
    pub rules: Vec<RuleInForce>,
    /// Every signer, with its keys and the time in which they count.
    pub signers: Vec<SignerInForce>,
}

/// A rule, as its policy says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleInForce {
    /// The policy's name.
    pub policy: String,
    /// The rule's id.
    pub rule: String,
    /// What a break of it means: `deny`, `warn`, `audit`.
    pub action: String,
    /// What it says: thresholds, sources of scans, who has to have signed. Beyond 4 KiB a sentence that says so.
    pub says: Value,
}

/// A signer, as its policy says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignerInForce {
    /// The policy's name.
    pub policy: String,
    /// The signer's name in it.
    pub signer: String,
    /// Keys or identities, and the time in which they count. Beyond 4 KiB a sentence that says so.
    pub says: Value,
}
