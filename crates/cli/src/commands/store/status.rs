//! `ecr-gate store status`: which database, which schema, how many rows, how large.

use engine::{Backend, StoreStatus};
use serde_json::{Map, Value, json};

use super::look;
use crate::database::{self, DatabaseArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json, logged};
use crate::ui::{ListFormat, Ui};

/// Tells how the database is: its schema, its size, the rows of each table, and what waits or was given up
///
/// Changes nothing, and works while a service runs on it. Every row is counted: on a large database this takes a while.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 told, also of a schema that is not up to date; 3 the database is not there, cannot be used, or is of a newer version;
            5 it failed; 64 wrong usage.

Examples:
  ecr-gate store status
  ecr-gate store status --config serve.yaml --output json | jq .upToDate")]
pub(super) struct StatusArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
}

impl StatusArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let store = look(&self.database).await?;
        let status = store.status().await.map_err(|error| database::failed(&error))?;
        store.close().await;
        match self.output {
            ListFormat::Json => ui.data(&inert_json(format!("{:#}", json(&status))))?,
            ListFormat::Table => ui.data(&table(&status))?,
        }
        if status.schema < status.known {
            ui.say("hint: `ecr-gate store migrate` brings the schema up to date, and so does the start of the service");
        }
        if status.dead_jobs > 0 {
            ui.say("hint: jobs that were given up stay with their reason; `ecr-gate store prune --jobs-before DATE` forgets them");
        }
        Ok(Exit::Allowed)
    }
}

fn backend(status: &StoreStatus) -> &'static str {
    match status.backend {
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    }
}

fn json(status: &StoreStatus) -> Value {
    let rows: Map<String, Value> =
        status.rows.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect();
    json!({
        "backend": backend(status),
        "url": status.url,
        "schema": status.schema,
        "knownSchema": status.known,
        "upToDate": status.schema == status.known,
        "sizeBytes": status.size_bytes,
        "rows": rows,
        "auditEntriesWaiting": status.unsequenced,
        "jobsGivenUp": status.dead_jobs,
    })
}

fn table(status: &StoreStatus) -> String {
    let schema = match (status.schema, status.known) {
        (0, known) => format!("none yet; this version works with {known}"),
        (found, known) if found == known => format!("{found}, up to date"),
        (found, known) => format!("{found}; this version works with {known}"),
    };
    let mut lines = vec![
        format!("database  {} ({})", logged(&status.url, 500), backend(status)),
        format!("schema    {schema}"),
        format!("size      {}", bytes(status.size_bytes)),
    ];
    if status.schema == status.known {
        lines.push(format!("waiting   {} audit entries for their place in the log", status.unsequenced));
        lines.push(format!("given up  {} jobs", status.dead_jobs));
        let rows = status.rows.iter().map(|(name, count)| [(*name).to_owned(), count.to_string()]);
        lines.push(String::new());
        lines.push(columns(["TABLE", "ROWS"], rows));
    }
    lines.join("\n")
}

/// For people.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..10_240 => format!("{count} bytes"),
        10_240..10_485_760 => format!("{} KiB", count >> 10),
        _ => format!("{} MiB", count >> 20),
    }
}
