//! Promotions that are on their way, and for a while those that ended: by id for whoever asks, and by destination, so that no two of one process go to
//! one place at the same time.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use model::Digest;
use moka::sync::Cache;
use registry::{CopyProgress, CopyState};
use serde_json::Value;
use store::{LeafRow, PromotionRow};

use super::super::Gate;
use super::super::asking::AskError;
use super::slots::Slots;
use super::{Plan, PromoteError, Promoted, PromotionPhase, PromotionStatus};

/// How long one that ended is told of.
const KEPT: Duration = Duration::from_hours(1);
/// How many are; beyond, those that nobody asked for longest are forgotten.
const MANY: u64 = 10_000;
/// How many may be on their way: those that are decided, that wait, and that copy.
const AT_ONCE: usize = 1_000;
/// How many of them may be of one identity, promotions and rollbacks each.
const EACH: usize = 100;
/// How long one may take.
const LONGEST: Duration = Duration::from_hours(4);

/// Promotions of this process.
#[derive(Debug)]
pub(in super::super) struct Runs {
    known: Cache<String, Arc<Run>>,
    active: Mutex<HashMap<String, Arc<Run>>>,
    /// Room for those that copy.
    pub(super) slots: Slots,
}

/// One promotion.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) plan: Plan,
    pub(super) progress: CopyProgress,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    digest: Option<Digest>,
    warnings: Vec<String>,
    ended: Option<Result<Promoted, PromoteError>>,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            known: Cache::builder().max_capacity(MANY).time_to_idle(KEPT).build(),
            active: Mutex::default(),
            slots: Slots::default(),
        }
    }
}

impl Runs {
    pub(super) fn of(&self, id: &str) -> Option<Arc<Run>> {
        let active = || self.active.lock().unwrap_or_else(PoisonError::into_inner);
        self.known.get(id).or_else(|| active().values().find(|run| run.id == id).cloned())
    }
}

impl Run {
    pub(super) fn decided(&self, digest: &Digest) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).digest = Some(digest.clone());
    }

    pub(super) fn warn(&self, warnings: impl IntoIterator<Item = String>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).warnings.extend(warnings);
    }

    pub(super) fn status(&self) -> PromotionStatus {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = self.progress.state();
        let phase = match (&state.ended, &state.digest, copy.is_verifying) {
            (Some(_), ..) => PromotionPhase::Ended,
            (None, None, _) => PromotionPhase::Deciding,
            (None, Some(_), false) => PromotionPhase::Copying,
            (None, Some(_), true) => PromotionPhase::Verifying,
        };
        PromotionStatus {
            id: self.id.clone(),
            source: self.plan.source.to_string(),
            destination: self.plan.destination.to_string(),
            environment: self.plan.environment.clone(),
            is_rollback: self.plan.rollback.is_some(),
            phase,
            digest: state.digest.clone(),
            copy,
            warnings: state.warnings.clone(),
            ended: state.ended.clone(),
        }
    }

    fn is_the_same(&self, plan: &Plan) -> bool {
        let ours = &self.plan;
        (&ours.source, &ours.destination, &ours.environment, &ours.rollback, &ours.identity, ours.allow_mutable)
            == (&plan.source, &plan.destination, &plan.environment, &plan.rollback, &plan.identity, plan.allow_mutable)
    }
}

impl Gate {
    /// Begins, unless the same runs already: then that is meant.
    pub(in super::super) fn begin(&self, plan: Plan) -> Result<String, PromoteError> {
        let inner = Arc::clone(&self.inner);
        let mut active = inner.runs.active.lock().unwrap_or_else(PoisonError::into_inner);
        let key = plan.destination.to_string();
        if let Some(run) = active.get(&key) {
            if run.is_the_same(&plan) {
                return Ok(run.id.clone());
            }
            let what = format!("another promotion to {key} is on its way");
            return Err(PromoteError::Ask(AskError::Overloaded(what)));
        }
        // Nobody's promotions stand in the way of anybody's rollback.
        let of_a_kind = |run: &&Arc<Run>| run.plan.rollback.is_some() == plan.rollback.is_some();
        let theirs = |run: &&Arc<Run>| run.plan.identity == plan.identity;
        let (all, each) = (active.values().filter(of_a_kind), active.values().filter(of_a_kind).filter(theirs));
        for (count, most, whose) in [(all.count(), AT_ONCE, ""), (each.count(), EACH, " of yours")] {
            if count >= most {
                let what = format!("{most} promotions{whose} are on their way, as many as may be at the same time");
                return Err(PromoteError::Ask(AskError::Overloaded(what)));
            }
        }
        let id = uuid::Uuid::now_v7().to_string();
        let run = Arc::new(Run { id: id.clone(), plan, progress: CopyProgress::default(), state: Mutex::default() });
        inner.runs.known.insert(id.clone(), Arc::clone(&run));
        active.insert(key.clone(), Arc::clone(&run));
        drop(active);
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that ended are not kept.
        while asks.try_join_next().is_some() {}
        asks.spawn(async move {
            let _leaving = Leaving { inner: Arc::clone(&inner), key };
            let carried = AssertUnwindSafe(inner.carry_out(&run)).catch_unwind();
            let ended = match tokio::time::timeout(LONGEST, carried).await {
                Ok(Ok(ended)) => ended,
                Ok(Err(_)) => Err(PromoteError::Ask(AskError::Internal("a promotion panicked".to_owned()))),
                Err(_) => {
                    let what = format!("the promotion took longer than {} hours", LONGEST.as_secs() / 3600);
                    Err(PromoteError::Ask(AskError::Overloaded(what)))
                }
            };
            if let Err(error) = &ended {
                let (source, destination) = (run.plan.source.to_string(), run.plan.destination.to_string());
                tracing::info!(promotion = run.id, source, destination, %error, "nothing was promoted");
            }
            run.state.lock().unwrap_or_else(PoisonError::into_inner).ended = Some(ended);
            // From now on it is told of for a while, however long nobody asked.
            inner.runs.known.insert(run.id.clone(), Arc::clone(&run));
        });
        Ok(id)
    }
}

/// Makes room at the destination, however the promotion ends.
struct Leaving {
    inner: Arc<super::super::Inner>,
    key: String,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.inner.runs.active.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// A promotion on record, as one that ended; its entry in the audit log says what its row does not.
pub(super) fn recorded(row: PromotionRow, leaf: Option<&LeafRow>) -> PromotionStatus {
    let entry = leaf.and_then(|leaf| serde_json::from_slice::<Value>(&leaf.bytes).ok());
    let is_rollback = entry.is_some_and(|entry| entry.pointer("/body/rollback") == Some(&Value::Bool(true)));
    PromotionStatus {
        id: row.id.clone(),
        source: format!("{}@{}", row.source, row.digest),
        destination: row.destination.clone(),
        environment: row.environment.clone(),
        is_rollback,
        phase: PromotionPhase::Ended,
        digest: Some(row.digest.clone()),
        copy: CopyState::default(),
        warnings: Vec::new(),
        ended: Some(Ok(promoted(row))),
    }
}

/// A row as what it says. What the copy came to is in the audit log.
pub(super) fn promoted(row: PromotionRow) -> Promoted {
    let PromotionRow { id, decision, digest, source, destination, environment, at, by } = row;
    Promoted {
        id,
        decision,
        basis: None,
        digest,
        source,
        destination,
        environment,
        at,
        by,
        was_there: true,
        manifests: 0,
        attached: 0,
        sent_bytes: 0,
    }
}
