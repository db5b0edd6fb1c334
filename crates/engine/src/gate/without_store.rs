//! Answers while the store is away: only what is remembered, only where the policy says so (`onUnknown.storeUnavailable`), and said as such (S42). Never
//! for whoever needs the answer on record before it is given.

use std::sync::Arc;
use std::time::Instant;

use model::{Timestamp, UnknownClass};
use policy::StandIn;

use super::Inner;
use super::answers::is_durable;
use super::asking::{Answered, AskError, Asker, Via};
use super::deciding::{ago, allows, holds_until};
use super::memory::Judged;
use super::permit::{Basis, Permit};
use super::understanding::Understood;

/// Why an earlier decision stands in, how long its leave holds, and when it was last known that nothing changed.
pub(super) struct StoodIn {
    pub(super) class: UnknownClass,
    pub(super) until: Instant,
    pub(super) confirmed: Instant,
}

impl Inner {
    /// The last judgement, if the policy that was in force then lets it stand in. Otherwise why there is no answer.
    pub(super) fn without_store(
        &self,
        understood: &Understood,
        by: &Asker,
        why: AskError,
    ) -> Result<(Answered, bool), AskError> {
        // S9: a clock that cannot be believed ends nothing.
        let now = self.now()?;
        if is_durable(by.point) {
            return Err(why);
        }
        let force = self.follower.force();
        let judged = self.key(understood, by.point, &force).and_then(|key| self.memory.judged.get(&key.print()));
        let Some(judged) = judged.filter(|judged| {
            judged.global == force.global
                && allows(judged.decision.verdict)
                && judged.valid_until.is_none_or(|until| now < until)
                && self.follower.unchanged(&judged.look.manifests, judged.look.ticket)
        }) else {
            return Err(why);
        };
        let known = &judged.look;
        match force.policies.stand_in(&known.ask, UnknownClass::StoreUnavailable) {
            StandIn::Refuse => return Err(why),
            // S5: the age counts from the evidence, and a stand-in is no evidence to stand in again.
            StandIn::LastKnownGood(up_to) if known.degraded || now.duration_since(known.at) > up_to => {
                return Err(why);
            }
            StandIn::LastKnownGood(_) | StandIn::Warn => {}
        }
        tracing::warn!(
            decision = judged.decision.id, digest = %judged.decision.digest, cause = %why,
            "the store is away: answered with the last decision, as the policy says"
        );
        let until = holds_until(&judged, now).max(Instant::now() + self.settings.lease);
        let stood_in = StoodIn { class: UnknownClass::StoreUnavailable, until, confirmed: self.follower.last_read() };
        Ok((self.stands_in(&judged, stood_in, false, by, now)?, true))
    }

    /// Answers with an earlier decision, and notes that it did.
    pub(super) fn stands_in(
        &self,
        judged: &Judged,
        StoodIn { class, until, confirmed }: StoodIn,
        dry_run: bool,
        by: &Asker,
        now: Timestamp,
    ) -> Result<Answered, AskError> {
        let basis = Basis::FailOpen(class);
        let id = if dry_run {
            String::new()
        } else {
            self.answers.note(&self.store, &judged.decision.id, by, basis.as_str(), now)?
        };
        let permit = Permit {
            subject: judged.decision.digest.clone(),
            children: judged.children.clone(),
            environment: judged.decision.environment.clone(),
            point: by.point,
            basis,
            until,
        };
        Ok(Answered {
            decision: Arc::clone(&judged.decision),
            permit: Ok(permit),
            id,
            via: Via::Recorded,
            in_force_at: ago(now, confirmed.elapsed()),
            retry_after: None,
            confirmed,
        })
    }
}
