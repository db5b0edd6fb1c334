//! What can go wrong with the store.

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The URL or path cannot be used.
    #[error("the database {url}: {why}")]
    Address {
        /// As it was given, without its password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Another process has this SQLite file.
    #[error("the database {path} is in use by another process{by}")]
    InUse {
        /// The file.
        path: String,
        /// ` (process 4711)`, where it said so.
        by: String,
    },
    /// The schema is not the one this version works with.
    #[error("the database has schema {found}, and this version works with {known}")]
    Schema {
        /// What the database has.
        found: i64,
        /// What this version knows.
        known: i64,
    },
    /// What is there would be lost, or mixed with something else.
    #[error("the database {url} is not empty")]
    NotEmpty {
        /// As it was given, without its password.
        url: String,
    },
    /// Somebody else was first: what the batch is about is no longer as it says.
    #[error("{what} has changed meanwhile")]
    Conflict {
        /// What.
        what: &'static str,
    },
    /// The same idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// More is waiting to be written than is kept in memory.
    #[error("the store is behind: {waiting} batches wait to be written")]
    Overloaded {
        /// How many wait.
        waiting: usize,
    },
    /// The store is being closed.
    #[error("the store is closed")]
    Closed,
    /// A row does not hold what it should.
    #[error("the database holds a {what} that cannot be read: {why}")]
    Unreadable {
        /// Which.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The database did not do it.
    #[error("the database failed while {doing}: {why}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What it said, without secrets.
        why: String,
    },
}
