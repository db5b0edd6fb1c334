//! `ecr-gate audit verify`: whether an export of the audit log is what was signed, entry by entry, without a server.

use std::fs::File;
use std::io::{ErrorKind, Read, Write as _, stderr, stdin};
use std::path::{Path, PathBuf};

use trust::log::export::{Continuity, ExportError, ExportVerifier, Verified};

use super::material;
use super::page::{self, Answer};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::ui::Ui;

/// Verifies an export of the audit log offline: every byte of it, in its order, up to the signed checkpoint at its end
///
/// The file is read once and never held: a log of any length takes the same memory. Whoever holds the log's private key could
/// write another log that verifies too; checkpoints that were kept show that: with --known-checkpoint the log has to begin with
/// each of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 verified; 1 it does not verify, or does not show that the log begins with a known checkpoint; 3 a file cannot be
            read, or is no key or checkpoint; 64 wrong usage.

Examples:
  ecr-gate audit verify export.jsonl --key gate.example/audit+af47b622+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4
  ecr-gate audit verify export.jsonl --key audit.vkey --known-checkpoint january.txt --known-checkpoint june.txt
  ecr-gate audit verify export.jsonl --key audit.vkey --save-checkpoint last.txt     # and again with the next export
  zcat export.jsonl.gz | ecr-gate audit verify - --key audit.vkey --output json")]
pub(crate) struct VerifyArgs {
    /// The export; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The log's public key, `NAME+HASH+KEY`, or a file that holds it
    #[arg(long, value_name = "KEY", conflicts_with = "no_key")]
    key: Option<String>,
    /// Do without a key: shows that the file fits itself, not who signed it
    #[arg(long)]
    no_key: bool,
    /// A checkpoint that was kept, which the log has to begin with; may be given several times
    #[arg(long, value_name = "FILE")]
    known_checkpoint: Vec<PathBuf>,
    /// Where to keep the checkpoint of this export, if it verifies. One that is there already is a known checkpoint
    #[arg(long, value_name = "FILE", conflicts_with = "no_key")]
    save_checkpoint: Option<PathBuf>,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: VerifyFormat,
}

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum VerifyFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

impl VerifyArgs {
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let key = self.key.as_deref().map(material::key).transpose()?;
        if key.is_none() && !self.no_key {
            return Err(Failure::usage("signed by whom? No --key is given")
                .hint("the log's key is one line, `NAME+HASH+KEY`: `curl SERVER/api/v1/audit/key`, or from whoever runs the gate")
                .hint("get it once, by another way than the export, and keep it; --no-key only shows that the file fits itself"));
        }
        let mut known = self.known_checkpoint.clone();
        // What was kept is replaced only by what extends it.
        known.extend(self.save_checkpoint.clone().filter(|path| path.exists() && !known.contains(path)));
        let mut verifier = ExportVerifier::new(key.clone());
        for path in &known {
            verifier = verifier.known(material::checkpoint(path, key.as_ref())?);
        }
        let outcome = self.stream(verifier, ui)?;
        let exit = exit(&outcome);
        if let (Exit::Allowed, Ok(verified), Some(path)) = (exit, &outcome, &self.save_checkpoint) {
            files::write("the checkpoint", path, &verified.note)?;
        }
        let name = if self.is_stdin() { "standard input".to_owned() } else { self.file.display().to_string() };
        let answer = Answer { file: &name, exit, outcome: &outcome, known: &known };
        match self.output {
            VerifyFormat::Json => ui.data(&page::json(&answer)?)?,
            VerifyFormat::Table => ui.data(&page::table(&answer, ui.color))?,
        }
        page::hints(&answer, self.save_checkpoint.is_some(), ui);
        Ok(exit)
    }

    fn is_stdin(&self) -> bool {
        self.file == Path::new("-")
    }

    fn stream(&self, verifier: ExportVerifier, ui: Ui) -> Result<Result<Verified, ExportError>, Failure> {
        let failed = |error: std::io::Error| {
            Failure::configuration(format!("the export {} cannot be read: {error}", self.file.display()))
        };
        if self.is_stdin() {
            return read(stdin().lock(), verifier, ui).map_err(failed);
        }
        let file = File::open(&self.file)
            .map_err(|error| failed(error).hint("name the exported file, or `-` for standard input"))?;
        read(file, verifier, ui).map_err(failed)
    }
}

/// A known checkpoint that is not shown to be the beginning of the log is no success: whoever names one wants to know.
fn exit(outcome: &Result<Verified, ExportError>) -> Exit {
    let extends = |verified: &Verified| verified.known.iter().all(|(_, shown)| *shown == Continuity::Extends);
    if outcome.as_ref().is_ok_and(extends) { Exit::Allowed } else { Exit::Blocked }
}

/// Reads to the end, or to the first thing that is wrong.
fn read(mut export: impl Read, mut verifier: ExportVerifier, ui: Ui) -> std::io::Result<Result<Verified, ExportError>> {
    let mut buffer = vec![0; 256 << 10];
    let mut progress = Progress { ui, read: 0, shown: 0 };
    let outcome = loop {
        let length = match export.read(&mut buffer) {
            Ok(0) => break verifier.finish(),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                progress.clear();
                return Err(error);
            }
        };
        if let Err(error) = verifier.feed(&buffer[..length]) {
            break Err(error);
        }
        progress.tell(length, verifier.lines());
    };
    progress.clear();
    Ok(outcome)
}

/// One line on a terminal, redrawn now and then.
struct Progress {
    ui: Ui,
    read: u64,
    shown: u64,
}

impl Progress {
    /// How many bytes lie between two looks.
    const STEP: u64 = 8 << 20;

    fn tell(&mut self, bytes: usize, lines: u64) {
        self.read += bytes as u64;
        if self.ui.stderr_is_terminal && !self.ui.quiet && self.read - self.shown >= Self::STEP {
            let _ = write!(stderr().lock(), "\r\x1b[K{} MiB, {lines} lines verified", self.read >> 20);
            self.shown = self.read;
        }
    }

    fn clear(&self) {
        if self.shown > 0 {
            let _ = write!(stderr().lock(), "\r\x1b[K");
        }
    }
}
