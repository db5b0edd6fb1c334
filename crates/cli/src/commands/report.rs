//! `ecr-gate report`: what happened in a week, a month or a quarter, and what changed in an incident. As Markdown, to be read and passed on, or as JSON.

mod markdown;

use clap::{Args, Subcommand};
use model::reports::{IncidentReport, PeriodReport, ReportPeriod};
use model::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::decisions::moment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::inert_json;
use crate::server::{Ask, ServerArgs};
use crate::ui::Ui;

/// Reports of the decision service: what happened in a week, a month or a quarter, and what changed in an incident
///
/// Everything is read from the service's audit log and store, as far as your token sees it. What a report does not cover it says itself.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(subcommand)]
    command: ReportCommand,
}

#[derive(Debug, Subcommand)]
enum ReportCommand {
    /// The 7 days before now, or before the end of a day
    Weekly(PeriodArgs),
    /// The 30 days before now, or before the end of a day
    Monthly(PeriodArgs),
    /// The 91 days before now, or before the end of a day
    Quarterly(PeriodArgs),
    Incident(IncidentArgs),
}

/// How to answer, and whom to ask.
#[derive(Debug, Args)]
struct Answering {
    /// How to answer
    #[arg(long, short, value_enum, default_value = "markdown", value_name = "FORMAT")]
    output: ReportFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ReportFormat {
    /// For people
    #[value(aliases = ["text", "table"])]
    Markdown,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 reported, 3 the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate report weekly > report.md
  ecr-gate report monthly --ending 2026-01-31 --team payments
  ecr-gate report quarterly --output json | jq .falseBlocks.rate")]
struct PeriodArgs {
    /// The last day of the report (UTC), or a time [default: now]
    #[arg(long, value_name = "DATE")]
    ending: Option<String>,
    /// About repositories of this team of the service's configuration alone; `none`: of no team
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    #[command(flatten)]
    answering: Answering,
}

/// What changed in an environment in a time: from which commit and pipeline, decided how, and what to go back to
///
/// Promotions, decisions, overrides, exceptions, policies, the deny list and tokens, in order; and for each repository the last image before that time
/// that the gate gave leave for, with the command that brings it back.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 reported, 3 the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate report incident --since 2h
  ecr-gate report incident --since 2026-01-31T08:00:00Z --until 2026-01-31T10:00:00Z --environment production --repository ghcr.io/team/app")]
struct IncidentArgs {
    /// Since when: a time, or how long ago
    #[arg(long, value_name = "TIME", default_value = "2h")]
    since: String,
    /// Until when: a time, or how long ago [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The environment
    #[arg(long, value_name = "NAME", default_value = "production")]
    environment: String,
    /// This repository alone: HOST/REPOSITORY
    #[arg(long, value_name = "REPOSITORY")]
    repository: Option<String>,
    #[command(flatten)]
    answering: Answering,
}

impl ReportArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match &self.command {
            ReportCommand::Weekly(args) => args.run(ReportPeriod::Weekly, ui).await,
            ReportCommand::Monthly(args) => args.run(ReportPeriod::Monthly, ui).await,
            ReportCommand::Quarterly(args) => args.run(ReportPeriod::Quarterly, ui).await,
            ReportCommand::Incident(args) => args.run(ui).await,
        }
    }
}

impl PeriodArgs {
    async fn run(&self, period: ReportPeriod, ui: Ui) -> Result<Exit, Failure> {
        let ending = self.ending.as_deref().map(ending).transpose()?;
        let ask =
            Ask::get(format!("reports/{}", period.as_str())).query("ending", ending).query("team", self.team.as_ref());
        self.answering.answer(&ask, |report: &PeriodReport| markdown::period(report), ui).await
    }
}

impl IncidentArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let since = moment("--since", &self.since)?;
        let until = self.until.as_deref().map(|text| moment("--until", text)).transpose()?;
        let ask = Ask::get("incidents")
            .query("since", Some(since))
            .query("until", until)
            .query("environment", Some(&self.environment))
            .query("repository", self.repository.as_ref());
        self.answering.answer(&ask, |report: &IncidentReport| markdown::incident(report), ui).await
    }
}

impl Answering {
    async fn answer<T: DeserializeOwned>(
        &self,
        ask: &Ask,
        words: impl FnOnce(&T) -> String,
        ui: Ui,
    ) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        let answer: Value =
            server.send(ask).await.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        let read = T::deserialize(&answer)
            .map_err(|error| crate::server::not_understood(format!("its answer cannot be read: {error}")))?;
        match self.output {
            ReportFormat::Json => ui.data(&inert_json(format!("{answer:#}")))?,
            ReportFormat::Markdown => ui.data(&words(&read))?,
        }
        Ok(Exit::Allowed)
    }
}

/// A time, or the end of a day.
fn ending(text: &str) -> Result<Timestamp, Failure> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let day = format!("{text}T00:00:00Z").parse::<Timestamp>();
    day.and_then(|day| day.checked_add(SignedDuration::from_hours(24))).map_err(|_| {
        Failure::usage(format!("--ending: {text:?} is neither a day nor a time"))
            .hint("such as 2026-01-31, which ends with that day (UTC), or 2026-01-31T08:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_with_itself() {
        assert_eq!(ending("2026-01-31").unwrap().to_string(), "2026-02-01T00:00:00Z");
        assert_eq!(ending("2026-01-31T08:00:00Z").unwrap().to_string(), "2026-01-31T08:00:00Z");
        for wrong in ["31.1.2026", "", "yesterday", "2026-02-30"] {
            assert_eq!(ending(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }
}
