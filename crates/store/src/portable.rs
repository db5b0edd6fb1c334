//! Every table as lines of JSON, to move from one database to the other: a header; per table a line that names its columns, and a line per row; last, how
//! many rows there were, and the SHA-256 of every byte before. Bytes are base64.

mod import;

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt as _;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

pub(crate) use import::is_empty;

use crate::error::StoreError;
use crate::place::Backend;
use crate::tables::{self, Kind, Table};
use crate::trouble::Trouble;
use crate::{Result, SCHEMA, Store, schema};

const DOING: &str = "exporting";
/// The form of an export.
const FORM: &str = "ecr-gate.dev/store-export/v1";

impl Store {
    /// Writes every table, as of one moment, and gives the number of rows. The database may be in use meanwhile.
    pub async fn export_tables(&self, out: &mut (dyn Write + Send)) -> Result<u64> {
        let place = &self.inner.place;
        let mut connection = place.connect().await.map_err(|trouble| trouble.while_doing("connecting"))?;
        let found = schema::found(place, &mut connection).await?;
        if found != SCHEMA {
            return Err(StoreError::Schema { found, known: SCHEMA });
        }
        let begin = match place.backend {
            Backend::Sqlite => "BEGIN",
            Backend::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let mut transaction =
            connection.begin_with(begin).await.map_err(|error| Trouble::from(error).while_doing(DOING))?;
        let mut lines = Lines { out, hash: Sha256::new(), rows: 0 };
        lines.write(&json!({"schema": FORM, "store": SCHEMA}))?;
        for table in tables::ALL {
            export(&mut transaction, table, &mut lines).await?;
        }
        // Nothing was changed.
        let _ended = transaction.rollback().await;
        lines.end()
    }
}

async fn export(connection: &mut AnyConnection, table: &Table, lines: &mut Lines<'_>) -> Result<()> {
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    lines.write(&json!({"columns": names, "table": table.name}))?;
    let sql = format!("SELECT {} FROM {} ORDER BY {}", table.column_list(), table.name, table.key_list());
    let failed = |error| Trouble::from(error).while_doing(DOING);
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let cells: std::result::Result<Vec<Json>, sqlx::Error> =
            table.columns.iter().enumerate().map(|(place, (_, kind))| cell(&row, place, *kind)).collect();
        lines.write(&Json::Array(cells.map_err(failed)?))?;
        lines.rows += 1;
    }
    Ok(())
}

fn cell(row: &AnyRow, place: usize, kind: Kind) -> std::result::Result<Json, sqlx::Error> {
    Ok(match kind {
        Kind::Int => row.try_get::<Option<i64>, _>(place)?.into(),
        Kind::Text => row.try_get::<Option<String>, _>(place)?.into(),
        Kind::Blob => row.try_get::<Option<Vec<u8>>, _>(place)?.map(|bytes| STANDARD.encode(bytes)).into(),
    })
}

/// Lines on their way out.
struct Lines<'o> {
    out: &'o mut (dyn Write + Send),
    hash: Sha256,
    rows: u64,
}

impl Lines<'_> {
    fn write(&mut self, value: &Json) -> Result<()> {
        let mut line = value.to_string();
        line.push('\n');
        self.hash.update(&line);
        self.out.write_all(line.as_bytes()).map_err(|error| unwritten(&error))
    }

    fn end(self) -> Result<u64> {
        let Self { out, hash, rows } = self;
        let last = json!({"rows": rows, "sha256": hex::encode(hash.finalize())});
        writeln!(out, "{last}").and_then(|()| out.flush()).map_err(|error| unwritten(&error))?;
        Ok(rows)
    }
}

fn unwritten(error: &std::io::Error) -> StoreError {
    StoreError::Database { doing: DOING, why: format!("it cannot be written: {error}") }
}
