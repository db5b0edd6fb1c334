//! `ecr-gate signals submit`: hands a document in.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::image;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::output::{inert_json, logged};
use crate::server::{Ask, ServerArgs};
use crate::ui::{ListFormat, Ui};

/// The largest document that the service reads, in bytes.
const LARGEST: usize = 64 << 20;

/// Hands in a document about an image; the next judgement of the image reads it
///
/// It is about the manifest whose digest you name. Of an index that is each platform by its own digest: a document about one platform
/// counts for no other. The same document again is the same. What cannot be read as what you say it is is refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 handed in, 3 it cannot be read as this, or the token may not do that, 4 the service asks to slow down, 5 unreachable or not understood,
            64 wrong usage.

Examples:
  ecr-gate signals submit ghcr.io/team/app@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1 trivy.json --kind report
  ecr-gate signals submit \"$IMAGE@$DIGEST\" sbom.cdx.json --kind sbom --output json")]
pub(super) struct SubmitArgs {
    /// The image: `HOST/REPOSITORY@DIGEST`
    #[arg(value_name = "IMAGE")]
    image: String,
    /// The document, as the tool wrote it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it is
    #[arg(long, value_name = "KIND", value_parser = ["report", "sbom", "vex", "measurement"])]
    kind: String,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

#[derive(Deserialize)]
struct Submitted {
    id: String,
    format: String,
}

impl SubmitArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let image = image(&self.image)?;
        let document = files::read("the document", &self.file, LARGEST)?;
        let server = self.service.needed(ui)?;
        let ask = Ask::document("signals", document).query("image", Some(&image)).query("kind", Some(&self.kind));
        let answer: Value =
            server.send(&ask).await.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        match self.output {
            ListFormat::Json => ui.data(&inert_json(format!("{answer:#}")))?,
            ListFormat::Table => {
                let submitted = Submitted::deserialize(&answer).map_err(|error| {
                    crate::server::not_understood(format!("what was handed in cannot be read: {error}"))
                })?;
                let (id, format) = (logged(&submitted.id, 200), logged(&submitted.format, 200));
                ui.data(&format!("handed in: {id} ({format})"))?;
            }
        }
        Ok(Exit::Allowed)
    }
}
