//! `GET /api/v1/decisions`, `GET /api/v1/images/{digest}/events`: what was decided, and what happened to an image.

use model::{Digest, Timestamp, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Which decisions. Every parameter that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecisionsQuery {
    /// The image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// `host/repository`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// In a repository of this team; `none`: of no team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Recorded at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Recorded before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Answered to this pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Answered for this commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many at most: 50 if it is left out, never more than 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of decisions, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionsPage {
    /// The decisions.
    pub decisions: Vec<DecisionSummary>,
    /// The cursor of the next page; `null`: this was the last one.
    pub next: Option<String>,
}

/// A decision in a list. The whole of it is at `/api/v1/decisions/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionSummary {
    /// Its id.
    pub id: String,
    /// `host/repository`
    pub repository: String,
    /// What was judged.
    pub digest: Digest,
    /// For which environment.
    pub environment: String,
    /// What follows.
    pub verdict: Verdict,
    /// The policy version that was in force.
    pub policy: Digest,
    /// When.
    pub recorded_at: Timestamp,
    /// The earliest moment at which time alone could change it.
    pub valid_until: Option<Timestamp>,
    /// Manifests of an index that it covers.
    pub children: Vec<Digest>,
    /// The first reasons, each shortened.
    pub reasons: Vec<ShortReason>,
    /// How many more there are.
    pub more_reasons: u64,
}

/// A reason in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShortReason {
    /// Its code, which never changes.
    pub code: String,
    /// What happened, for people: its first 300 characters, and `…` if there are more.
    pub message: String,
}

/// What a decision rests on, for auditors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionEvidence {
    /// The facts first, then what they were read from.
    pub evidence: Vec<EvidencePiece>,
}

/// A piece of evidence. Its bytes are at `/api/v1/evidence/{digest}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidencePiece {
    /// The digest of its bytes, as they were read.
    pub digest: Digest,
    /// They are the facts themselves, packed (gzip).
    pub is_facts: bool,
    /// They are kept: what was too large is not, and retention forgets what is old.
    pub kept: bool,
}

/// Which events of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventsQuery {
    /// Only in this repository: `host/repository`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many at most: 50 if it is left out, never more than 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of an image's life, in the order in which it happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventsPage {
    /// The events.
    pub events: Vec<Event>,
    /// The cursor of the next page; `null`: this was the last one.
    pub next: Option<String>,
}

/// Something that happened to an image: an entry of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The entry's id.
    pub id: String,
    /// `decision`, `signal`, `promotion`, …
    pub kind: String,
    /// `host/repository`
    pub repository: Option<String>,
    /// The image.
    pub digest: Option<Digest>,
    /// When.
    pub at: Timestamp,
    /// The entry as it is logged; `null` if retention dropped it.
    pub entry: Option<Box<RawValue>>,
}
