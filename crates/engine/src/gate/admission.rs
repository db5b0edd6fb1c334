//! Kubernetes admission (D1): an image is asked for where it is about to run, and what runs there already may run on (S32).

use super::actor::Actor;
use super::asking::{Answered, AskError, Asked, Asker};
use super::{Gate, scope};

/// Where an image is to run, as the cluster names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// The cluster, as it is configured.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The UID of the object that controls it (a pod's ReplicaSet), else of the object itself; `None`: it has none yet.
    pub owner: Option<String>,
    /// `Deployment/web`: that object by kind and name, for people.
    pub workload: String,
    /// The container's name, or that of the volume.
    pub container: String,
}

impl Gate {
    /// Answers for one image of one workload, within `asked.wait`.
    ///
    /// # Errors
    /// There is no decision, and why: then it does not run.
    pub async fn admit(&self, asked: Asked, _seat: &Seat, by: &Asker, actor: &Actor) -> Result<Answered, AskError> {
        scope::ask(actor, &asked)?;
        self.inner.ask(asked, by).await
    }
}
