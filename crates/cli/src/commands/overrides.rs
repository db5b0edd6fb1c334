//! `ecr-gate override` and `ecr-gate label`: letting a denied image through for a while, and saying what a block was.

use api::{BlockLabel, LabelRequest, LabelledBlock, Override, OverrideRequest};
use clap::{Args, Subcommand, ValueEnum};
use model::{Digest, parse_duration};

use super::decisions::{seconds, segment, short};
use super::deny::Asking;
use super::history::subject;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::logged;
use crate::server::{Ask, Pages};
use crate::ui::Ui;

/// Overrides: an image that is denied or pending runs all the same, for a while, because you say so and why
///
/// An override is no allow: the verdict stays, every answer says `overridden`, the audit log has who, why, until when, and which decisions it
/// changed. The deny list, quarantine and revoked signers stand above it. What has to last longer than three days is an exception.
#[derive(Debug, Args)]
pub(crate) struct OverrideArgs {
    #[command(subcommand)]
    command: OverrideCommand,
}

#[derive(Debug, Subcommand)]
enum OverrideCommand {
    Grant(GrantArgs),
    List(ListArgs),
    Revoke(RevokeArgs),
}

/// Lets one image through in one environment, for up to 72 hours
///
/// Takes a token with the role `break-glass` for that repository and environment.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 granted, 3 the service refuses, 4 it asks to slow down, 5 unreachable or not understood (look with `override list`), 64 wrong usage.

Examples:
  ecr-gate override grant ghcr.io/team/app@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1 \\
    --environment production --lasts 2h --ticket INC-42 --reason \"rollback of the outage; the CVE is in a path we do not use\"")]
struct GrantArgs {
    /// The image: HOST/REPOSITORY@DIGEST
    #[arg(value_name = "IMAGE")]
    image: String,
    /// The environment
    #[arg(long, value_name = "NAME", default_value = "production")]
    environment: String,
    /// For how long: `30m`, `2h`
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    lasts: String,
    /// The incident or ticket
    #[arg(long, value_name = "TEXT")]
    ticket: Option<String>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    asking: Asking,
}

/// Lists overrides, the newest first, with how many decisions each changed
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 listed, 3 the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.")]
struct ListArgs {
    /// About this image
    #[arg(long, value_name = "DIGEST")]
    digest: Option<Digest>,
    /// In a repository of this team of the service's configuration; `none`: of no team
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    asking: Asking,
}

/// Ends an override before its time
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 ended, 3 there is no such override or the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.")]
struct RevokeArgs {
    /// The override, as `override list` shows it
    #[arg(value_name = "ID")]
    id: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    asking: Asking,
}

/// Says what a block was: the rate of false blocks is made of what people said
///
/// A later word replaces an earlier one. Takes a token with the role `approver` or `policy-admin`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 said, 3 there is no such decision, it blocked nothing, or the service refuses, 4 it asks to slow down,
            5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate label 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e --as false-block --reason \"the scanner took the package for another one\"")]
pub(crate) struct LabelArgs {
    /// The decision
    #[arg(value_name = "ID")]
    decision: String,
    /// What the block was
    #[arg(long = "as", value_enum, value_name = "LABEL")]
    label: Word,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Word {
    /// It should not have been
    FalseBlock,
    /// It was right, and the risk was taken
    AcceptedRisk,
    /// It was right
    True,
}

impl OverrideArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match &self.command {
            OverrideCommand::Grant(args) => args.run(ui).await,
            OverrideCommand::List(args) => args.run(ui).await,
            OverrideCommand::Revoke(args) => args.run(ui).await,
        }
    }
}

impl GrantArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let (Some(repository), Some(digest)) = subject(&self.image)? else {
            return Err(Failure::usage(format!("{:?} is not one image in one repository", self.image))
                .hint("an override is for one image: HOST/REPOSITORY@sha256:…"));
        };
        let wrong = |why: String| Failure::usage(format!("--lasts: {why}")).hint("give up to 72h, such as 90m");
        let lasts = parse_duration(&self.lasts).map_err(&wrong)?;
        let minutes = u32::try_from(lasts.as_mins()).map_err(|_| wrong("that is no time to come".to_owned()))?;
        if minutes == 0 {
            return Err(wrong("an override lasts a minute at least".to_owned()));
        }
        let request = OverrideRequest {
            image: format!("{repository}@{digest}"),
            environment: self.environment.clone(),
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            minutes,
        };
        let words = |one: &Override| {
            for warning in &one.warnings {
                ui.insist(&format!("warning: {}", logged(warning, 1_000)));
            }
            format!(
                "let through until {}: {}@{} in {} (override {})",
                seconds(one.until),
                one.repository,
                one.digest,
                one.environment,
                one.id
            )
        };
        self.asking.change(Ask::post("overrides", &request)?, words, ui).await
    }
}

impl ListArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let ask = || Ask::get("overrides").query("digest", self.digest.as_ref()).query("team", self.team.as_ref());
        let titles = ["GRANTED", "STATE", "UNTIL", "ENVIRONMENT", "IMAGE", "BY", "DECISIONS", "REASON", "ID"];
        let row = |one: Override| {
            let image = format!("{}@{}", one.repository, short(one.digest.as_str()));
            let state =
                if one.state == "active" && one.until <= crate::clock::now() { "ended".to_owned() } else { one.state };
            let (granted, until) = (seconds(one.granted_at), seconds(one.until));
            // Nowhere else in the environment is it let through.
            let image = match one.owner {
                Some(owner) => format!("{image} of {} in {}/{}", owner.workload, owner.cluster, owner.namespace),
                None => image,
            };
            [granted, state, until, one.environment, image, one.by, one.uses.to_string(), one.reason, one.id]
        };
        self.asking
            .list(&self.pages, ("overrides", "nothing was let through by an override"), ask, titles, row, ui)
            .await
    }
}

impl RevokeArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let path = format!("overrides/{}/revoke", segment("ID", &self.id)?);
        let ask = Ask::post(path, &api::EndRequest { reason: self.reason.clone() })?;
        let words =
            |one: &Override| format!("let through no longer: {}@{} in {}", one.repository, one.digest, one.environment);
        self.asking.change(ask, words, ui).await
    }
}

impl LabelArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let label = match self.label {
            Word::FalseBlock => BlockLabel::FalseBlock,
            Word::AcceptedRisk => BlockLabel::AcceptedRisk,
            Word::True => BlockLabel::True,
        };
        let path = format!("decisions/{}/label", segment("ID", &self.decision)?);
        let ask = Ask::post(path, &LabelRequest { label, reason: self.reason.clone() })?;
        let words = |said: &LabelledBlock| format!("labelled: decision {}", said.decision);
        self.asking.change(ask, words, ui).await
    }
}
