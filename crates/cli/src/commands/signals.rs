//! `ecr-gate signals`: documents about images that are handed in to the decision service.

mod list;
mod submit;
mod withdraw;

use clap::{Args, Subcommand};
use model::Digest;

use super::history::subject;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::Ui;

/// Documents about images for the decision service: hands them in, lists them, takes them back
///
/// A document counts for the one manifest that it is handed in about, and only as far as the policy in force lists `file` among its sources.
#[derive(Debug, Args)]
pub(crate) struct SignalsArgs {
    #[command(subcommand)]
    command: SignalsCommand,
}

#[derive(Debug, Subcommand)]
enum SignalsCommand {
    Submit(submit::SubmitArgs),
    List(list::ListArgs),
    Withdraw(withdraw::WithdrawArgs),
}

impl SignalsArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match &self.command {
            SignalsCommand::Submit(args) => args.run(ui).await,
            SignalsCommand::List(args) => args.run(ui).await,
            SignalsCommand::Withdraw(args) => args.run(ui).await,
        }
    }
}

/// The one image that documents are about: a tag stands for another one tomorrow.
fn image(text: &str) -> Result<String, Failure> {
    let (repository, digest): (Option<String>, Option<Digest>) = subject(text)?;
    match (repository, digest) {
        (Some(repository), Some(digest)) => Ok(format!("{repository}@{digest}")),
        _ => Err(Failure::usage(format!("{text:?} is not one image in one repository"))
            .hint("a document is about one manifest: HOST/REPOSITORY@sha256:…")),
    }
}
