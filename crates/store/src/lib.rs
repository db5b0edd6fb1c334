//! The store: what was decided, on what, for whom, and what changed, in SQLite (one process) or PostgreSQL (several), through one code path.
//!
//! One writer task per process puts what waits into one transaction (group commit); [`Store::write`] returns when that is durable. Nothing here
//! judges, and nothing here knows what a leaf's bytes mean.
#![warn(missing_docs)]

mod batch;
mod error;
mod query;
mod rows;

pub use batch::{Activation, Batch, Idempotency};
pub use error::StoreError;
pub use query::{DecisionQuery, LeafQuery};
pub use rows::{
    ActivationRow, AnswerRow, Change, DecisionRow, EvidenceRow, Job, LeafRow, LogHead, LogNode, NewJob, PackagesRow,
    PolicyRow, PromotionRow, Scope, SignalRow, WorkloadRow,
};

use model::{Digest, Timestamp};

type Result<T> = std::result::Result<T, StoreError>;

/// Where the store is.
#[derive(Debug, Clone)]
pub struct Options {
    /// `sqlite:PATH` or `postgres://…`
    pub url: String,
    /// Bring an older schema, or an empty database, to the one of this version.
    pub migrate: bool,
    /// How many connections to read with.
    pub readers: u32,
}

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {}

#[allow(clippy::unused_async, unused_variables, missing_docs)]
impl Store {
    pub async fn open(options: Options) -> Result<Self> {
        Err(StoreError::Closed)
    }
    /// One transaction, durable before this returns. With changes in it: the number of the last one.
    pub async fn write(&self, batch: Batch) -> Result<Option<i64>> {
        Err(StoreError::Closed)
    }
    /// Into the next group commit (within a second); returns at once.
    pub fn write_soon(&self, batch: Batch) -> Result<()> {
        Err(StoreError::Closed)
    }
    /// Batches of `write_soon` that are not durable yet.
    pub fn at_risk(&self) -> usize {
        0
    }
    /// Writes what waits, then closes. What is sent afterwards is refused.
    pub async fn close(&self) {}

    pub async fn decision(&self, id: &str) -> Result<Option<DecisionRow>> {
        Err(StoreError::Closed)
    }
    pub async fn decisions(&self, query: &DecisionQuery) -> Result<Vec<DecisionRow>> {
        Err(StoreError::Closed)
    }
    /// The newest decision about each of these in this environment: the image itself, in this repository.
    pub async fn latest_decision(
        &self,
        repository: &str,
        digest: &Digest,
        environment: &str,
    ) -> Result<Option<DecisionRow>> {
        Err(StoreError::Closed)
    }
    /// The newest decision in this repository and environment that covers this manifest as a child (S1).
    pub async fn parent_decision(
        &self,
        repository: &str,
        child: &Digest,
        environment: &str,
    ) -> Result<Option<DecisionRow>> {
        Err(StoreError::Closed)
    }
    pub async fn answers(&self, decision: &str, limit: u32) -> Result<Vec<AnswerRow>> {
        Err(StoreError::Closed)
    }
    pub async fn evidence(&self, digest: &Digest) -> Result<Option<EvidenceRow>> {
        Err(StoreError::Closed)
    }
    /// Every (repository, digest, environment) that was decided, after this one, in order: to replay or re-evaluate them.
    pub async fn decided(
        &self,
        after: Option<(String, Digest, String)>,
        limit: u32,
    ) -> Result<Vec<(String, Digest, String)>> {
        Err(StoreError::Closed)
    }

    pub async fn policy(&self, digest: &Digest) -> Result<Option<PolicyRow>> {
        Err(StoreError::Closed)
    }
    /// The newest first, without their bundles.
    pub async fn policies(&self, limit: u32) -> Result<Vec<PolicyRow>> {
        Err(StoreError::Closed)
    }
    /// The newest first; the first one is in force.
    pub async fn activations(&self, limit: u32) -> Result<Vec<ActivationRow>> {
        Err(StoreError::Closed)
    }

    /// What was submitted about this image in this repository, the oldest first.
    pub async fn signals(&self, repository: &str, digest: &Digest) -> Result<Vec<SignalRow>> {
        Err(StoreError::Closed)
    }
    /// Images that hold a package, by its URL without version, and its version if one is asked for: repository, digest, version.
    pub async fn images_with(
        &self,
        purl: &str,
        version: Option<&str>,
        after: Option<(String, Digest)>,
        limit: u32,
    ) -> Result<Vec<(String, Digest, String)>> {
        Err(StoreError::Closed)
    }
    /// Where these run.
    pub async fn workloads(&self, digests: &[Digest], limit: u32) -> Result<Vec<WorkloadRow>> {
        Err(StoreError::Closed)
    }
    /// The newest first.
    pub async fn promotions(
        &self,
        environment: Option<&str>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<PromotionRow>> {
        Err(StoreError::Closed)
    }

    /// The number of the last change.
    pub async fn sequence(&self) -> Result<i64> {
        Err(StoreError::Closed)
    }
    /// The changes after this number, in order.
    pub async fn changes(&self, after: i64, limit: u32) -> Result<Vec<Change>> {
        Err(StoreError::Closed)
    }
    /// PostgreSQL wakes this when another replica changed something; SQLite when this process did.
    pub async fn changed(&self) {}

    /// Takes jobs that are due, each for this long.
    pub async fn take_jobs(&self, now: Timestamp, lease: std::time::Duration, limit: u32) -> Result<Vec<Job>> {
        Err(StoreError::Closed)
    }
    /// Gives a job back, to be tried at that time; or, without one, never again: it is kept as dead, with what was wrong.
    pub async fn fail_job(&self, id: &str, again_at: Option<Timestamp>, why: &str) -> Result<()> {
        Err(StoreError::Closed)
    }

    pub async fn idempotent(&self, key: &str, request: &str, now: Timestamp) -> Result<Option<Vec<u8>>> {
        Err(StoreError::Closed)
    }

    /// Entries of the audit log as they happened, in the tree or not yet.
    pub async fn leaves(&self, query: &LeafQuery) -> Result<Vec<LeafRow>> {
        Err(StoreError::Closed)
    }
    /// The leaf of a decision, or of anything else, by its id.
    pub async fn leaf(&self, id: &str) -> Result<Option<LeafRow>> {
        Err(StoreError::Closed)
    }
    /// Leaves of the tree from this index on, in order.
    pub async fn leaves_from(&self, index: u64, limit: u32) -> Result<Vec<LeafRow>> {
        Err(StoreError::Closed)
    }
    pub async fn log_head(&self) -> Result<Option<LogHead>> {
        Err(StoreError::Closed)
    }
    /// These nodes of the tree, as far as they are there.
    pub async fn log_nodes(&self, wanted: &[(u8, u64)]) -> Result<Vec<LogNode>> {
        Err(StoreError::Closed)
    }
    /// Leaves without a place, the oldest first.
    pub async fn unsequenced(&self, limit: u32) -> Result<Vec<LeafRow>> {
        Err(StoreError::Closed)
    }
    /// Gives leaves their places, `head.size` being the new size: done only if the tree still has `from` leaves. False if another
    /// sequencer was first, which is harmless.
    pub async fn extend_log(&self, from: u64, leaves: &[String], nodes: &[LogNode], head: &LogHead) -> Result<bool> {
        Err(StoreError::Closed)
    }
}
