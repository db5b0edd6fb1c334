//! The one task of this process that writes. What waits goes into one transaction; if that fails, each batch is tried alone, so that a bad one takes
//! nothing with it. A lost connection is made anew and the same written again, which is harmless: every row has its id. Nothing is
//! acknowledged before its commit was.

mod group;
mod prepared;
mod rows;
mod step;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::{AnyConnection, Connection as _};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

pub(crate) use prepared::Prepared;
pub(crate) use step::{Answering, Doing, Step};

use crate::error::StoreError;
use crate::place::{Backend, Place};
use crate::trouble::{Remedy, Trouble};
use group::Outcomes;
use step::Group;

/// What waits to be written, in KiB: more is refused.
const ROOM: u32 = 64 * 1024;
/// The least that a batch counts for, so that there is a bound on their number too.
const LEAST: u32 = 8;
/// How long a batch waits for room before it is refused.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(5);
/// How much one transaction takes.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 8 << 20;
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

/// The way to the task.
#[derive(Debug)]
pub(crate) struct Writer {
    sender: mpsc::UnboundedSender<Message>,
    room: Arc<Semaphore>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicUsize,
    at_risk: AtomicUsize,
    lost: AtomicU64,
}

#[derive(Debug)]
enum Message {
    Batch(Box<Queued>),
    Step(Box<dyn Step>),
    Close(oneshot::Sender<()>),
}

/// A batch that waits. Counted as long as it lives.
#[derive(Debug)]
struct Queued {
    batch: Prepared,
    size: usize,
    /// Who waits for it; nobody, if it only has to be soon.
    reply: Option<oneshot::Sender<Result<Option<i64>, StoreError>>>,
    counts: Arc<Counts>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Writer {
    /// Starts the task. `changed` is told of changes after their commit.
    pub(crate) fn start(place: Place, connection: AnyConnection, changed: Arc<Notify>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let counts = Arc::new(Counts::default());
        let task = Task {
            place,
            connection: Some(connection),
            changed,
            counts: Arc::clone(&counts),
            soon: Vec::new(),
            flush_at: None,
            is_down: false,
        };
        tokio::spawn(task.run(receiver));
        Self { sender, room: Arc::new(Semaphore::new(ROOM as usize)), counts }
    }

    /// Returns after the commit.
    pub(crate) async fn write(&self, batch: Prepared) -> Result<Option<i64>, StoreError> {
        let size = batch.size();
        let wait = timeout(WAIT_FOR_ROOM, Arc::clone(&self.room).acquire_many_owned(share(size)));
        let Ok(room) = wait.await else { return Err(self.overloaded()) };
        let (reply, answer) = oneshot::channel();
        self.send(batch, size, Some(reply), room.map_err(|_| StoreError::Closed)?)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Returns at once.
    pub(crate) fn write_soon(&self, batch: Prepared) -> Result<(), StoreError> {
        let size = batch.size();
        let room = Arc::clone(&self.room).try_acquire_many_owned(share(size)).map_err(|_| self.overloaded())?;
        self.counts.at_risk.fetch_add(1, Ordering::Relaxed);
        let sent = self.send(batch, size, None, room);
        if sent.is_err() {
            self.counts.at_risk.fetch_sub(1, Ordering::Relaxed);
        }
        sent
    }

    fn send(
        &self,
        batch: Prepared,
        size: usize,
        reply: Option<oneshot::Sender<Result<Option<i64>, StoreError>>>,
        room: OwnedSemaphorePermit,
    ) -> Result<(), StoreError> {
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        let queued = Queued { batch, size, reply, counts: Arc::clone(&self.counts), _room: room };
        self.sender.send(Message::Batch(Box::new(queued))).map_err(|_| StoreError::Closed)
    }

    /// A transaction of its own, in its turn.
    pub(crate) fn step(&self, step: Box<dyn Step>) -> Result<(), StoreError> {
        self.sender.send(Message::Step(step)).map_err(|_| StoreError::Closed)
    }

    /// Writes what waits, then ends the task.
    pub(crate) async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.sender.send(Message::Close(reply)).is_ok() {
            // An error says that the task is gone, which is what is wanted.
            let _ended = done.await;
        }
    }

    pub(crate) fn at_risk(&self) -> usize {
        self.counts.at_risk.load(Ordering::Relaxed)
    }

    pub(crate) fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }

    fn overloaded(&self) -> StoreError {
        StoreError::Overloaded { waiting: self.counts.waiting.load(Ordering::Relaxed) }
    }
}

/// The room that a batch takes, in KiB.
fn share(size: usize) -> u32 {
    u32::try_from(size / 1024).unwrap_or(ROOM).clamp(LEAST, ROOM)
}

struct Task {
    place: Place,
    connection: Option<AnyConnection>,
    changed: Arc<Notify>,
    counts: Arc<Counts>,
    /// What is not urgent, and when it is.
    soon: Vec<Queued>,
    flush_at: Option<Instant>,
    /// The last try found no database.
    is_down: bool,
}

impl Task {
    async fn run(mut self, mut receiver: mpsc::UnboundedReceiver<Message>) {
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
            // What waits already goes with it, up to a step or the end.
            while let Next::Batch(queued) = next {
                size += queued.size;
                if queued.reply.is_some() {
                    group.push(*queued);
                } else {
                    self.soon.push(*queued);
                }
                is_full = group.len() + self.soon.len() >= GROUP || size >= GROUP_BYTES;
                next = if is_full { Next::Nothing } else { receiver.try_recv().map_or(Next::Nothing, Next::from) };
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
            if queued.batch.batch.activation.is_some() {
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

/// Writes a batch in a transaction that does more than that.
pub(crate) async fn write_alone(
    connection: &mut AnyConnection,
    backend: Backend,
    batch: &Prepared,
) -> Result<(), Trouble> {
    for outcome in group::write(connection, backend, &[batch]).await? {
        outcome?;
    }
    Ok(())
}

/// Wakes who waits for changes, or who comes next: a change between two waits is not missed.
pub(crate) fn tell(changed: &Notify) {
    changed.notify_waiters();
    changed.notify_one();
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
