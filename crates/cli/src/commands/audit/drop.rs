//! `ecr-gate audit drop`: the text of old entries goes, their hashes stay, and an entry says so.

use engine::{GateError, drop_audit_entries};
use serde_json::json;

use crate::clock::now;
use crate::commands::store::{open, past};
use crate::database::{self, DatabaseArgs};
use crate::env;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::inert_json;
use crate::ui::{OutputFormat, Ui};

/// Drops the text of old entries of the audit log from the database; their hashes stay, and a new entry says that it was done
///
/// The log still verifies: exports have no text in these places, and `audit verify` says how many. Nothing else drops anything of the log, and
/// nothing brings it back: export it first. The entry of the kind `audit.dropped` names who dropped and before when; its text is never
/// dropped. It gets its place in the log from the service. On SQLite the service has to be stopped meanwhile: a file belongs to one process.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 dropped; 3 the database is in use, not there, or of another version; 5 it failed, and nothing was dropped; 64 wrong usage,
            or no --yes.

Examples:
  ecr-gate audit export --output-file audit-until-today.jsonl
  ecr-gate audit drop --before 2025-01-01 --by 'Jo Doe, ticket 4711' --yes")]
pub(super) struct DropArgs {
    /// Of entries from before then: a day such as 2026-01-31, a time, or so long ago, such as 730d
    #[arg(long, value_name = "DATE")]
    before: String,
    /// Who drops, for the log [default: the one who is logged in] [env: USER]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Yes, for good
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

/// The longest name of who drops, in characters.
const NAME: usize = 256;

impl DropArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let before = past("--before", &self.before)?;
        let by = self.by.clone().or_else(|| env::USER.get());
        let Some(by) = by.filter(|by| !by.trim().is_empty()) else {
            return Err(Failure::usage("who drops is not known").hint("say it with --by NAME: it stands in the log"));
        };
        if by.chars().count() > NAME || by.chars().any(char::is_control) {
            return Err(Failure::usage(format!("--by: a name of at most {NAME} characters, on one line")));
        }
        if !self.yes {
            return Err(Failure::usage(format!(
                "the text of every audit entry from before {before} would be lost for good"
            ))
            .hint("keep it first: ecr-gate audit export --output-file audit.jsonl")
            .hint("then say --yes"));
        }
        let store = open(&self.database).await?;
        ui.say(&format!("dropping the text of audit entries from before {before}"));
        let dropped = drop_audit_entries(&store, before, &by, now()).await;
        store.close().await;
        let dropped = dropped.map_err(|error| match error {
            GateError::Store(error) => database::failed(&error),
            other => Failure::internal(other.to_string()),
        })?;
        match self.output {
            OutputFormat::Json => {
                let answer = json!({ "before": before, "by": by, "dropped": dropped });
                ui.data(&inert_json(format!("{answer:#}")))?;
            }
            OutputFormat::Text => ui.data(&format!("dropped: the text of {dropped} entries from before {before}"))?,
        }
        Ok(Exit::Allowed)
    }
}
