//! The schema: explicit, numbered steps, and what is refused. A step that was released is never changed; the next one is added.

use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _, SqlSafeStr as _};

use crate::StoreError;
use crate::place::{Backend, Place};
use crate::trouble::Trouble;

const DOING: &str = "looking at the schema";

/// How long a database may take to say which schema it has.
const LOOK: Duration = Duration::from_secs(10);

/// Every step: its number, what it is about, and what it does.
const STEPS: &[(i64, &str, &str)] =
    &[(1, "first", include_str!("migrations/0001_first.sql")), (2, "items", include_str!("migrations/0002_items.sql"))];

/// The schema this version works with.
pub const SCHEMA: i64 = 2;

/// The step as this database takes it. PostgreSQL compares text byte by byte, as SQLite does.
fn spelled(backend: Backend, sql: &str) -> String {
    match backend {
        Backend::Sqlite => sql.replace("BIGINT", "INTEGER"),
        Backend::Postgres => {
            sql.replace(" TEXT", " TEXT COLLATE \"C\"").replace(" BLOB", " BYTEA").replace(" WITHOUT ROWID", "")
        }
    }
}

fn migrator(backend: Backend) -> Migrator {
    let steps = STEPS.iter().map(|(number, about, sql)| {
        let sql = AssertSqlSafe(spelled(backend, sql)).into_sql_str();
        Migration::new(*number, (*about).into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(steps.collect())
}

/// The schema of the database; 0: it has none.
pub(crate) async fn found(place: &Place, connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let exists = match place.backend {
        Backend::Sqlite => "SELECT COUNT(*) AS n FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
        Backend::Postgres => "SELECT COUNT(*) AS n FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')",
    };
    let ask = async {
        let tables: i64 = sqlx::query(exists).fetch_one(&mut *connection).await?.try_get(0)?;
        if tables == 0 {
            return Ok(0);
        }
        let newest =
            sqlx::query("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(connection).await?;
        newest.try_get::<i64, _>(0)
    };
    match tokio::time::timeout(LOOK, ask).await {
        Ok(found) => found.map_err(|error| Trouble::from(error).while_doing(DOING)),
        Err(_) => Err(Trouble::Silence(LOOK).while_doing(DOING)),
    }
}

/// Refuses what this version does not work with, without a change; brings an older schema to this version's if that is wanted.
pub(crate) async fn settle(place: &Place, connection: &mut AnyConnection, migrate: bool) -> Result<(), StoreError> {
    let found = found(place, connection).await?;
    if found == SCHEMA {
        return Ok(());
    }
    if found > SCHEMA || !migrate {
        return Err(StoreError::Schema { found, known: SCHEMA });
    }
    migrator(place.backend)
        .run_direct(None, connection, false)
        .await
        .map_err(|error| StoreError::Database { doing: "bringing the schema up to date", why: error.to_string() })
}
