//! The gate as a service: asks are answered from decisions that are recorded, kept true as what they rest on changes.

mod actor;
mod admission;
mod answering;
mod answers;
mod asking;
mod attaching;
mod audit;
mod authenticating;
mod collecting;
mod counting;
mod deciding;
mod denials;
mod documents;
mod dropping;
mod evidence;
mod exceptions;
mod fingerprint;
mod force;
mod grandfathering;
mod idempotency;
mod identities;
mod jobs;
mod labels;
mod last_good;
mod later;
mod log;
mod memory;
mod notices;
mod overrides;
mod packages;
mod permit;
mod persons;
mod policies;
mod promote;
mod proposals;
mod reading;
mod recording;
mod reports;
mod rollback;
mod room;
mod ruling;
mod scope;
mod settings;
mod standing;
mod submitting;
mod system;
mod teams;
mod tokens;
mod understanding;
mod versions;
mod without_registry;
mod without_store;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use model::{Digest, UnknownClass};
use store::{Store, StoreError};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use answers::Answers;
use collecting::Flights;
use force::Follower;
use identities::Identities;
use jobs::always;
use later::Laters;
use log::Log;
use memory::{Locks, Memory};

pub use actor::{Actor, Grant, Repositories, Right, Role, person};
pub use admission::{BreakGlass, Seat};
pub use asking::{Answered, AskError, Asked, Asker, Point, RecordedDecision, Via};
pub use attaching::AttachSettings;
pub use audit::{AuditProof, HistoryEntry};
pub use authenticating::AuthenticationError;
pub use denials::{DenialBody, DenialEntry, Lifted, NewDenial};
pub use dropping::drop_audit_entries;
pub use evidence::Piece;
pub use exceptions::{
    Exception, ExceptionChange, ExceptionPreview, ExceptionQuery, ExceptionRequest, ExceptionScope, ExceptionState,
    ExceptionUsed, Hand, Settling,
};
pub use identities::{ClaimPattern, IdentityRule, IdentitySettings, IssuerKind, IssuerSettings, PersonClaim};
pub use labels::{Label, Labelled};
pub use notices::{NoticeEvent, NoticeKind, NoticeTarget};
pub use overrides::{NewOverride, OverrideBody, OverrideEntry, OverrideOwner};
pub use permit::{Basis, Permit, Refusal};
pub use policies::{Bundle, Flip, PolicyVersion, Replayed};
pub use promote::{PromoteError, Promoted, Promotion, PromotionPhase, PromotionStatus};
pub use proposals::{Proposal, ProposalState};
pub use rollback::{Rollback, RollbackCandidate};
pub use settings::GateSettings;
pub use system::may_leave_open;
pub use teams::{Team, Teams};
pub use tokens::{NewToken, TokenMade, TokenSeen, bootstrap};

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
    /// It cannot be asked like this: what is wrong, and what to do.
    #[error("{what}")]
    Usage {
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
    /// It is there for them to see, and not for them to do.
    #[error("{what}")]
    Forbidden {
        /// What, and what it takes.
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

    fn usage(what: impl Into<String>, hint: impl Into<Option<&'static str>>) -> Self {
        Self::Usage { what: what.into(), hint: hint.into().map(str::to_owned) }
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
    identities: Identities,
    memory: Memory,
    flights: Flights,
    deciding: Locks,
    answers: Answers,
    log: Log,
    /// Asks that nobody waits for, and their answers.
    later: Laters,
    /// Promotions that are on their way, and those that ended not long ago.
    runs: promote::Runs,
    /// Each report reads much: a few at a time.
    reporting: Semaphore,
    /// How others are told.
    notices: notices::Sender,
    /// What was noted of what runs.
    noted: admission::Noted,
}

impl Gate {
    /// Reads what is in force, checks the audit log, and starts what runs behind: reading changes, jobs, sequencing.
    ///
    /// # Errors
    /// The store cannot be read, the policy cannot be used, or the audit log is not this gate's.
    pub async fn start(settings: GateSettings, store: Store) -> Result<Self, GateError> {
        let identities = Identities::new(&settings.identities)?;
        let log = Log::open(&settings.audit_key, &settings.origin, &store, settings.now).await?;
        versions::first(&store, settings.policy.as_ref(), settings.now).await?;
        let follower = Follower::start(store.clone(), settings.lease).await?;
        let notices = notices::Sender::new(&settings)?;
        notices::begin(&settings, &store).await?;
        let inner = Arc::new(Inner {
            access: RegistryAccess::new(settings.registries.clone(), (settings.now)()).within(settings.reach.clone()),
            follower,
            identities,
            memory: Memory::new(settings.fresh),
            flights: Flights::new(&settings),
            deciding: Locks::new(),
            answers: Answers::default(),
            log,
            later: later::none(),
            runs: promote::Runs::default(),
            reporting: Semaphore::new(2),
            notices,
            noted: admission::Noted::default(),
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
        if !inner.settings.notifications.is_empty() {
            let tells = run(&inner);
            behind.spawn(always("telling others", move || {
                let inner = run(&tells);
                async move { inner.watch_for_notices().await }
            }));
        }
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
    pub async fn ask(&self, asked: Asked, by: &Asker, actor: &Actor) -> Result<Answered, AskError> {
        scope::ask(actor, &asked)?;
        self.inner.ask(asked, by).await
    }

    /// S42: whether an answer may still be given. What is done with it between the gate and whoever asked takes time. One that the policy gives leave for
    /// while the store is away says so itself, and holds as long as its leave.
    pub fn may_answer(&self, answered: &Answered) -> bool {
        let stands_in = |permit: &Permit| {
            *permit.basis() == Basis::FailOpen(UnknownClass::StoreUnavailable) && permit.holds(Instant::now())
        };
        answered.permit.as_ref().is_ok_and(stands_in) || self.inner.follower.is_within_lease(answered.confirmed)
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
}
