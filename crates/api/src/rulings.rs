//! What people rule beside the policy: `/api/v1/denials`, `/api/v1/overrides`, and what a block was.

use model::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// What an entry of the deny list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeniedKind {
    /// An image.
    Digest,
    /// Repositories, with `*` and `**`.
    Repository,
    /// Whoever signed.
    Signer,
    /// A package, by its package URL.
    Package,
    /// A vulnerability.
    Vulnerability,
}

impl DeniedKind {
    /// `digest`, `repository`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Repository => "repository",
            Self::Signer => "signer",
            Self::Package => "package",
            Self::Vulnerability => "vulnerability",
        }
    }
}

/// What is to be denied everywhere (S30).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DenyRequest {
    /// What it is about.
    pub kind: DeniedKind,
    /// What that is: a digest, a pattern of repositories, …
    pub what: String,
    /// For scanners and forensics to look at, for nobody to run.
    #[serde(default)]
    pub quarantine: bool,
    /// Why.
    pub reason: String,
}

/// Why something that somebody ruled ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndRequest {
    /// Why.
    pub reason: String,
}

/// When, by whom and why something ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedBy {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// An entry of the deny list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Denial {
    /// Its id.
    pub id: String,
    /// `active` or `lifted`.
    pub state: String,
    /// `digest`, `repository`, `signer`, `package` or `vulnerability`.
    pub kind: String,
    /// What that is.
    pub what: String,
    /// Platforms of an index that are denied with it.
    pub also: Vec<Digest>,
    /// For scanners and forensics to look at, for nobody to run.
    pub quarantine: bool,
    /// Why.
    pub reason: String,
    /// Who added it.
    pub by: String,
    /// When.
    pub added_at: Timestamp,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted: Option<EndedBy>,
}

/// Which entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DenialsQuery {
    /// Also those that were lifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// How many at most: 50 if it is left out, never more than 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Entries, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DenialsPage {
    /// The entries.
    pub denials: Vec<Denial>,
    /// Where to go on; `null`: this was the last page.
    pub next: Option<String>,
}

/// What is to be let through for a while (S31).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverrideRequest {
    /// `host/repository@sha256:…`
    pub image: String,
    /// For this environment.
    pub environment: String,
    /// Why.
    pub reason: String,
    /// The incident or ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// For how long, in minutes: up to 72 hours.
    pub minutes: u32,
}

/// An override.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// Its id.
    pub id: String,
    /// `active`, `revoked` or `ended`.
    pub state: String,
    /// `host/repository`
    pub repository: String,
    /// The image.
    pub digest: Digest,
    /// The environment.
    pub environment: String,
    /// Why.
    pub reason: String,
    /// The incident or ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Who granted it.
    pub by: String,
    /// When.
    pub granted_at: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// How many decisions it changed.
    pub uses: u64,
    /// For what this owns alone, where it was asked for on a workload of a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<OverrideOwner>,
    /// Who ended it before its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<EndedBy>,
    /// What whoever grants it should know: that it lets nothing through as things are. In the answer to the grant alone.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
}

/// Whose containers an override is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OverrideOwner {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// `Deployment/web`
    pub workload: String,
    /// Its UID.
    pub uid: String,
}

/// Which overrides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverridesQuery {
    /// About this image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// In a repository of this team; `none`: of no team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// How many at most: 50 if it is left out, never more than 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Overrides, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OverridesPage {
    /// The overrides.
    pub overrides: Vec<Override>,
    /// Where to go on; `null`: this was the last page.
    pub next: Option<String>,
}

/// What a block was (S43).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockLabel {
    /// It should not have been.
    FalseBlock,
    /// It was right, and the risk was taken.
    AcceptedRisk,
    /// It was right.
    True,
}

/// What is said of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelRequest {
    /// What it was.
    pub label: BlockLabel,
    /// Why.
    pub reason: String,
}

/// What was said of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelledBlock {
    /// The decision.
    pub decision: String,
    /// What it was; `null`: nobody looked.
    pub label: Option<BlockLabel>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}
