//! `/api/v1/exceptions`: asked for, approved by somebody else, counted, ended.

use model::{Digest, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

/// What somebody asks for. What is left out makes it wider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExceptionRequest {
    /// `host/repository@sha256:…`, or `host/repository` for every image of it; or else `repositories`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// A pattern of repositories of one registry: `host/team/**`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repositories: Option<String>,
    /// The vulnerability; or else `rule`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cve: Option<String>,
    /// The package that it is in, by name or whole package URL; every one, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The rule: `POLICY/RULE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The environment; every one, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// It ends where a source says that there is a fix.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub until_fixed: bool,
    /// Why.
    pub reason: String,
    /// The ticket it was agreed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Who answers for it; whoever asks, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Who wrote the commit: they do not approve it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// When it ends: so long from now (`14d`), the last day (`2026-12-31`), or the moment.
    pub expires: String,
    /// The decision that it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
}

/// Asks for something else instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditExceptionRequest {
    /// The revision that the caller has seen: another one is a conflict.
    pub revision: i64,
    /// What is asked for instead, whole.
    pub exception: ExceptionRequest,
}

/// Approves, rejects, revokes or withdraws an exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettleExceptionRequest {
    /// The revision that the caller has seen: another one is a conflict.
    pub revision: i64,
    /// Why. It has to be given for rejecting and revoking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExceptionStateWord {
    /// It waits for somebody's approval.
    Requested,
    /// It counts until it ends.
    Approved,
    /// Somebody said no.
    Rejected,
    /// Whoever asked for it does not want it any more.
    Withdrawn,
    /// Somebody ended it.
    Revoked,
    /// Its time is over.
    Expired,
    /// There is a fix, until which it was.
    Fixed,
}

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionHand {
    /// The identity.
    pub by: String,
    /// The person behind it, if that is known.
    pub person: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Why, if they said.
    pub reason: Option<String>,
}

/// What an exception is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionScope {
    /// The vulnerability that it is for.
    pub cve: Option<String>,
    /// The package that it is in; `null`: every one.
    pub package: Option<String>,
    /// The rule that it is for: `POLICY/RULE`.
    pub rule: Option<String>,
    /// `host/repository`, or a pattern of those.
    pub repository: String,
    /// `repository` is a pattern.
    pub is_pattern: bool,
    /// The image; `null`: every one of the repository.
    pub digest: Option<Digest>,
    /// The environment; `null`: every one.
    pub environment: Option<String>,
}

/// An exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exception {
    /// Its id.
    pub id: String,
    /// Grows by one with each change.
    pub revision: i64,
    /// What became of it.
    pub state: ExceptionStateWord,
    /// It counts now.
    pub in_force: bool,
    /// What it is about.
    pub scope: ExceptionScope,
    /// It ends where a source says that there is a fix.
    pub until_fixed: bool,
    /// Why.
    pub reason: String,
    /// The ticket it was agreed in.
    pub ticket: Option<String>,
    /// Who answers for it.
    pub owner: String,
    /// Who wrote the commit, as far as whoever asked for it said.
    pub author: Option<String>,
    /// The decision that it was asked for.
    pub decision: Option<String>,
    /// The first moment at which it no longer counts.
    pub expires: Timestamp,
    /// What it covers beyond one image, package and environment for 30 days: the role `policy-admin` approves that.
    pub wide: Vec<String>,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// Whoever asked for it, and whoever changed what was asked for.
    pub requested: Vec<ExceptionHand>,
    /// Whoever approved, rejected, withdrew or revoked it last.
    pub settled: Option<ExceptionHand>,
    /// How many decisions it changed.
    pub uses: u64,
}

/// Which exceptions. Every parameter that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExceptionsQuery {
    /// In this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ExceptionStateWord>,
    /// About this repository, or this pattern, as it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// About this image by its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// About a repository of this team, or a pattern that may be about one; `none`: of no team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// For this environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many at most: 50 if it is left out, never more than 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of exceptions, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionsPage {
    /// The exceptions.
    pub exceptions: Vec<Exception>,
    /// The cursor of the next page; `null`: this was the last one.
    pub next: Option<String>,
}

/// Which uses of an exception.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExceptionUsesQuery {
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many at most: 50 if it is left out, never more than 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of decisions that an exception changed, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionUsesPage {
    /// The decisions.
    pub uses: Vec<ExceptionUsed>,
    /// The cursor of the next page; `null`: this was the last one.
    pub next: Option<String>,
}

/// A decision that an exception changed. Where it is no longer kept nothing but its id is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionUsed {
    /// Its id.
    pub decision: String,
    /// When it was made.
    pub at: Timestamp,
    /// `host/repository`
    pub repository: Option<String>,
    /// The image.
    pub digest: Option<Digest>,
    /// The environment.
    pub environment: Option<String>,
    /// What was decided.
    pub verdict: Option<Verdict>,
}

/// What an exception changes: the latest decisions it is about, on the facts of then, without it and with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionPreview {
    /// The revision that was looked at.
    pub revision: i64,
    /// Decisions in which it covers something; at most 200.
    pub changes: Vec<ExceptionChange>,
    /// How many there are.
    pub covered: u64,
    /// How many of them get another verdict.
    pub flipped: u64,
    /// How many decisions that it may be about were judged.
    pub judged: u64,
    /// How many could not be: their facts were not kept, or cannot be read.
    pub not_judged: u64,
    /// Every latest decision that it may be about was looked at; `false`: there are more than are looked at.
    pub whole: bool,
}

/// A decision in which an exception covers something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionChange {
    /// The decision.
    pub decision: String,
    /// `host/repository`
    pub repository: String,
    /// The image.
    pub digest: Digest,
    /// The environment.
    pub environment: String,
    /// What is said without it.
    pub without: Verdict,
    /// What is said with it.
    pub with: Verdict,
    /// How much it covers.
    pub findings: u64,
    /// What still stands against the image.
    pub reasons: Vec<String>,
}
