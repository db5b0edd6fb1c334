//! S40: the cluster's own parts, while the store or a registry is away. A name service that does not start before the gate has found a registry by its name
//! would never start. So the gate gives no answer about them then, instead of a no, unless it knows something against the image; what follows from no answer is
//! set up where it asks (the webhook's `failurePolicy`).

use model::{Ask, Digest, Facts, ImageReference, ManifestFacts, Outcome, ReasonCode, Verdict};
use store::{DecisionQuery, DecisionRow, StoreError};

use super::admission::Seat;
use super::asking::{AskError, Asked, Point};
use super::collecting::repository;
use super::force::InForce;
use super::memory::Key;
use super::understanding::Understood;
use super::without_registry::is_away;
use super::{Gate, Inner};
use crate::record::{Record, RuleRecord};

/// The namespace of the cluster's own parts, in which what is not known softens.
const SYSTEM: &str = "kube-system";
/// What an image is denied for by its name alone.
const BY_NAME: [ReasonCode; 3] = [ReasonCode::ReferenceRegistry, ReasonCode::ReferenceTag, ReasonCode::ReferenceDigest];
/// Decisions that are read at once, and how often, in search of one that rests on more than what is not known. Beyond, nothing is taken for known.
const PAGE: u32 = 50;
const PAGES: u32 = 40;

impl Seat {
    /// Whether it is among the cluster's own parts.
    pub fn is_of_the_system(&self) -> bool {
        self.namespace == SYSTEM
    }
}

impl Gate {
    /// Whether something is known against an image without a look at it, where that decides whether there is no answer instead of a no: for one of the
    /// cluster's own parts. Asked for while it is looked at, because it is needed when there is no time left. `None` for everything else.
    pub async fn known_against(&self, asked: &Asked, seat: &Seat) -> Option<bool> {
        if !seat.is_of_the_system() {
            return None;
        }
        let understood = self.inner.understand(asked).ok()?;
        Some(self.inner.knows_against(&understood).await)
    }
}

/// Whether what would tell about an image is away, or there is no room to look. `why` is what was found instead of an answer; `None`: the time was up.
pub fn may_leave_open(why: Option<&AskError>) -> bool {
    match why {
        None | Some(AskError::StoreUnavailable(_) | AskError::Overloaded(_)) => true,
        Some(AskError::Refused(reason)) => reason.code.class().is_some_and(is_away),
        Some(_) => false,
    }
}

impl Inner {
    /// Whether something is known against an image without a look at it: it is denied by name, or was denied for more than what is not known.
    async fn knows_against(&self, understood: &Understood) -> bool {
        let (image, environment) = (&understood.image, &understood.environment);
        let repository = repository(image);
        let force = self.follower.force();
        let as_asked = self.key(understood, Point::Admission, &force);
        let digest = image.digest.clone().or_else(|| as_asked.as_ref().map(|key| key.digest.clone()));
        if force.standing.denials.name(&repository, digest.as_ref()) {
            return true;
        }
        let Some(digest) = digest else { return false };
        let environment = environment.clone();
        if self.is_named_wrong(understood, &digest, &force) {
            return true;
        }
        let by_digest = Key { repository, digest, tag: None, name: None, pinned: true, environment };
        let known = [as_asked.as_ref(), Some(&by_digest)]
            .into_iter()
            .flatten()
            .find_map(|key| self.memory.judged.get(&key.print()));
        if let Some(judged) = known.filter(|judged| judged.unknown.is_none()) {
            return judged.decision.verdict == Verdict::Deny;
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

    /// Whether it is denied for how it is named, which needs no look at it.
    fn is_named_wrong(&self, understood: &Understood, digest: &Digest, force: &InForce) -> bool {
        let Understood { image, environment, .. } = understood;
        let tag = image.tag.as_ref().or(understood.name(force)).cloned();
        // As it is validated: with the digest that mutation writes.
        let image = ImageReference { tag, digest: Some(digest.clone()), ..image.clone() };
        let ask = Ask { image, digest: digest.clone(), environment: environment.clone() };
        let nothing = Facts::of(ManifestFacts::bare(digest.clone(), None));
        let judgement = force.judge(&ask, &nothing, (self.settings.now)());
        judgement.rules.iter().filter(|rule| rule.verdict == Verdict::Deny).any(|rule| match &rule.outcome {
            Outcome::Fail(reasons) => reasons.iter().any(|reason| BY_NAME.contains(&reason.code)),
            Outcome::Pass | Outcome::Unknown(..) => false,
        })
    }

    /// Whether a rule was broken by which an image was denied, when enough was known to tell.
    pub(super) async fn was_denied(
        &self,
        repository: &str,
        digest: &Digest,
        environment: &str,
    ) -> Result<bool, StoreError> {
        let mut before = None;
        for _ in 0..PAGES {
            let query = DecisionQuery {
                digest: Some(digest.clone()),
                repository: Some(repository.to_owned()),
                environment: Some(environment.to_owned()),
                before,
                limit: PAGE,
                ..DecisionQuery::default()
            };
            let rows = self.store.decisions(&query).await?;
            if let Some(was_denied) = rows.iter().find_map(says) {
                return Ok(was_denied);
            }
            before = rows.last().map(|row| row.id.clone());
            if rows.len() < PAGE as usize {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a decision says that the image is denied for more than what is not known; `None`: it rests on that alone.
fn says(row: &DecisionRow) -> Option<bool> {
    match row.verdict {
        Verdict::Allow | Verdict::Warn => Some(false),
        Verdict::Pending => None,
        Verdict::Deny => match serde_json::from_slice::<Record>(&row.record) {
            Ok(record) => record.rules.iter().any(breaks).then_some(true),
            Err(error) => {
                tracing::error!(%error, decision = row.id, "a decision cannot be read back");
                Some(true)
            }
        },
    }
}

fn breaks(rule: &RuleRecord) -> bool {
    rule.outcome == "fail" && rule.verdict == Verdict::Deny
}
