//! `ecr-gate policy versions`, `activate`, `rollback`: which policies the decision service has, and which are in force.

use api::ProposalState;
use model::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json, logged};
use crate::server::{Ask, Server, ServerArgs, Trouble};
use crate::ui::{ListFormat, Ui};

/// Lists the policy versions that the decision service has, the newest first, and which is in force
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 listed, 3 the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate policy versions
  ecr-gate policy versions --output json")]
pub(super) struct VersionsArgs {
    /// How many at most
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// Brings a policy version into force: every replica of the service judges by it within seconds
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 in force, 3 no such version, another one is in force than --believed, or the token may not do that, 4 it waits for a second person, or
            the service asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate policy activate sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --reason \"reviewed in !123\"")]
pub(super) struct ActivateArgs {
    /// The version, as `policy push` and `policy versions` name it
    #[arg(value_name = "DIGEST")]
    digest: Digest,
    #[command(flatten)]
    activation: Activation,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// Brings the policy version back that was in force before
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 in force, 3 there is none before it, or the token may not do that, 4 it waits for a second person, or the service asks to slow down,
            5 unreachable or not understood (look with `policy versions` whether it was done), 64 wrong usage.

Examples:
  ecr-gate policy rollback --reason \"blocks the base image\"")]
pub(super) struct RollbackArgs {
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// Brings a policy version into force that another person proposed with `policy activate` or `policy rollback`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 in force, 3 nothing waits, it was you who proposed it, or another policy came into force since, 4 the service asks to slow down,
            5 unreachable or not understood (look with `policy versions` whether it was done), 64 wrong usage.

Examples:
  ecr-gate policy confirm sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
pub(super) struct ConfirmArgs {
    /// The version, as `policy activate` and `policy versions` name it
    #[arg(value_name = "DIGEST")]
    digest: Digest,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// Takes back a policy version that waits for a second person: by whoever proposed it, or the roles policy-admin and admin
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 it waits no longer, 3 there is no such proposal, it waits no longer already, or the token may not do that, 4 the service asks to slow down,
            5 unreachable or not understood (look with `policy versions` whether it was done), 64 wrong usage.

Examples:
  ecr-gate policy withdraw 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e --reason \"blocks the base image\"")]
pub(super) struct WithdrawArgs {
    /// The proposal, as `policy activate` and `policy versions` name it
    #[arg(value_name = "ID")]
    id: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

impl WithdrawArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        let id = crate::commands::decisions::segment("ID", &self.id)?;
        let request = api::WithdrawProposalRequest { reason: self.reason.clone() };
        let ask = Ask::post(format!("proposals/{id}/withdraw"), &request)?.once();
        let sent = server.send(&ask).await;
        let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        let read = Version::read(&answer).and_then(|version| match &version.proposal {
            Some(proposal) if proposal.id == id && proposal.state == ProposalState::Withdrawn => Ok(version),
            _ => Err(Trouble::NotUnderstood("the proposal is not withdrawn after all".to_owned())),
        });
        let version = read.map_err(|why| why.failure(&server))?;
        ui.data(&match self.output {
            ListFormat::Json => inert_json(format!("{answer:#}")),
            ListFormat::Table => version.line(),
        })?;
        Ok(Exit::Allowed)
    }
}

impl ConfirmArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        let ask = Ask::post(format!("policies/{}/confirm", self.digest), &serde_json::json!({}))?.once();
        let sent = server.send(&ask).await;
        let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        told(&server, &answer, self.output, ui)
    }
}

/// What goes with bringing a version into force.
#[derive(Debug, Clone, clap::Args, Serialize)]
pub(super) struct Activation {
    /// Only if this version is in force now: nobody else's change is undone unseen
    #[arg(long, value_name = "DIGEST")]
    #[serde(skip_serializing_if = "Option::is_none")]
    believed: Option<Digest>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Activation {
    pub(super) fn is_given(&self) -> bool {
        self.believed.is_some() || self.reason.is_some()
    }
}

/// A version, as far as a person is told.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub(super) digest: Digest,
    names: Vec<String>,
    pub(super) in_force: bool,
    uploaded_at: Option<Timestamp>,
    uploaded_by: Option<String>,
    pub(super) remarks: Vec<String>,
    /// How it was last put forward to a second person.
    proposal: Option<Proposal>,
}

#[derive(Deserialize)]
struct Proposal {
    id: String,
    person: String,
    state: ProposalState,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Listed {
    versions: Vec<Value>,
}

impl Version {
    pub(super) fn read(answer: &Value) -> Result<Self, Trouble> {
        Self::deserialize(answer)
            .map_err(|error| Trouble::NotUnderstood(format!("a policy version cannot be read: {error}")))
    }

    pub(super) fn line(&self) -> String {
        let state = match self.state() {
            "" => "uploaded",
            state => state,
        };
        format!("{state}: {} ({})", self.digest, logged(&self.names.join(", "), 500))
    }

    pub(super) fn is_proposed(&self) -> bool {
        self.waiting().is_some()
    }

    /// The proposal, if it waits for a second person.
    fn waiting(&self) -> Option<&Proposal> {
        self.proposal.as_ref().filter(|proposal| !self.in_force && proposal.state == ProposalState::Open)
    }

    fn state(&self) -> &'static str {
        match self.proposal.as_ref().map(|proposal| proposal.state) {
            _ if self.in_force => "in force",
            Some(ProposalState::Open) => "proposed",
            Some(ProposalState::Withdrawn) => "withdrawn",
            Some(ProposalState::Expired) => "expired",
            // It was in force since.
            Some(ProposalState::Confirmed) | None => "",
        }
    }

    /// Whether it waits for somebody else, who is then told how to go on.
    pub(super) fn waits(&self, ui: Ui) -> bool {
        let Some(Proposal { id, person, until, .. }) = self.waiting() else { return false };
        ui.say(&format!(
            "it is not in force: {} proposed it, and another person confirms it, until {until}:",
            logged(person, 500)
        ));
        ui.say(&format!("  ecr-gate policy confirm {}", self.digest));
        ui.say(&format!("to take it back: ecr-gate policy withdraw {}", logged(id, 100)));
        true
    }

    fn row(&self) -> [String; 5] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let uploaded = self.uploaded_at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let state = match self.waiting() {
            Some(Proposal { id, person, .. }) => format!("proposed by {} ({})", logged(person, 200), logged(id, 100)),
            None => self.state().to_owned(),
        };
        [self.digest.to_string(), state, or_dash(uploaded), or_dash(self.uploaded_by.clone()), self.names.join(", ")]
    }
}

impl VersionsArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        let sent = server.send(&Ask::get("policies").query("limit", Some(self.limit))).await;
        let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        let read = || -> Result<Vec<Version>, Trouble> {
            let Listed { versions } = Listed::deserialize(&answer)
                .map_err(|error| Trouble::NotUnderstood(format!("its list of versions cannot be read: {error}")))?;
            versions.iter().map(Version::read).collect()
        };
        let list = read().map_err(|why| why.failure(&server))?;
        match self.output {
            ListFormat::Json => ui.data(&inert_json(format!("{answer:#}")))?,
            ListFormat::Table if list.is_empty() => {
                ui.say("the service has no policy yet: ecr-gate policy push FILE --activate");
            }
            ListFormat::Table => {
                let titles = ["VERSION", "STATE", "UPLOADED", "BY", "POLICIES"];
                ui.data(&columns(titles, list.iter().map(Version::row)))?;
            }
        }
        Ok(Exit::Allowed)
    }
}

impl ActivateArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        let answer = activate(&server, &self.digest, &self.activation).await?;
        told(&server, &answer, self.output, ui)
    }
}

impl RollbackArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        // Done twice it would go two versions back.
        let ask = Ask::post("policies/rollback", &Activation { believed: None, reason: self.reason.clone() })?
            .once()
            .goes_on();
        let sent = server.send(&ask).await;
        let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        told(&server, &answer, self.output, ui)
    }
}

/// Brings a version into force; the answer is that version, in force.
pub(super) async fn activate(server: &Server, version: &Digest, activation: &Activation) -> Result<Value, Failure> {
    let mut ask = Ask::post(format!("policies/{version}/activate"), activation)?.goes_on();
    if activation.believed.is_some() {
        // Done twice, the second would find another version than was believed.
        ask = ask.once();
    }
    let sent = server.send(&ask).await;
    let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(server))?;
    let read = Version::read(&answer).and_then(|read| {
        if read.digest == *version {
            Ok(())
        } else {
            Err(Trouble::NotUnderstood(format!("it brought {} into force instead of {version}", read.digest)))
        }
    });
    read.map(|()| answer).map_err(|why| why.failure(server))
}

fn told(server: &Server, answer: &Value, output: ListFormat, ui: Ui) -> Result<Exit, Failure> {
    let version = Version::read(answer)
        .and_then(|version| {
            if version.in_force || version.is_proposed() {
                Ok(version)
            } else {
                Err(Trouble::NotUnderstood("the version is not in force after all".to_owned()))
            }
        })
        .map_err(|why| why.failure(server))?;
    ui.data(&match output {
        ListFormat::Json => inert_json(format!("{answer:#}")),
        ListFormat::Table => version.line(),
    })?;
    Ok(if version.waits(ui) { Exit::Undecided } else { Exit::Allowed })
}
