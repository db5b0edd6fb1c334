//! Backups of SQLite, while it is in use. PostgreSQL has tools of its own, which are better at it.

use std::fs::{self, File};
use std::path::Path;

use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::error::StoreError;
use crate::place::{Backend, Place, beside};
use crate::trouble::Trouble;
use crate::{Result, SCHEMA, Store, lock, portable, schema};

impl Store {
    /// Writes a backup to a new file: a whole database as of one moment, checked, and durable when this returns. Gives its size in bytes.
    pub async fn backup(&self, to: &Path) -> Result<u64> {
        let place = &self.inner.place;
        if place.backend == Backend::Postgres {
            return Err(use_their_tools(place, "pg_dump --format=custom"));
        }
        if to.exists() {
            return Err(wrong(to, "it exists already"));
        }
        let partial = beside(to, ".partial");
        clear(&partial);
        let made = async {
            let text = partial.to_str().ok_or_else(|| wrong(to, "the path is not UTF-8"))?;
            let copy = Place::of(&format!("sqlite:{text}"))?;
            lock::make_file(&copy)?;
            let mut connection = place.connect().await.map_err(|trouble| trouble.while_doing("connecting"))?;
            let copied = sqlx::query("VACUUM INTO $1").bind(text).execute(&mut connection).await;
            copied.map_err(|error| Trouble::from(error).while_doing("writing the backup"))?;
            // Only read from.
            let _closed = connection.close().await;
            check(&copy, to).await?;
            put(&partial, to)
        };
        let made = made.await;
        if made.is_err() {
            clear(&partial);
        }
        made
    }
}

/// Makes a database out of a backup, where there is none yet, or an empty one. The backup is checked before anything is changed.
pub async fn restore(url: &str, from: &Path) -> Result<()> {
    let place = Place::of(url)?;
    let Some(file) = place.file.as_deref() else { return Err(use_their_tools(&place, "pg_restore")) };
    let _lock = lock::take(&place)?;
    if fs::metadata(file).is_ok_and(|found| found.len() > 0) && !is_empty(&place).await? {
        return Err(StoreError::NotEmpty { url: place.shown });
    }
    if fs::metadata(beside(from, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(wrong(from, "it was copied while it was in use; a backup is made by `store backup`"));
    }
    let partial = beside(file, ".restoring");
    clear(&partial);
    let made = async {
        let text = partial.to_str().ok_or_else(|| wrong(&partial, "the path is not UTF-8"))?;
        let copy = Place::of(&format!("sqlite:{text}"))?;
        lock::make_file(&copy)?;
        fs::copy(from, &partial).map_err(|error| wrong(from, &error.to_string()))?;
        check(&copy, from).await?;
        for end in ["-wal", "-shm"] {
            if let Err(error) = fs::remove_file(beside(file, end))
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(wrong(file, &error.to_string()));
            }
        }
        // What is there is empty: see above.
        if file.exists() {
            fs::remove_file(file).map_err(|error| wrong(file, &error.to_string()))?;
        }
        put(&partial, file).map(|_| ())
    };
    let made = made.await;
    if made.is_err() {
        clear(&partial);
    }
    made
}

/// Takes away what a try has left, this one or one that was killed. What cannot be removed fails where it is in the way.
fn clear(partial: &Path) {
    for end in ["", "-wal", "-shm"] {
        let _removed = fs::remove_file(beside(partial, end));
    }
}

/// Whether a SQLite file holds nothing that could be lost.
async fn is_empty(place: &Place) -> Result<bool> {
    let mut connection = place.connect().await.map_err(|trouble| trouble.while_doing("connecting"))?;
    let empty = if schema::found(place, &mut connection).await? == 0 {
        count(&mut connection, "SELECT COUNT(*) AS n FROM sqlite_master").await? == 0
    } else {
        portable::is_empty(&mut connection).await.map_err(|trouble| trouble.while_doing("looking at the database"))?
    };
    // Only looked at.
    let _closed = connection.close().await;
    Ok(empty)
}

/// A copy that can be relied on: whole, and of a schema that this version knows. What is wrong is told of `file`.
async fn check(copy: &Place, file: &Path) -> Result<()> {
    let mut connection =
        copy.connect().await.map_err(|trouble| wrong(file, &trouble.while_doing("opening it").to_string()))?;
    let found = schema::found(copy, &mut connection).await.map_err(|error| wrong(file, &error.to_string()))?;
    if found == 0 {
        return Err(wrong(file, "it is no database of this program"));
    }
    if found > SCHEMA {
        return Err(StoreError::Schema { found, known: SCHEMA });
    }
    let said = sqlx::query("PRAGMA integrity_check(1)").fetch_one(&mut connection).await;
    let said = said.and_then(|row| row.try_get::<String, _>(0));
    match said.as_deref() {
        Ok("ok") => {}
        Ok(why) => return Err(wrong(file, &format!("it is damaged: {why}"))),
        Err(error) => return Err(wrong(file, &format!("it cannot be checked: {error}"))),
    }
    // Folds the log into the file, so that the file is all there is.
    connection.close().await.map_err(|error| Trouble::from(error).while_doing("closing the copy"))
}

async fn count(connection: &mut AnyConnection, sql: &'static str) -> Result<i64> {
    let row = sqlx::query(sql).fetch_one(connection).await;
    row.and_then(|row| row.try_get(0)).map_err(|error| Trouble::from(error).while_doing("looking at the database"))
}

/// Gives a file its name, which nothing may have yet, and makes both durable.
fn put(partial: &Path, to: &Path) -> Result<u64> {
    let done = || -> std::io::Result<u64> {
        let file = File::open(partial)?;
        file.sync_all()?;
        match fs::hard_link(partial, to) {
            Ok(()) => fs::remove_file(partial)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(error),
            // Not every file system has them; that nothing has the name was asked before.
            Err(_) => fs::rename(partial, to)?,
        }
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        Ok(file.metadata()?.len())
    };
    done().map_err(|error| wrong(to, &error.to_string()))
}

fn wrong(file: &Path, why: &str) -> StoreError {
    StoreError::Address { url: file.display().to_string(), why: why.to_owned() }
}

fn use_their_tools(place: &Place, tool: &str) -> StoreError {
    let why = format!("PostgreSQL is backed up and restored with its own tools: {tool}");
    StoreError::Address { url: place.shown.clone(), why }
}
