//! Where databases are made.

use std::path::PathBuf;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use store::{Backend, Options, Store};

use crate::Outcome;

pub(crate) enum Databases {
    /// Files in a folder. Not where temporary files are in memory: durable is the point.
    Sqlite(PathBuf),
    /// Databases on a server: its URL without one.
    Postgres(String),
}

impl Databases {
    pub(crate) fn at(place: &str) -> Outcome<Self> {
        match place.strip_prefix("sqlite:") {
            Some(folder) => Ok(Self::Sqlite(folder.into())),
            None if place.starts_with("postgres://") => Ok(Self::Postgres(place.trim_end_matches('/').to_owned())),
            None => Err("neither sqlite:FOLDER nor postgres://…".into()),
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            Self::Sqlite(_) => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }

    pub(crate) fn file(&self, name: &str) -> Option<PathBuf> {
        match self {
            Self::Sqlite(folder) => Some(folder.join(format!("{name}.db"))),
            Self::Postgres(_) => None,
        }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", folder.join(format!("{name}.db")).display()),
            Self::Postgres(server) => format!("{server}/{name}"),
        }
    }

    /// A new database with this name; its URL.
    pub(crate) async fn make(&self, name: &str) -> Outcome<String> {
        if let Self::Postgres(server) = self {
            let mut connection = PgConnection::connect(&format!("{server}/postgres")).await?;
            connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).await?;
            connection.close().await?;
        }
        Ok(self.url(name))
    }

    /// The store in a database that is there.
    pub(crate) async fn open(&self, name: &str) -> Outcome<Store> {
        Ok(Store::open(Options { url: self.url(name), migrate: true, readers: 1 }).await?)
    }

    /// A store in a new database, to be filled: PostgreSQL does not wait for the disk.
    pub(crate) async fn fill(&self, name: &str) -> Outcome<Store> {
        let mut url = self.make(name).await?;
        if self.backend() == Backend::Postgres {
            url.push_str("?options=-c%20synchronous_commit%3Doff");
        }
        Ok(Store::open(Options { url, migrate: true, readers: 1 }).await?)
    }

    /// How many transactions wrote leaves to this database. SQLite says how many wrote anything.
    pub(crate) async fn transactions(&self, name: &str) -> Outcome<u64> {
        let Some(file) = self.file(name) else {
            return self.count(name, "SELECT COUNT(DISTINCT xmin::text) FROM leaves").await;
        };
        // The counter in the header of the WAL index.
        let mut index = file.into_os_string();
        index.push("-shm");
        let index = std::fs::read(index)?;
        let counter: [u8; 4] = index.get(8..12).ok_or("the WAL index is too short")?.try_into()?;
        Ok(u32::from_ne_bytes(counter).into())
    }

    /// What PostgreSQL counted: rows of indexes and tables that were read in this database, without the system's own. Connections that are
    /// closed are in it.
    pub(crate) async fn rows_read(&self, name: &str) -> Outcome<u64> {
        let sql = "SELECT (COALESCE((SELECT SUM(seq_tup_read) FROM pg_stat_user_tables), 0) \
                   + COALESCE((SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes), 0))::bigint";
        self.count(name, sql).await
    }

    pub(crate) async fn count(&self, name: &str, sql: &'static str) -> Outcome<u64> {
        let mut connection = PgConnection::connect(&self.url(name)).await?;
        let count: i64 = sqlx::query(sql).fetch_one(&mut connection).await?.try_get(0)?;
        connection.close().await?;
        Ok(count.try_into()?)
    }
}
