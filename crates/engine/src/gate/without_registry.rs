//! Answers while a registry is away: what was judged when it was there stands in, only where the policy says so (`onUnknown`), only if today's word on the
//! same facts is still a yes, and said as such (S5). Where images start, that is: whoever pushed one and asks about it learns that it cannot be looked at.

use std::time::Instant;

use model::{Ask, UnknownClass};
use policy::StandIn;

use super::asking::{Answered, AskError, Asker};
use super::deciding::allows;
use super::force::InForce;
use super::understanding::Understood;
use super::without_store::StoodIn;
use super::{Inner, recording};

/// What a registry that is away looks like.
const AWAY: [UnknownClass; 3] = [UnknownClass::RegistryUnavailable, UnknownClass::Throttled, UnknownClass::Deadline];

/// Whether this is what a registry that is away looks like.
pub(super) fn is_away(class: UnknownClass) -> bool {
    AWAY.contains(&class)
}

/// Whether the policies in force may ever let an earlier judgement stand in; if not, it need not be kept for that. Under other policies it would not count.
pub(super) fn may_stand_in(force: &InForce, ask: &Ask) -> bool {
    AWAY.iter().any(|class| force.policies.stand_in(ask, *class) != StandIn::Refuse)
}

impl Inner {
    /// The last judgement that let the image through, if it may stand in.
    pub(super) async fn without_registry(
        &self,
        understood: &Understood,
        dry_run: bool,
        by: &Asker,
        class: UnknownClass,
    ) -> Result<Option<Answered>, AskError> {
        let confirmed = self.confirmed().await?;
        let now = self.now()?;
        let force = self.follower.force();
        let good = self.key(understood, by.point, &force).and_then(|key| self.memory.good.get(&key.print()));
        let Some(good) = good.filter(|good| good.version == force.version) else { return Ok(None) };
        let (judged, known) = (&good.judged, &good.known);
        if !self.follower.unchanged(&known.manifests, known.ticket) {
            return Ok(None);
        }
        match force.policies.stand_in(&known.ask, class) {
            StandIn::Refuse => return Ok(None),
            // S5: the age counts from the evidence, and answering with it makes it no younger.
            StandIn::LastKnownGood(up_to) if now.duration_since(known.at) > up_to => return Ok(None),
            StandIn::LastKnownGood(_) | StandIn::Warn => {}
        }
        // What was denied by name since, and exceptions that ended, count.
        if !allows(recording::judge(&force, known, now, by)?.judgement.verdict) {
            return Ok(None);
        }
        tracing::warn!(
            decision = judged.decision.id, digest = %judged.decision.digest, %class,
            "the registry is away: answered with what was decided last, as the policy says"
        );
        if !self.follower.is_within_lease(confirmed) || self.follower.force().global != force.global {
            return Err(AskError::Overloaded("something changed while it was answered; ask again".to_owned()));
        }
        let stood_in = StoodIn { class, until: Instant::now() + self.settings.pace.floor, confirmed };
        self.stands_in(judged, stood_in, dry_run, by, now).map(Some)
    }
}
