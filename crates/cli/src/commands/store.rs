//! `ecr-gate store`: the database of the decision service, for whoever runs it: its schema, its size, backups, moving it, forgetting.

mod counted;
mod export;
mod import;
mod prune;
mod status;

use std::path::{Path, PathBuf};

use engine::{Store, StoreError, StoreOptions, migrate_store, restore_store};
use serde_json::json;

use crate::database::{self, DatabaseArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::inert_json;
use crate::ui::{OutputFormat, Ui};

pub(super) use self::prune::past;

/// Works on the database of the decision service: schema, size, backup, moving, forgetting
///
/// The database is found as `ecr-gate serve` finds it. A SQLite file belongs to one process: while a service runs on it, `status`, `backup`,
/// `export` and `prune --dry-run` work, and everything else is refused until the service has ended. PostgreSQL has no such limit.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, clap::Subcommand)]
enum StoreCommand {
    Migrate(MigrateArgs),
    Status(status::StatusArgs),
    Backup(BackupArgs),
    Restore(RestoreArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Prune(Box<prune::PruneArgs>),
}

impl StoreArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match &self.command {
            StoreCommand::Migrate(args) => args.run(ui).await,
            StoreCommand::Status(args) => args.run(ui).await,
            StoreCommand::Backup(args) => args.run(ui).await,
            StoreCommand::Restore(args) => args.run(ui).await,
            StoreCommand::Export(args) => args.run(ui).await,
            StoreCommand::Import(args) => args.run(ui).await,
            StoreCommand::Prune(args) => args.run(ui).await,
        }
    }
}

/// Brings the schema of the database to the one of this version; makes the database if it is a SQLite file that is not there yet
///
/// `ecr-gate serve` does the same at its start. A newer schema is refused and left as it is. Make a backup first: nothing leads back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 up to date; 3 the database cannot be used: a newer schema, in use, no such place; 5 it failed; 64 wrong usage.

Examples:
  ecr-gate store backup before.db && ecr-gate store migrate
  ECR_GATE_DATABASE_URL=postgres://gate:PASSWORD@db.example/gate ecr-gate store migrate")]
struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

impl MigrateArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let url = self.database.new_url()?;
        let (from, to) = migrate_store(&url).await.map_err(|error| database::unopened(&error))?;
        match self.output {
            OutputFormat::Json => ui.data(&format!("{:#}", json!({ "from": from, "to": to })))?,
            OutputFormat::Text if from == to => ui.data(&format!("schema {to}: up to date already"))?,
            OutputFormat::Text if from == 0 => ui.data(&format!("schema {to}: made"))?,
            OutputFormat::Text => ui.data(&format!("schema {to}: brought up from {from}"))?,
        }
        Ok(Exit::Allowed)
    }
}

/// Writes a backup of a SQLite database to a new file, also while a service runs on it
///
/// The backup is whole, as of one moment, and checked before it gets its name. It is a SQLite database itself. PostgreSQL is backed up with its
/// own tools (`pg_dump`).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 written and checked; 3 FILE is there already or cannot be written, or the database cannot be used; 5 it failed; 64 wrong usage.

Examples:
  ecr-gate store backup gate-2026-11-22.db
  ecr-gate store backup --data-dir /var/lib/ecr-gate /backup/gate-$(date +%F).db")]
struct BackupArgs {
    /// The file to write; it must not be there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseArgs,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

impl BackupArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let store = look(&self.database).await?;
        ui.say("writing and checking the backup");
        let size = store.backup(&self.file).await.map_err(|error| of_file(&error, &self.file))?;
        store.close().await;
        match self.output {
            OutputFormat::Json => {
                let answer = json!({ "file": self.file.display().to_string(), "sizeBytes": size });
                ui.data(&inert_json(format!("{answer:#}")))?;
            }
            OutputFormat::Text => ui.data(&format!("{} ({})", self.file.display(), status::bytes(size)))?,
        }
        Ok(Exit::Allowed)
    }
}

/// Makes the database out of a backup, where there is none yet or an empty one, with the service stopped
///
/// The backup is checked before anything is changed. A database that holds anything is never replaced: move it away first. After a restore the
/// audit log ends where the backup was made; `ecr-gate audit verify --known-checkpoint` with a later checkpoint says so.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 restored; 3 refused: the database is not empty or in use, the backup cannot be read, is damaged, or of a newer version;
            5 it failed; 64 wrong usage.

Examples:
  ecr-gate store restore gate-2026-11-22.db
  ecr-gate store restore gate-2026-11-22.db --database-url sqlite:/var/lib/ecr-gate/gate.db")]
struct RestoreArgs {
    /// The backup, as `store backup` wrote it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl RestoreArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let url = self.database.new_url()?;
        ui.say("checking and restoring the backup");
        restore_store(&url, &self.file).await.map_err(|error| of_file(&error, &self.file))?;
        ui.say("restored; the service can be started");
        Ok(Exit::Allowed)
    }
}

/// What is wrong with the backup is told of the backup, and not of the database.
fn of_file(error: &StoreError, file: &Path) -> Failure {
    match error {
        StoreError::Address { url, why } if Path::new(url) == file => {
            let failure = Failure::configuration(format!("the backup {}: {why}", file.display()));
            if file.exists() { failure } else { failure.hint("check the path; it is relative to the current folder") }
        }
        _ => database::failed(error),
    }
}

/// Opens the database to look at it; a service may be running on it.
async fn look(database: &DatabaseArgs) -> Result<Store, Failure> {
    let url = database.url()?;
    Store::look(&url).await.map_err(|error| match &error {
        StoreError::Address { why, .. } if why.ends_with("is no file") => {
            database::failed(&error).hint("name it with --data-dir or --database-url, as for `ecr-gate serve`").hint(
                "one that is not there yet is made by `ecr-gate store migrate`, or by the first start of the service",
            )
        }
        _ => database::unopened(&error),
    })
}

/// Opens a database that is there, to change it; no other process may have a SQLite file.
pub(super) async fn open(database: &DatabaseArgs) -> Result<Store, Failure> {
    // Opening makes a file where there is none; looking does not.
    look(database).await?.close().await;
    let options = StoreOptions { url: database.url()?, migrate: false, readers: 2 };
    Store::open(options).await.map_err(|error| database::unopened(&error))
}
