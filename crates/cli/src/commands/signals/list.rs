//! `ecr-gate signals list`: what was handed in about an image.

use model::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::image;
use crate::commands::decisions::{seconds, short};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json};
use crate::server::{Ask, ServerArgs, not_understood};
use crate::ui::{ListFormat, Ui};

/// Lists what was handed in about exactly this image and counts, the oldest first
///
/// What was taken back is not in the list; `ecr-gate history` tells of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 listed, 3 the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate signals list ghcr.io/team/app@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1")]
pub(super) struct ListArgs {
    /// The image: `HOST/REPOSITORY@DIGEST`
    #[arg(value_name = "IMAGE")]
    image: String,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

#[derive(Deserialize)]
struct Listed {
    signals: Vec<Signal>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signal {
    id: String,
    kind: String,
    evidence: String,
    submitted_at: Timestamp,
    submitted_by: String,
}

impl ListArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let image = image(&self.image)?;
        let server = self.service.needed(ui)?;
        let sent = server.send(&Ask::get("signals").query("image", Some(&image))).await;
        let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        let Listed { signals } = Listed::deserialize(&answer)
            .map_err(|error| not_understood(format!("the list of documents cannot be read: {error}")))?;
        match self.output {
            ListFormat::Json => ui.data(&inert_json(format!("{answer:#}")))?,
            ListFormat::Table if signals.is_empty() => ui.say("nothing that counts was handed in about this image"),
            ListFormat::Table => {
                let titles = ["HANDED IN", "KIND", "BY", "DOCUMENT", "ID"];
                let row = |signal: Signal| {
                    let Signal { id, kind, evidence, submitted_at, submitted_by } = signal;
                    [seconds(submitted_at), kind, submitted_by, short(&evidence), id]
                };
                ui.data(&columns(titles, signals.into_iter().map(row)))?;
            }
        }
        Ok(Exit::Allowed)
    }
}
