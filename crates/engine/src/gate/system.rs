//! S40: the cluster's own parts, while the store or a registry is away. A name service that does not start before the gate has found a registry by its name
//! would never start. So the gate gives no answer about them then, instead of a no, unless it knows something against the image; what follows from no answer is
//! set up where it asks (the webhook's `failurePolicy`).

use model::{Digest, Verdict};
use store::{DecisionQuery, StoreError};

use super::admission::Seat;
use super::asking::{AskError, Asked, Point};
use super::collecting::repository;
use super::deciding::Understood;
use super::memory::Key;
use super::without_registry::is_away;
use super::{Gate, Inner};
use crate::record::{Record, RuleRecord};

/// The namespace of the cluster's own parts, in which what is not known softens.
const SYSTEM: &str = "kube-system";
/// How many decisions are looked at for one that rests on more than what is not known.
const LOOKED_BACK: u32 = 20;

impl Seat {
    /// Whether it is among the cluster's own parts.
    pub fn is_of_the_system(&self) -> bool {
        self.namespace == SYSTEM
    }
}

impl Gate {
    /// Whether there is no answer about an image, where none was found: it is for one of the cluster's own parts, what would tell is away, and nothing is known
    /// against it. `why` is what was found instead of an answer; `None`: the time was up. There is no leave in any case.
    pub async fn leaves_open(&self, asked: &Asked, seat: &Seat, why: Option<&AskError>) -> bool {
        if !seat.is_of_the_system() {
            return false;
        }
        let (is_away, has_store) = match why {
            None | Some(AskError::StoreUnavailable(_)) => (true, false),
            Some(AskError::Refused(reason)) => (reason.code.class().is_some_and(is_away), true),
            Some(_) => (false, false),
        };
        if !is_away {
            return false;
        }
        let Ok(understood) = self.inner.understand(asked) else { return false };
        !self.inner.knows_against(&understood, has_store).await
    }
}

impl Inner {
    /// Whether something is known against an image without a look at it: it is denied by name, or was denied for more than what is not known.
    async fn knows_against(&self, understood: &Understood, has_store: bool) -> bool {
        let (image, environment) = (&understood.image, &understood.environment);
        let repository = repository(image);
        let as_asked = self.key(understood, Point::Admission);
        let digest = image.digest.clone().or_else(|| as_asked.as_ref().map(|key| key.digest.clone()));
        if self.follower.force().standing.denials.name(&repository, digest.as_ref()) {
            return true;
        }
        let Some(digest) = digest else { return false };
        let environment = environment.clone();
        let by_digest = Key { repository, digest, tag: None, pinned: true, environment };
        let known =
            [as_asked.as_ref(), Some(&by_digest)].into_iter().flatten().find_map(|key| self.memory.judged.get(key));
        if let Some(judged) = known.filter(|judged| judged.unknown.is_none()) {
            return judged.decision.verdict == Verdict::Deny;
        }
        if !has_store {
            return false;
        }
        let Key { repository, digest, environment, .. } = &by_digest;
        match self.was_denied(repository, digest, environment).await {
            Ok(was_denied) => was_denied,
            // Then the store is away too.
            Err(error) => {
                tracing::warn!(%error, "what was decided about an image of the cluster's own parts is not known");
                false
            }
        }
    }

    /// Whether a rule was broken by which an image was denied, when enough was known to tell.
    pub(super) async fn was_denied(
        &self,
        repository: &str,
        digest: &Digest,
        environment: &str,
    ) -> Result<bool, StoreError> {
        let query = DecisionQuery {
            digest: Some(digest.clone()),
            repository: Some(repository.to_owned()),
            environment: Some(environment.to_owned()),
            limit: LOOKED_BACK,
            ..DecisionQuery::default()
        };
        for row in self.store.decisions(&query).await? {
            match row.verdict {
                Verdict::Allow | Verdict::Warn => return Ok(false),
                Verdict::Pending => {}
                Verdict::Deny => match serde_json::from_slice::<Record>(&row.record) {
                    Ok(record) if record.rules.iter().any(breaks) => return Ok(true),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::error!(%error, decision = row.id, "a decision cannot be read back");
                        return Ok(true);
                    }
                },
            }
        }
        Ok(false)
    }
}

fn breaks(rule: &RuleRecord) -> bool {
    rule.outcome == "fail" && rule.verdict == Verdict::Deny
}
