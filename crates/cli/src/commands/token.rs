//! `ecr-gate token` and `whoami`: tokens that the decision service gives out, and who one is to it.

use std::fmt::Write as _;

use api::{Grant, NewToken, RevokeRequest, Token, TokenMade, TokensPage, WhoAmI};
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::config::Time;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{columns, inert_json, logged};
use crate::server::{Ask, Server, ServerArgs};
use crate::ui::{ListFormat, Ui};

/// The longest time for which a token is good, in days.
const DAYS: u64 = 366;

/// Tokens of the decision service: makes one for a pipeline, a tool or a person, lists them, ends one
///
/// For pipelines of GitLab and GitHub, workloads in Kubernetes and people with single sign-on no token is needed: they show what their
/// platform gives them.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    Create(CreateArgs),
    List(ListArgs),
    Revoke(RevokeArgs),
}

/// Makes a token, and prints it this once: the service keeps its SHA-256 alone
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 made, 3 the service refuses (what the token may, you have to be able to give), 4 it asks to slow down,
            5 unreachable or not understood (look with `token list` whether it was made), 64 wrong usage.

Examples:
  ecr-gate token create scanner --role ci --repository 'registry.example/team-a/**' --expires 90d
  ecr-gate token create ada --role approver --environment production --person ada@example.com --expires 12h")]
struct CreateArgs {
    /// What it is for: its bearer stands in records as token:NAME#ID
    #[arg(value_name = "NAME")]
    name: String,
    /// What its bearer may: viewer, developer, ci, approver, policy-admin, break-glass, scanner, forensics or admin
    #[arg(long, required = true, value_name = "ROLE")]
    role: Vec<String>,
    /// For these repositories, patterns of HOST/REPOSITORY: `*` within one part of the name, `**` for any parts [default: all]
    #[arg(long, value_name = "PATTERN")]
    repository: Vec<String>,
    /// For these environments [default: all]
    #[arg(long, value_name = "NAME")]
    environment: Vec<String>,
    /// The person who bears it, as identity providers name them; whoever approves has to be one
    #[arg(long, value_name = "PERSON")]
    person: Option<String>,
    /// For how long it is good, at most 366d
    #[arg(long, value_name = "TIME")]
    expires: Time,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// Lists tokens, the newest first: who made them, what they may, and until when
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 listed, 3 the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate token list
  ecr-gate token list --output json")]
struct ListArgs {
    /// How many at most
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Where the list before ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// Ends a token: within a second no replica takes it any longer
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 over, 3 there is no such token, or the service refuses, 4 it asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate token revoke 01920f3e-7a5c-7d31-8e2b-0c5b5a1d2e3f --reason \"it stood in a log\"")]
struct RevokeArgs {
    /// The token's id, as `token list` shows it
    #[arg(value_name = "ID")]
    id: uuid::Uuid,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

/// Shows who you are to the decision service, and what you may
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 shown, 3 the service does not know the token, or it may nothing, 4 it asks to slow down, 5 unreachable or not understood,
            64 wrong usage.

Examples:
  ecr-gate whoami
  ECR_GATE_TOKEN=$ID_TOKEN ecr-gate whoami --server https://gate.example.com")]
pub(crate) struct WhoAmIArgs {
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

impl TokenArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match &self.command {
            TokenCommand::Create(args) => args.run(ui).await,
            TokenCommand::List(args) => args.run(ui).await,
            TokenCommand::Revoke(args) => args.run(ui).await,
        }
    }
}

/// The answer as it came, and as it is read.
async fn sent<T: serde::de::DeserializeOwned>(server: &Server, ask: &Ask) -> Result<(Value, T), Failure> {
    let reply = server.send(ask).await.map_err(|why| why.failure(server))?;
    let value = reply.read().map_err(|why| why.failure(server))?;
    Ok((value, reply.read().map_err(|why| why.failure(server))?))
}

impl CreateArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let Time(time) = self.expires;
        if time.is_zero() || time.as_secs() > DAYS * 86_400 {
            return Err(Failure::usage(format!("--expires: a token is good for a second to {DAYS} days")));
        }
        let or_all = |given: &[String], all: &str| if given.is_empty() { vec![all.to_owned()] } else { given.to_vec() };
        let (repositories, environments) = (or_all(&self.repository, "**"), or_all(&self.environment, "*"));
        let grant = |role: &String| Grant {
            role: role.clone(),
            repositories: repositories.clone(),
            environments: environments.clone(),
        };
        let new = NewToken {
            name: self.name.clone(),
            grants: self.role.iter().map(grant).collect(),
            person: self.person.clone(),
            lifetime_seconds: u32::try_from(time.as_secs().max(1)).unwrap_or(u32::MAX),
        };
        let server = self.service.needed(ui)?;
        // Done twice there would be two.
        let (value, made) = sent::<TokenMade>(&server, &Ask::post("tokens", &new)?.once()).await?;
        match self.output {
            ListFormat::Json => ui.data(&inert_json(format!("{value:#}")))?,
            ListFormat::Table => {
                ui.data(&logged(&made.secret, 200))?;
                let TokenMade { token, .. } = made;
                ui.say(&format!("{} ({}), until {}", logged(&token.name, 200), token.id, token.until));
                ui.say("it is shown this once: keep it where secrets are kept");
            }
        }
        Ok(Exit::Allowed)
    }
}

impl ListArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        let ask = Ask::get("tokens").query("limit", Some(self.limit)).query("cursor", self.cursor.as_ref());
        let (value, page) = sent::<TokensPage>(&server, &ask).await?;
        match self.output {
            ListFormat::Json => ui.data(&inert_json(format!("{value:#}")))?,
            ListFormat::Table => {
                let titles = ["ID", "NAME", "STATE", "UNTIL", "PERSON", "BY", "MAY"];
                ui.data(&columns(titles, page.tokens.into_iter().map(row)))?;
                if let Some(next) = page.next {
                    ui.say(&format!("there are more: --cursor {}", logged(&next, 200)));
                }
            }
        }
        Ok(Exit::Allowed)
    }
}

impl RevokeArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        let ask = Ask::post(format!("tokens/{}/revoke", self.id), &RevokeRequest { reason: self.reason.clone() })?;
        let (value, token) = sent::<Token>(&server, &ask).await?;
        match self.output {
            ListFormat::Json => ui.data(&inert_json(format!("{value:#}")))?,
            ListFormat::Table => ui.data(&format!("{}: {} ({})", token.state, logged(&token.name, 200), token.id))?,
        }
        Ok(Exit::Allowed)
    }
}

impl WhoAmIArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.service.needed(ui)?;
        let (value, me) = sent::<WhoAmI>(&server, &Ask::get("whoami")).await?;
        match self.output {
            ListFormat::Json => ui.data(&inert_json(format!("{value:#}")))?,
            ListFormat::Table => {
                let mut text = logged(&me.identity.unwrap_or_else(|| "nobody in particular".to_owned()), 2_000);
                if let Some(person) = me.person {
                    let _ = write!(text, "\nperson: {}", logged(&person, 500));
                }
                for grant in &me.grants {
                    let _ = write!(text, "\n{}", words(grant));
                }
                ui.data(&text)?;
            }
        }
        Ok(Exit::Allowed)
    }
}

fn words(grant: &Grant) -> String {
    let Grant { role, repositories, environments } = grant;
    logged(&format!("{role} on {} in {}", repositories.join(", "), environments.join(", ")), 2_000)
}

fn row(token: Token) -> [String; 7] {
    let may: Vec<String> = token.grants.iter().map(words).collect();
    let person = token.person.unwrap_or_else(|| "-".to_owned());
    let until = token.until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    [token.id, token.name, token.state, until, person, token.created_by, may.join("; ")]
}
