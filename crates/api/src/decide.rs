//! `POST /api/v1/decide`: may this image be used there?

use model::{Timestamp, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecideRequest {
    /// The image, with its registry host, by tag or digest.
    pub image: String,
    /// The tag that stands beside the digest where the image is used, for rules on names (`registries.tags`): where nothing but the digest counts for what
    /// runs, nobody looks whether it stands for the digest. `image` names a digest and no tag then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The environment; `production` if it is left out (S7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// How long to wait for what is pending, in seconds. The server has a bound of its own; left out: 20, or that bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u32>,
    /// Only evaluate: start no scan, record nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// Where the decision is acted upon; `api` if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point: Option<DecidePoint>,
    /// The pipeline's id, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The commit, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Where a decision is acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecidePoint {
    /// Whoever asks over HTTP (B20).
    Api,
    /// A pipeline.
    Ci,
    /// A promotion.
    Promotion,
}

/// An answer. Refusals and what is pending are answers too: their status is 200.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// What follows from the policies.
    pub verdict: Verdict,
    /// Whether the image may be used, and on what that rests.
    pub permit: PermitWord,
    /// The answer's id.
    pub answer_id: String,
    /// How it came about.
    pub via: ViaWord,
    /// All changes up to this moment are in it (S42).
    pub in_force_at: Timestamp,
    /// For what is pending: when to ask again, as in `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// The decision as it is recorded (`ecr-gate.dev/decision/v1`).
    pub decision: Box<RawValue>,
}

/// Whether the image may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PermitWord {
    /// Yes: every rule passed.
    Allowed,
    /// Yes: a rule failed whose action is `warn`.
    Warned,
    /// Yes: an index that covers it is allowed (S1).
    Inherited,
    /// Yes, although it is denied or pending: somebody who may lets it through for a while (S31).
    Overridden,
    /// Yes, by the last decision: the gate's store is away, and the policy lets it stand in.
    FailOpen,
    /// Yes, although it is denied: it ran in this place before its verdict turned (S32). Only where images start.
    Grandfathered,
    /// No.
    Denied,
    /// Not decided yet.
    Pending,
}

/// How an answer came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViaWord {
    /// A decision that still held.
    Recorded,
    /// Known facts, judged anew.
    Evaluated,
    /// Facts that were collected for it.
    Collected,
}

/// An ask that is being looked into: `Prefer: respond-async`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// Its id.
    pub id: String,
    /// Where the answer will be.
    pub location: String,
}
