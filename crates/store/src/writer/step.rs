//! What is done in one transaction, as often as it takes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use sqlx::AnyConnection;
use tokio::sync::oneshot;

use super::group::{self, Outcomes};
use super::prepared::Prepared;
use crate::error::StoreError;
use crate::place::Backend;
use crate::trouble::Trouble;

/// A future that may be sent to another thread.
pub(crate) type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'a>>;

/// What is done in one transaction. May be run several times; only what was committed counts.
pub(crate) trait Step: Send + fmt::Debug {
    /// Does it.
    fn run<'a>(&'a mut self, connection: &'a mut AnyConnection) -> Doing<'a, ()>;
    /// How long it is tried, if that is not as long as a batch.
    fn patience(&self) -> Option<Duration> {
        None
    }
    /// Tells who waits.
    fn finish(self: Box<Self>, outcome: Result<(), Trouble>);
}

/// Batches that go together.
pub(super) struct Group<'b> {
    batches: Vec<&'b Prepared>,
    backend: Backend,
    pub(super) outcomes: Outcomes,
}

impl<'b> Group<'b> {
    pub(super) fn of(batches: Vec<&'b Prepared>, backend: Backend) -> Self {
        Self { batches, backend, outcomes: Vec::new() }
    }
}

impl fmt::Debug for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({})", self.batches.len())
    }
}

impl Step for Group<'_> {
    fn run<'a>(&'a mut self, connection: &'a mut AnyConnection) -> Doing<'a, ()> {
        Box::pin(async move {
            self.outcomes = group::write(connection, self.backend, &self.batches).await?;
            Ok(())
        })
    }

    fn finish(self: Box<Self>, _: Result<(), Trouble>) {}
}

/// A step with an answer.
pub(crate) struct Answering<T, F> {
    pub(crate) doing: &'static str,
    pub(crate) patience: Option<Duration>,
    /// Does it.
    pub(crate) act: F,
    /// What came of it, until the commit.
    pub(crate) answer: Option<T>,
    /// Who waits.
    pub(crate) reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> fmt::Debug for Answering<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.doing)
    }
}

impl<T, F> Step for Answering<T, F>
where
    T: Send,
    F: for<'a> FnMut(&'a mut AnyConnection) -> Doing<'a, T> + Send,
{
    fn run<'a>(&'a mut self, connection: &'a mut AnyConnection) -> Doing<'a, ()> {
        Box::pin(async move {
            self.answer = Some((self.act)(connection).await?);
            Ok(())
        })
    }

    fn patience(&self) -> Option<Duration> {
        self.patience
    }

    fn finish(self: Box<Self>, outcome: Result<(), Trouble>) {
        let answer = match (outcome, self.answer) {
            (Ok(()), Some(answer)) => Ok(answer),
            (Ok(()), None) => Err(StoreError::Closed),
            (Err(trouble), _) => Err(trouble.while_doing(self.doing)),
        };
        // Who asked may be gone.
        drop(self.reply.send(answer));
    }
}
