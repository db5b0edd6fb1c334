//! The task itself: what waits becomes a group, a group becomes a transaction, and what did not become one is told or kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::{AnyConnection, Connection as _};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::group::Outcomes;
use super::step::{Group, Step};
use super::{Counts, Message, Queued, tell};
use crate::error::StoreError;
use crate::place::Place;
use crate::trouble::{Remedy, Trouble};

/// How much one transaction takes.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 8 << 20;
/// How long a group waits for those who were in the last one.
const LINGER: Duration = Duration::from_millis(1);
/// How long what is not urgent waits for company.
const SOON: Duration = Duration::from_millis(100);
/// How long it waits for another try while the database is not there.
const SOON_AGAIN: Duration = Duration::from_secs(1);
/// How long a write is tried, and how long once the database was found to be gone.
const PATIENCE: Duration = Duration::from_secs(10);
const SHORT_PATIENCE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

const DOING: &str = "writing";

/// The task.
pub(super) struct Task {
    pub(super) place: Place,
    pub(super) connection: Option<AnyConnection>,
    pub(super) changed: Arc<Notify>,
    pub(super) counts: Arc<Counts>,
    /// What is not urgent, and when it is.
    pub(super) soon: Vec<Queued>,
    pub(super) flush_at: Option<Instant>,
    /// The last try found no database.
    pub(super) is_down: bool,
    /// How many were waited for in the last group.
    pub(super) company: usize,
}

impl Task {
    pub(super) async fn run(mut self, mut receiver: mpsc::UnboundedReceiver<Message>) {
        loop {
            let mut next = match self.flush_at {
                None => receiver.recv().await.map_or(Next::End(None), Next::from),
                Some(at) => tokio::select! {
                    message = receiver.recv() => message.map_or(Next::End(None), Next::from),
                    () = sleep_until(at) => Next::Flush,
                },
            };
            let mut group = Vec::new();
            let mut size = 0;
            let mut is_full = false;
            let linger = Instant::now() + LINGER;
            // What waits already goes with it, up to a step or the end.
            while let Next::Batch(queued) = next {
                size += queued.size;
                if queued.reply.is_some() {
                    group.push(*queued);
                } else {
                    self.soon.push(*queued);
                }
                is_full = group.len() + self.soon.len() >= GROUP || size >= GROUP_BYTES;
                next = if is_full {
                    Next::Nothing
                } else {
                    next_of(&mut receiver, group.len() < self.company && !group.is_empty(), linger).await
                };
            }
            if !group.is_empty() {
                self.company = group.len();
            }
            if is_full || !group.is_empty() || matches!(next, Next::Flush | Next::End(_)) {
                let mut all = std::mem::take(&mut self.soon);
                self.flush_at = None;
                all.append(&mut group);
                self.write_all(all).await;
            }
            if !self.soon.is_empty() && self.flush_at.is_none() {
                self.flush_at = Some(Instant::now() + if self.is_down { SOON_AGAIN } else { SOON });
            }
            match next {
                Next::Step(step) => self.do_step(step).await,
                Next::End(reply) => {
                    receiver.close();
                    if let Some(connection) = self.connection.take() {
                        // Nothing is lost with it: everything was committed or refused.
                        let _closed = connection.close().await;
                    }
                    if let Some(reply) = reply {
                        // Who asked may be gone.
                        let _heard = reply.send(());
                    }
                    return;
                }
                Next::Batch(_) | Next::Flush | Next::Nothing => {}
            }
        }
    }

    /// Writes them in order, in as few transactions as their nature allows.
    async fn write_all(&mut self, batches: Vec<Queued>) {
        let mut run = Vec::new();
        for queued in batches {
            if queued.batch.is_alone() {
                self.write_group(std::mem::take(&mut run)).await;
                self.write_group(vec![queued]).await;
            } else {
                run.push(queued);
            }
        }
        self.write_group(run).await;
    }

    async fn write_group(&mut self, group: Vec<Queued>) {
        if group.is_empty() {
            return;
        }
        match self.try_group(&group).await {
            Ok(outcomes) => self.settle(group, outcomes),
            Err(trouble) if group.len() == 1 || trouble.remedy() == Remedy::Again => self.give_up(group, trouble),
            Err(_) => {
                for queued in group {
                    let one = vec![queued];
                    match self.try_group(&one).await {
                        Ok(outcomes) => self.settle(one, outcomes),
                        Err(trouble) => self.give_up(one, trouble),
                    }
                }
            }
        }
    }

    async fn try_group(&mut self, group: &[Queued]) -> Result<Outcomes, Trouble> {
        let mut step = Group::of(group.iter().map(|queued| &queued.batch).collect(), self.place.backend);
        self.persist(&mut step, PATIENCE).await?;
        Ok(step.outcomes)
    }

    fn settle(&mut self, group: Vec<Queued>, outcomes: Outcomes) {
        let changed = outcomes.iter().any(|outcome| matches!(outcome, Ok(Some(_))));
        for (mut queued, outcome) in group.into_iter().zip(outcomes) {
            match queued.reply.take() {
                // Who asked may be gone; it is written all the same.
                Some(reply) => drop(reply.send(outcome)),
                None => self.forget(outcome.is_err()),
            }
        }
        if changed {
            tell(&self.changed);
        }
    }

    /// What was not written: who waits learns of it; what nobody waits for is kept for another try, unless that is in vain.
    fn give_up(&mut self, group: Vec<Queued>, trouble: Trouble) {
        let remedy = trouble.remedy();
        let error = trouble.while_doing(DOING);
        let mut error = Some(error);
        for mut queued in group {
            match queued.reply.take() {
                Some(reply) => {
                    let this = match &error {
                        Some(StoreError::Database { doing, why }) => StoreError::Database { doing, why: why.clone() },
                        _ => error.take().unwrap_or(StoreError::Closed),
                    };
                    drop(reply.send(Err(this)));
                }
                None if remedy == Remedy::None => self.forget(true),
                None => {
                    self.soon.push(queued);
                    self.flush_at = Some(Instant::now() + SOON_AGAIN);
                }
            }
        }
    }

    /// A batch that nobody waits for is written, or lost.
    fn forget(&self, lost: bool) {
        self.counts.at_risk.fetch_sub(1, Ordering::Relaxed);
        if lost {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn do_step(&mut self, mut step: Box<dyn Step>) {
        let patience = step.patience().unwrap_or(PATIENCE);
        let outcome = self.persist(step.as_mut(), patience).await;
        step.finish(outcome);
    }

    /// Tries until it is done, cannot be done, or this long has passed.
    async fn persist(&mut self, step: &mut dyn Step, patience: Duration) -> Result<(), Trouble> {
        let end = Instant::now() + if self.is_down { SHORT_PATIENCE } else { patience };
        let mut pause = FIRST_PAUSE;
        loop {
            let left = end.saturating_duration_since(Instant::now()).max(FIRST_PAUSE);
            let outcome = timeout(left, self.once(step)).await.unwrap_or(Err(Trouble::Silence(patience)));
            let Err(trouble) = outcome else {
                self.is_down = false;
                return Ok(());
            };
            if trouble.remedy() != Remedy::Again {
                self.is_down = trouble.remedy() == Remedy::Later;
                return Err(trouble);
            }
            if Instant::now() + pause >= end {
                self.is_down = true;
                return Err(trouble);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One transaction. The connection is kept only if it is known to be in order.
    async fn once(&mut self, step: &mut dyn Step) -> Result<(), Trouble> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.place.connect().await?,
        };
        let mut transaction = connection.begin_with(self.place.backend.begin()).await?;
        match step.run(&mut transaction).await {
            Ok(()) => transaction.commit().await?,
            Err(trouble) => {
                let rolled_back = transaction.rollback().await.is_ok();
                if rolled_back && trouble.remedy() == Remedy::None {
                    self.connection = Some(connection);
                }
                return Err(trouble);
            }
        }
        self.connection = Some(connection);
        Ok(())
    }
}

/// What else goes with a group. Those who were answered together come again together: they are waited for, if only shortly, since the first of them would
/// otherwise go alone, and the others wait for a whole transaction.
async fn next_of(receiver: &mut mpsc::UnboundedReceiver<Message>, is_expected: bool, until: Instant) -> Next {
    match receiver.try_recv() {
        Ok(message) => message.into(),
        Err(_) if !is_expected => Next::Nothing,
        Err(_) => match timeout_at(until, receiver.recv()).await {
            Ok(Some(message)) => message.into(),
            Ok(None) => Next::End(None),
            Err(_) => Next::Nothing,
        },
    }
}

/// What the task does next.
enum Next {
    Batch(Box<Queued>),
    Step(Box<dyn Step>),
    End(Option<oneshot::Sender<()>>),
    Flush,
    Nothing,
}

impl From<Message> for Next {
    fn from(message: Message) -> Self {
        match message {
            Message::Batch(queued) => Self::Batch(queued),
            Message::Step(step) => Self::Step(step),
            Message::Close(reply) => Self::End(Some(reply)),
        }
    }
}
