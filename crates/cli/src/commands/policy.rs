//! `ecr-gate policy`: the schema of the documents, the built-in policy, a check of files, and their tests.

mod test;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use policy::PolicySet;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::logged;
use crate::policies;
use crate::ui::Ui;

/// Policy documents: their schema, the built-in one, a check and tests of yours.
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
    /// Reads policy files and the exception files they list, and says what is wrong with them
    Check {
        /// Policy files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// How to answer
        #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
        output: crate::ui::OutputFormat,
    },
    Test(test::TestArgs),
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
            }
            PolicyCommand::Test(args) => return args.run(ui),
            PolicyCommand::BuiltIn => ui.data(PolicySet::BUILT_IN)?,
            PolicyCommand::Check { files, output } => {
                let (set, _) = policies::load(files)?;
                let ids = set.ids();
                match output {
                    crate::ui::OutputFormat::Json => {
                        let policies: Vec<_> = ids
                            .iter()
                            .map(serde_json::to_value)
                            .collect::<Result<_, _>>()
                            .map_err(|error| Failure::internal(error.to_string()))?;
                        ui.data(
                            &serde_json::json!({ "schema": "ecr-gate.dev/policy-check/v1", "policies": policies })
                                .to_string(),
                        )?;
                    }
                    crate::ui::OutputFormat::Text => {
                        for id in ids {
                            ui.data(&format!("ok: policy {} ({})", logged(&id.name, 200), id.digest))?;
                        }
                    }
                }
            }
        }
        Ok(Exit::Allowed)
    }
}
