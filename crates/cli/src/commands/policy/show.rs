//! `ecr-gate policy show`: what a policy version says, before somebody activates or confirms it.

use model::Digest;
use serde::Deserialize;
use serde_json::Value;

use super::versions::Version;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{inert_json, logged};
use crate::server::{Ask, ServerArgs, Trouble};
use crate::ui::{ListFormat, Ui};

/// The largest version that is read: the service keeps no larger one.
const LARGEST: usize = 80 << 20;

/// Shows what a policy version says: its documents as they were handed over, and whether it is in force or waits for somebody
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 shown, 3 no such version, or the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate policy show sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
pub(super) struct ShowArgs {
    /// The version, as `policy push` and `policy versions` name it
    #[arg(value_name = "DIGEST")]
    digest: Digest,
    /// How to answer; `json` holds the files that the documents name, too
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

#[derive(Deserialize)]
struct Shown {
    version: Value,
    bundle: Bundle,
}

#[derive(Deserialize)]
struct Bundle {
    documents: Vec<(String, String)>,
    files: Vec<std::collections::BTreeMap<String, String>>,
}

impl ShowArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        let sent = server.send(&Ask::get(format!("policies/{}", self.digest)).limit(LARGEST)).await;
        let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        let read = || -> Result<(Version, Bundle), Trouble> {
            let Shown { version, bundle } = Shown::deserialize(&answer)
                .map_err(|error| Trouble::NotUnderstood(format!("a policy version cannot be read: {error}")))?;
            let version = Version::read(&version)?;
            if version.digest == self.digest {
                Ok((version, bundle))
            } else {
                Err(Trouble::NotUnderstood(format!("it showed {} instead of {}", version.digest, self.digest)))
            }
        };
        let (version, bundle) = read().map_err(|why| why.failure(&server))?;
        if matches!(self.output, ListFormat::Json) {
            ui.data(&inert_json(format!("{answer:#}")))?;
            return Ok(Exit::Allowed);
        }
        for (number, (name, text)) in bundle.documents.iter().enumerate() {
            ui.data(&format!("# {}\n{}", logged(name, 500), inert(text.trim_end())))?;
            let files = bundle.files.get(number).into_iter().flat_map(|files| files.keys());
            for path in files {
                ui.say(&format!(
                    "it names the file {}, which is part of the version (--output json)",
                    logged(path, 500)
                ));
            }
        }
        ui.say(&version.line());
        version.waits(ui);
        Ok(Exit::Allowed)
    }
}

/// Line by line, so that nothing in it steers a terminal or a CI log.
fn inert(text: &str) -> String {
    text.lines().map(|line| logged(line, 10_000)).collect::<Vec<_>>().join("\n")
}
