//! `exception request` and `edit`.

use std::fmt::Write as _;

use api::{EditExceptionRequest, Exception, ExceptionPreview, ExceptionRequest};
use serde_json::{Value, json};

use super::from_decision::from_decision;
use super::{fetch, is_it, line};
use crate::commands::decisions::segment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::inert_json;
use crate::server::{Ask, Server, ServerArgs, Trouble};
use crate::ui::{ListFormat, Ui};

/// How long an exception runs if nobody says it.
const USUAL: &str = "14d";

/// Asks for an exception: it counts when somebody else approved it
///
/// It is for one vulnerability in one package of one image in one environment, unless a flag makes it wider. What is wider than that, or longer
/// than 30 days, takes the role policy-admin to approve; 90 days is the longest. With `--decision` it asks for everything that blocks there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 asked for, 3 refused: it would never count, or you may not ask for it, 4 the service asks to slow down,
            5 unreachable or not understood (look with `exception list` whether it was asked for), 64 wrong usage.

Examples:
  ecr-gate exception request --decision 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e --reason \"not reachable, see SEC-12\"
  ecr-gate exception request ghcr.io/team/app@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1 \\
      --cve CVE-2021-44228 --package log4j-core --environment production --reason \"lookups are off\" --ticket SEC-12 --expires 14d
  ecr-gate exception request --repositories 'ghcr.io/team/**' --cve CVE-2021-44228 --package log4j-core --until-fixed --reason \"no fix yet\"")]
pub(super) struct RequestArgs {
    /// The image: `HOST/REPOSITORY@DIGEST`; with --every-image `HOST/REPOSITORY`
    #[arg(value_name = "IMAGE", required_unless_present_any = ["repositories", "decision"])]
    image: Option<String>,
    /// For everything that blocks in this decision: image, environment, and each finding or rule
    #[arg(long, value_name = "ID", conflicts_with_all = ["image", "repositories", "cve", "rule", "package", "every_package", "environment", "every_environment", "every_image"])]
    decision: Option<String>,
    /// For every repository like this in one registry: `HOST/team/**`, with `*` within a part of the path
    #[arg(long, value_name = "PATTERN", conflicts_with = "image")]
    repositories: Option<String>,
    /// The vulnerability
    #[arg(long, value_name = "ID", required_unless_present_any = ["rule", "decision"])]
    cve: Option<String>,
    /// Everything that breaks this rule, instead of one vulnerability
    #[arg(long, value_name = "POLICY/RULE", conflicts_with_all = ["cve", "package", "every_package"])]
    rule: Option<String>,
    /// The package it is in, by its name or its whole package URL
    #[arg(long, value_name = "NAME", required_unless_present_any = ["rule", "every_package", "decision"])]
    package: Option<String>,
    /// The environment [default: production] [env: ECR_GATE_ENVIRONMENT]
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Why this is acceptable
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// When it ends: so long from now, the last day (`2026-12-31`), or the moment
    #[arg(long, value_name = "WHEN", default_value = USUAL)]
    expires: String,
    /// It ends before that, where a scanner says that there is a fix
    #[arg(long)]
    until_fixed: bool,
    #[command(flatten)]
    wider: Wider,
    #[command(flatten)]
    named: Named,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// What makes it wider.
#[derive(Debug, clap::Args)]
struct Wider {
    /// For every image of the repository, to come too
    #[arg(long, conflicts_with = "repositories")]
    every_image: bool,
    /// In every package
    #[arg(long, conflicts_with = "package")]
    every_package: bool,
    /// In every environment
    #[arg(long, conflicts_with = "environment")]
    every_environment: bool,
}

/// What goes with it.
#[derive(Debug, clap::Args)]
struct Named {
    /// The ticket it was agreed in
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    /// Who answers for it [default: you]
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Who wrote the commit: they do not approve it
    #[arg(long, value_name = "PERSON")]
    author: Option<String>,
}

/// Changes what was asked for. An approval is void: it counts no longer, anywhere, until somebody approves it anew
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 changed, 3 refused, or somebody else changed it meanwhile, 4 the service asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate exception edit 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e --expires 7d
  ecr-gate exception edit 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e --package log4j-core --reason \"in this package alone\"")]
pub(super) struct EditArgs {
    /// The exception
    #[arg(value_name = "ID")]
    id: String,
    /// Only if this is the last revision still
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    revision: Option<i64>,
    /// The package it is in
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// The environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Why this is acceptable
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// When it ends
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// It ends before that, where a scanner says that there is a fix
    #[arg(long)]
    until_fixed: bool,
    #[command(flatten)]
    named: Named,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

impl RequestArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        if let Some(image) = &self.image {
            match (image.contains('@'), self.wider.every_image) {
                (false, false) => {
                    return Err(Failure::usage(format!("{image:?} names no digest: the exception would be for every image of the repository"))
                        .hint("name the image as the decision does, HOST/REPOSITORY@sha256:…; or say --every-image, which takes policy-admin to approve"));
                }
                (true, true) => return Err(Failure::usage("--every-image, and the digest of one image")),
                _ => {}
            }
        }
        let mut server = self.service.needed(ui)?;
        let wanted = match &self.decision {
            Some(decision) => from_decision(&mut server, decision, &self.asked(), ui).await?,
            None => vec![self.asked()],
        };
        let mut done: Vec<Value> = Vec::new();
        for request in &wanted {
            server.take_time();
            match send(&server, request).await {
                Ok(value) => done.push(value),
                Err(failure) => {
                    told(&server, &done, self.output, ui)?;
                    return Err(failure);
                }
            }
        }
        told(&server, &done, self.output, ui)?;
        if self.output == ListFormat::Table && !done.is_empty() {
            for exception in done.iter().filter_map(|value| serde_json::from_value::<Exception>(value.clone()).ok()) {
                let role = if exception.wide.is_empty() { "approver" } else { "policy-admin" };
                let (id, revision) = (crate::output::logged(&exception.id, 100), exception.revision);
                ui.say(&format!(
                    "it counts when another person with the role {role} approved it; they look at it and approve it:"
                ));
                ui.say(&format!("  ecr-gate exception show {id}; ecr-gate exception preview {id}"));
                ui.say(&format!("  ecr-gate exception approve {id} --revision {revision}"));
                if covers_nothing(&mut server, &exception.id).await {
                    ui.say("warning: it covers nothing in any decision on record: look at image, CVE, rule and environment once more");
                }
            }
        }
        Ok(Exit::Allowed)
    }

    fn asked(&self) -> ExceptionRequest {
        let usual = || crate::env::ENVIRONMENT.get().unwrap_or_else(|| "production".to_owned());
        let environment = (!self.wider.every_environment).then(|| self.environment.clone().unwrap_or_else(usual));
        ExceptionRequest {
            image: self.image.clone(),
            repositories: self.repositories.clone(),
            cve: self.cve.clone(),
            package: self.package.clone(),
            rule: self.rule.clone(),
            environment,
            until_fixed: self.until_fixed,
            reason: self.reason.clone(),
            ticket: self.named.ticket.clone(),
            owner: self.named.owner.clone(),
            author: self.named.author.clone(),
            expires: self.expires.clone(),
            decision: None,
        }
    }
}

/// Whether it is certain to change nothing that was decided: what is mistyped looks like any other. It is asked for all the same.
async fn covers_nothing(server: &mut Server, id: &str) -> bool {
    let Ok(id) = crate::commands::decisions::segment("ID", id) else { return false };
    server.take_time();
    let preview: Result<ExceptionPreview, _> =
        async { server.send(&Ask::get(format!("exceptions/{id}/preview"))).await?.read() }.await;
    preview.is_ok_and(|preview| preview.covered == 0 && preview.not_judged == 0 && preview.whole)
}

async fn send(server: &Server, request: &ExceptionRequest) -> Result<Value, Failure> {
    // Asked for twice there would be two.
    let sent = server.send(&Ask::post("exceptions", request)?.once()).await;
    sent.and_then(|reply| reply.read()).map_err(|why| why.failure(server))
}

fn told(server: &Server, done: &[Value], output: ListFormat, ui: Ui) -> Result<(), Failure> {
    let read = |value: &Value| -> Result<Exception, Trouble> {
        serde_json::from_value(value.clone())
            .map_err(|error| Trouble::NotUnderstood(format!("its answer cannot be read: {error}")))
    };
    let exceptions: Result<Vec<Exception>, Trouble> = done.iter().map(read).collect();
    let exceptions = exceptions.map_err(|why| why.failure(server))?;
    match output {
        ListFormat::Json => ui.data(&inert_json(format!("{:#}", json!({ "exceptions": done }))))?,
        ListFormat::Table if exceptions.is_empty() => {}
        ListFormat::Table => {
            let mut lines = String::new();
            for exception in &exceptions {
                lines.push_str(&line(exception));
                lines.push('\n');
                if !exception.wide.is_empty() {
                    let wide = crate::output::logged(&exception.wide.join(", "), 500);
                    let _ = writeln!(lines, "  it is wide ({wide}): the role policy-admin approves it");
                }
            }
            ui.data(&lines)?;
        }
    }
    Ok(())
}

impl EditArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        let id = segment("ID", &self.id)?;
        let now = fetch(&server, &id).await?;
        let scope = now.scope;
        let image = match &scope.digest {
            Some(digest) => format!("{}@{digest}", scope.repository),
            None => scope.repository.clone(),
        };
        let exception = ExceptionRequest {
            image: (!scope.is_pattern).then_some(image),
            repositories: scope.is_pattern.then_some(scope.repository),
            cve: scope.cve,
            package: self.package.clone().or(scope.package),
            rule: scope.rule,
            environment: self.environment.clone().or(scope.environment),
            until_fixed: self.until_fixed || now.until_fixed,
            reason: self.reason.clone().unwrap_or(now.reason),
            ticket: self.named.ticket.clone().or(now.ticket),
            owner: self.named.owner.clone().or(Some(now.owner)),
            author: self.named.author.clone().or(now.author),
            expires: self.expires.clone().unwrap_or_else(|| now.expires.to_string()),
            decision: now.decision,
        };
        let body = EditExceptionRequest { revision: self.revision.unwrap_or(now.revision), exception };
        let sent = server.send(&Ask::put(format!("exceptions/{id}"), &body)?.once()).await;
        let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        let read = serde_json::from_value::<Exception>(answer.clone())
            .map_err(|error| Trouble::NotUnderstood(format!("its answer cannot be read: {error}")))
            .and_then(|edited| is_it(&edited, &id).map(|()| edited));
        let edited = read.map_err(|why| why.failure(&server))?;
        ui.data(&match self.output {
            ListFormat::Json => inert_json(format!("{answer:#}")),
            ListFormat::Table => line(&edited),
        })?;
        Ok(Exit::Allowed)
    }
}
