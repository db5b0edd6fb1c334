//! Asks that nobody waits for: accepted at once, answered behind, and fetched when whoever asked comes back. No more of them are accepted than the gate is
//! set up for, and those that were are finished before it ends.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::task::JoinSet;

use super::actor::Actor;
use super::asking::{Answered, AskError, Asked, Asker};
use super::{Gate, scope};

/// An ask that nobody waits for, and what became of it: nothing yet, or its answer.
#[derive(Debug)]
pub(super) struct Later {
    asked: Asked,
    by: Asker,
    actor: Arc<Actor>,
    ended: Mutex<Option<Result<Arc<Answered>, AskError>>>,
}

/// By their ids.
pub(super) type Laters = Cache<String, Arc<Later>>;

/// How long the answer to an ask that nobody waits for is kept.
const KEPT: Duration = Duration::from_hours(1);
/// How many are; beyond, the oldest are forgotten.
const LATER: u64 = 10_000;

/// None yet.
pub(super) fn none() -> Laters {
    Cache::builder().max_capacity(LATER).time_to_live(KEPT).eviction_policy(EvictionPolicy::lru()).build()
}

impl Gate {
    /// Starts to look, and returns at once with an id that [`Self::later`] knows for an hour.
    ///
    /// # Errors
    /// The actor may not ask for this, or as many are answered already as the gate is set up for.
    pub fn ask_later(&self, asked: Asked, by: &Asker, actor: &Arc<Actor>) -> Result<String, AskError> {
        scope::ask(actor, &asked)?;
        let inner = Arc::clone(&self.inner);
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that ended are not kept.
        while asks.try_join_next().is_some() {}
        if asks.len() >= inner.settings.later {
            let what = "as many asks that nobody waits for are being answered as the gate is set up for";
            return Err(AskError::Overloaded(what.to_owned()));
        }
        let id = uuid::Uuid::now_v7().to_string();
        let later =
            Arc::new(Later { asked: asked.clone(), by: by.clone(), actor: Arc::clone(actor), ended: Mutex::default() });
        inner.later.insert(id.clone(), Arc::clone(&later));
        asks.spawn(async move {
            let answered = AssertUnwindSafe(inner.ask(asked, &later.by)).catch_unwind().await;
            let answered = answered.unwrap_or_else(|_| Err(AskError::Internal("answering panicked".to_owned())));
            *later.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(answered.map(Arc::new));
        });
        Ok(id)
    }

    /// Whether [`Self::later`] knows this id.
    pub fn knows(&self, id: &str) -> bool {
        self.inner.later.contains_key(id)
    }

    /// The answer to [`Self::ask_later`], or that it is being looked for (`Ok(None)`); `None` if nobody asked under this id within the hour, or somebody
    /// whose ask this actor does not see. What was answered then is asked again, as anybody would: an old leave does not come back (S42).
    ///
    /// # Errors
    /// There is no decision, and why.
    pub async fn later(&self, id: &str, actor: &Actor) -> Option<Result<Option<Arc<Answered>>, AskError>> {
        let later = self.inner.later.get(id)?;
        if *later.actor != *actor && scope::ask(actor, &later.asked).is_err() {
            return None;
        }
        let ended = later.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match ended {
            None => Some(Ok(None)),
            Some(Ok(answered)) if !self.may_answer(&answered) => {
                let asked = Asked { wait: Duration::ZERO, ..later.asked.clone() };
                Some(self.inner.ask(asked, &later.by).await.map(|answered| Some(Arc::new(answered))))
            }
            Some(ended) => Some(ended.map(Some)),
        }
    }

    /// Waits until every ask of [`Self::ask_later`] has its answer, and its decision is on record; what takes longer than this moment is given up.
    pub async fn finish(&self, until: Instant) {
        loop {
            let mut asks =
                std::mem::replace(&mut *self.asks.lock().unwrap_or_else(PoisonError::into_inner), JoinSet::new());
            if asks.is_empty() {
                return;
            }
            let ended = async { while asks.join_next().await.is_some() {} };
            if tokio::time::timeout_at(until.into(), ended).await.is_err() {
                tracing::warn!(asks = asks.len(), "asks that nobody waits for took too long and are given up");
                asks.shutdown().await;
                return;
            }
        }
    }
}
