//! Which cluster, as `kubectl` is told it, and what is said where it gives no answer.

use std::path::PathBuf;

use kubernetes::{Cluster, ClusterError};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::logged;

/// The longest words of an API server.
const WORDS: usize = 1500;

/// Which cluster.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// The kubeconfig file; without it KUBECONFIG, `~/.kube/config`, or the cluster that this runs in
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; without it the current one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

impl ClusterArgs {
    pub(crate) async fn connect(&self) -> Result<Cluster, Failure> {
        Cluster::connect(self.kubeconfig.as_deref(), self.context.as_deref()).await.map_err(|error| failure(&error))
    }
}

/// What a command says that cannot go on without the cluster.
pub(crate) fn failure(error: &ClusterError) -> Failure {
    let (exit, hint) = match error {
        ClusterError::Configuration(_) => (
            Exit::Configuration,
            "see what `kubectl config get-contexts` and `kubectl auth whoami` say; name another with --kubeconfig or --context",
        ),
        ClusterError::Forbidden(_) => (Exit::Configuration, "`kubectl auth can-i --list` says what this account may"),
        ClusterError::Unreachable(_) => (Exit::Unavailable, "see whether `kubectl version` reaches it from here"),
        ClusterError::Conflict(_) => (Exit::Unavailable, "somebody else changed it at the same time: do it again"),
        _ => (Exit::Unavailable, "see what `kubectl get --raw` says to the same"),
    };
    Failure::new(exit, logged(&error.to_string(), WORDS)).hint(hint)
}
