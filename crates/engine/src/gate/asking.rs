//! What is asked, by whom, and what is answered.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use model::{Digest, Reason, Tag, Timestamp, Verdict};
use serde::Deserialize;
use store::StoreError;

use super::GateError;
use super::admission::Seat;
use super::permit::{Permit, Refusal};

/// An ask.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The image as the caller names it: with registry host, and tag or digest.
    pub image: String,
    /// The tag that stands beside the digest where the image is used, if `image` leaves it out because nothing but the digest counts for what runs: for
    /// rules on names alone. Nobody looks whether it stands for the digest.
    pub name: Option<Tag>,
    /// The environment; `None` is `production` (S7).
    pub environment: Option<String>,
    /// How long to wait for what is pending. Never longer than the gate's own bound.
    pub wait: Duration,
    /// S15: evaluates; starts no scan, records nothing.
    pub dry_run: bool,
}

/// Who asks, from where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asker {
    /// Who it is, as the server authenticated them.
    pub identity: Option<String>,
    /// The enforcement point.
    pub point: Point,
    /// The pipeline's id.
    pub pipeline: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// The W3C trace id.
    pub trace_id: Option<String>,
    /// Where it is about to run, at points that know.
    pub seat: Option<Arc<Seat>>,
}

impl Asker {
    /// The gate itself, behind.
    pub(super) fn gate() -> Self {
        Self {
            identity: Some("ecr-gate".to_owned()),
            point: Point::Gate,
            pipeline: None,
            commit: None,
            trace_id: None,
            seat: None,
        }
    }
}

/// Where a decision is acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// A pipeline.
    Ci,
    /// Whoever asks over HTTP (B20).
    Api,
    /// A promotion.
    Promotion,
    /// Kubernetes admission.
    Admission,
    /// The pull proxy.
    Proxy,
    /// A node.
    Node,
    /// The gate itself, behind.
    Gate,
}

impl Point {
    /// True where machines ask the same again and again, and what runs is the digest that was decided about.
    pub(super) fn repeats(self) -> bool {
        matches!(self, Self::Admission | Self::Proxy | Self::Node)
    }

    /// `ci`, `api`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ci => "ci",
            Self::Api => "api",
            Self::Promotion => "promotion",
            Self::Admission => "admission",
            Self::Proxy => "proxy",
            Self::Node => "node",
            Self::Gate => "gate",
        }
    }
}

/// How an answer came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A decision that still held.
    Recorded,
    /// Known facts, judged anew.
    Evaluated,
    /// Facts that were collected for it.
    Collected,
}

/// A decision as it is recorded.
#[derive(Debug)]
pub struct RecordedDecision {
    /// UUIDv7.
    pub id: String,
    /// `host/repository`
    pub repository: String,
    /// What was judged.
    pub digest: Digest,
    /// For which environment.
    pub environment: String,
    /// What follows.
    pub verdict: Verdict,
    /// When.
    pub recorded_at: Timestamp,
    /// The earliest moment at which time alone could change it.
    pub valid_until: Option<Timestamp>,
    /// The decision as JSON (`ecr-gate.dev/decision/v1`), with who asked first in `answer`.
    pub record: Bytes,
    /// Of `record`, once somebody wanted it.
    pub brief: OnceLock<Brief>,
}

/// What of a decision is told beside its verdict, again and again.
#[derive(Debug, Default)]
pub struct Brief {
    /// The digests of the policies that judged.
    pub policies: Vec<String>,
    /// Of who asked first.
    pub commit: Option<String>,
    /// Of who asked first.
    pub pipeline: Option<String>,
}

impl RecordedDecision {
    /// What is told beside the verdict, read of the record once. Of a record that cannot be read back it is nothing.
    pub fn brief(&self) -> &Brief {
        #[derive(Deserialize)]
        struct Read {
            #[serde(default)]
            policies: Vec<Policy>,
            #[serde(default)]
            answer: Option<Origin>,
        }
        #[derive(Deserialize)]
        struct Policy {
            digest: String,
        }
        #[derive(Deserialize)]
        struct Origin {
            commit: Option<String>,
            pipeline: Option<String>,
        }
        self.brief.get_or_init(|| {
            let Ok(read) = serde_json::from_slice::<Read>(&self.record) else { return Brief::default() };
            let (commit, pipeline) = read.answer.map_or((None, None), |answer| (answer.commit, answer.pipeline));
            Brief { policies: read.policies.into_iter().map(|policy| policy.digest).collect(), commit, pipeline }
        })
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// The decision it rests on.
    pub decision: Arc<RecordedDecision>,
    /// Leave to act, or why not.
    pub permit: Result<Permit, Refusal>,
    /// The answer's id.
    pub id: String,
    /// How it came about.
    pub via: Via,
    /// All changes up to this moment are in it (S42).
    pub in_force_at: Timestamp,
    /// When to ask again, for what is pending.
    pub retry_after: Option<Duration>,
    /// The same moment as `in_force_at`, by the clock that leases are measured with.
    pub confirmed: Instant,
}

/// Why there is no decision.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// The ask itself is wrong: what, and what to do.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The gate is not set up for what is asked about: what, and what whoever runs it does.
    #[error("{what}")]
    NotSetUp {
        /// What it is not set up for.
        what: String,
        /// What to do.
        hint: String,
    },
    /// Whoever asks may not ask for this; said without a look at whether it is there.
    #[error("{0}")]
    Forbidden(String),
    /// There is no digest to judge: with its class of unknown, as the command line's exit codes know it.
    #[error("{}", .0.message)]
    Refused(Reason),
    /// The store is not there, or this process does not know whether what it knows is still in force (S42): class `storeUnavailable`.
    #[error("{0}")]
    StoreUnavailable(String),
    /// More is asked than can be looked for.
    #[error("{0}")]
    Overloaded(String),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

impl From<GateError> for AskError {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Store(error) => error.into(),
            GateError::Forbidden { what, .. } => Self::Forbidden(what),
            GateError::Usage { what, hint } => Self::Usage { what, hint },
            error => Self::Internal(error.to_string()),
        }
    }
}

impl From<StoreError> for AskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overloaded { .. } => Self::Overloaded(error.to_string()),
            _ => Self::StoreUnavailable(error.to_string()),
        }
    }
}
