//! The same rows by bare INSERTs: what a store cannot be faster than by much.

use std::time::{Duration, Instant};

use model::Digest;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use store::{Backend, Batch};

use crate::Outcome;
use crate::databases::Databases;
use crate::rows::{batch, now};

/// As the store sets them.
const PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864;";

pub(crate) enum Bare {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Bare {
    pub(crate) async fn open(databases: &Databases, name: &str) -> Outcome<Self> {
        let url = databases.make(name).await?;
        store::migrate(&url).await?;
        match databases.backend() {
            Backend::Sqlite => {
                let mut connection = SqliteConnection::connect(&url).await?;
                connection.execute(PRAGMAS).await?;
                Ok(Self::Sqlite(connection))
            }
            Backend::Postgres => Ok(Self::Postgres(PgConnection::connect(&url).await?)),
        }
    }

    pub(crate) async fn close(self) -> Outcome<()> {
        match self {
            Self::Sqlite(connection) => Ok(connection.close().await?),
            Self::Postgres(connection) => Ok(connection.close().await?),
        }
    }

    /// One transaction after the other, each with this many batches. They are made ready beside, as in the other run.
    pub(crate) async fn record(&mut self, group: u64, from: u64, during: Duration) -> Outcome<(u64, Duration)> {
        let (sender, mut ready) = tokio::sync::mpsc::channel(4);
        let producer = tokio::spawn(async move {
            let mut number = from;
            loop {
                let batches: Vec<Batch> = (number..number + group).map(batch).collect();
                number += group;
                if sender.send(batches).await.is_err() {
                    return;
                }
            }
        });
        let begun = Instant::now();
        let mut written = 0;
        while begun.elapsed() < during {
            let batches = ready.recv().await.ok_or("nothing was made ready")?;
            match self {
                Self::Sqlite(connection) => on_sqlite(connection, "BEGIN IMMEDIATE", &batches).await?,
                Self::Postgres(connection) => on_postgres(connection, "BEGIN", &batches).await?,
            }
            written += group;
        }
        let took = begun.elapsed();
        drop(ready);
        producer.await?;
        Ok((written, took))
    }
}

fn into(table: &str, columns: usize, rows: usize) -> AssertSqlSafe<String> {
    let row = |row: usize| {
        let places: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    AssertSqlSafe(format!("INSERT INTO {table} VALUES {}", (0..rows).map(row).collect::<Vec<_>>().join(", ")))
}

const DECISIONS: &str = "decisions (id, repository, digest, environment, verdict, policy, facts, recorded_at, valid_until, children, record)";
const ANSWERS: &str = "answers (id, decision, point, basis, asked_by, pipeline, commit_id, trace_id, at, times)";

/// One function for each driver: both take the same statements.
macro_rules! insert {
    ($name:ident, $connection:ty) => {
        async fn $name(connection: &mut $connection, begin: &'static str, batches: &[Batch]) -> Outcome<()> {
            let mut transaction = connection.begin_with(begin).await?;
            let rows = batches.len();
            let mut query = sqlx::query(into("evidence (digest, media_type, stored_at, bytes)", 4, rows));
            for row in batches.iter().flat_map(|batch| &batch.evidence) {
                let at = now().as_millisecond();
                query = query.bind(row.digest.as_str()).bind(&row.media_type).bind(at).bind(row.bytes.as_slice());
            }
            query.execute(&mut *transaction).await?;
            let mut query = sqlx::query(into(DECISIONS, 11, rows));
            for row in batches.iter().flat_map(|batch| &batch.decisions) {
                query = query.bind(&row.id).bind(&row.repository).bind(row.digest.as_str()).bind(&row.environment);
                query = query.bind("allow").bind(row.policy.as_str()).bind(row.facts.as_ref().map(Digest::as_str));
                query = query.bind(row.recorded_at.as_millisecond()).bind(None::<i64>).bind("[]");
                query = query.bind(row.record.as_slice());
            }
            query.execute(&mut *transaction).await?;
            let mut query = sqlx::query(into("latest_decisions (repository, digest, environment, decision)", 4, rows));
            for row in batches.iter().flat_map(|batch| &batch.decisions) {
                query = query.bind(&row.repository).bind(row.digest.as_str()).bind(&row.environment).bind(&row.id);
            }
            query.execute(&mut *transaction).await?;
            let mut query = sqlx::query(into(ANSWERS, 10, rows));
            for row in batches.iter().flat_map(|batch| &batch.answers) {
                query = query.bind(&row.id).bind(&row.decision).bind(&row.point).bind(&row.basis);
                query = query.bind(row.asked_by.as_deref()).bind(row.pipeline.as_deref()).bind(row.commit.as_deref());
                query = query.bind(row.trace_id.as_deref()).bind(row.at.as_millisecond()).bind(row.times);
            }
            query.execute(&mut *transaction).await?;
            let mut query =
                sqlx::query(into("leaves (id, kind, subject, repository, at, hash, place, bytes)", 8, rows));
            for row in batches.iter().flat_map(|batch| &batch.leaves) {
                query = query.bind(&row.id).bind(&row.kind).bind(row.subject.as_ref().map(Digest::as_str));
                query = query.bind(row.repository.as_deref()).bind(row.at.as_millisecond()).bind(row.hash.as_slice());
                query = query.bind(None::<i64>).bind(row.bytes.as_slice());
            }
            query.execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(())
        }
    };
}
insert!(on_sqlite, SqliteConnection);
insert!(on_postgres, PgConnection);
