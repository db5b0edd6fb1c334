//! `ecr-gate policy`: everything about policy documents, one file per command.

mod check;
mod explain;
mod fmt;
mod push;
mod replay;
mod show;
mod test;
mod versions;

use clap::{Args, Subcommand};
use policy::PolicySet;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::Ui;

/// Policies: check and test them, explain what they do to an image, replay a change over recorded facts, bring them to a service
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Prints the JSON Schema, for editors and checkers
    ///
    /// Save it and point your editor at it, for example with a first line
    /// `# yaml-language-server: $schema=gate-policy.schema.json`.
    Schema {
        /// The schema of `GateExceptions` files instead
        #[arg(long)]
        exceptions: bool,
        /// The schema of facts instead: what `inspect --output json` prints and a Rego policy gets as its input
        #[arg(long, conflicts_with = "exceptions")]
        facts: bool,
        /// The schema of test files instead
        #[arg(long, conflicts_with_all = ["exceptions", "facts"])]
        tests: bool,
    },
    /// Prints the policy that is in force when no file is given
    BuiltIn,
    Check(check::CheckArgs),
    Test(test::TestArgs),
    Explain(Box<explain::ExplainArgs>),
    Diff(replay::DiffArgs),
    Replay(replay::ReplayArgs),
    Fmt(fmt::FmtArgs),
    Push(push::PushArgs),
    Versions(versions::VersionsArgs),
    Show(show::ShowArgs),
    Activate(versions::ActivateArgs),
    Confirm(versions::ConfirmArgs),
    Withdraw(versions::WithdrawArgs),
    Rollback(versions::RollbackArgs),
}

impl PolicyArgs {
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        match &self.command {
            PolicyCommand::Schema { exceptions, facts, tests } => {
                let schema = match (exceptions, facts) {
                    (true, _) => ::policy::exceptions_schema(),
                    (_, true) => model::facts_schema(),
                    _ if *tests => ::policy::tests_schema(),
                    _ => ::policy::schema(),
                };
                ui.data(&format!("{schema:#}"))?;
                Ok(Exit::Allowed)
            }
            PolicyCommand::BuiltIn => ui.data(PolicySet::BUILT_IN).map(|()| Exit::Allowed),
            PolicyCommand::Check(args) => args.run(ui),
            PolicyCommand::Test(args) => args.run(ui),
            PolicyCommand::Explain(args) => crate::on_runtime(args.run(ui))?,
            PolicyCommand::Diff(args) => args.run(ui),
            PolicyCommand::Replay(args) => args.run(ui),
            PolicyCommand::Fmt(args) => args.run(ui),
            PolicyCommand::Push(args) => crate::on_runtime(args.run(ui))?,
            PolicyCommand::Versions(args) => crate::on_runtime(args.run(ui))?,
            PolicyCommand::Show(args) => crate::on_runtime(args.run(ui))?,
            PolicyCommand::Activate(args) => crate::on_runtime(args.run(ui))?,
            PolicyCommand::Confirm(args) => crate::on_runtime(args.run(ui))?,
            PolicyCommand::Withdraw(args) => crate::on_runtime(args.run(ui))?,
            PolicyCommand::Rollback(args) => crate::on_runtime(args.run(ui))?,
        }
    }
}
