//! `ecr-gate audit`: the audit log of a gate, one file per command. What verifies asks nobody.

mod material;
mod page;
mod verify;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::ui::Ui;

/// The audit log: verifies what was exported, without a server
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    Verify(verify::VerifyArgs),
}

impl AuditArgs {
    pub(crate) fn run(&self, ui: Ui) -> Result<u8, Failure> {
        match &self.command {
            AuditCommand::Verify(args) => args.run(ui).map(|exit| exit as u8),
        }
    }
}
