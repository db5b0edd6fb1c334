//! Kubernetes admission (D1): an image is asked for where it is about to run. What it rests on may be that place: that it ran there before (S32), or that
//! somebody who may broke the glass for it (S31).

use std::sync::Arc;
use std::time::Duration;

use model::{Digest, SignedDuration, Timestamp};
use moka::sync::Cache;
use store::{Batch, WorkloadRow};

use super::actor::Actor;
use super::asking::{Answered, AskError, Asked, Asker};
use super::fingerprint::Fingerprint;
use super::overrides::{NewOverride, OverrideEntry, OverrideOwner};
use super::permit::Basis;
use super::{Gate, GateError, Inner, scope};

/// Where an image is to run, as the cluster names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// The cluster, as it is configured.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The UID of the object that controls it (a pod's ReplicaSet), where that is believed; else of the object itself. `None`: it has none yet.
    pub owner: Option<String>,
    /// The object's own UID where it is controlled and makes others in turn (a Deployment's ReplicaSet): what holds for its owner holds for those.
    pub heir: Option<String>,
    /// `Deployment/web`: the object by kind and name, for people.
    pub workload: String,
    /// The container's name, or that of the volume.
    pub container: String,
}

impl Seat {
    pub(super) fn owned_by(&self, uid: &str) -> OverrideOwner {
        OverrideOwner {
            cluster: self.cluster.clone(),
            namespace: self.namespace.clone(),
            uid: uid.to_owned(),
            workload: self.workload.clone(),
            follows: None,
        }
    }

    /// Of what runs here, as the inventory names it.
    fn print(&self, repository: &str, digest: &Digest) -> Fingerprint {
        let Self { cluster, namespace, owner, heir, workload, container } = self;
        let seat = [
            Some(cluster.as_str()),
            Some(namespace),
            owner.as_deref(),
            heir.as_deref(),
            Some(workload),
            Some(container),
        ];
        Fingerprint::of(seat.into_iter().chain([Some(repository), Some(digest.as_str())]))
    }
}

/// What somebody who breaks the glass says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlass {
    /// Why.
    pub reason: String,
    /// The incident or ticket.
    pub ticket: Option<String>,
    /// For how long.
    pub lasts: SignedDuration,
}

/// What was noted a short while ago, so that a thousand pods of one ReplicaSet are not a thousand rows.
#[derive(Debug)]
pub(super) struct Noted(Cache<Fingerprint, ()>);

impl Default for Noted {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(50_000).time_to_live(Duration::from_mins(10)).build())
    }
}

impl Gate {
    /// Answers for one image of one workload, within `asked.wait`.
    ///
    /// # Errors
    /// There is no decision, and why: then it does not run.
    pub async fn admit(&self, asked: Asked, seat: &Seat, by: &Asker, actor: &Actor) -> Result<Answered, AskError> {
        scope::ask(actor, &asked)?;
        let dry_run = asked.dry_run;
        let by = Asker { seat: Some(Arc::new(seat.clone())), ..by.clone() };
        let answered = self.inner.ask(asked, &by).await?;
        if let (Ok(permit), false) = (&answered.permit, dry_run) {
            if let (Basis::Overridden(id), Some(heir)) = (permit.basis(), &seat.heir) {
                Box::pin(self.inner.pass_on(id, seat, heir)).await?;
            }
            self.inner.note_running(seat, &answered.decision.repository, permit.subject()).await;
        }
        Ok(answered)
    }

    /// S31: somebody breaks the glass for what was refused in this place. It becomes an override for this owner alone; ask again, and it is found.
    ///
    /// # Errors
    /// They may not, it lasts too long, the object has no UID, or it cannot be kept.
    pub async fn break_glass(
        &self,
        refused: &Answered,
        seat: &Seat,
        says: BreakGlass,
        actor: &Actor,
    ) -> Result<OverrideEntry, GateError> {
        let Some(owner) = &seat.owner else {
            return Err(GateError::invalid("the object has no UID yet, so that no override can be for it"));
        };
        let decision = &refused.decision;
        let new = NewOverride {
            image: format!("{}@{}", decision.repository, decision.digest),
            environment: decision.environment.clone(),
            reason: says.reason,
            ticket: says.ticket,
            lasts: says.lasts,
            owner: Some(seat.owned_by(owner)),
        };
        self.inner.grant_override(new, actor).await
    }
}

impl Inner {
    /// The inventory of what runs, as far as admission knows it. What an owner ran, what it makes is said to have run too.
    async fn note_running(&self, seat: &Seat, repository: &str, digest: &Digest) {
        let Some(owner) = &seat.owner else { return };
        let place = seat.print(repository, digest);
        if self.noted.0.contains_key(&place) {
            return;
        }
        let now = (self.settings.now)();
        let row = |uid: &str, first_seen: Timestamp| WorkloadRow {
            cluster: seat.cluster.clone(),
            namespace: seat.namespace.clone(),
            owner: uid.to_owned(),
            container: seat.container.clone(),
            repository: repository.to_owned(),
            digest: digest.clone(),
            first_seen,
            last_seen: now,
        };
        let mut workloads = vec![row(owner, now)];
        if let Some(heir) = &seat.heir {
            match Box::pin(self.store.workload(&workloads[0])).await {
                Ok(known) => workloads.push(row(heir, known.map_or(now, |known| known.first_seen))),
                Err(error) => return tracing::warn!(%error, "what runs is not noted"),
            }
        }
        match self.store.write_soon(Batch { workloads, ..Batch::default() }) {
            Ok(()) => self.noted.0.insert(place, ()),
            Err(error) => tracing::warn!(%error, "what runs is not noted"),
        }
    }
}
