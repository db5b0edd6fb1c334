//! `ecr-gate exception`: exceptions of the decision service, asked for by one and approved by another. Nothing is judged here.

mod from_decision;
mod look;
mod request;
mod settle;

use api::{Exception, ExceptionScope, ExceptionStateWord};
use model::Timestamp;

use super::decisions::{seconds, short};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::logged;
use crate::server::{Ask, Server, Trouble};
use crate::ui::Ui;

/// Asks for exceptions, approves those of others, and shows what each did
///
/// An exception lets one vulnerability in one package of one image into one environment, for a while. Whoever is blocked asks for it; it
/// counts when somebody else approved it, everywhere and at once, until it ends. Every step and every use is on record.
#[derive(Debug, clap::Args)]
pub(crate) struct ExceptionArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Request(Box<request::RequestArgs>),
    List(look::ListArgs),
    Show(look::ShowArgs),
    Preview(look::PreviewArgs),
    Edit(Box<request::EditArgs>),
    Approve(settle::ApproveArgs),
    Reject(settle::RejectArgs),
    Revoke(settle::RevokeArgs),
    Withdraw(settle::WithdrawArgs),
    Uses(look::UsesArgs),
}

impl ExceptionArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match &self.command {
            Command::Request(args) => args.run(ui).await,
            Command::List(args) => args.run(ui).await,
            Command::Show(args) => args.run(ui).await,
            Command::Preview(args) => args.run(ui).await,
            Command::Edit(args) => args.run(ui).await,
            Command::Approve(args) => args.run(ui).await,
            Command::Reject(args) => args.run(ui).await,
            Command::Revoke(args) => args.run(ui).await,
            Command::Withdraw(args) => args.run(ui).await,
            Command::Uses(args) => args.run(ui).await,
        }
    }
}

/// The longest text of others on one line.
const WORDS: usize = 300;

/// An exception as the service has it.
async fn fetch(server: &Server, id: &str) -> Result<Exception, Failure> {
    let id = super::decisions::segment("ID", id)?;
    let reply = server.send(&Ask::get(format!("exceptions/{id}"))).await;
    let exception: Exception = reply.and_then(|reply| reply.read()).map_err(|why| why.failure(server))?;
    is_it(&exception, &id).map(|()| exception).map_err(|why| why.failure(server))
}

/// An answer about another exception is none.
fn is_it(exception: &Exception, id: &str) -> Result<(), Trouble> {
    if exception.id == id {
        return Ok(());
    }
    Err(Trouble::NotUnderstood(format!("it answers about exception {} instead of {id}", exception.id)))
}

fn state(state: ExceptionStateWord) -> &'static str {
    match state {
        ExceptionStateWord::Requested => "requested",
        ExceptionStateWord::Approved => "approved",
        ExceptionStateWord::Rejected => "rejected",
        ExceptionStateWord::Withdrawn => "withdrawn",
        ExceptionStateWord::Revoked => "revoked",
        ExceptionStateWord::Expired => "expired",
        ExceptionStateWord::Fixed => "fixed",
    }
}

/// What it waives: `CVE-2021-44228 in log4j-core`, `rule house/user`.
fn waived(scope: &ExceptionScope) -> String {
    let text = match (&scope.cve, &scope.package) {
        (Some(cve), Some(package)) => format!("{cve} in {package}"),
        (Some(cve), None) => format!("{cve} in every package"),
        (None, _) => format!("rule {}", scope.rule.as_deref().unwrap_or("-")),
    };
    logged(&text, WORDS)
}

/// Where: `HOST/REPOSITORY@sha256:0123456789ab`, or the repository or pattern.
fn image(scope: &ExceptionScope) -> String {
    let text = match &scope.digest {
        Some(digest) => format!("{}@{}", scope.repository, short(digest.as_str())),
        None => scope.repository.clone(),
    };
    logged(&text, WORDS)
}

fn environment(scope: &ExceptionScope) -> String {
    scope.environment.as_deref().map_or_else(|| "every one".to_owned(), |name| logged(name, WORDS))
}

/// One line: what became of it, and what it is about.
fn line(exception: &Exception) -> String {
    let scope = &exception.scope;
    let (state, waived, image) = (state(exception.state), waived(scope), image(scope));
    let (environment, end) = (environment(scope), seconds(exception.expires));
    format!(
        "{state}: {} (revision {}): {waived}, {image}, environment {environment}, until {end}",
        exception.id, exception.revision
    )
}

/// Who, as a person is told.
fn who(by: &str, person: Option<&str>, at: Timestamp) -> String {
    let person = person.filter(|person| *person != by).map_or_else(String::new, |person| format!(" ({person})"));
    logged(&format!("{by}{person}, {}", seconds(at)), WORDS)
}
