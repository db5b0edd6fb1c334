//! `ecr-gate store prune`: what is old is forgotten, kind by kind, and never more than is asked for.

use engine::{Forgettable, Store};
use model::Timestamp;
use serde_json::{Map, Value, json};

use super::{look, open};
use crate::clock::now;
use crate::commands::decisions::moment;
use crate::database::{self, DatabaseArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json};
use crate::ui::{ListFormat, Ui};

/// Forgets what is older than a date, each kind by its own; the audit log is left as it is
///
/// What is needed stays, however old: the newest decision about an image in an environment, the newest that covers a platform of an index, one
/// that promoted something; evidence that a decision, its facts or a submission names. The text of the audit log is dropped by
/// `ecr-gate audit drop` alone. May be stopped at any time, and run again. On SQLite the service has to be stopped, but for --dry-run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 done; 3 the database is in use, not there, or of another version; 5 it failed: what was forgotten until then is gone;
            64 wrong usage.

Examples:
  ecr-gate store prune --answers-before 90d --dry-run
  ecr-gate store prune --answers-before 90d --decisions-before 365d --evidence-before 365d
  ecr-gate store prune --idempotency-before 1d --jobs-before 2026-01-31 --output json")]
pub(super) struct PruneArgs {
    /// Answers: who was answered, where, by which decision. A date, a time, or so long ago, such as 90d
    #[arg(long, value_name = "DATE")]
    answers_before: Option<String>,
    /// Decisions that newer ones replaced
    #[arg(long, value_name = "DATE")]
    decisions_before: Option<String>,
    /// Evidence that nothing names any more
    #[arg(long, value_name = "DATE")]
    evidence_before: Option<String>,
    /// Documents that were submitted about images: what they said no longer counts
    #[arg(long, value_name = "DATE")]
    signals_before: Option<String>,
    /// Idempotency keys that were over by then
    #[arg(long, value_name = "DATE")]
    idempotency_before: Option<String>,
    /// Jobs that were given up
    #[arg(long, value_name = "DATE")]
    jobs_before: Option<String>,
    /// Forget nothing; say what would go as things are. Evidence of decisions that would go as well is not counted
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
}

impl PruneArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let mut wanted = Vec::new();
        for what in Forgettable::ALL {
            let (flag, text) = self.flag(what);
            if let Some(text) = text {
                wanted.push((what, past(flag, text)?));
            }
        }
        if wanted.is_empty() {
            return Err(Failure::usage("nothing is named that could be forgotten")
                .hint("such as --answers-before 90d; `ecr-gate store prune --help` names the others"));
        }
        let store = if self.dry_run { look(&self.database).await? } else { open(&self.database).await? };
        let counted = self.forget(&store, &wanted, ui).await;
        store.close().await;
        self.tell(&counted?, ui)?;
        Ok(Exit::Allowed)
    }

    fn flag(&self, what: Forgettable) -> (&'static str, Option<&str>) {
        let (flag, text) = match what {
            Forgettable::Answers => ("--answers-before", &self.answers_before),
            Forgettable::Decisions => ("--decisions-before", &self.decisions_before),
            Forgettable::Evidence => ("--evidence-before", &self.evidence_before),
            Forgettable::Signals => ("--signals-before", &self.signals_before),
            Forgettable::Idempotency => ("--idempotency-before", &self.idempotency_before),
            Forgettable::Jobs => ("--jobs-before", &self.jobs_before),
        };
        (flag, text.as_deref())
    }

    async fn forget(&self, store: &Store, wanted: &[(Forgettable, Timestamp)], ui: Ui) -> Result<Vec<Pruned>, Failure> {
        let mut counted = Vec::with_capacity(wanted.len());
        for (what, before) in wanted {
            let rows = if self.dry_run {
                store.prunable(*what, *before).await
            } else {
                ui.say(&format!("forgetting {} from before {before}", what.as_str()));
                store.prune(*what, *before).await
            };
            let rows = rows.map_err(|error| database::failed(&error))?;
            counted.push(Pruned { what: *what, before: *before, rows });
        }
        Ok(counted)
    }

    fn tell(&self, counted: &[Pruned], ui: Ui) -> Result<(), Failure> {
        if self.output == ListFormat::Json {
            let rows: Map<String, Value> =
                counted.iter().map(|pruned| (pruned.what.as_str().to_owned(), pruned.json())).collect();
            return ui.data(&inert_json(format!("{:#}", json!({ "dryRun": self.dry_run, "pruned": rows }))));
        }
        let count = if self.dry_run { "WOULD GO" } else { "FORGOTTEN" };
        let row =
            |pruned: &Pruned| [pruned.what.as_str().to_owned(), pruned.before.to_string(), pruned.rows.to_string()];
        ui.data(&columns(["WHAT", "FROM BEFORE", count], counted.iter().map(row)))
    }
}

/// What was forgotten, or would be.
struct Pruned {
    what: Forgettable,
    before: Timestamp,
    rows: u64,
}

impl Pruned {
    fn json(&self) -> Value {
        json!({ "before": self.before, "rows": self.rows })
    }
}

/// A day (its beginning, UTC), a time, or how long ago; not in the future.
pub(in crate::commands) fn past(flag: &str, text: &str) -> Result<Timestamp, Failure> {
    let is_day = text.len() == "2026-01-31".len();
    let day = is_day.then(|| format!("{text}T00:00:00Z").parse::<Timestamp>().ok()).flatten();
    let moment = match day {
        Some(day) => day,
        None => moment(flag, text)?,
    };
    if moment > now() {
        return Err(Failure::usage(format!("{flag}: {text} is in the future"))
            .hint("a day such as 2026-01-31, a time such as 2026-01-31T08:00:00Z, or 90d for ninety days ago"));
    }
    // Nobody means parts of a second.
    Ok(Timestamp::from_second(moment.as_second()).unwrap_or(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_a_time_or_how_long_ago_and_never_the_future() {
        let of = |text: &str| past("--before", text);
        assert_eq!(of("2026-01-31").unwrap().to_string(), "2026-01-31T00:00:00Z");
        assert_eq!(of("2026-01-31T08:00:00Z").unwrap().to_string(), "2026-01-31T08:00:00Z");
        let ago = now().duration_since(of("90d").unwrap());
        assert!((ago.as_hours() - 90 * 24).abs() <= 1, "{ago}");
        assert!(of("0s").is_ok());
        for text in ["2026-02-30", "", "yesterday", "9999-12-31", "-1d"] {
            assert_eq!(of(text).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }
}
