//! `exception list`, `show`, `preview`, `uses`.

use std::fmt::Write as _;

use api::{Exception, ExceptionChange, ExceptionPreview, ExceptionUsed};
use model::Digest;
use serde_json::{Value, json};

use super::{WORDS, environment, image, state, waived, who};
use crate::commands::decisions::{seconds, segment, short, tell_next};
use crate::commands::history::subject;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json, logged};
use crate::server::{Ask, Pages, ServerArgs};
use crate::ui::{ListFormat, Ui};

/// Lists exceptions, the newest first; every filter that is given has to hold
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 listed, 3 the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate exception list --state requested
  ecr-gate exception list --image ghcr.io/team/app --all --output json")]
pub(super) struct ListArgs {
    /// In this state
    #[arg(long, value_name = "STATE", value_parser = ["requested", "approved", "rejected", "withdrawn", "revoked", "expired", "fixed"])]
    state: Option<String>,
    /// About this repository: `HOST/REPOSITORY`; with `@DIGEST` behind it only about that image
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// About this digest, in whatever repository
    #[arg(long, value_name = "DIGEST")]
    digest: Option<Digest>,
    /// About a repository of this team of the service's configuration, or a pattern that may be about one; `none`: of no team
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// For this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    #[command(flatten)]
    pages: Pages,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// Shows an exception whole: what it is about, who asked, who approved, and how often it was used
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 shown, 3 the service refuses or does not know it, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate exception show 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e")]
pub(super) struct ShowArgs {
    #[command(flatten)]
    one: One,
}

/// Shows what an exception changes: which images get which verdict without it and with it
///
/// The latest decisions that it is about are judged on the facts of then; nothing is fetched, and nothing is recorded.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 shown, 3 the service refuses or does not know it, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate exception preview 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e")]
pub(super) struct PreviewArgs {
    #[command(flatten)]
    one: One,
}

/// Lists the decisions that an exception changed, the newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 listed, 3 the service refuses or does not know it, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate exception uses 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e --all")]
pub(super) struct UsesArgs {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    pages: Pages,
}

#[derive(Debug, clap::Args)]
struct One {
    /// The exception
    #[arg(value_name = "ID")]
    id: String,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

impl ListArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let (repository, digest) = match self.image.as_deref().map(subject).transpose()? {
            Some((_, Some(_))) if self.digest.is_some() => {
                return Err(Failure::usage("--image names a digest already: give either that or --digest"));
            }
            Some((repository, digest)) => (repository, digest.or_else(|| self.digest.clone())),
            None => (None, self.digest.clone()),
        };
        let mut server = self.service.needed(ui)?;
        let ask = || {
            Ask::get("exceptions")
                .query("state", self.state.as_ref())
                .query("image", repository.as_ref())
                .query("digest", digest.as_ref())
                .query("team", self.team.as_ref())
                .query("environment", self.environment.as_ref())
        };
        let read = self.pages.read::<Exception>(&mut server, "exceptions", ask).await;
        let (list, next) = read.map_err(|why| why.failure(&server))?;
        match self.output {
            ListFormat::Json => {
                let list: Vec<Value> = list.into_iter().map(|(value, _)| value).collect();
                ui.data(&inert_json(format!("{:#}", json!({ "exceptions": list, "next": next }))))?;
            }
            ListFormat::Table if list.is_empty() => ui.say("no exception is like that"),
            ListFormat::Table => {
                let titles = ["STATE", "WAIVES", "IMAGE", "ENVIRONMENT", "ENDS", "OWNER", "USES", "ID"];
                ui.data(&columns(titles, list.into_iter().map(|(_, exception)| row(&exception))))?;
                tell_next(next.as_deref(), ui);
            }
        }
        Ok(Exit::Allowed)
    }
}

fn row(exception: &Exception) -> [String; 8] {
    let scope = &exception.scope;
    [
        state(exception.state).to_owned(),
        waived(scope),
        image(scope),
        environment(scope),
        seconds(exception.expires),
        logged(&exception.owner, WORDS),
        exception.uses.to_string(),
        exception.id.clone(),
    ]
}

impl ShowArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.one.service.needed(ui)?;
        let id = segment("ID", &self.one.id)?;
        let sent = server.send(&Ask::get(format!("exceptions/{id}"))).await;
        let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        let exception: Exception = serde_json::from_value(answer.clone())
            .map_err(|error| crate::server::not_understood(format!("its answer cannot be read: {error}")))?;
        ui.data(&match self.one.output {
            ListFormat::Json => inert_json(format!("{answer:#}")),
            ListFormat::Table => whole(&exception),
        })?;
        Ok(Exit::Allowed)
    }
}

fn whole(exception: &Exception) -> String {
    let mut text = String::new();
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12} {}", logged(value, 4_096));
    };
    let scope = &exception.scope;
    let counts = if exception.in_force { ", counts now" } else { "" };
    fact("exception", &exception.id);
    fact("state", &format!("{}{counts}", state(exception.state)));
    fact("revision", &exception.revision.to_string());
    fact("waives", &waived(scope));
    fact(
        "image",
        &scope
            .digest
            .as_ref()
            .map_or_else(|| scope.repository.clone(), |digest| format!("{}@{digest}", scope.repository)),
    );
    fact("environment", &environment(scope));
    fact(
        "ends",
        &format!(
            "{}{}",
            seconds(exception.expires),
            if exception.until_fixed { ", or when there is a fix" } else { "" }
        ),
    );
    if !exception.wide.is_empty() {
        fact("wide", &format!("{}: the role policy-admin approves it", exception.wide.join(", ")));
    }
    fact("reason", &exception.reason);
    for (name, value) in
        [("ticket", &exception.ticket), ("author", &exception.author), ("decision", &exception.decision)]
    {
        if let Some(value) = value {
            fact(name, value);
        }
    }
    fact("owner", &exception.owner);
    for (number, hand) in exception.requested.iter().enumerate() {
        let name = if number == 0 { "asked for by" } else { "changed by" };
        fact(name, &who(&hand.by, hand.person.as_deref(), hand.at));
    }
    if let Some(hand) = &exception.settled {
        let why = hand.reason.as_deref().map_or_else(String::new, |why| format!(": {why}"));
        fact("settled by", &format!("{}{why}", who(&hand.by, hand.person.as_deref(), hand.at)));
    }
    fact("uses", &exception.uses.to_string());
    text
}

impl PreviewArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.one.service.needed(ui)?;
        let id = segment("ID", &self.one.id)?;
        let sent = server.send(&Ask::get(format!("exceptions/{id}/preview"))).await;
        let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        let preview: ExceptionPreview = serde_json::from_value(answer.clone())
            .map_err(|error| crate::server::not_understood(format!("its answer cannot be read: {error}")))?;
        match self.one.output {
            ListFormat::Json => ui.data(&inert_json(format!("{answer:#}")))?,
            ListFormat::Table => ui.data(&told(&preview))?,
        }
        Ok(Exit::Allowed)
    }
}

fn told(preview: &ExceptionPreview) -> String {
    let ExceptionPreview { revision, changes, covered, flipped, judged, not_judged, whole } = preview;
    let mut text = format!(
        "revision {revision} covers something in {covered} of {judged} latest decisions; {flipped} get another verdict\n"
    );
    if *not_judged > 0 {
        let _ = writeln!(text, "{not_judged} more could not be judged: their facts are not kept");
    }
    if !whole {
        let _ = writeln!(text, "there are more decisions than were looked at");
    }
    if !changes.is_empty() {
        let titles = ["WITHOUT", "WITH", "COVERS", "ENVIRONMENT", "IMAGE", "STILL STANDS"];
        text.push_str(&columns(titles, changes.iter().map(changed)));
    }
    text
}

fn changed(change: &ExceptionChange) -> [String; 6] {
    let still = change.reasons.first().map_or_else(|| "-".to_owned(), |reason| logged(reason, 120));
    [
        change.without.as_str().to_owned(),
        change.with.as_str().to_owned(),
        change.findings.to_string(),
        logged(&change.environment, WORDS),
        logged(&format!("{}@{}", change.repository, short(change.digest.as_str())), WORDS),
        still,
    ]
}

impl UsesArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let mut server = self.one.service.needed(ui)?;
        let id = segment("ID", &self.one.id)?;
        let ask = || Ask::get(format!("exceptions/{id}/uses"));
        let read = self.pages.read::<ExceptionUsed>(&mut server, "uses", ask).await;
        let (list, next) = read.map_err(|why| why.failure(&server))?;
        match self.one.output {
            ListFormat::Json => {
                let list: Vec<Value> = list.into_iter().map(|(value, _)| value).collect();
                ui.data(&inert_json(format!("{:#}", json!({ "uses": list, "next": next }))))?;
            }
            ListFormat::Table if list.is_empty() => ui.say("it changed no decision yet"),
            ListFormat::Table => {
                let titles = ["AT", "VERDICT", "ENVIRONMENT", "IMAGE", "DECISION"];
                ui.data(&columns(titles, list.into_iter().map(|(_, used)| use_row(used))))?;
                tell_next(next.as_deref(), ui);
            }
        }
        Ok(Exit::Allowed)
    }
}

fn use_row(used: ExceptionUsed) -> [String; 5] {
    let dash = || "-".to_owned();
    let image = used.repository.zip(used.digest).map(|(name, digest)| format!("{name}@{}", short(digest.as_str())));
    [
        seconds(used.at),
        used.verdict.map_or_else(dash, |verdict| verdict.as_str().to_owned()),
        used.environment.unwrap_or_else(dash),
        image.unwrap_or_else(|| "no longer kept".to_owned()),
        used.decision,
    ]
}
