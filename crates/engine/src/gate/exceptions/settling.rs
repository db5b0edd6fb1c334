//! What becomes of an exception: approved, rejected, withdrawn, revoked. An approval counts at once, everywhere.

use std::sync::Arc;

use model::{Signal, Timestamp};
use store::{Batch, Scope as Change};

use super::requesting::{forbidden, sound, whole_seconds};
use super::{Exception, ExceptionState, Found, Hand, ending};
use crate::gate::actor::{Actor, Right};
use crate::gate::{GateError, Inner, recording, standing};

/// The longest reason.
const REASON: usize = 4_096;
/// Where an image says who wrote it.
const AUTHORS: &str = "org.opencontainers.image.authors";

/// What somebody does with an exception of which they have seen this revision.
#[derive(Debug, Clone)]
pub struct Settling {
    /// The revision that they have seen: another one is a conflict.
    pub revision: i64,
    /// Why.
    pub reason: Option<String>,
}

impl Settling {
    fn hand(&self, now: Timestamp, actor: &Actor) -> Result<Hand, GateError> {
        self.reason.as_deref().map_or(Ok(()), |reason| sound("reason", reason, REASON))?;
        Ok(Hand::of(actor, now, self.reason.clone()))
    }

    /// The reason, where one has to be given.
    fn reasoned(&self, done: &str) -> Result<(), GateError> {
        if self.reason.is_none() {
            return Err(GateError::Invalid {
                what: format!("an exception is not {done} without a reason"),
                hint: Some("say why: whoever asked for it, and whoever reads the audit log, wants to know".to_owned()),
            });
        }
        Ok(())
    }
}

impl Inner {
    /// S29: by a person who is none of those who asked for it, and not who wrote the commit, as far as that is known.
    pub(in crate::gate) async fn approve_exception(
        self: &Arc<Self>,
        id: &str,
        by: &Settling,
        actor: &Actor,
    ) -> Result<Exception, GateError> {
        let found = self.exception_found(id, actor).await?;
        self.may_approve(&found, actor).await?;
        found.has(by.revision)?;
        found.is(&[ExceptionState::Requested], "approved")?;
        let now = whole_seconds((self.settings.now)());
        if found.held.expires <= now {
            return Err(GateError::invalid(format!("the time of exception {id} is over: it would never count")));
        }
        let force = self.follower.force();
        if let Some(why) = found.held.granted(id).refusal(&force.policies) {
            return Err(GateError::invalid(format!("exception {id} would never count: {why}")));
        }
        if force.standing.exceptions.len() >= standing::MOST {
            let what = format!("{} exceptions are approved already: revoke those that nobody needs", standing::MOST);
            return Err(GateError::invalid(what));
        }
        let hand = by.hand(now, actor)?;
        let held = super::Held { settled: Some(hand.clone()), ..found.held.clone() };
        let revision = found.row.revision.saturating_add(1);
        let jobs = vec![
            ending::at_the_end(id, revision, held.expires),
            ending::before_the_end(id, revision, now, held.expires),
        ];
        let (row, leaf) = found.next(ExceptionState::Approved, held, "exception.approved", (Some(&hand), now))?;
        let changes = vec![Change::Global];
        let batch = Batch { items: vec![row], leaves: vec![leaf], changes, jobs, ..Batch::default() };
        self.settle_exception(batch, id).await?;
        self.exception(id, actor).await
    }

    pub(in crate::gate) async fn reject_exception(
        self: &Arc<Self>,
        id: &str,
        by: &Settling,
        actor: &Actor,
    ) -> Result<Exception, GateError> {
        let found = self.exception_found(id, actor).await?;
        may_settle(&found, actor, "rejects")?;
        by.reasoned("rejected")?;
        found.has(by.revision)?;
        found.is(&[ExceptionState::Requested], "rejected")?;
        self.settled(&found, ExceptionState::Rejected, "exception.rejected", by, actor).await
    }

    /// Whatever it let through is judged anew, everywhere.
    pub(in crate::gate) async fn revoke_exception(
        self: &Arc<Self>,
        id: &str,
        by: &Settling,
        actor: &Actor,
    ) -> Result<Exception, GateError> {
        let found = self.exception_found(id, actor).await?;
        may_settle(&found, actor, "revokes")?;
        by.reasoned("revoked")?;
        found.has(by.revision)?;
        found.is(&[ExceptionState::Approved], "revoked")?;
        self.settled(&found, ExceptionState::Revoked, "exception.revoked", by, actor).await
    }

    pub(in crate::gate) async fn withdraw_exception(
        self: &Arc<Self>,
        id: &str,
        by: &Settling,
        actor: &Actor,
    ) -> Result<Exception, GateError> {
        let found = self.exception_found(id, actor).await?;
        if !is_theirs(&found, actor) {
            return Err(forbidden(
                "an exception is withdrawn by whoever asked for it",
                "whoever may approve it rejects it: ecr-gate exception reject",
            ));
        }
        found.has(by.revision)?;
        found.is(&[ExceptionState::Requested], "withdrawn")?;
        self.settled(&found, ExceptionState::Withdrawn, "exception.withdrawn", by, actor).await
    }

    async fn settled(
        self: &Arc<Self>,
        found: &Found,
        state: ExceptionState,
        kind: &str,
        by: &Settling,
        actor: &Actor,
    ) -> Result<Exception, GateError> {
        let now = whole_seconds((self.settings.now)());
        let hand = by.hand(now, actor)?;
        let held = super::Held { settled: Some(hand.clone()), ..found.held.clone() };
        let (row, leaf) = found.next(state, held, kind, (Some(&hand), now))?;
        let changes = if found.state == ExceptionState::Approved { vec![Change::Global] } else { Vec::new() };
        let batch = Batch { items: vec![row], leaves: vec![leaf], changes, ..Batch::default() };
        self.settle_exception(batch, &found.row.id).await?;
        self.exception(&found.row.id, actor).await
    }

    async fn may_approve(&self, found: &Found, actor: &Actor) -> Result<(), GateError> {
        may_settle(found, actor, "approves")?;
        let held = &found.held;
        if !held.wide.is_empty() && !held.scope.may(actor, Right::Govern) {
            return Err(forbidden(
                format!("this exception is wide ({}): the role policy-admin approves it", held.wide.join(", ")),
                "or ask for one image, package and environment, for at most 30 days",
            ));
        }
        let Some(person) = &actor.person else {
            return Err(forbidden(
                "an exception is approved by a person, and nobody knows who is behind this identity",
                "sign in as yourself; whoever runs the gate says which person a token belongs to",
            ));
        };
        if is_theirs(found, actor) {
            return Err(forbidden(
                "you asked for this exception, or changed it: somebody else approves it",
                "send its id to somebody with the role approver",
            ));
        }
        let is_named = |name: &str| name.eq_ignore_ascii_case(person) || name.eq_ignore_ascii_case(&actor.identity);
        let named = self.authors(found).await?;
        if held.author.iter().chain(&named).any(|author| is_named(author)) {
            return Err(forbidden(
                "you wrote what this exception lets through: somebody else approves it",
                "send its id to somebody with the role approver",
            ));
        }
        Ok(())
    }

    /// Who wrote the image, as far as its labels say: whole, and each name and address in them.
    async fn authors(&self, found: &Found) -> Result<Vec<String>, GateError> {
        let scope = &found.held.scope;
        let (Some(digest), Some(environment)) = (&scope.digest, &scope.environment) else { return Ok(Vec::new()) };
        let last = self.store.latest_decision(&scope.repository, digest, environment).await?;
        let Some(facts) = last.and_then(|row| row.facts) else { return Ok(Vec::new()) };
        let Some(row) = self.store.evidence(&facts).await? else { return Ok(Vec::new()) };
        let Ok(recorded) = recording::read_facts(&row) else { return Ok(Vec::new()) };
        let platforms = recorded.facts.platforms.iter().flatten().map(|(_, child)| child);
        let manifests = std::iter::once(&recorded.facts.root).chain(platforms);
        let configs = manifests.filter_map(|manifest| match &manifest.config {
            Signal::Present(config) => Some(&config.value),
            _ => None,
        });
        Ok(configs.filter_map(|config| config.label(AUTHORS)).flat_map(names).collect())
    }
}

/// `Ada <ada@example.com>, bob` names four: the whole, `Ada`, `ada@example.com`, and `bob`.
fn names(label: &str) -> Vec<String> {
    let parts = label.split([',', ';', '<', '>']).map(str::trim).filter(|part| !part.is_empty());
    std::iter::once(label.trim()).chain(parts).map(str::to_owned).collect()
}

fn is_theirs(found: &Found, actor: &Actor) -> bool {
    found.held.requested.iter().any(|hand| actor.is_same_as(&hand.by, hand.person.as_deref()))
}

fn may_settle(found: &Found, actor: &Actor, does: &str) -> Result<(), GateError> {
    if found.held.scope.may(actor, Right::Approve) {
        return Ok(());
    }
    Err(forbidden(
        format!("the role approver for {} {does} this exception", found.held.scope.repository),
        "send its id to somebody who has it",
    ))
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn s29_authors_are_named_whole_and_in_parts() {
        assert_eq!(names("Ada <ada@example.com>, bob")[1..], ["Ada", "ada@example.com", "bob"]);
        assert_eq!(names(" ada "), ["ada", "ada"]);
    }
}
