//! The `ecr-gate` binary: reads the command line, runs one command, and turns its outcome into words and an exit code.

mod clock;
mod commands;
mod config;
mod database;
mod delivery;
mod env;
mod exit;
mod facts_files;
mod failure;
mod files;
mod handed;
mod logging;
mod output;
mod policies;
mod progress;
mod registry;
mod server;
mod signing;
mod target;
mod trust;
mod ui;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::logged;
use crate::ui::Ui;

/// Decides whether a container image may be deployed, from what is known about exactly that image.
#[derive(Debug, Parser)]
#[command(name = "ecr-gate", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    /// Nothing on stderr but errors and warnings
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(Box<commands::check::CheckArgs>),
    Inspect(Box<commands::inspect::InspectArgs>),
    Measure(Box<commands::measure::MeasureArgs>),
    Verify(Box<commands::verify::VerifyArgs>),
    Attest(Box<commands::attest::AttestArgs>),
    Keys(commands::keys::KeysArgs),
    Doctor(Box<commands::doctor::DoctorArgs>),
    Serve(Box<commands::serve::ServeArgs>),
    Store(commands::store::StoreArgs),
    IamPolicy(Box<commands::iam_policy::IamPolicyArgs>),
    TrustPolicy(commands::trust_policy::TrustPolicyArgs),
    Init(commands::init::InitArgs),
    Lint(commands::lint::LintArgs),
    Policy(commands::policy::PolicyArgs),
    Promote(commands::promote::PromoteArgs),
    Rollback(commands::rollback::RollbackArgs),
    Decisions(commands::decisions::DecisionsArgs),
    History(commands::history::HistoryArgs),
    Signals(commands::signals::SignalsArgs),
    Deny(commands::deny::DenyArgs),
    Override(commands::overrides::OverrideArgs),
    Label(commands::overrides::LabelArgs),
    Exception(commands::exception::ExceptionArgs),
    Report(commands::report::ReportArgs),
    Kubernetes(Box<commands::kubernetes::KubernetesArgs>),
    Drift(Box<commands::drift::DriftArgs>),
    Audit(commands::audit::AuditArgs),
    Token(commands::token::TokenArgs),
    #[command(name = "whoami")]
    WhoAmI(commands::token::WhoAmIArgs),
    Admin(commands::admin::AdminArgs),
    #[command(hide = true)]
    SigstoreConformance(commands::conformance::ConformanceArgs),
    #[command(hide = true)]
    Reference(commands::reference::ReferenceArgs),
    /// Prints a completion script for your shell
    ///
    /// For example: `ecr-gate completions bash > /etc/bash_completion.d/ecr-gate`
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The longest message that is shown, in characters.
const MESSAGE: usize = 2_000;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() {
                delivery::forget(std::env::args_os());
            }
            // clap's 2 would be "scanner without a result" (S10).
            return ExitCode::from(if error.use_stderr() { Exit::Usage as u8 } else { Exit::Allowed as u8 });
        }
    };
    let ui = Ui::detect(cli.quiet);
    match run(cli.command, ui) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // Words of others (files, AWS) cannot steer a terminal or speak to a CI runner.
            ui.insist(&format!("{} {}", ui.error_word(), logged(&failure.what, MESSAGE)));
            for hint in &failure.hints {
                ui.insist(&format!("hint: {}", logged(hint, MESSAGE)));
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(command: Command, ui: Ui) -> Result<u8, Failure> {
    match command {
        Command::Check(args) => on_runtime(args.run(ui))?,
        Command::Inspect(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Measure(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Verify(args) => on_runtime(args.run(ui))?,
        Command::Attest(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Keys(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Doctor(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Serve(args) => args.run(ui).map(|exit| exit as u8),
        Command::Store(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::IamPolicy(args) => args.run(ui).map(|exit| exit as u8),
        Command::TrustPolicy(args) => args.run(ui).map(|exit| exit as u8),
        Command::Init(args) => args.run(ui).map(|exit| exit as u8),
        Command::Lint(args) => args.run(ui).map(|exit| exit as u8),
        Command::Policy(args) => args.run(ui).map(|exit| exit as u8),
        Command::Promote(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Rollback(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Decisions(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Audit(args) => args.run(ui),
        Command::Signals(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Deny(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Override(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Label(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Token(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::WhoAmI(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Admin(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Kubernetes(args) => on_runtime(args.run(ui))?,
        Command::Drift(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Report(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::Exception(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::History(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
        Command::SigstoreConformance(args) => args.run(ui).map(|exit| exit as u8),
        Command::Reference(args) => args.run(Cli::command(), ui).map(|exit| exit as u8),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "ecr-gate", &mut script);
            // clap_complete 4.6 names the functions of a hyphenated binary in two ways, of which bash finds one
            // (clap-rs/clap#6421).
            ui.data(&String::from_utf8_lossy(&script).replace("ecr__subcmd__gate", "ecr__gate"))?;
            Ok(Exit::Allowed as u8)
        }
    }
}

/// One thread is enough for one conversation with AWS.
pub(crate) fn on_runtime<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("the runtime cannot be started: {error}")))?;
    let answer = runtime.block_on(future);
    // A layer that is still being read when the time is up is not waited for.
    runtime.shutdown_background();
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
