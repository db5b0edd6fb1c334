//! What becomes of an exception: approved, rejected, withdrawn, revoked. An approval counts at once, everywhere.

use std::sync::Arc;

use model::Timestamp;
use store::{Batch, Scope as Change};

use super::requesting::{forbidden, sound, whole_seconds};
use super::{Exception, ExceptionState, Found, Hand, authors, ending};
use crate::gate::actor::{Actor, Right, folded};
use crate::gate::{GateError, Inner, persons, standing};

/// The longest reason.
const REASON: usize = 4_096;

/// What somebody does with an exception of which they have seen this revision.
#[derive(Debug, Clone)]
pub struct Settling {
    /// The revision that they have seen: another one is a conflict.
    pub revision: i64,
    /// Why.
    pub reason: Option<String>,
}

impl Settling {
    fn hand(&self, gate: &Inner, now: Timestamp, actor: &Actor) -> Result<Hand, GateError> {
        self.reason.as_deref().map_or(Ok(()), |reason| sound("reason", reason, REASON))?;
        Ok(gate.hand(actor, now, self.reason.clone()))
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
        let hand = by.hand(self, now, actor)?;
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
        let hand = by.hand(self, now, actor)?;
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
        if actor.person.is_none() {
            return Err(forbidden(
                "an exception is approved by a person, and nobody knows who is behind this identity",
                "sign in as yourself; whoever runs the gate says which person a token belongs to",
            ));
        }
        if is_theirs(found, actor) {
            return Err(forbidden(
                "you asked for this exception, or changed it: somebody else approves it",
                "send its id to somebody with the role approver",
            ));
        }
        // Whoever asked last asked for what is there now. Of one whom nobody knows nobody can say that they are another one.
        if let Some(last) = held.requested.last().filter(|last| last.person.is_none()) {
            return Err(forbidden(
                format!("{} asked for this exception, and nobody knows which person that is", last.by),
                "a person asks for it, or takes it over: ecr-gate exception edit; another one approves it",
            ));
        }
        let behind = self.behind(actor);
        let gave_out =
            |hand: &Hand| !behind.is_disjoint(&persons::names(&hand.by, hand.person.as_deref(), &hand.vouched));
        if let Some(hand) = held.requested.iter().find(|hand| gave_out(hand)) {
            return Err(forbidden(
                format!(
                    "{} asked for this exception, and one of you gave out the other's token, or somebody else both",
                    hand.by
                ),
                "that is not two people: sign in as yourselves",
            ));
        }
        let written = self.authors(held).await?;
        let wrote = |names: &[String]| names.iter().any(|name| behind.contains(&folded(name)));
        if held.author.as_deref().is_some_and(|author| wrote(&authors::names(author))) || wrote(&written.names) {
            return Err(forbidden(
                "you wrote what this exception lets through: somebody else approves it",
                "send its id to somebody with the role approver",
            ));
        }
        match written.unknown {
            Some(why) if held.author.is_none() => Err(forbidden(
                format!("nobody knows who wrote this image, and so whether you did: {why}"),
                "try again when it can be read, or say who wrote it: ecr-gate exception edit ID --author NAME",
            )),
            _ => Ok(()),
        }
    }
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
