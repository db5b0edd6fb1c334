//! The store: what was decided, on what, for whom, and what changed, in SQLite (one process) or PostgreSQL (several), through one code path.
//!
//! One writer task per process puts what waits into one transaction (group commit); [`Store::write`] returns when that is durable. Nothing here
//! judges, and nothing here knows what a leaf's bytes mean.
#![warn(missing_docs)]

mod backup;
mod batch;
mod error;
mod jobs;
mod listen;
mod lock;
mod log;
mod packed;
mod place;
mod portable;
mod query;
mod read;
mod retention;
mod rows;
mod schema;
mod status;
mod tables;
mod trouble;
mod value;
mod writer;

pub use backup::restore;
pub use batch::{Activation, Batch, Idempotency};
pub use error::StoreError;
pub use packed::pack;
pub use place::Backend;
pub use query::{DecisionQuery, ItemQuery, LeafQuery};
pub use retention::Forgettable;
pub use rows::{
    ActivationRow, AnswerRow, Change, DecisionRow, EvidenceRow, ItemRow, Job, LeafRow, LogHead, LogNode, NewJob,
    PackagesRow, PolicyRow, PromotionRow, Scope, SignalRow, WorkloadRow,
};
pub use schema::SCHEMA;
pub use status::{Status, migrate};

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AnyPool, Connection as _};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use place::Place;
use trouble::Trouble;
use value::{Value, arguments, statement};
use writer::{Answering, Doing, Prepared, Writer};

type Result<T> = std::result::Result<T, StoreError>;

/// The longest that a read takes.
const READ: Duration = Duration::from_secs(10);

/// Where the store is.
#[derive(Clone)]
pub struct Options {
    /// `sqlite:PATH` or `postgres://…`
    pub url: String,
    /// Bring an older schema, or an empty database, to the one of this version.
    pub migrate: bool,
    /// How many connections to read with.
    pub readers: u32,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        write!(f, "Options {{ migrate: {}, readers: {} }}", self.migrate, self.readers)
    }
}

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    readers: AnyPool,
    /// `None`: it may only be looked at.
    writer: Option<Writer>,
    changed: Arc<Notify>,
    listener: Option<AbortHandle>,
    /// Last: other processes may open the database when everything else is gone.
    _lock: Option<lock::Lock>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

impl Store {
    /// Opens the database, to write to it. A SQLite file belongs to one process: a second one is refused.
    pub async fn open(options: Options) -> Result<Self> {
        let place = Place::of(&options.url)?;
        let lock = lock::take(&place)?;
        lock::make_file(&place)?;
        let mut connection = place.connect().await.map_err(|trouble| trouble.while_doing("connecting"))?;
        schema::settle(&place, &mut connection, options.migrate).await?;
        let changed = Arc::new(Notify::new());
        let readers = place.pool(options.readers).map_err(|error| Trouble::from(error).while_doing("connecting"))?;
        let listener = (place.backend == Backend::Postgres).then(|| listen::start(place.clone(), Arc::clone(&changed)));
        let writer = Some(Writer::start(place.clone(), connection, Arc::clone(&changed)));
        Ok(Self { inner: Arc::new(Inner { place, readers, writer, changed, listener, _lock: lock }) })
    }

    /// Opens the database to look at it, while another process may be serving from it. Writes are refused, and an older schema is left as it is.
    pub async fn look(url: &str) -> Result<Self> {
        let place = Place::of(url)?;
        if let Some(file) = place.file.as_deref().filter(|file| !file.is_file()) {
            return Err(StoreError::Address { url: place.shown, why: format!("{} is no file", file.display()) });
        }
        let mut connection = place.connect().await.map_err(|trouble| trouble.while_doing("connecting"))?;
        let found = schema::found(&place, &mut connection).await?;
        if found > SCHEMA {
            return Err(StoreError::Schema { found, known: SCHEMA });
        }
        // It has done what it was for.
        let _closed = connection.close().await;
        let readers = place.pool(2).map_err(|error| Trouble::from(error).while_doing("connecting"))?;
        let inner = Inner { place, readers, writer: None, changed: Arc::default(), listener: None, _lock: None };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// One transaction, durable before this returns. With changes in it: the number of the last one.
    pub async fn write(&self, batch: Batch) -> Result<Option<i64>> {
        self.writer()?.write(Prepared::from(batch)).await
    }

    /// Into the next group commit (within a second); returns at once. While the database is not there it is kept for as long as there is room.
    pub fn write_soon(&self, batch: Batch) -> Result<()> {
        self.writer()?.write_soon(Prepared::from(batch))
    }

    /// Batches of `write_soon` that are not durable yet.
    pub fn at_risk(&self) -> usize {
        self.inner.writer.as_ref().map_or(0, Writer::at_risk)
    }

    /// Batches of `write_soon` that the database refused for good, since the start.
    pub fn lost(&self) -> u64 {
        self.inner.writer.as_ref().map_or(0, Writer::lost)
    }

    /// Writes what waits, then closes. What is sent afterwards is refused.
    pub async fn close(&self) {
        if let Some(writer) = &self.inner.writer {
            writer.close().await;
        }
        if let Some(listener) = &self.inner.listener {
            listener.abort();
        }
        self.inner.readers.close().await;
    }

    /// Returns when something changed since it last returned: on PostgreSQL by another process too, on SQLite by this one. May return
    /// without a change, and sees none while the connection is away: whoever has to know asks for [`Self::sequence`] from time to time.
    pub async fn changed(&self) {
        self.inner.changed.notified().await;
    }

    /// Which database it is.
    pub fn backend(&self) -> Backend {
        self.inner.place.backend
    }

    fn writer(&self) -> Result<&Writer> {
        self.inner.writer.as_ref().ok_or(StoreError::Closed)
    }

    /// Does something in a transaction of the writer, in its turn. It may be done several times; what is committed counts.
    async fn transact<T, F>(&self, doing: &'static str, patience: Option<Duration>, act: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnMut(&'a mut AnyConnection) -> Doing<'a, T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.writer()?.step(Box::new(Answering { doing, patience, act, answer: None, reply }))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// The rows that a statement finds.
    async fn rows(&self, doing: &'static str, sql: &str, values: &[Value<'_>]) -> Result<Vec<AnyRow>> {
        let query = statement(sql, arguments(values).map_err(|trouble| trouble.while_doing(doing))?);
        self.in_time(doing, query.fetch_all(&self.inner.readers)).await
    }

    /// The row that a statement finds, if there is one.
    async fn row(&self, doing: &'static str, sql: &str, values: &[Value<'_>]) -> Result<Option<AnyRow>> {
        let query = statement(sql, arguments(values).map_err(|trouble| trouble.while_doing(doing))?);
        self.in_time(doing, query.fetch_optional(&self.inner.readers)).await
    }

    async fn in_time<T>(
        &self,
        doing: &'static str,
        read: impl Future<Output = std::result::Result<T, sqlx::Error>>,
    ) -> Result<T> {
        match tokio::time::timeout(READ, read).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(sqlx::Error::PoolClosed)) => Err(StoreError::Closed),
            Ok(Err(error)) => Err(Trouble::from(error).while_doing(doing)),
            Err(_) => Err(Trouble::Silence(READ).while_doing(doing)),
        }
    }
}
