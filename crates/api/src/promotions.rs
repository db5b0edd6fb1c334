//! `POST /api/v1/promotions` and `POST /api/v1/rollbacks`: copying what is allowed to where it runs, and back.

use model::{Digest, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use crate::{Problem, PromotedImage, ShortReason};

/// A promotion that is wanted. It is answered with 202: it goes on behind, and its location tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromoteRequest {
    /// What: the image with its registry host, by tag or, better, by digest.
    pub source: String,
    /// Where to: `host/repository:tag`. A tag that stands for something else is never written over.
    pub destination: String,
    /// For which environment; `production` if it is left out (S7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// How long to wait for what is pending, in seconds. The server has a bound of its own, which is also what is left out means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u32>,
    /// The tags of the destination may be movable. Refused for environments of the class production.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_mutable_destination: Option<bool>,
    /// The pipeline's id, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The commit, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// A rollback that is wanted: what was promoted to a repository before is judged anew and promoted there again. Answered like a promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageRollbackRequest {
    /// Where: `host/repository`
    pub repository: String,
    /// For which environment; `production` if it is left out (S7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// To what; left out: to what was promoted before the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Digest>,
    /// The tag that it gets, one that is not there yet; left out: none. Who deploys by digest needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Why. Needed where it is denied now, and nothing but vulnerabilities stands against it (S33).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long to wait for what is pending, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u32>,
    /// The pipeline's id, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The commit, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// How far a promotion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PromotionWord {
    /// It is not decided yet whether it may be.
    Deciding,
    /// It is on its way.
    Copying,
    /// It is looked whether everything is there.
    Verifying,
    /// It is there, and on record.
    Promoted,
    /// Policy says no.
    Denied,
    /// It was not decided in time.
    Pending,
    /// It did not come about: `problem` says why. There is no tag at the destination that was not there before.
    Failed,
}

/// A promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionState {
    /// Under which it is asked for.
    pub id: String,
    /// How far it is.
    pub state: PromotionWord,
    /// What, as it was asked for.
    pub source: String,
    /// Where to.
    pub destination: String,
    /// For which environment.
    pub environment: String,
    /// It brings back what was there before.
    pub rollback: bool,
    /// What is promoted, once that is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// How far the copy is.
    pub progress: PromotionProgress,
    /// What is to be known besides.
    pub warnings: Vec<String>,
    /// For `promoted`: what is on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<PromotedImage>,
    /// For `promoted`: what it rests on, and what it came to; not for one that is read from the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<PromotionOutcome>,
    /// For `denied` and `pending`: the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// For `denied` and `pending`: its first reasons.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reasons: Vec<ShortReason>,
    /// For `denied`, `pending` and `failed`: what is in the way, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// How far a copy is. All is 0 until it is known what has to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionProgress {
    /// Manifests in all: the image's own and all that is attached.
    pub manifests: u64,
    /// Those that are there.
    pub manifests_done: u64,
    /// Blobs in all.
    pub blobs: u64,
    /// Those that are there.
    pub blobs_done: u64,
    /// Bytes of all blobs.
    pub bytes: u64,
    /// Bytes of those that are there.
    pub bytes_done: u64,
}

/// What a promotion came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionOutcome {
    /// What it rests on: `allowed`, `warned`, `inherited`, `overridden`; left out for one that was there and on record already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// It was there and on record already: nothing was changed.
    pub was_there: bool,
    /// Manifests at the destination: the image's own and all that is attached.
    pub manifests: u64,
    /// Those of them that are attached: signatures, bills of materials, attestations.
    pub attached: u64,
    /// Bytes that had to be sent.
    pub sent_bytes: u64,
}

/// What can be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbacksQuery {
    /// Where: `host/repository`
    pub repository: String,
    /// For which environment; `production` if it is left out (S7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// How many at most: 10 if it is left out, never more than 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What was promoted there, each digest once, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbacksPage {
    /// The images.
    pub candidates: Vec<RollbackTarget>,
}

/// Something that can be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackTarget {
    /// What.
    pub digest: Digest,
    /// It was promoted last.
    pub current: bool,
    /// When it was promoted last.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// `host/repository:tag`
    pub destination: String,
    /// The decision of then.
    pub decision: String,
    /// What was decided then; it is decided anew before it is brought back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}
