//! How the store is: for operators.

use sqlx::{Connection as _, Row as _};

use crate::place::{Backend, Place};
use crate::trouble::Trouble;
use crate::{Result, SCHEMA, Store, lock, schema, tables};

const DOING: &str = "reading the status";

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which database.
    pub backend: Backend,
    /// Its URL, without a password.
    pub url: String,
    /// The schema it has; 0: none yet.
    pub schema: i64,
    /// The schema this version works with.
    pub known: i64,
    /// How many rows each table has; none where the schema is another.
    pub rows: Vec<(&'static str, u64)>,
    /// How large it is on disk.
    pub size_bytes: u64,
    /// Entries of the audit log that wait for their place.
    pub unsequenced: u64,
    /// Jobs that were given up.
    pub dead_jobs: u64,
}

impl Store {
    /// How the store is. Counts every row: on a large database this takes a while.
    pub async fn status(&self) -> Result<Status> {
        let place = &self.inner.place;
        // A connection of its own: counting may take longer than a read.
        let mut connection = place.connect().await.map_err(|trouble| trouble.while_doing("connecting"))?;
        let schema = schema::found(place, &mut connection).await?;
        let mut status = Status {
            backend: place.backend,
            url: place.shown.clone(),
            schema,
            known: SCHEMA,
            rows: Vec::new(),
            size_bytes: 0,
            unsequenced: 0,
            dead_jobs: 0,
        };
        let size = match place.backend {
            Backend::Sqlite => "SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()",
            Backend::Postgres => "SELECT pg_database_size(current_database()) AS n",
        };
        let mut asked = vec![size.to_owned()];
        if schema == SCHEMA {
            asked.push("SELECT COUNT(*) AS n FROM leaves WHERE place IS NULL".to_owned());
            asked.push("SELECT COUNT(*) AS n FROM jobs WHERE due_at IS NULL".to_owned());
            asked.extend(tables::ALL.iter().map(|table| format!("SELECT COUNT(*) AS n FROM {}", table.name)));
        }
        let mut counts = Vec::with_capacity(asked.len());
        for sql in asked {
            let count =
                async { sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await?.try_get::<i64, _>(0) };
            let count = count.await.map_err(|error| Trouble::from(error).while_doing(DOING))?;
            counts.push(u64::try_from(count).unwrap_or(0));
        }
        // Only looked at.
        let _closed = connection.close().await;
        let mut counts = counts.into_iter();
        let mut next = || counts.next().unwrap_or(0);
        status.size_bytes = next();
        if schema == SCHEMA {
            (status.unsequenced, status.dead_jobs) = (next(), next());
            status.rows = tables::ALL.iter().map(|table| (table.name, next())).collect();
        }
        Ok(status)
    }
}

/// Brings the schema of a database up to date; gives the one it had (0: none), and the one it has.
pub async fn migrate(url: &str) -> Result<(i64, i64)> {
    let place = Place::of(url)?;
    let _lock = lock::take(&place)?;
    lock::make_file(&place)?;
    let mut connection = place.connect().await.map_err(|trouble| trouble.while_doing("connecting"))?;
    let found = schema::found(&place, &mut connection).await?;
    schema::settle(&place, &mut connection, true).await?;
    // What was done is committed.
    let _closed = connection.close().await;
    Ok((found, SCHEMA))
}
