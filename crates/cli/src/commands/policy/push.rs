//! `ecr-gate policy push`: hands policy documents, and every file they name, to the decision service.

use std::path::PathBuf;

use serde_json::Value;

use super::versions::{Activation, Version, activate};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{inert_json, logged};
use crate::policies;
use crate::server::{Ask, ServerArgs};
use crate::ui::{ListFormat, Ui};

/// Uploads policies to the decision service, with every file that they name: exceptions, Rego, keys, certificates, trusted roots
///
/// The service checks them whole and keeps them as one version, named by its digest; the same content is the same version. They
/// are in force only once they are activated: `--activate`, or `policy activate` later. What does not pass the check changes
/// nothing. Private keys are refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 uploaded (and in force with --activate), 3 something is wrong with the policies or the token, 4 with --activate: it waits for a
            second person; or the service asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate policy push gate.yaml
  ecr-gate policy push org.yaml team.yaml --activate --reason \"CVE-2026-1234: no grace\"")]
pub(super) struct PushArgs {
    /// Policy files, as they are to be in force together
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Bring them into force at once
    #[arg(long)]
    activate: bool,
    #[command(flatten)]
    activation: Activation,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

impl PushArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        if self.activation.is_given() && !self.activate {
            return Err(Failure::usage("--reason and --believed are about bringing a version into force")
                .hint("add --activate, or give them to `ecr-gate policy activate`"));
        }
        let bundle = policies::bundle(&self.files)?;
        let mut server = self.service.needed(ui)?;
        let sent = server.send(&Ask::post("policies", &bundle)?).await;
        let mut answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        let mut version = Version::read(&answer).map_err(|why| why.failure(&server))?;
        for remark in &version.remarks {
            ui.insist(&format!("warning: {}", logged(remark, 1000)));
        }
        if self.activate && !version.in_force {
            let digest = version.digest.clone();
            server.take_time();
            answer = activate(&server, &digest, &self.activation)
                .await
                .map_err(|failure| failure.hint(format!("version {digest} is uploaded, and not in force")))?;
            version = Version::read(&answer).map_err(|why| why.failure(&server))?;
        }
        match self.output {
            ListFormat::Json => ui.data(&inert_json(format!("{answer:#}")))?,
            ListFormat::Table => {
                ui.data(&version.line())?;
                if !version.in_force && !version.is_proposed() {
                    ui.say(&format!("hint: it is not in force yet: ecr-gate policy activate {}", version.digest));
                }
            }
        }
        Ok(if version.waits(ui) && self.activate { Exit::Undecided } else { Exit::Allowed })
    }
}
