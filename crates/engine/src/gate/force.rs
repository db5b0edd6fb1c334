//! What is in force: the policy version with its exceptions and trust material, what people settled beside it, and how far the changes were read.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use model::{Ask, Digest, Facts, Judgement, Timestamp};
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use policy::{Exceptions, PolicySet, evaluate_beside};
use store::{Change, Scope, Store, StoreError};

use super::GateError;
use super::policies::{Bundle, Loaded};
use super::standing::{self, Standing};
use super::tokens::Tokens;
use crate::authenticate::Trust;

/// Images of which it is remembered that something about them changed. What was known before a change that is forgotten counts as changed.
const REMEMBERED: u64 = 100_000;
/// Changes that are read at once.
const PAGE: u32 = 1000;

/// A policy version, ready to judge.
#[derive(Debug)]
pub(super) struct InForce {
    /// Grows with every change that concerns every judgement: what was judged under another number is judged anew.
    pub(super) global: i64,
    /// The digest of the bundle.
    pub(super) version: Digest,
    pub(super) policies: PolicySet,
    /// A rule looks at tags.
    pub(super) names: bool,
    /// Those of files that the policies list, and those that were granted.
    pub(super) exceptions: Exceptions,
    pub(super) standing: Standing,
    pub(super) trust: Arc<Trust>,
    /// Digest over the trust material.
    pub(super) material: Digest,
    /// The tokens that are good.
    pub(super) tokens: Tokens,
}

impl InForce {
    /// What it says of an image: the policies, what was granted beside them, and what is denied whatever they say.
    pub(super) fn judge(&self, ask: &Ask, facts: &Facts, now: Timestamp) -> Judgement {
        evaluate_beside(&self.policies, ask, facts, &self.exceptions, &self.standing.denials, now)
    }

    /// That the policies declare this environment (S7).
    pub(super) fn declares(&self, environment: &str) -> Result<(), GateError> {
        let found = self.policies.environment(environment);
        found.map(|_| ()).map_err(|error| {
            GateError::usage(
                error.to_string(),
                "environments are declared in `spec.environments` of the policy in force",
            )
        })
    }

    /// What facts have to hold to be judged by this version: the same for two versions that ask for the same.
    pub(super) fn wants(&self, ask: &Ask) -> Digest {
        let needs = self.policies.needs(ask);
        let elsewhere = self.policies.signature_repositories(ask);
        Digest::of(format!("{needs:?} {elsewhere:?} {}", self.material).as_bytes())
    }
}

/// Reads changes, and knows how old what it knows may be.
#[derive(Debug)]
pub(super) struct Follower {
    store: Store,
    lease: Duration,
    force: RwLock<Arc<InForce>>,
    read: Mutex<Read>,
    /// One reader at a time.
    reading: tokio::sync::Mutex<()>,
    /// The number of the last change about each image.
    images: Cache<Digest, i64>,
    /// The number of the last change that is forgotten.
    forgotten: Arc<AtomicI64>,
}

#[derive(Debug, Clone, Copy)]
struct Read {
    /// Every change up to this number is known.
    seq: i64,
    /// All that was acknowledged before this moment is known.
    at: Instant,
}

impl Follower {
    pub(super) async fn start(store: Store, lease: Duration) -> Result<Self, GateError> {
        let at = Instant::now();
        let seq = store.sequence().await?;
        let force = load(&store, seq).await?;
        let forgotten = Arc::default();
        Ok(Self {
            store,
            lease,
            force: RwLock::new(Arc::new(force)),
            read: Mutex::new(Read { seq, at }),
            reading: tokio::sync::Mutex::new(()),
            images: remembering(REMEMBERED, &forgotten),
            forgotten,
        })
    }

    pub(super) fn force(&self) -> Arc<InForce> {
        Arc::clone(&self.force.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn read(&self) -> Read {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ticket for what is about to be collected: void if something about it changes meanwhile.
    pub(super) fn ticket(&self) -> i64 {
        self.read().seq
    }

    /// True if nothing about these images changed since the ticket was taken.
    pub(super) fn unchanged(&self, images: &[Digest], ticket: i64) -> bool {
        unchanged(&self.images, self.forgotten.load(Ordering::Acquire), images, ticket)
    }

    /// S42: the moment up to which every change is known, which is at most the lease ago.
    ///
    /// # Errors
    /// The store cannot be read, so that nothing cached may be acted on.
    pub(super) async fn confirmed(&self) -> Result<Instant, GateError> {
        let read = self.read();
        if self.is_within_lease(read.at) {
            return Ok(read.at);
        }
        // What was read may be old by the time it is there: a store that hung a moment is asked once more.
        for _ in 0..2 {
            // One that says nothing at all is not waited for: what it said would be too old.
            let Ok(read) = tokio::time::timeout(self.lease.saturating_mul(2), Box::pin(self.catch_up())).await else {
                break;
            };
            let at = read?;
            if self.is_within_lease(at) {
                return Ok(at);
            }
        }
        let why = format!("it took longer than the lease of {:?}", self.lease);
        Err(StoreError::Database { doing: "reading what changed", why }.into())
    }

    /// True if what was confirmed then may still be acted on.
    pub(super) fn is_within_lease(&self, confirmed: Instant) -> bool {
        confirmed.elapsed() <= self.lease
    }

    /// Reads what changed. Afterwards everything acknowledged before the call is known.
    pub(super) async fn catch_up(&self) -> Result<Instant, GateError> {
        let asked = Instant::now();
        let _one = self.reading.lock().await;
        // Somebody else read while we waited, and began after we asked.
        let read = self.read();
        if read.at >= asked {
            return Ok(read.at);
        }
        let at = Instant::now();
        let mut seq = read.seq;
        loop {
            let changes = self.store.changes(seq, PAGE).await?;
            seq = self.apply(&changes, seq).await?;
            if changes.len() < PAGE as usize {
                break;
            }
        }
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Read { seq, at };
        Ok(at)
    }

    async fn apply(&self, changes: &[Change], seq: i64) -> Result<i64, GateError> {
        let mut global = None;
        for change in changes {
            match &change.scope {
                Scope::Global => global = Some(change.seq),
                Scope::Image(digest) => self.images.insert(digest.clone(), change.seq),
            }
        }
        if let Some(global) = global {
            let force = load(&self.store, global).await?;
            *self.force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(force);
        }
        Ok(changes.last().map_or(seq, |change| change.seq))
    }

    /// Reads changes for as long as the gate runs: at once where the store says that there are some, else four times a second.
    pub(super) async fn follow(&self) {
        loop {
            let _ = tokio::time::timeout(Duration::from_millis(250), self.store.changed()).await;
            if let Err(error) = self.catch_up().await {
                tracing::error!(%error, "changes cannot be read: nothing cached is acted on once the lease is over");
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
    }

    /// All that was acknowledged before this moment is known.
    pub(super) fn last_read(&self) -> Instant {
        self.read().at
    }

    /// How long ago the changes were read.
    pub(super) fn age(&self) -> Duration {
        self.read().at.elapsed()
    }
}

/// The last change about each image, of as many as there is room for.
fn remembering(most: u64, forgotten: &Arc<AtomicI64>) -> Cache<Digest, i64> {
    let forgotten = Arc::clone(forgotten);
    let forget = move |_: Arc<Digest>, seq: i64, cause: RemovalCause| {
        if cause != RemovalCause::Replaced {
            forgotten.fetch_max(seq, Ordering::AcqRel);
        }
    };
    Cache::builder().max_capacity(most).eviction_policy(EvictionPolicy::lru()).eviction_listener(forget).build()
}

fn unchanged(known: &Cache<Digest, i64>, forgotten: i64, images: &[Digest], ticket: i64) -> bool {
    images.iter().all(|image| known.get(image).unwrap_or(forgotten) <= ticket)
}

/// The version in force, as the store has it.
async fn load(store: &Store, global: i64) -> Result<InForce, GateError> {
    let Some(activation) = store.activations(1).await?.into_iter().next() else {
        return Err(GateError::NotFound { what: "policy in force".to_owned() });
    };
    let row = store.policy(&activation.policy).await?.ok_or_else(|| StoreError::Unreadable {
        what: "policy version",
        why: format!("{} is not there", activation.policy),
    })?;
    let Loaded { policies, mut exceptions, trust, material } = Bundle::read(&row.bundle)?.load()?;
    let standing = standing::load(store).await?;
    standing.grant(&mut exceptions);
    Ok(InForce {
        global,
        version: activation.policy,
        names: policies.looks_at_tags(),
        policies,
        exceptions,
        standing,
        trust: Arc::new(Trust::new(trust)),
        material,
        tokens: Tokens::load(store).await?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s42_a_change_that_is_forgotten_still_counts() {
        let forgotten = Arc::default();
        let known = remembering(2, &forgotten);
        let images: Vec<Digest> = (0..20).map(|number| Digest::of(format!("{number}").as_bytes())).collect();
        for (seq, image) in (1..).zip(&images) {
            known.insert(image.clone(), seq);
            known.run_pending_tasks();
        }
        let is_unchanged = |image: &Digest, ticket| {
            unchanged(&known, forgotten.load(Ordering::Acquire), std::slice::from_ref(image), ticket)
        };
        for (seq, image) in (1..).zip(&images) {
            assert!(!is_unchanged(image, seq - 1), "what changed after the ticket, remembered or not: {seq}");
            assert!(is_unchanged(image, 20));
        }
    }
}
