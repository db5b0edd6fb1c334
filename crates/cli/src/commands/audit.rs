//! `ecr-gate audit`: the audit log of a gate. What verifies asks nobody, what drops works on the database; the others ask the decision service.

mod drop;
mod material;
mod page;
mod verify;

use clap::{Args, Subcommand};

use super::audit_server::ServiceCommand;
use crate::failure::Failure;
use crate::on_runtime;
use crate::ui::Ui;

/// The audit log: exports it from the decision service, and verifies what was exported without it
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    Verify(verify::VerifyArgs),
    Drop(Box<drop::DropArgs>),
    #[command(flatten)]
    Service(ServiceCommand),
}

impl AuditArgs {
    pub(crate) fn run(&self, ui: Ui) -> Result<u8, Failure> {
        match &self.command {
            AuditCommand::Verify(args) => args.run(ui).map(|exit| exit as u8),
            AuditCommand::Drop(args) => on_runtime(args.run(ui))?.map(|exit| exit as u8),
            AuditCommand::Service(command) => on_runtime(command.run(ui))?.map(|exit| exit as u8),
        }
    }
}
