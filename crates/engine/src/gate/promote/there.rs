//! What stands against an image where it goes: what the deny list and the policies that match the destination say of it, under the name that it would have
//! there, by what is known where it is. The decision on record stays that of where it is (S1): this one can only refuse.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use model::{Ask, Digest, Facts, ImageReference, ManifestFacts, NonEmpty, Outcome, Reason, RuleResult, Verdict};

use super::super::Inner;
use super::super::asking::AskError;
use super::super::collecting::{Wanted, repository};
use super::super::force::InForce;
use super::super::memory::{Key, Known};
use super::super::permit::{Basis, Permit, Refusal};
use super::leave::{Leave, SOON};
use super::{Plan, PromoteError};

/// How often it is judged once more, because policies changed meanwhile.
const TRIES: usize = 3;

/// What is known for the destination, kept from one look to the next: nothing else may take it for what is known of an image there.
#[derive(Debug, Default)]
pub(super) struct There {
    known: Option<Arc<Known>>,
}

impl Inner {
    /// The leave, unless something stands against it at the destination that is not overridden (S33).
    pub(super) async fn leave_where_it_goes(
        self: &Arc<Self>,
        plan: &Plan,
        image: &ImageReference,
        leave: Leave,
        there: &mut There,
    ) -> Result<Leave, PromoteError> {
        // Within one repository it has been asked.
        if repository(image) == plan.to() {
            return Ok(leave);
        }
        let against = self.against(plan, image, &leave.decision.digest, there).await?;
        let Some(worst) = against.iter().max_by_key(|rule| rule.verdict) else { return Ok(leave) };
        let codes = only_vulnerabilities(&against);
        if let (Some(back), Some(codes)) = (&plan.rollback, &codes)
            && back.may_override
            && back.reason.is_some()
        {
            return Ok(overridden(leave, codes));
        }
        let refusal = if worst.verdict == Verdict::Deny { Refusal::Denied } else { Refusal::Pending };
        let what = format!("{} may not go to {}: {}", leave.permit.subject(), plan.to(), told(worst));
        let hint = match (&plan.rollback, codes) {
            (Some(_), Some(_)) => {
                "only vulnerabilities stand against it: somebody with the role break-glass may bring it back all the same, with --reason"
            }
            _ => {
                "the destination is judged too, by the deny list and the policies that match it; an exception has to cover it there"
            }
        };
        let hint = Some(hint.to_owned());
        Err(PromoteError::Refused { refusal, decision: leave.decision, what, hint })
    }

    /// S30: nothing that comes along may be denied by its digest, whatever it is attached as.
    pub(super) fn none_denied(&self, coming: &BTreeSet<Digest>, leave: &Leave) -> Result<(), PromoteError> {
        let force = self.follower.force();
        let Some((denial, digest)) = force.standing.denials.about_any(coming) else { return Ok(()) };
        let how = if denial.quarantine { "quarantined" } else { "denied everywhere" };
        let subject = leave.permit.subject();
        let what = format!(
            "{digest} would come along with {subject}, and is {how} by entry {} of the deny list: {}",
            denial.id, denial.reason
        );
        let hint = Some("remove it from the source: nothing is promoted with it".to_owned());
        let decision = Arc::clone(&leave.decision);
        Err(PromoteError::Refused { refusal: Refusal::Denied, decision, what, hint })
    }

    /// The rules that stand against this digest at the destination. That no policy matches there is none of them: nobody said anything.
    async fn against(
        self: &Arc<Self>,
        plan: &Plan,
        image: &ImageReference,
        digest: &Digest,
        there: &mut There,
    ) -> Result<Vec<RuleResult>, PromoteError> {
        // By the tag that it gets there: rules look at names.
        let goes = ImageReference { digest: Some(digest.clone()), ..plan.destination.clone() };
        let ask = Ask { image: goes, digest: digest.clone(), environment: plan.environment.clone() };
        let deadline = Instant::now() + plan.wait.min(self.settings.longest_wait);
        for _ in 0..TRIES {
            let force = self.follower.force();
            let facts = if force.policies.is_about(&ask) {
                let known = self.known_for(image, &ask, &force, there, deadline).await?;
                if known.wants != self.follower.force().wants(&ask) {
                    continue;
                }
                Arc::clone(&known.facts)
            } else {
                Arc::new(Facts::of(ManifestFacts::bare(digest.clone(), None)))
            };
            // What came into force while it was collected counts.
            let judged_by = self.follower.force();
            if judged_by.policies.is_about(&ask) != force.policies.is_about(&ask) {
                continue;
            }
            let judgement = judged_by.judge(&ask, &facts, self.now()?);
            let is_against = |rule: &RuleResult| rule.verdict >= Verdict::Pending && !rule.policy.is_empty();
            return Ok(judgement.rules.iter().filter(|rule| is_against(rule)).cloned().collect());
        }
        let what = "policies change faster than the image can be looked at".to_owned();
        Err(AskError::Overloaded(what).into())
    }

    /// What is known of the image where it is, as much as the policies of the destination ask for.
    async fn known_for(
        self: &Arc<Self>,
        image: &ImageReference,
        ask: &Ask,
        force: &InForce,
        there: &mut There,
        deadline: Instant,
    ) -> Result<Arc<Known>, PromoteError> {
        let wants = force.wants(ask);
        let holds = |known: &Arc<Known>| known.wants == wants && known.ask.digest == ask.digest && self.is_fresh(known);
        if let Some(known) = there.known.as_ref().filter(|known| holds(known)) {
            return Ok(Arc::clone(known));
        }
        let at = ImageReference { tag: None, digest: Some(ask.digest.clone()), ..image.clone() };
        // It was just asked about where it is: by its tag, or by its digest.
        let key = |image: &ImageReference| Key {
            repository: repository(image),
            digest: ask.digest.clone(),
            tag: image.tag.as_ref().map(ToString::to_string),
            name: None,
            pinned: image.digest.is_some(),
            environment: ask.environment.clone(),
        };
        for image in [&at, image] {
            if let Some(known) = self.memory.known.get(&key(image).print_of_facts()).filter(|known| holds(known)) {
                return Ok(known);
            }
        }
        let wanted = Wanted {
            image: at.to_string(),
            environment: ask.environment.clone(),
            as_if: Some(ask.image.clone()),
            dry_run: false,
            brief: false,
        };
        let known = self.collected(&at, wanted, deadline).await?;
        there.known = Some(Arc::clone(&known));
        Ok(known)
    }
}

/// S33, S31: what stands against it at the destination is let through by the same word, and recorded as that.
fn overridden(leave: Leave, codes: &[String]) -> Leave {
    let Leave { permit, mut overridden, .. } = leave;
    overridden.extend(codes.iter().cloned());
    overridden.sort();
    overridden.dedup();
    let permit = match permit.basis {
        Basis::Overridden(_) => permit,
        _ => Permit {
            children: Vec::new(),
            basis: Basis::Overridden(uuid::Uuid::now_v7().to_string()),
            until: Instant::now() + SOON,
            ..permit
        },
    };
    Leave { permit, overridden, ..leave }
}

/// The codes of all that stands against it, if each is about vulnerabilities that were found, and none stands on a list of what is denied by its name.
fn only_vulnerabilities(against: &[RuleResult]) -> Option<Vec<String>> {
    let mut codes = Vec::new();
    for rule in against {
        let (Outcome::Fail(reasons), Verdict::Deny) = (&rule.outcome, rule.verdict) else { return None };
        codes.extend(reasons.iter().map(|reason| reason.code.as_str().to_owned()));
    }
    codes.sort();
    codes.dedup();
    let is_found = |code: &String| code.starts_with("vuln.") && code != "vuln.denied";
    codes.iter().all(is_found).then_some(codes)
}

/// The policy and rule, and why.
fn told(rule: &RuleResult) -> String {
    let why = match &rule.outcome {
        Outcome::Pass => "",
        Outcome::Fail(reasons) | Outcome::Unknown(_, reasons) => first(reasons),
    };
    format!("policy {}, rule {}: {why}", rule.policy, rule.rule)
}

fn first(reasons: &NonEmpty<Reason>) -> &str {
    reasons.iter().next().map_or("", |reason| &reason.message)
}
