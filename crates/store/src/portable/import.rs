//! The way back: into an empty database, all of it or nothing.

use std::io::{BufRead, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::FORM;
use crate::error::StoreError;
use crate::place::Backend;
use crate::tables::{self, Kind, Table};
use crate::trouble::Trouble;
use crate::value::{Value, arguments, places, statement};
use crate::{Result, SCHEMA, Store};

const DOING: &str = "importing";
/// The longest line: the largest piece of evidence as base64, and then some.
const LINE: u64 = 512 << 20;
/// How many rows, or how many bytes, go into one statement.
const ROWS: usize = 64;
const BYTES: usize = 4 << 20;

impl Store {
    /// Reads what [`Store::export_tables`] wrote into an empty database, in one transaction, and gives the number of rows. An export that is cut off or was
    /// changed leaves nothing behind.
    pub async fn import_tables(&self, from: &mut (dyn BufRead + Send)) -> Result<u64> {
        self.writer()?;
        let place = &self.inner.place;
        let mut connection = place.connect().await.map_err(|trouble| trouble.while_doing("connecting"))?;
        let failed = |error: sqlx::Error| Trouble::from(error).while_doing(DOING);
        let mut transaction = connection.begin_with(place.backend.begin()).await.map_err(failed)?;
        if place.backend == Backend::Postgres {
            let names: Vec<&str> = tables::ALL.iter().map(|table| table.name).collect();
            let sql = format!("LOCK TABLE {} IN EXCLUSIVE MODE", names.join(", "));
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *transaction).await.map_err(failed)?;
        }
        if !is_empty(&mut transaction).await.map_err(|trouble| trouble.while_doing(DOING))? {
            return Err(StoreError::NotEmpty { url: place.shown.clone() });
        }
        // It has its row in the export.
        sqlx::query("DELETE FROM clock").execute(&mut *transaction).await.map_err(failed)?;
        let rows = import(&mut transaction, &mut Lines { from, hash: Sha256::new(), number: 0 }).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(rows)
    }
}

/// Whether no table holds anything but what the schema put there.
pub(crate) async fn is_empty(connection: &mut AnyConnection) -> std::result::Result<bool, Trouble> {
    for table in tables::ALL {
        let filter = if *table == &tables::CLOCK { "WHERE seq > 0" } else { "" };
        let sql = format!("SELECT 1 AS n FROM {} {filter} LIMIT 1", table.name);
        if sqlx::query(AssertSqlSafe(sql)).fetch_optional(&mut *connection).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn import(connection: &mut AnyConnection, lines: &mut Lines<'_>) -> Result<u64> {
    let header = lines.next()?;
    let schema = header.get("store").and_then(Json::as_i64);
    match (header.get("schema").and_then(Json::as_str), schema) {
        (Some(FORM), Some(found)) if found > SCHEMA => return Err(StoreError::Schema { found, known: SCHEMA }),
        (Some(FORM), Some(_)) => {}
        _ => return Err(lines.wrong("it does not begin as an export does")),
    }
    let mut rows = 0;
    let mut target: Option<Target> = None;
    let mut waiting = Waiting::default();
    loop {
        let hash = lines.hash.clone();
        match lines.next()? {
            Json::Array(cells) => {
                let target = target.as_ref().ok_or_else(|| lines.wrong("a row stands before its table"))?;
                waiting.add(target.row(cells).map_err(|why| lines.wrong(&why))?);
                rows += 1;
                if waiting.rows.len() >= ROWS || waiting.bytes >= BYTES {
                    waiting.insert(connection, target).await?;
                }
            }
            Json::Object(line) => {
                if let Some(target) = &target {
                    waiting.insert(connection, target).await?;
                }
                if line.contains_key("table") {
                    target = Some(Target::of(&line).map_err(|why| lines.wrong(&why))?);
                    continue;
                }
                let said = (line.get("rows").and_then(Json::as_u64), line.get("sha256").and_then(Json::as_str));
                let hash = hex::encode(hash.finalize());
                if said != (Some(rows), Some(hash.as_str())) {
                    return Err(lines.wrong("the last line does not fit what stands before it"));
                }
                lines.end()?;
                break;
            }
            _ => return Err(lines.wrong("it is neither a table nor a row")),
        }
    }
    // Every export has it, and nothing works without it.
    let clock = sqlx::query("SELECT COUNT(*) AS n FROM clock").fetch_one(connection).await;
    match clock.and_then(|row| row.try_get::<i64, _>(0)) {
        Ok(1) => Ok(rows),
        Ok(_) => Err(lines.wrong("it has no clock")),
        Err(error) => Err(Trouble::from(error).while_doing(DOING)),
    }
}

/// Where rows go: a table, and those of its columns that the export has.
struct Target {
    table: &'static Table,
    columns: Vec<(&'static str, Kind)>,
}

impl Target {
    fn of(line: &serde_json::Map<String, Json>) -> std::result::Result<Self, String> {
        let name = line.get("table").and_then(Json::as_str).unwrap_or("");
        let table = tables::ALL.iter().find(|table| table.name == name);
        let table = table.ok_or_else(|| format!("there is no table {name:?}"))?;
        let names = line.get("columns").and_then(Json::as_array).ok_or("a table names no columns")?;
        let column = |name: &Json| {
            let found = table.columns.iter().find(|(known, _)| name.as_str() == Some(*known));
            found.copied().ok_or_else(|| format!("{} has no column {name}", table.name))
        };
        Ok(Self { table, columns: names.iter().map(column).collect::<std::result::Result<_, _>>()? })
    }

    fn row(&self, cells: Vec<Json>) -> std::result::Result<Vec<Cell>, String> {
        if cells.len() != self.columns.len() {
            return Err("a row has other columns than its table".to_owned());
        }
        let cell = |(cell, (name, kind)): (Json, &(&str, Kind))| match (kind, cell) {
            (kind, Json::Null) => Ok(Cell::None(*kind)),
            (Kind::Int, Json::Number(number)) => {
                number.as_i64().map(Cell::Int).ok_or_else(|| format!("{name} is no whole number"))
            }
            (Kind::Text, Json::String(text)) => Ok(Cell::Text(text)),
            (Kind::Blob, Json::String(text)) => {
                STANDARD.decode(text).map(Cell::Blob).map_err(|error| format!("{name} is no base64: {error}"))
            }
            _ => Err(format!("{name} holds something else than it should")),
        };
        cells.into_iter().zip(&self.columns).map(cell).collect()
    }
}

enum Cell {
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
    None(Kind),
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text),
            Self::Blob(bytes) => Value::Blob(bytes),
            Self::None(Kind::Int) => Value::NoInt,
            Self::None(_) => Value::NoText,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
            Self::Int(_) | Self::None(_) => 8,
        }
    }
}

/// Rows of one table that were read and not inserted yet.
#[derive(Default)]
struct Waiting {
    rows: Vec<Vec<Cell>>,
    bytes: usize,
}

impl Waiting {
    fn add(&mut self, row: Vec<Cell>) {
        self.bytes += row.iter().map(Cell::size).sum::<usize>();
        self.rows.push(row);
    }

    async fn insert(&mut self, connection: &mut AnyConnection, target: &Target) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() {
            return Ok(());
        }
        let width = target.columns.len();
        let names: Vec<&str> = target.columns.iter().map(|(name, _)| *name).collect();
        let each: Vec<String> = (0..rows.len()).map(|row| format!("({})", places(row * width + 1, width))).collect();
        let sql = format!("INSERT INTO {} ({}) VALUES {}", target.table.name, names.join(", "), each.join(", "));
        let values: Vec<Value> = rows.iter().flatten().map(Cell::value).collect();
        let inserted = match arguments(&values) {
            Ok(values) => statement(sql, values).execute(connection).await.map_err(Trouble::from),
            Err(trouble) => Err(trouble),
        };
        inserted.map(|_| ()).map_err(|trouble| trouble.while_doing(DOING))
    }
}

/// Lines on their way in.
struct Lines<'f> {
    from: &'f mut (dyn BufRead + Send),
    /// Of every byte so far.
    hash: Sha256,
    number: u64,
}

impl Lines<'_> {
    fn next(&mut self) -> Result<Json> {
        let mut line = Vec::new();
        let read = (&mut *self.from).take(LINE).read_until(b'\n', &mut line);
        self.number += 1;
        read.map_err(|error| self.wrong(&error.to_string()))?;
        if line.pop() != Some(b'\n') {
            return Err(self.wrong("it ends before its end"));
        }
        let value = serde_json::from_slice(&line).map_err(|error| self.wrong(&error.to_string()))?;
        line.push(b'\n');
        self.hash.update(&line);
        Ok(value)
    }

    /// Nothing may follow.
    fn end(&mut self) -> Result<()> {
        match self.from.fill_buf() {
            Ok([]) => Ok(()),
            Ok(_) => Err(self.wrong("something stands behind the last line")),
            Err(error) => Err(self.wrong(&error.to_string())),
        }
    }

    fn wrong(&self, why: &str) -> StoreError {
        StoreError::Unreadable { what: "export", why: format!("line {}: {why}", self.number) }
    }
}
