//! `/api/v1/policies`: upload, bring into force, roll back, replay.

use std::collections::BTreeMap;

use model::{Digest, PolicyId, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

/// Policy documents and every file they name. The same content is the same version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyBundle {
    /// The documents, each with its name and text.
    pub documents: Vec<(String, String)>,
    /// Files that documents name, by document (its position) and the path as it is written there: their bytes in base64.
    pub files: Vec<BTreeMap<String, String>>,
}

/// A version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyVersion {
    /// The digest of its bundle.
    pub digest: Digest,
    /// The names of its policies.
    pub names: Vec<String>,
    /// Its policies; empty in lists.
    pub policies: Vec<PolicyId>,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// By whom.
    pub uploaded_by: String,
    /// When it came into force last; `null`: never.
    pub activated: Option<Activated>,
    /// It is in force.
    pub in_force: bool,
    /// What is odd about it, as `ecr-gate policy check` says it.
    pub remarks: Vec<String>,
    /// How it was last put forward to a second person, and what became of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProposalState {
    /// It waits for a second person.
    Open,
    /// A second person brought it into force.
    Confirmed,
    /// Somebody took it back.
    Withdrawn,
    /// Nobody confirmed it in time.
    Expired,
}

/// A version that somebody put forward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// UUIDv7.
    pub id: String,
    /// Who proposed it.
    pub by: String,
    /// The person behind.
    pub person: String,
    /// Until when it can be confirmed.
    pub until: Timestamp,
    /// What became of it.
    pub state: ProposalState,
}

/// When a version came into force, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activated {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

/// How many versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VersionsQuery {
    /// How many at most: 50 if it is left out, never more than 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Versions, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionsPage {
    /// The versions.
    pub versions: Vec<PolicyVersion>,
}

/// A version with what it was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionWithBundle {
    /// The version.
    pub version: PolicyVersion,
    /// Its bundle.
    pub bundle: PolicyBundle,
}

/// Brings a version into force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActivateRequest {
    /// The version that is in force as the caller believes; another one is a conflict. Left out: whichever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub believed: Option<Digest>,
    /// Why, for the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Brings the version back that was in force before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackRequest {
    /// Why, for the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Takes a proposal back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WithdrawProposalRequest {
    /// Why, for the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which part of what was decided to judge anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayRequest {
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many decisions at most: 200 if it is left out, never more than 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of a replay: what a version would say of what was decided, on the facts of then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayPage {
    /// What would change.
    pub flips: Vec<Flip>,
    /// How many were judged.
    pub judged: u64,
    /// How many could not be: their facts were not kept, or cannot be read.
    pub not_judged: u64,
    /// The cursor of the next page; `null`: this was the last one.
    pub next: Option<String>,
}

/// A decision that would be another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flip {
    /// `host/repository`
    pub repository: String,
    /// The image.
    pub digest: Digest,
    /// The environment.
    pub environment: String,
    /// What was decided.
    pub was: Verdict,
    /// What this version says.
    pub would_be: Verdict,
    /// Why.
    pub reasons: Vec<String>,
}
