//! The one task of this process that writes. What waits goes into one transaction; if that fails, each batch is tried alone, so that a bad one takes
//! nothing with it. A lost connection is made anew and the same written again, which is harmless: every row has its id. Nothing is
//! acknowledged before its commit was.

mod group;
mod prepared;
mod rows;
mod step;
mod task;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::AnyConnection;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

pub(crate) use prepared::Prepared;
pub(crate) use step::{Answering, Doing, Step};

use crate::error::StoreError;
use crate::place::Place;
use task::Task;

/// What waits to be written, in KiB: more is refused.
const ROOM: u32 = 64 * 1024;
/// The least that a batch counts for, so that there is a bound on their number too.
const LEAST: u32 = 8;
/// How long a batch waits for room before it is refused.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(5);
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
            company: 0,
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

/// Wakes who waits for changes, or who comes next: a change between two waits is not missed.
pub(crate) fn tell(changed: &Notify) {
    changed.notify_waiters();
    changed.notify_one();
}
