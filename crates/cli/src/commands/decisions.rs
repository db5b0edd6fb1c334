//! `ecr-gate decisions`: what the decision service decided, by image, environment, verdict, time, pipeline and commit.

mod evidence;

use std::path::PathBuf;

use model::{Digest, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::now;
use crate::commands::history::subject;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json};
use crate::server::{Ask, Pages, ServerArgs};
use crate::ui::{ListFormat, Ui};

/// Lists what the decision service decided, the newest first; every filter that is given has to hold
///
/// With `--id` one decision is shown whole: for reading, or with `--output json` the record byte for byte as it was written.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 listed, 3 the service refuses or does not know it, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate decisions --verdict deny --since 24h
  ecr-gate decisions --image ghcr.io/team/app --environment production --all --output json
  ecr-gate decisions --pipeline 4711
  ecr-gate decisions --id 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e
  ecr-gate decisions --id 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e --evidence evidence/")]
pub(crate) struct DecisionsArgs {
    /// One decision, whole, as JSON
    #[arg(long, value_name = "ID", conflicts_with_all = ["image", "digest", "team", "environment", "verdict", "since", "until", "pipeline", "commit", "all", "limit", "cursor"])]
    id: Option<String>,
    /// With --id: write what the decision rests on into this folder, each document as it was read, named by its digest
    #[arg(long, value_name = "DIR", requires = "id")]
    evidence: Option<PathBuf>,
    /// About this repository: `HOST/REPOSITORY`; with `@DIGEST` behind it only about that image
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// About this digest, in whatever repository
    #[arg(long, value_name = "DIGEST")]
    digest: Option<Digest>,
    /// In a repository of this team of the service's configuration; `none`: of no team
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// For this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// With this verdict
    #[arg(long, value_name = "VERDICT", value_parser = ["allow", "warn", "pending", "deny"])]
    verdict: Option<String>,
    /// Recorded since then: a time such as `2026-01-31T08:00:00Z`, or so long ago, such as `24h`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Recorded before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Answered to this pipeline
    #[arg(long, value_name = "ID")]
    pipeline: Option<String>,
    /// Answered for this commit
    #[arg(long, value_name = "SHA")]
    commit: Option<String>,
    #[command(flatten)]
    pages: Pages,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// A decision in a list, as far as the table shows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    id: String,
    repository: String,
    digest: String,
    environment: String,
    verdict: String,
    recorded_at: Timestamp,
    valid_until: Option<Timestamp>,
    /// An older service says none.
    #[serde(default)]
    reasons: Vec<Reason>,
    #[serde(default)]
    more_reasons: u64,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    message: String,
}

/// The most of a reason that the table shows, in characters.
const REASON: usize = 80;

impl DecisionsArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let (repository, digest) = match self.image.as_deref().map(subject).transpose()? {
            Some((_, Some(_))) if self.digest.is_some() => {
                return Err(Failure::usage("--image names a digest already: give either that or --digest"));
            }
            Some((repository, digest)) => (repository, digest.or_else(|| self.digest.clone())),
            None => (None, self.digest.clone()),
        };
        let since = self.since.as_deref().map(|text| moment("--since", text)).transpose()?;
        let until = self.until.as_deref().map(|text| moment("--until", text)).transpose()?;
        let mut server = self.service.needed(ui)?;
        if let Some(id) = &self.id {
            let ask = Ask::get(format!("decisions/{}", segment("--id", id)?)).limit(64 << 20);
            let reply = server.send(&ask).await.map_err(|why| why.failure(&server))?;
            let value: Value = reply.read().map_err(|why| why.failure(&server))?;
            let text = match self.output {
                ListFormat::Table => format!("{value:#}"),
                // As it was written: whoever compares digests gets the same bytes, unless one of them steers a terminal.
                ListFormat::Json => reply.text().map_err(|why| why.failure(&server))?,
            };
            ui.data(&inert_json(text))?;
            if let Some(folder) = &self.evidence {
                evidence::write(&mut server, id, folder, ui).await?;
            }
            return Ok(Exit::Allowed);
        }
        let ask = || {
            Ask::get("decisions")
                .query("image", repository.as_ref())
                .query("digest", digest.as_ref())
                .query("team", self.team.as_ref())
                .query("environment", self.environment.as_ref())
                .query("verdict", self.verdict.as_ref())
                .query("since", since)
                .query("until", until)
                .query("pipeline", self.pipeline.as_ref())
                .query("commit", self.commit.as_ref())
        };
        let read = self.pages.read::<Summary>(&mut server, "decisions", ask).await;
        let (list, next) = read.map_err(|why| why.failure(&server))?;
        match self.output {
            ListFormat::Json => {
                let list: Vec<Value> = list.into_iter().map(|(value, _)| value).collect();
                ui.data(&inert_json(format!("{:#}", json!({ "decisions": list, "next": next }))))?;
            }
            ListFormat::Table if list.is_empty() => ui.say("no decision is like that"),
            ListFormat::Table => {
                let titles = ["RECORDED", "VERDICT", "ENVIRONMENT", "IMAGE", "VALID UNTIL", "ID", "REASON"];
                ui.data(&columns(titles, list.into_iter().map(|(_, summary)| row(summary))))?;
                tell_next(next.as_deref(), ui);
            }
        }
        Ok(Exit::Allowed)
    }
}

fn row(summary: Summary) -> [String; 7] {
    let Summary { id, repository, digest, environment, verdict, recorded_at, valid_until, reasons, more_reasons } =
        summary;
    let until = valid_until.map_or_else(|| "-".to_owned(), seconds);
    let image = format!("{repository}@{}", short(&digest));
    [seconds(recorded_at), verdict, environment, image, until, id, why(&reasons, more_reasons)]
}

/// The first reason, and how many more there are.
fn why(reasons: &[Reason], more: u64) -> String {
    let Some((Reason { code, message }, others)) = reasons.split_first() else { return "-".to_owned() };
    let mut text: String = message.chars().take(REASON).collect();
    if text.len() < message.len() {
        text.push('…');
    }
    let more = more.saturating_add(others.len() as u64);
    let and = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    format!("{code}: {text}{and}")
}

/// To the second.
pub(super) fn seconds(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A digest as far as a person compares it.
pub(super) fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).collect()
}

/// On stderr: where the list goes on.
pub(super) fn tell_next(next: Option<&str>, ui: Ui) {
    if let Some(next) = next {
        ui.say(&format!("there are more: --all, or --cursor {}", crate::output::logged(next, 200)));
    }
}

/// A part of a path: an id as the service gives them.
pub(super) fn segment(flag: &str, text: &str) -> Result<String, Failure> {
    let is_plain =
        !text.is_empty() && text.len() <= 200 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:".contains(&b));
    if is_plain { Ok(text.to_owned()) } else { Err(Failure::usage(format!("{flag}: {text:?} is no id"))) }
}

/// A time, or how long ago.
pub(super) fn moment(flag: &str, text: &str) -> Result<Timestamp, Failure> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let ago = model::parse_duration(text).ok().and_then(|ago| now().checked_sub(ago).ok());
    ago.ok_or_else(|| {
        Failure::usage(format!("{flag}: {text:?} is neither a time nor a duration"))
            .hint("such as 2026-01-31T08:00:00Z, or 24h for a day ago")
    })
}
