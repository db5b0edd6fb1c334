//! What the decision service shows of its audit log: the export that `audit verify` reads, the newest checkpoint, the key it is signed
//! with, and the proof that one entry is in it. Nothing is verified here.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::decisions::segment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::inert_json;
use crate::server::{Ask, Reply, Server, ServerArgs, Trouble};
use crate::ui::Ui;

/// The largest part of an export that is read at once.
const PART: usize = 64 << 20;
/// How many entries are asked for at once.
const ENTRIES: u32 = 1000;
/// The longest line of an export that is read back.
const LINE: u64 = 16 << 20;

/// What of `ecr-gate audit` asks the decision service.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ServiceCommand {
    Export(ExportArgs),
    Checkpoint(CheckpointArgs),
    Key(KeyArgs),
    Proof(ProofArgs),
}

impl ServiceCommand {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match self {
            Self::Export(args) => args.run(ui).await,
            Self::Checkpoint(args) => args.run(ui).await,
            Self::Key(args) => args.run(ui).await,
            Self::Proof(args) => args.run(ui).await,
        }
    }
}

/// Writes the audit log as JSON lines, which `audit verify` checks without the service
///
/// The first line says where the export begins, then each entry is a line, the last line is the signed checkpoint that covers them.
/// With `--output-file` an export that was broken off goes on where it ended; an entry has an index and an id, so that whoever
/// takes them over twice can tell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 whole, 3 the service refuses, or the file is no export, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate audit export --output-file audit.jsonl
  ecr-gate audit export --from 120000 | gzip > audit-from-120000.jsonl.gz")]
pub(crate) struct ExportArgs {
    /// The first entry
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// Write there, and go on behind what is there already
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    #[command(flatten)]
    service: ServerArgs,
}

/// Prints the newest checkpoint of the audit log: a signed note
///
/// Keep it somewhere else: `audit verify --known-checkpoint` finds out if the log was rewritten since.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 printed, 3 the service refuses, or nothing was logged yet, 4 it asks to slow down, 5 unreachable, 64 wrong usage.

Example:
  ecr-gate audit checkpoint > checkpoint.txt")]
pub(crate) struct CheckpointArgs {
    #[command(flatten)]
    service: ServerArgs,
}

/// Prints the public key that the checkpoints of the audit log are signed with
///
/// Take it over once, by a way that you trust, and keep it: a key that comes with what it verifies proves nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 printed, 3 the service refuses, 4 it asks to slow down, 5 unreachable, 64 wrong usage.

Example:
  ecr-gate audit key > audit.vkey")]
pub(crate) struct KeyArgs {
    #[command(flatten)]
    service: ServerArgs,
}

/// Prints the proof that one entry is in the audit log: the entry, the hashes beside its way to the root, and the checkpoint
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 printed, 3 the service refuses or has no such entry, 4 it asks to slow down, 5 unreachable, 64 wrong usage.

Example:
  ecr-gate audit proof 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e > proof.json")]
pub(crate) struct ProofArgs {
    /// The entry: its id, which for a decision is the decision's
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    service: ServerArgs,
}

impl CheckpointArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        text(&self.service, "audit/checkpoint", ui).await
    }
}

impl KeyArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        text(&self.service, "audit/key", ui).await
    }
}

async fn text(service: &ServerArgs, path: &str, ui: Ui) -> Result<Exit, Failure> {
    let server = service.needed(ui)?;
    let sent = server.send(&Ask::get(path).limit(64 << 10)).await;
    let text = sent.and_then(Reply::text).map_err(|why| why.failure(&server))?;
    // A note's last newline is signed; nothing else of it could steer a terminal and be a note.
    if text.trim().is_empty() || text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(Trouble::NotUnderstood("its answer is not the text it should be".to_owned()).failure(&server));
    }
    ui.data(&text)?;
    Ok(Exit::Allowed)
}

impl ProofArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let path = format!("audit/proof/{}", segment("ID", &self.id)?);
        let server = self.service.needed(ui)?;
        let sent = server.send(&Ask::get(path)).await;
        let proof: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        ui.data(&inert_json(format!("{proof:#}")))?;
        Ok(Exit::Allowed)
    }
}

/// One line of an export, as far as it has to be known to go on.
enum Line {
    Head(u64),
    Entry(u64),
    Checkpoint,
}

#[derive(Deserialize)]
struct Members {
    from: Option<u64>,
    index: Option<u64>,
    checkpoint: Option<String>,
}

impl Line {
    fn read(line: &[u8]) -> Option<Self> {
        match serde_json::from_slice(line).ok()? {
            Members { from: Some(from), index: None, checkpoint: None } => Some(Self::Head(from)),
            Members { from: None, index: Some(index), checkpoint: None } => Some(Self::Entry(index)),
            Members { from: None, index: None, checkpoint: Some(_) } => Some(Self::Checkpoint),
            _ => None,
        }
    }
}

/// Where the lines go.
struct Sink<'a> {
    file: Option<(&'a Path, File)>,
    /// How much of the file stays; cut only once there is something to write behind it.
    keep: Option<u64>,
    /// The entry that comes next.
    next: u64,
    has_head: bool,
    ui: Ui,
}

impl ExportArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let mut server = self.service.needed(ui)?;
        let mut sink = Sink { file: None, keep: None, next: self.from, has_head: false, ui };
        if let Some(path) = &self.output_file {
            sink.open(path, self.from)?;
        }
        let begun = sink.next;
        loop {
            server.take_time();
            let ask =
                Ask::get("audit/entries").query("from", Some(sink.next)).query("limit", Some(ENTRIES)).limit(PART);
            let sent = server.send(&ask).await;
            let part = sent.and_then(Reply::text).map_err(|why| why.failure(&server))?;
            if sink.take(&part, &server)? {
                break;
            }
        }
        if let Some((path, file)) = &sink.file {
            file.sync_all().map_err(|error| unwritable(path, &error))?;
            ui.say(&format!("{}: {} entries more, the next would be {}", path.display(), sink.next - begun, sink.next));
        }
        Ok(Exit::Allowed)
    }
}

impl<'a> Sink<'a> {
    /// Goes on behind the last whole entry of a file, if there is one. What is behind that, a checkpoint or half a line, goes.
    fn open(&mut self, path: &'a Path, from: u64) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::configuration(format!("the export {} cannot be read: {error}", path.display()))
        };
        let no_export = || {
            Failure::configuration(format!("{} is no export of an audit log that could go on", path.display()))
                .hint("name another file")
        };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let mut reader = BufReader::new(&file);
        let (mut at, mut keep) = (0_u64, 0_u64);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = std::io::Read::take(&mut reader, LINE).read_until(b'\n', &mut line).map_err(failed)?;
            if read == 0 || !line.ends_with(b"\n") {
                break;
            }
            at += read as u64;
            match Line::read(&line) {
                Some(Line::Head(first)) if !self.has_head => {
                    if from != 0 && from != first {
                        return Err(Failure::usage(format!(
                            "{} begins with entry {first}, not with {from}",
                            path.display()
                        ))
                        .hint("leave --from away to go on, or name another file"));
                    }
                    (self.has_head, self.next, keep) = (true, first, at);
                }
                Some(Line::Entry(index)) if self.has_head && index == self.next => (self.next, keep) = (index + 1, at),
                Some(Line::Checkpoint) if self.has_head => {}
                _ => return Err(no_export()),
            }
        }
        if !self.has_head && file.metadata().map_err(failed)?.len() > 0 {
            return Err(no_export());
        }
        (self.file, self.keep) = (Some((path, file)), Some(keep));
        Ok(())
    }

    /// Writes a part of the export; true once it is whole.
    fn take(&mut self, part: &str, server: &Server) -> Result<bool, Failure> {
        let refuse = |why: String| Err(Trouble::NotUnderstood(why).failure(server));
        let before = self.next;
        let mut is_whole = false;
        let mut kept = String::with_capacity(part.len());
        for line in part.split_inclusive('\n') {
            match Line::read(line.as_bytes()) {
                _ if is_whole => return refuse("its export goes on behind the checkpoint".to_owned()),
                Some(_) if !line.ends_with('\n') => return refuse("the last line of its export is cut off".to_owned()),
                Some(Line::Head(first)) if first == before && kept.is_empty() => {
                    // Each part has one; an export has one alone.
                    if std::mem::replace(&mut self.has_head, true) {
                        continue;
                    }
                }
                Some(Line::Entry(index)) if index == self.next && self.has_head => self.next += 1,
                Some(Line::Checkpoint) if self.has_head => is_whole = true,
                _ => return refuse(format!("its export is not in order behind entry {}", self.next)),
            }
            kept.push_str(line);
        }
        match &mut self.file {
            Some((path, file)) => {
                let cut = self.keep.take().map_or(Ok(()), |keep| file.set_len(keep));
                let written =
                    cut.and_then(|()| file.seek(SeekFrom::End(0))).and_then(|_| file.write_all(kept.as_bytes()));
                written.map_err(|error| unwritable(path, &error))?;
            }
            None if kept.is_empty() => {}
            None => self.ui.data(&kept)?,
        }
        if !is_whole && self.next == before {
            return refuse("its export ends without a checkpoint".to_owned());
        }
        Ok(is_whole)
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::internal(format!("the export {} cannot be written: {error}", path.display()))
}
