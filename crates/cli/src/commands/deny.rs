//! `ecr-gate deny`: the deny list of the decision service.

use api::Denial;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::decisions::{seconds, segment, short, tell_next};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json, logged};
use crate::server::{Ask, Pages, ServerArgs};
use crate::ui::{ListFormat, Ui};

/// The deny list: what may run nowhere, whatever any policy, exception or override says
///
/// An entry is in force on every replica of the decision service within a second. Images that are denied by it say so, with the reason that is given
/// here. Nothing but `deny lift` ends it.
#[derive(Debug, Args)]
pub(crate) struct DenyArgs {
    #[command(subcommand)]
    command: DenyCommand,
}

#[derive(Debug, Subcommand)]
enum DenyCommand {
    Add(AddArgs),
    List(ListArgs),
    Lift(LiftArgs),
}

/// Denies an image, repository, signer, package or vulnerability everywhere
///
/// Takes a token with the role `policy-admin`. A digest of an index denies its platforms too, as far as the service has seen them. What an image
/// holds is known as far as the policies in force look: without a scan or a bill of materials a decision carries a warning instead.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 denied, 3 the service refuses, 4 it asks to slow down, 5 unreachable or not understood (look with `deny list`), 64 wrong usage.

Examples:
  ecr-gate deny add --digest sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1 --reason \"leaks credentials, INC-42\"
  ecr-gate deny add --repository 'docker.io/evil/**' --reason \"typosquatting\"
  ecr-gate deny add --package pkg:npm/event-stream@3.3.6 --reason \"backdoor\"
  ecr-gate deny add --vulnerability CVE-2024-3094 --quarantine --reason \"xz backdoor, under investigation\"")]
#[group(id = "what", required = true, multiple = false)]
struct AddArgs {
    /// An image
    #[arg(long, value_name = "DIGEST", group = "what")]
    digest: Option<String>,
    /// Repositories: HOST/REPOSITORY, with `*` for one part of a name and `**` for any
    #[arg(long, value_name = "PATTERN", group = "what")]
    repository: Option<String>,
    /// Whoever signed: the digest of a key or certificate, or the exact identity or subject of a certificate, as `ecr-gate verify` shows it
    #[arg(long, value_name = "SIGNER", group = "what")]
    signer: Option<String>,
    /// A package, by its package URL; of one version if that names one
    #[arg(long, value_name = "PURL", group = "what")]
    package: Option<String>,
    /// A vulnerability, by any of its names
    #[arg(long, value_name = "CVE", group = "what")]
    vulnerability: Option<String>,
    /// For scanners and forensics to look at, for nobody to run
    #[arg(long)]
    quarantine: bool,
    /// Why: whoever is blocked reads it, and so does the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    asking: Asking,
}

/// Lists what is denied, by whom and why, the newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 listed, 3 the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.")]
struct ListArgs {
    /// Also what was lifted
    #[arg(long)]
    lifted: bool,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    asking: Asking,
}

/// Ends an entry of the deny list
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 lifted, 3 there is no such entry or the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.")]
struct LiftArgs {
    /// The entry, as `deny list` shows it
    #[arg(value_name = "ID")]
    id: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    asking: Asking,
}

/// How to answer, and whom to ask.
#[derive(Debug, Args)]
pub(super) struct Asking {
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    pub(super) output: ListFormat,
    #[command(flatten)]
    pub(super) service: ServerArgs,
}

impl Asking {
    /// Sends a change, and says what came of it: as JSON, or in words.
    pub(super) async fn change<T: serde::de::DeserializeOwned>(
        &self,
        ask: Ask,
        words: impl FnOnce(&T) -> String,
        ui: Ui,
    ) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        let sent = server.send(&ask.once()).await;
        let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(&server))?;
        let read = T::deserialize(&answer)
            .map_err(|error| crate::server::not_understood(format!("its answer cannot be read: {error}")))?;
        match self.output {
            ListFormat::Json => ui.data(&inert_json(format!("{answer:#}")))?,
            ListFormat::Table => ui.data(&logged(&words(&read), 2_000))?,
        }
        Ok(Exit::Allowed)
    }

    /// Reads a list in pages, and shows it; `none` is said where it is empty.
    pub(super) async fn list<T: serde::de::DeserializeOwned, const N: usize>(
        &self,
        pages: &Pages,
        (name, none): (&'static str, &str),
        ask: impl Fn() -> Ask,
        titles: [&'static str; N],
        row: impl Fn(T) -> [String; N],
        ui: Ui,
    ) -> Result<Exit, Failure> {
        let mut server = self.service.needed(ui)?;
        let read = pages.read::<T>(&mut server, name, ask).await;
        let (list, next) = read.map_err(|why| why.failure(&server))?;
        match self.output {
            ListFormat::Json => {
                let list: Vec<Value> = list.into_iter().map(|(value, _)| value).collect();
                ui.data(&inert_json(format!("{:#}", serde_json::json!({ name: list, "next": next }))))?;
            }
            ListFormat::Table if list.is_empty() => ui.say(none),
            ListFormat::Table => {
                ui.data(&columns(titles, list.into_iter().map(|(_, read)| row(read))))?;
                tell_next(next.as_deref(), ui);
            }
        }
        Ok(Exit::Allowed)
    }
}

impl DenyArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match &self.command {
            DenyCommand::Add(args) => args.run(ui).await,
            DenyCommand::List(args) => args.run(ui).await,
            DenyCommand::Lift(args) => args.run(ui).await,
        }
    }
}

impl AddArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        use api::DeniedKind::{Digest, Package, Repository, Signer, Vulnerability};
        let given = [
            (Digest, &self.digest),
            (Repository, &self.repository),
            (Signer, &self.signer),
            (Package, &self.package),
            (Vulnerability, &self.vulnerability),
        ];
        let Some((kind, what)) = given.into_iter().find_map(|(kind, what)| Some((kind, what.clone()?))) else {
            return Err(Failure::usage("what is to be denied?"));
        };
        let request = api::DenyRequest { kind, what, quarantine: self.quarantine, reason: self.reason.clone() };
        let words = |denial: &Denial| {
            let how = if denial.quarantine { "quarantined" } else { "denied" };
            let also = match denial.also.len() {
                0 => String::new(),
                platforms => format!(", with {platforms} platforms that it covers"),
            };
            format!("{how}: {} {}{also} (entry {})", denial.kind, denial.what, denial.id)
        };
        self.asking.change(Ask::post("denials", &request)?, words, ui).await
    }
}

impl ListArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let ask = || Ask::get("denials").query("all", self.lifted.then_some(true));
        let titles = ["ADDED", "STATE", "WHAT", "BY", "REASON", "ID"];
        let row = |denial: Denial| {
            let state =
                if denial.quarantine && denial.lifted.is_none() { "quarantine".to_owned() } else { denial.state };
            let what = if denial.kind == "digest" { short(&denial.what) } else { denial.what };
            [seconds(denial.added_at), state, format!("{} {what}", denial.kind), denial.by, denial.reason, denial.id]
        };
        self.asking.list(&self.pages, ("denials", "nothing is denied beside the policies"), ask, titles, row, ui).await
    }
}

impl LiftArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let path = format!("denials/{}/lift", segment("ID", &self.id)?);
        let ask = Ask::post(path, &api::EndRequest { reason: self.reason.clone() })?;
        let words =
            |denial: &Denial| format!("denied no longer by entry {}: {} {}", denial.id, denial.kind, denial.what);
        self.asking.change(ask, words, ui).await
    }
}
