//! `exception approve`, `reject`, `revoke`, `withdraw`.

use api::{Exception, ExceptionStateWord, SettleExceptionRequest};
use serde_json::Value;

use super::{fetch, is_it, line};
use crate::commands::decisions::segment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::inert_json;
use crate::server::{Ask, Server, ServerArgs, Trouble};
use crate::ui::{ListFormat, Ui};

/// Approves an exception of somebody else: it counts at once, everywhere, until it ends
///
/// Look at it before: `exception show` says what it is and which revision that is, `exception preview` what it changes. What was edited since
/// is not approved. Whoever asked for it, changed it, or wrote the commit does not approve it; nor does a machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 approved, 3 refused, or another revision is the last one, 4 the service asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate exception approve 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e --revision 1 --reason \"not reachable, see SEC-12\"")]
pub(super) struct ApproveArgs {
    /// The exception
    #[arg(value_name = "ID")]
    id: String,
    /// The revision that you have seen
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    revision: i64,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    rest: Rest,
}

/// Says no to an exception that was asked for
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 rejected, 3 refused, or another revision is the last one, 4 the service asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate exception reject 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e --reason \"there is a fix: upgrade to 3.0.8\"")]
pub(super) struct RejectArgs {
    #[command(flatten)]
    settled: Settled,
}

/// Ends an approved exception: it counts no longer, anywhere
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 revoked, 3 refused, or another revision is the last one, 4 the service asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate exception revoke 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e --reason \"it is exploited now\"")]
pub(super) struct RevokeArgs {
    #[command(flatten)]
    settled: Settled,
}

/// Takes back an exception that you asked for
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 withdrawn, 3 refused, or another revision is the last one, 4 the service asks to slow down, 5 unreachable or not understood, 64 wrong usage.

Examples:
  ecr-gate exception withdraw 01979b1e-7c5a-7000-8000-2f4d6a1b9c3e")]
pub(super) struct WithdrawArgs {
    /// The exception
    #[arg(value_name = "ID")]
    id: String,
    /// Only if this is the last revision still
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    revision: Option<i64>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    rest: Rest,
}

#[derive(Debug, clap::Args)]
struct Settled {
    /// The exception
    #[arg(value_name = "ID")]
    id: String,
    /// Only if this is the last revision still
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    revision: Option<i64>,
    /// Why: whoever asked for it reads this
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    rest: Rest,
}

#[derive(Debug, clap::Args)]
struct Rest {
    /// How to answer
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORMAT")]
    output: ListFormat,
    #[command(flatten)]
    service: ServerArgs,
}

impl ApproveArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.rest.service.needed(ui)?;
        let reason = self.reason.clone();
        let body = SettleExceptionRequest { revision: self.revision, reason };
        settle(&server, &self.id, "approve", &body, ExceptionStateWord::Approved, self.rest.output, ui).await
    }
}

impl RejectArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        self.settled.run("reject", ExceptionStateWord::Rejected, ui).await
    }
}

impl RevokeArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        self.settled.run("revoke", ExceptionStateWord::Revoked, ui).await
    }
}

impl Settled {
    async fn run(&self, verb: &str, becomes: ExceptionStateWord, ui: Ui) -> Result<Exit, Failure> {
        let server = self.rest.service.needed(ui)?;
        let revision = last(&server, &self.id, self.revision).await?;
        let body = SettleExceptionRequest { revision, reason: Some(self.reason.clone()) };
        settle(&server, &self.id, verb, &body, becomes, self.rest.output, ui).await
    }
}

impl WithdrawArgs {
    pub(super) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let server = self.rest.service.needed(ui)?;
        let revision = last(&server, &self.id, self.revision).await?;
        let body = SettleExceptionRequest { revision, reason: self.reason.clone() };
        settle(&server, &self.id, "withdraw", &body, ExceptionStateWord::Withdrawn, self.rest.output, ui).await
    }
}

/// The revision that was given, or the last one.
async fn last(server: &Server, id: &str, given: Option<i64>) -> Result<i64, Failure> {
    match given {
        Some(revision) => Ok(revision),
        None => Ok(fetch(server, id).await?.revision),
    }
}

async fn settle(
    server: &Server,
    id: &str,
    verb: &str,
    body: &SettleExceptionRequest,
    becomes: ExceptionStateWord,
    output: ListFormat,
    ui: Ui,
) -> Result<Exit, Failure> {
    let id = segment("ID", id)?;
    // Done twice, the second would find another revision.
    let ask = Ask::post(format!("exceptions/{id}/{verb}"), body)?.once();
    let sent = server.send(&ask).await;
    let answer: Value = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(server))?;
    let read = || -> Result<Exception, Trouble> {
        let exception: Exception = serde_json::from_value(answer.clone())
            .map_err(|error| Trouble::NotUnderstood(format!("its answer cannot be read: {error}")))?;
        is_it(&exception, &id)?;
        if exception.state == becomes {
            Ok(exception)
        } else {
            Err(Trouble::NotUnderstood(format!("the exception is {} after all", super::state(exception.state))))
        }
    };
    let exception = read().map_err(|why| why.failure(server))?;
    ui.data(&match output {
        ListFormat::Json => inert_json(format!("{answer:#}")),
        ListFormat::Table => line(&exception),
    })?;
    Ok(Exit::Allowed)
}
