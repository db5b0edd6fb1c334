//! `ecr-gate admin`: for whoever has the machine that the decision service runs on.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use engine::{Store, StoreOptions};

use crate::clock::now;
use crate::database::{self, DatabaseArgs, unopened};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::Ui;

/// The machine's own part in who may what
#[derive(Debug, clap::Args)]
pub(crate) struct AdminArgs {
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AdminCommand {
    Bootstrap(BootstrapArgs),
}

/// Makes the first administrator: a secret in a file, good for an hour, with which one token is made
///
/// Whoever may write the database of the service may run this, and nobody else can. With PostgreSQL the service may run meanwhile; a SQLite
/// file belongs to one process, so that the service has to be ended first. That it was done stands in the audit log.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 made, 3 the database cannot be used or the file is there, 5 the database failed, 64 wrong usage.

Examples:
  ecr-gate admin bootstrap --config serve.yaml
  ecr-gate token create ada --role admin --person ada@example.com --expires 90d --token-file DATA/bootstrap.token")]
struct BootstrapArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Where to write the secret, for its owner alone [default: bootstrap.token in the data folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl AdminArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let AdminCommand::Bootstrap(args) = &self.command;
        args.run(ui).await
    }
}

impl BootstrapArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let file = match &self.out {
            Some(file) => file.clone(),
            None => database::folder(self.database.read()?.data_dir)?.join("bootstrap.token"),
        };
        let options = StoreOptions { url: self.database.new_url()?, migrate: true, readers: 1 };
        let store = Store::open(options).await.map_err(|error| unopened(&error))?;
        // The file first: a secret that cannot be read by anybody is of no use, and one that was there is not replaced.
        let mut open = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
            .map_err(|error| unwritten(&file, &error))?;
        let made = engine::bootstrap(&store, now()).await;
        store.close().await;
        let made = made.map_err(|error| {
            let _ = std::fs::remove_file(&file);
            Failure::internal(error.to_string())
        })?;
        let written = writeln!(open, "{}", made.secret).and_then(|()| open.sync_all());
        written.map_err(|error| unwritten(&file, &error))?;
        ui.data(&file.display().to_string())?;
        ui.say("with what is in it one token is made, within an hour:");
        ui.say(&format!(
            "  ecr-gate token create NAME --role admin --expires 90d --server URL --token-file {}",
            file.display()
        ));
        Ok(Exit::Allowed)
    }
}

fn unwritten(file: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::configuration(format!("{} cannot be written: {error}", file.display()));
    if error.kind() == std::io::ErrorKind::AlreadyExists {
        return failure.hint("it is of an earlier time: delete it, or name another file with --out");
    }
    failure
}
