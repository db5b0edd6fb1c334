//! What is written together: one transaction, all of it or nothing.

use model::Timestamp;

use crate::rows::{
    ActivationRow, AnswerRow, DecisionRow, EvidenceRow, ItemRow, LeafRow, NewJob, PackagesRow, PolicyRow, PromotionRow,
    Scope, SignalRow, WorkloadRow,
};

/// One transaction. What is there already by its id or digest is left as it is, so that a batch may be sent twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Decisions.
    pub decisions: Vec<DecisionRow>,
    /// Answers.
    pub answers: Vec<AnswerRow>,
    /// Evidence.
    pub evidence: Vec<EvidenceRow>,
    /// Policy versions.
    pub policies: Vec<PolicyRow>,
    /// A policy version that comes into force.
    pub activation: Option<Activation>,
    /// Submitted documents.
    pub signals: Vec<SignalRow>,
    /// Submitted documents that no longer count, by id: gone with this transaction. The bytes stay for as long as a decision names them.
    pub withdrawn: Vec<String>,
    /// Packages of images.
    pub packages: Vec<PackagesRow>,
    /// Running containers; a known one is seen again.
    pub workloads: Vec<WorkloadRow>,
    /// Promotions.
    pub promotions: Vec<PromotionRow>,
    /// What people settled: each replaces the revision before it, or the batch is refused with [`crate::StoreError::Conflict`].
    pub items: Vec<ItemRow>,
    /// Which decisions an item changed: its id, the decision's, and when.
    pub uses: Vec<(String, String, Timestamp)>,
    /// Jobs to queue.
    pub jobs: Vec<NewJob>,
    /// Jobs that are done, by id: gone with this transaction.
    pub done: Vec<String>,
    /// Entries of the audit log.
    pub leaves: Vec<LeafRow>,
    /// What caches have to learn. Each gets its number in this transaction.
    pub changes: Vec<Scope>,
    /// The answer that is kept for an idempotency key, until then.
    pub idempotency: Option<Idempotency>,
}

/// A policy version that comes into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// Which, when, by whom.
    pub row: ActivationRow,
    /// The activation that has to be in force still (its id), or `None` where there must be none: else the batch is refused with
    /// [`crate::StoreError::Conflict`].
    pub after: Option<String>,
}

/// What was answered to a request that carried an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key, and the key.
    pub key: String,
    /// Digest of the request: another request under the same key is refused.
    pub request: String,
    /// What was answered.
    pub response: Vec<u8>,
    /// When it is forgotten.
    pub until: Timestamp,
}
