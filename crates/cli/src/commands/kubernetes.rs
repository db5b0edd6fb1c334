//! `ecr-gate kubernetes`: what admission would say of a manifest, whether admission is set up as it has to be, and its
//! certificates.

mod certificates;
mod cluster;
mod doctor;
mod simulate;

pub(crate) use cluster::{ClusterArgs, failure};

use crate::failure::Failure;
use crate::ui::Ui;

/// Says what admission would say of a manifest, whether it is set up as it has to be, and keeps its certificates
#[derive(Debug, clap::Args)]
pub(crate) struct KubernetesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Simulate(Box<simulate::SimulateArgs>),
    Doctor(doctor::DoctorArgs),
    Certificates(Box<certificates::CertificatesArgs>),
}

impl KubernetesArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<u8, Failure> {
        match &self.command {
            Command::Simulate(args) => args.run(ui).await.map(|exit| exit as u8),
            Command::Certificates(args) => args.run(ui).await.map(|exit| exit as u8),
            Command::Doctor(args) => args.run(ui).await.map(|exit| exit as u8),
        }
    }
}
