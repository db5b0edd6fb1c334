//! `ecr-gate signals withdraw`: takes a document back.

use serde_json::{Value, json};

use crate::commands::decisions::segment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{inert_json, logged};
use crate::server::{Ask, ServerArgs};
use crate::ui::{ListFormat, Ui};

/// Takes back a document that was handed in: no later judgement reads it
///
/// You may take back what you handed in; what others handed in takes a token with the role `admin`. The audit log says who did it and why.
/// Decisions that rest on the document stay on record, and so do its bytes for as long as they do; the next ask is judged without it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 taken back, 3 no such document counts, or the token may not do that, 4 the service asks to slow down,
            5 unreachable or not understood (look with `signals list` whether it was done), 64 wrong usage.

Examples:
  ecr-gate signals withdraw 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e --reason \"scanned with a database of last year\"")]
pub(super) struct WithdrawArgs {
    /// The id, as `signals submit` and `signals list` say it
    #[arg(value_name = "ID")]
    id: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

impl WithdrawArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let path = format!("signals/{}/withdraw", segment("ID", &self.id)?);
        let server = self.service.needed(ui)?;
        let ask = Ask::post(path, &json!({ "reason": self.reason }))?.once();
        let sent = server.send(&ask).await;
        let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        match self.output {
            ListFormat::Json => ui.data(&inert_json(format!("{answer:#}")))?,
            ListFormat::Table => {
                let word = |name: &str| logged(answer.get(name).and_then(Value::as_str).unwrap_or("?"), 300);
                ui.data(&format!("taken back: {} about {}@{}", word("kind"), word("repository"), word("digest")))?;
            }
        }
        Ok(Exit::Allowed)
    }
}
