//! What people rule beside the policy, at the gate's door: the deny list, overrides, and what a block was.

use model::Digest;

use super::actor::Actor;
use super::denials::{DenialEntry, NewDenial};
use super::labels::{Label, Labelled};
use super::overrides::{NewOverride, OverrideEntry};
use super::{Gate, GateError};

impl Gate {
    /// Denies something everywhere: on every replica within the lease (S30).
    ///
    /// # Errors
    /// It names nothing that can be denied, the actor may not, or it cannot be kept.
    pub async fn deny(&self, new: NewDenial, actor: &Actor) -> Result<DenialEntry, GateError> {
        self.inner.deny(new, actor).await
    }

    /// Ends an entry of the deny list.
    ///
    /// # Errors
    /// There is none that is in force, the actor may not, or somebody changed it meanwhile.
    pub async fn lift(&self, id: &str, reason: &str, actor: &Actor) -> Result<DenialEntry, GateError> {
        self.inner.lift(id, reason, actor).await
    }

    /// An entry of the deny list.
    ///
    /// # Errors
    /// There is none with this id.
    pub async fn denial(&self, id: &str, actor: &Actor) -> Result<DenialEntry, GateError> {
        self.inner.denial(id, actor).await
    }

    /// The deny list, the newest entry first; with the cursor of the next page.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn denials(
        &self,
        active: bool,
        before: Option<String>,
        limit: u32,
        actor: &Actor,
    ) -> Result<(Vec<DenialEntry>, Option<String>), GateError> {
        let entries = self.inner.denials(active, before, limit, actor).await?;
        let next = (entries.len() == limit as usize).then(|| entries.last().map(|entry| entry.id.clone())).flatten();
        Ok((entries, next))
    }

    /// Lets an image through that is denied, for a while (S31).
    ///
    /// # Errors
    /// The actor may not, it lasts too long, or it cannot be kept.
    pub async fn grant_override(&self, new: NewOverride, actor: &Actor) -> Result<OverrideEntry, GateError> {
        self.inner.grant_override(new, actor).await
    }

    /// Ends an override before its time.
    ///
    /// # Errors
    /// There is none that is in force, the actor may not, or somebody changed it meanwhile.
    pub async fn revoke_override(&self, id: &str, reason: &str, actor: &Actor) -> Result<OverrideEntry, GateError> {
        self.inner.revoke_override(id, reason, actor).await
    }

    /// An override that the actor sees.
    ///
    /// # Errors
    /// There is none with this id.
    pub async fn an_override(&self, id: &str, actor: &Actor) -> Result<OverrideEntry, GateError> {
        self.inner.an_override(id, actor).await
    }

    /// Overrides that the actor sees, of one team's repositories if it is named, the newest first; with the cursor of the next page.
    ///
    /// # Errors
    /// There is no such team, or the store cannot be read.
    pub async fn overrides(
        &self,
        digest: Option<Digest>,
        team: Option<&str>,
        before: Option<String>,
        limit: u32,
        actor: &Actor,
    ) -> Result<(Vec<OverrideEntry>, Option<String>), GateError> {
        self.inner.overrides(digest, team, before, limit, actor).await
    }

    /// Says what a block was (S43); a later word replaces an earlier one.
    ///
    /// # Errors
    /// There is no such decision, it blocked nothing, or the actor may not.
    pub async fn label(
        &self,
        decision: &str,
        label: Label,
        reason: &str,
        actor: &Actor,
    ) -> Result<Labelled, GateError> {
        self.inner.label(decision, label, reason, actor).await
    }

    /// What a decision's block was called; `None`: nobody looked.
    ///
    /// # Errors
    /// There is no such decision.
    pub async fn label_of(&self, decision: &str, actor: &Actor) -> Result<Option<Labelled>, GateError> {
        self.inner.label_of(decision, actor).await
    }
}
