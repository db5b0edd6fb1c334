//! `ecr-gate store export`: every table as lines of JSON.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write, stdout};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use engine::Store;

use super::counted::Counted;
use super::look;
use crate::database::{self, DatabaseArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::Ui;

/// Writes every table as lines of JSON, as of one moment, to move to another database with `store import`
///
/// Works while a service runs; what it writes meanwhile is not in the export. To move, stop the service first. The form is described in
/// docs/reference/store.md. An export holds everything the service knows: it is readable by its owner alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 whole; 3 FILE is there already or cannot be written, the database cannot be used or is of another version; 5 it failed;
            64 wrong usage.

Examples:
  ecr-gate store export gate.jsonl
  ecr-gate store export | gzip > gate.jsonl.gz
  ecr-gate store export | ecr-gate store import - --database-url postgres://gate@db.example/gate")]
pub(super) struct ExportArgs {
    /// The file to write; it must not be there yet. `-` is standard output
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl ExportArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let store = look(&self.database).await?;
        let (rows, bytes) = if self.file == Path::new("-") {
            write(&store, stdout(), ui).await?.0
        } else {
            let file = new_file(&self.file)?;
            self.fill(&store, file, ui).await.inspect_err(|_| {
                // Half an export is none.
                let _removed = fs::remove_file(&self.file);
            })?
        };
        store.close().await;
        ui.say(&format!("exported: {rows} rows, {}", super::status::bytes(bytes)));
        Ok(Exit::Allowed)
    }

    async fn fill(&self, store: &Store, file: File, ui: Ui) -> Result<(u64, u64), Failure> {
        let (counts, file) = write(store, file, ui).await?;
        file.sync_all().map_err(|error| unwritten(&self.file, &error))?;
        Ok(counts)
    }
}

/// Writes the export, and gives the number of rows and of bytes.
async fn write<T: Write + Send>(store: &Store, out: T, ui: Ui) -> Result<((u64, u64), T), Failure> {
    let mut out = Counted::new(BufWriter::new(out), "exported", ui);
    let rows = store.export_tables(&mut out).await;
    let (out, bytes) = out.end();
    let rows = rows.map_err(|error| database::failed(&error))?;
    let out = out.into_inner().map_err(|error| Failure::internal(format!("the export cannot be written: {error}")))?;
    Ok(((rows, bytes), out))
}

fn new_file(path: &Path) -> Result<File, Failure> {
    File::options().write(true).create_new(true).mode(0o600).open(path).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    if error.kind() == ErrorKind::AlreadyExists {
        return Failure::configuration(format!("the export {} is there already", path.display()))
            .hint("nothing is overwritten: name another file");
    }
    Failure::configuration(format!("the export {} cannot be written: {error}", path.display()))
        .hint("check that the folder is there and may be written to")
}
