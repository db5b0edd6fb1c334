//! `ecr-gate store import`: what `store export` wrote, into an empty database.

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::{Path, PathBuf};

use engine::{Store, StoreError, StoreOptions};

use super::counted::Counted;
use crate::database::{self, DatabaseArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::Ui;

/// Reads what `store export` wrote into an empty database of either kind, all of it or nothing
///
/// The database is made, or its schema brought up to date, where that is needed. An export that was cut off or changed leaves no row behind; so
/// does one of a newer version.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 read; 3 refused: the database is not empty or in use, or the export is cut off, changed, or of a newer version; 5 it failed;
            64 wrong usage.

Examples:
  ecr-gate store import gate.jsonl --database-url postgres://gate@db.example/gate
  zcat gate.jsonl.gz | ecr-gate store import - --data-dir /var/lib/ecr-gate")]
pub(super) struct ImportArgs {
    /// The export; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl ImportArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        // Before anything is made.
        let from = self.open()?;
        let options = StoreOptions { url: self.database.new_url()?, migrate: true, readers: 1 };
        let store = Store::open(options).await.map_err(|error| database::unopened(&error))?;
        let read = self.read(&store, from, ui).await;
        store.close().await;
        let (rows, bytes) = read?;
        ui.say(&format!("imported: {rows} rows, {}", super::status::bytes(bytes)));
        Ok(Exit::Allowed)
    }

    fn open(&self) -> Result<Box<dyn BufRead + Send>, Failure> {
        if self.file == Path::new("-") {
            return Ok(Box::new(BufReader::new(stdin())));
        }
        let file = File::open(&self.file).map_err(|error| {
            Failure::configuration(format!("the export {} cannot be read: {error}", self.file.display()))
                .hint("name the file that `ecr-gate store export` wrote, or `-` for standard input")
        })?;
        Ok(Box::new(BufReader::new(file)))
    }

    async fn read(&self, store: &Store, from: Box<dyn BufRead + Send>, ui: Ui) -> Result<(u64, u64), Failure> {
        let mut from = Counted::new(from, "imported", ui);
        let rows = store.import_tables(&mut from).await;
        let (_, bytes) = from.end();
        let rows = rows.map_err(|error| match error {
            StoreError::Unreadable { why, .. } => {
                Failure::configuration(format!("the export {} cannot be used: {why}", self.file.display()))
                    .hint("nothing was imported; make a new export with `ecr-gate store export`")
            }
            StoreError::Schema { found, known } => Failure::configuration(format!(
                "the export {} has schema {found}, and this version works with {known}",
                self.file.display()
            ))
            .hint("a newer version wrote it: import it with that version"),
            other => database::failed(&other),
        })?;
        Ok((rows, bytes))
    }
}
