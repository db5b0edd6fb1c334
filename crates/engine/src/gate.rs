//! The gate as a service: asks are answered from decisions that are recorded, kept true as what they rest on changes.

mod asking;
mod audit;
mod idempotency;
mod permit;
mod policies;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use model::{Digest, Timestamp};
use store::{DecisionQuery, DecisionRow, LogHead, PromotionRow, Store, StoreError, WorkloadRow};
use telemetry::Metrics;

pub use asking::{Answered, AskError, Asked, Asker, Point, RecordedDecision, Via};
pub use audit::{AuditProof, HistoryEntry};
pub use permit::{Basis, Permit, Refusal};
pub use policies::{Bundle, PolicyVersion, Replayed};

use crate::place::RegistrySettings;

/// How the gate is set up. Everything that changes later is in the store.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// How registries are spoken to.
    pub registries: RegistrySettings,
    /// The registries that are dialled at all (S37), as `match.images` writes hosts; empty: every one the policy matches.
    pub allowed_registries: Vec<String>,
    /// The policy to start with where the store has none; with `false` in `keep`, it comes into force at each start if it differs.
    pub policy: Option<Bundle>,
    /// The private key that signs checkpoints of the audit log: 32 bytes seed of Ed25519, PKCS #8 PEM. Made if it is not there.
    pub audit_key: PathBuf,
    /// The log's name in its checkpoints (C2SP origin): a host name or URL without scheme.
    pub origin: String,
    /// Longest wait for a decision of one ask.
    pub longest_wait: Duration,
    /// How many asks are collected for at the same time.
    pub collecting: usize,
    /// How long answers may rest on changes read this long ago (S42).
    pub lease: Duration,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Where everything is counted; whoever serves the gate counts there too.
    pub metrics: Metrics,
}

/// What the gate could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A document or reference that was handed in cannot be used: what is wrong, and what to do.
    #[error("{what}")]
    Invalid {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: Option<String>,
    },
    /// There is no such thing.
    #[error("there is no {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// It is no longer as the caller believed.
    #[error("{what} has changed meanwhile")]
    Conflict {
        /// What.
        what: String,
    },
    /// It cannot be set up like this.
    #[error("{what}")]
    Setup {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
}

/// A document about an image that somebody hands in.
#[derive(Debug, Clone)]
pub struct Submission {
    /// `host/repository@sha256:…`
    pub image: String,
    /// `report`, `sbom`, `vex`, `measurement`
    pub kind: String,
    /// The document, as the tool wrote it.
    pub document: Bytes,
}

/// What was submitted.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// Its id.
    pub id: String,
    /// The digest of the document.
    pub evidence: Digest,
    /// The format it was read as.
    pub format: String,
}

/// The gate. Clones share it.
#[derive(Debug, Clone)]
pub struct Gate {
    store: Store,
    metrics: Metrics,
}

#[allow(clippy::unused_async, unused_variables, missing_docs)]
impl Gate {
    /// Reads what is in force, checks the audit log, and starts what runs behind: reading changes, jobs, sequencing.
    pub async fn start(settings: GateSettings, store: Store) -> Result<Self, GateError> {
        Ok(Self { store, metrics: settings.metrics })
    }
    /// Finishes what it accepted, writes what waits, and ends what runs behind.
    pub async fn stop(&self) {}

    /// Answers within `asked.wait`.
    pub async fn ask(&self, asked: Asked, by: &Asker) -> Result<Answered, AskError> {
        Err(AskError::Internal("not built".to_owned()))
    }
    /// Starts to look, and returns at once with an id that [`Self::later`] knows for an hour.
    pub async fn ask_later(&self, asked: Asked, by: &Asker) -> Result<String, AskError> {
        Err(AskError::Internal("not built".to_owned()))
    }
    /// The answer to [`Self::ask_later`]; `None` while it is being looked for.
    pub async fn later(&self, id: &str) -> Result<Option<Answered>, AskError> {
        Err(AskError::Internal("not built".to_owned()))
    }

    pub async fn decision(&self, id: &str) -> Result<DecisionRow, GateError> {
        self.store.decision(id).await?.ok_or_else(|| GateError::NotFound { what: format!("decision {id}") })
    }
    /// The newest first; with the cursor of the next page.
    pub async fn decisions(&self, query: &DecisionQuery) -> Result<(Vec<DecisionRow>, Option<String>), GateError> {
        Ok((self.store.decisions(query).await?, None))
    }
    /// Everything that happened to an image, in order.
    pub async fn history(
        &self,
        digest: &Digest,
        repository: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, GateError> {
        Ok(Vec::new())
    }
    pub async fn submit(&self, submission: Submission, by: &Asker) -> Result<Submitted, GateError> {
        Err(GateError::NotFound { what: "not built".to_owned() })
    }

    /// Checks a bundle and keeps it; it is not in force yet. The same bundle again is the same version.
    pub async fn upload(&self, bundle: Bundle, by: &str) -> Result<PolicyVersion, GateError> {
        Err(GateError::NotFound { what: "not built".to_owned() })
    }
    /// Brings a version into force, if the one in force is still the one the caller believes (`None`: whichever).
    pub async fn activate(
        &self,
        version: &Digest,
        believed: Option<&Digest>,
        reason: Option<String>,
        by: &str,
    ) -> Result<PolicyVersion, GateError> {
        Err(GateError::NotFound { what: "not built".to_owned() })
    }
    /// Brings the version back that was in force before.
    pub async fn roll_back(&self, reason: Option<String>, by: &str) -> Result<PolicyVersion, GateError> {
        Err(GateError::NotFound { what: "not built".to_owned() })
    }
    /// The newest first.
    pub async fn versions(&self, limit: u32) -> Result<Vec<PolicyVersion>, GateError> {
        Ok(Vec::new())
    }
    pub async fn version(&self, version: &Digest) -> Result<(PolicyVersion, Bundle), GateError> {
        Err(GateError::NotFound { what: "not built".to_owned() })
    }
    /// What this version would say of everything that was decided: on the facts of then.
    pub async fn replay(&self, version: &Digest, after: Option<&str>, limit: u32) -> Result<Replayed, GateError> {
        Err(GateError::NotFound { what: "not built".to_owned() })
    }

    /// Images that hold a package: repository, digest, version.
    pub async fn images_with(
        &self,
        purl: &str,
        after: Option<(String, Digest)>,
        limit: u32,
    ) -> Result<Vec<(String, Digest, String)>, GateError> {
        Ok(self.store.images_with(purl, None, after, limit).await?)
    }
    pub async fn workloads(&self, digests: &[Digest], limit: u32) -> Result<Vec<WorkloadRow>, GateError> {
        Ok(self.store.workloads(digests, limit).await?)
    }
    pub async fn promotions(
        &self,
        environment: Option<&str>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<PromotionRow>, GateError> {
        Ok(self.store.promotions(environment, since, until, limit).await?)
    }

    /// The newest signed checkpoint; `None` while nothing was logged.
    pub async fn checkpoint(&self) -> Result<Option<LogHead>, GateError> {
        Ok(self.store.log_head().await?)
    }
    /// The log's public key, as a verifier key of C2SP signed notes.
    pub fn audit_key(&self) -> &str {
        ""
    }
    /// That an entry is in the tree of the newest checkpoint.
    pub async fn inclusion(&self, entry: &str) -> Result<AuditProof, GateError> {
        Err(GateError::NotFound { what: "not built".to_owned() })
    }
    /// That the tree of `to` leaves begins with the tree of `from`.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, GateError> {
        Err(GateError::NotFound { what: "not built".to_owned() })
    }
    /// Lines of the export from this index on, whole and in order: see `docs/concepts/audit.md`. Ends before `limit` entries, or with the
    /// checkpoint that covers them.
    pub async fn export(&self, from: u64, limit: u32) -> Result<String, GateError> {
        Ok(String::new())
    }

    /// Why this process cannot answer now, each in a sentence; empty: it can.
    pub async fn unready(&self) -> Vec<String> {
        Vec::new()
    }
    /// Metrics in the text format of OpenMetrics.
    pub fn metrics(&self) -> String {
        self.metrics.text()
    }
}
