//! The gate as a service: asks are answered from decisions that are recorded, kept true as what they rest on changes.

mod actor;
mod answers;
mod asking;
mod attaching;
mod audit;
mod collecting;
mod counting;
mod deciding;
mod dropping;
mod evidence;
mod force;
mod idempotency;
mod jobs;
mod last_good;
mod later;
mod log;
mod memory;
mod packages;
mod permit;
mod policies;
mod promote;
mod recording;
mod rollback;
mod settings;
mod submitting;
mod versions;
mod without_store;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use model::{Digest, Timestamp};
use store::{DecisionQuery, DecisionRow, LeafQuery, LogHead, PromotionRow, Store, StoreError, WorkloadRow};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use answers::Answers;
use collecting::Flights;
use force::Follower;
use later::Laters;
use log::Log;
use memory::{Locks, Memory};

pub use actor::{Actor, Grant, Repositories, Right, Role};
pub use asking::{Answered, AskError, Asked, Asker, Point, RecordedDecision, Via};
pub use attaching::AttachSettings;
pub use audit::{AuditProof, HistoryEntry};
pub use dropping::drop_audit_entries;
pub use evidence::Piece;
pub use permit::{Basis, Permit, Refusal};
pub use policies::{Bundle, Flip, PolicyVersion, Replayed};
pub use promote::{PromoteError, Promoted, Promotion, PromotionPhase, PromotionStatus};
pub use rollback::{Rollback, RollbackCandidate};
pub use settings::GateSettings;

use crate::place::RegistryAccess;

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
    /// The caller may not do that.
    #[error("{what}")]
    Forbidden {
        /// Why, and who may.
        what: String,
    },
    /// It is no longer as the caller believed.
    #[error("{what} has changed meanwhile")]
    Conflict {
        /// What.
        what: String,
    },
    /// A scan is on its way still.
    #[error("it is pending still")]
    Pending,
    /// It cannot be set up like this.
    #[error("{what}")]
    Setup {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
}

impl GateError {
    fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), hint: None }
    }
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
    inner: Arc<Inner>,
    /// What runs behind.
    behind: Arc<Mutex<JoinSet<()>>>,
    /// Asks that nobody waits for, while they are answered.
    asks: Arc<Mutex<JoinSet<()>>>,
}

#[derive(Debug)]
struct Inner {
    settings: GateSettings,
    store: Store,
    access: RegistryAccess,
    follower: Follower,
    memory: Memory,
    flights: Flights,
    slots: Semaphore,
    deciding: Locks,
    answers: Answers,
    log: Log,
    /// Asks that nobody waits for, and their answers.
    later: Laters,
    /// Promotions that are on their way, and those that ended not long ago.
    runs: promote::Runs,
}

impl Gate {
    /// Reads what is in force, checks the audit log, and starts what runs behind: reading changes, jobs, sequencing.
    ///
    /// # Errors
    /// The store cannot be read, the policy cannot be used, or the audit log is not this gate's.
    pub async fn start(settings: GateSettings, store: Store) -> Result<Self, GateError> {
        let log = Log::open(&settings.audit_key, &settings.origin, &store, settings.now).await?;
        versions::first(&store, settings.policy.as_ref(), settings.now).await?;
        let follower = Follower::start(store.clone(), settings.lease).await?;
        let inner = Arc::new(Inner {
            access: RegistryAccess::new(settings.registries.clone(), (settings.now)()).within(settings.reach.clone()),
            follower,
            memory: Memory::new(),
            flights: Flights::default(),
            slots: Semaphore::new(settings.collecting.max(1)),
            deciding: Locks::new(),
            answers: Answers::default(),
            log,
            later: later::none(),
            runs: promote::Runs::default(),
            settings,
            store,
        });
        let mut behind = JoinSet::new();
        let run = |inner: &Arc<Inner>| Arc::clone(inner);
        let (follows, flushes, logs, works) = (run(&inner), run(&inner), run(&inner), run(&inner));
        behind.spawn(always("reading changes", move || {
            let inner = run(&follows);
            async move { inner.follower.follow().await }
        }));
        behind.spawn(always("writing answers", move || {
            let inner = run(&flushes);
            async move { inner.answers.keep_flushing(&inner.store).await }
        }));
        behind.spawn(always("continuing the audit log", move || {
            let inner = run(&logs);
            async move { inner.log.keep(&inner.store).await }
        }));
        behind.spawn(always("doing jobs", move || {
            let inner = run(&works);
            async move { inner.work().await }
        }));
        Ok(Self { inner, behind: Arc::new(Mutex::new(behind)), asks: Arc::default() })
    }

    /// Ends what runs behind, writes what waits, and closes the store. Asks have to be answered before ([`Self::finish`]).
    pub async fn stop(&self) {
        self.finish(Instant::now()).await;
        let mut behind = std::mem::take(&mut *self.behind.lock().unwrap_or_else(PoisonError::into_inner));
        behind.shutdown().await;
        self.inner.answers.flush(&self.inner.store).await;
        if let Err(error) = self.inner.log.extend(&self.inner.store).await {
            tracing::warn!(%error, "entries of the audit log wait for their places until the next start");
        }
        self.inner.store.close().await;
    }

    /// Answers within `asked.wait`.
    ///
    /// # Errors
    /// There is no decision, and why.
    pub async fn ask(&self, asked: Asked, by: &Asker) -> Result<Answered, AskError> {
        self.inner.ask(asked, by).await
    }

    /// S42: whether an answer may still be given. What is done with it between the gate and whoever asked takes time. One that the policy gives leave for
    /// while the store is away says so itself, and holds as long as its leave.
    pub fn may_answer(&self, answered: &Answered) -> bool {
        let stands_in = |permit: &Permit| matches!(permit.basis(), Basis::FailOpen(_)) && permit.holds(Instant::now());
        answered.permit.as_ref().is_ok_and(stands_in) || self.inner.follower.is_within_lease(answered.confirmed)
    }

    /// A decision on record.
    ///
    /// # Errors
    /// There is none with this id, or the store cannot be read.
    pub async fn decision(&self, id: &str) -> Result<DecisionRow, GateError> {
        self.inner.store.decision(id).await?.ok_or_else(|| GateError::NotFound { what: format!("decision {id}") })
    }

    /// The answers that were given with a decision, the newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn answers(&self, decision: &str, limit: u32) -> Result<Vec<store::AnswerRow>, GateError> {
        Ok(self.inner.store.answers(decision, limit).await?)
    }

    /// The newest first; with the cursor of the next page.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn decisions(&self, query: &DecisionQuery) -> Result<(Vec<DecisionRow>, Option<String>), GateError> {
        let rows = self.inner.store.decisions(query).await?;
        let next = (rows.len() == query.limit as usize).then(|| rows.last().map(|row| row.id.clone())).flatten();
        Ok((rows, next))
    }

    /// Everything that happened to an image, in order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn history(
        &self,
        digest: &Digest,
        repository: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, GateError> {
        let query = LeafQuery {
            subject: Some(digest.clone()),
            repository: repository.map(str::to_owned),
            after: after.map(str::to_owned),
            limit,
        };
        self.inner.history(&query).await
    }

    /// Keeps a document about an image; the next look at the image reads it.
    ///
    /// # Errors
    /// It cannot be read as what it is said to be, or not be kept.
    pub async fn submit(&self, submission: Submission, by: &Asker) -> Result<Submitted, GateError> {
        self.inner.submit(submission, by).await
    }

    /// Checks a bundle and keeps it; it is not in force yet. The same bundle again is the same version.
    ///
    /// # Errors
    /// It cannot be used: where and why.
    pub async fn upload(&self, bundle: Bundle, by: &str) -> Result<PolicyVersion, GateError> {
        self.inner.upload(bundle, by).await
    }

    /// Brings a version into force, if the one in force is still the one the caller believes (`None`: whichever).
    ///
    /// # Errors
    /// There is no such version, or another one came into force meanwhile.
    pub async fn activate(
        &self,
        version: &Digest,
        believed: Option<&Digest>,
        reason: Option<String>,
        by: &str,
    ) -> Result<PolicyVersion, GateError> {
        self.inner.activate(version, believed, reason, by).await
    }

    /// Brings the version back that was in force before.
    ///
    /// # Errors
    /// There is none, or another one came into force meanwhile.
    pub async fn roll_back(&self, reason: Option<String>, by: &str) -> Result<PolicyVersion, GateError> {
        self.inner.roll_back(reason, by).await
    }

    /// The newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn versions(&self, limit: u32) -> Result<Vec<PolicyVersion>, GateError> {
        self.inner.versions(limit).await
    }

    /// A version with all it holds.
    ///
    /// # Errors
    /// There is none.
    pub async fn version(&self, version: &Digest) -> Result<(PolicyVersion, Bundle), GateError> {
        self.inner.version(version).await
    }

    /// What this version would say of everything that was decided: on the facts of then.
    ///
    /// # Errors
    /// There is no such version, or the store cannot be read.
    pub async fn replay(&self, version: &Digest, after: Option<&str>, limit: u32) -> Result<Replayed, GateError> {
        self.inner.replay(version, after, limit).await
    }

    /// Images that hold a package, named by its package URL, of one version if the URL names one: repository, digest, version.
    ///
    /// # Errors
    /// It is no package URL, or the store cannot be read.
    pub async fn images_with(
        &self,
        purl: &str,
        after: Option<(String, Digest)>,
        limit: u32,
    ) -> Result<Vec<(String, Digest, String)>, GateError> {
        let purl = model::Purl::parse(purl).ok_or_else(|| {
            GateError::invalid(format!(
                "{purl:?} is no package URL, such as pkg:npm/left-pad or pkg:deb/debian/openssl"
            ))
        })?;
        let version = purl.full_version();
        Ok(self.inner.store.images_with(&packages::package(&purl), version.as_deref(), after, limit).await?)
    }

    /// Where these images run.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn workloads(&self, digests: &[Digest], limit: u32) -> Result<Vec<WorkloadRow>, GateError> {
        Ok(self.inner.store.workloads(digests, limit).await?)
    }

    /// The newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn promotions(
        &self,
        environment: Option<&str>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<PromotionRow>, GateError> {
        Ok(self.inner.store.promotions(environment, since, until, limit).await?)
    }

    /// The newest signed checkpoint; `None` while nothing was logged.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn checkpoint(&self) -> Result<Option<LogHead>, GateError> {
        Ok(self.inner.store.log_head().await?)
    }

    /// The log's public key, as a verifier key of C2SP signed notes.
    pub fn audit_key(&self) -> String {
        self.inner.log.verifier().to_string()
    }

    /// That an entry is in the tree of the newest checkpoint.
    ///
    /// # Errors
    /// There is no such entry.
    pub async fn inclusion(&self, entry: &str) -> Result<AuditProof, GateError> {
        self.inner.inclusion(entry).await
    }

    /// That the tree of `to` leaves begins with the tree of `from`.
    ///
    /// # Errors
    /// The tree is not that large.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, GateError> {
        self.inner.consistency(from, to).await
    }

    /// Lines of an export from this index on: where it begins, at most `limit` entries, and where it reaches the end the checkpoint. Pages are put
    /// together by leaving out the first line of all but the first.
    ///
    /// # Errors
    /// The log does not have that many entries, or cannot be read.
    pub async fn export(&self, from: u64, limit: u32) -> Result<String, GateError> {
        self.inner.export(from, limit).await
    }

    /// Why this process cannot answer now, each in a sentence; empty: it can.
    pub async fn unready(&self) -> Vec<String> {
        let mut why = Vec::new();
        if let Err(error) = self.inner.follower.confirmed().await {
            why.push(format!("changes cannot be read: {error}"));
        }
        if let Err(error) = self.inner.now() {
            why.push(error.to_string());
        }
        why
    }

    /// Metrics in the text format of OpenMetrics.
    pub fn metrics(&self) -> String {
        let metrics = &self.inner.settings.metrics;
        metrics.lease_age(self.inner.follower.age());
        metrics.write_queue(self.inner.store.at_risk());
        metrics.text()
    }
}

/// What runs behind runs for as long as the gate: where it ends, by a fault of ours, it is said and begun anew.
async fn always<F: Future<Output = ()> + Send>(what: &'static str, run: impl Fn() -> F + Send) {
    loop {
        if AssertUnwindSafe(run()).catch_unwind().await.is_err() {
            tracing::error!("{what} panicked; it begins anew");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
