//! `match.labels`: whether a policy is about an image, by what the image says about itself. Where that cannot be read the
//! policy applies, and the not knowing is one of its results: whoever hides a label gains nothing.

use std::collections::BTreeMap;

use model::{Gap, NonEmpty, Outcome, RuleResult, Signal, Verdict};

use super::Target;
use super::rule::{on_unknown, platform_missing};
use crate::document::Action;
use crate::set::Member;

/// Whether a policy is meant.
pub(super) enum Meant {
    Yes,
    No,
    Unknown(NonEmpty<Gap>),
}

/// Whether the labels of any manifest that is judged are those of the policy.
pub(super) fn meant(member: &Member, targets: &[Target<'_>]) -> Meant {
    let Some(wanted) = member.labels() else { return Meant::Yes };
    let (mut gaps, mut missing) = (Vec::new(), Vec::new());
    for target in targets {
        let manifest = match target {
            Target::Manifest(_, manifest) => manifest,
            Target::Missing(platform) => {
                missing.push(Gap::from(platform_missing(platform)));
                continue;
            }
        };
        match &manifest.config {
            Signal::Present(config) => {
                let says = |(name, pattern): (&String, &crate::document::TextPattern)| {
                    // Either may say it: whoever builds an image cannot hide what whoever pushed it wrote beside it.
                    let said = [config.value.labels.get(name), config.value.annotations.get(name)];
                    said.into_iter().flatten().any(|value| pattern.is_match(value))
                };
                if wanted.iter().all(says) {
                    return Meant::Yes;
                }
            }
            other => gaps.extend(other.why_not().cloned().map(Gap::from)),
        }
    }
    if missing.len() == targets.len() {
        gaps.append(&mut missing);
    }
    NonEmpty::new(gaps).map_or(Meant::No, Meant::Unknown)
}

/// The same as an answer: `None` where the labels are not known.
pub(crate) fn labels_meant(member: &Member, targets: &[Target<'_>]) -> Option<bool> {
    match meant(member, targets) {
        Meant::Yes => Some(true),
        Meant::No => Some(false),
        Meant::Unknown(_) => None,
    }
}

/// The labels could not be read.
pub(super) fn unknown(member: &Member, gaps: NonEmpty<Gap>) -> RuleResult {
    // S3: never more than the heaviest of the rules could mean.
    let spec = &member.policy.spec;
    let actions = spec.rules.iter().map(|rule| rule.action.or(spec.action).unwrap_or(Action::Deny).verdict());
    let most = actions.max().unwrap_or(Verdict::Deny);
    let verdict = gaps.iter().map(|gap| on_unknown(member, gap.class)).max().unwrap_or(Verdict::Deny).min(most);
    let class = gaps.max_by(|gap| on_unknown(member, gap.class)).class;
    let applied = gaps.iter().map(|gap| (gap.class, super::rule::rule_for(member, gap.class).as_str().to_owned()));
    RuleResult {
        policy: member.id.name.clone(),
        rule: "match.labels".to_owned(),
        on_unknown: applied.collect::<BTreeMap<_, _>>(),
        outcome: Outcome::Unknown(class, gaps.map(|gap| gap.reason)),
        verdict,
        findings: Vec::new(),
        over: Vec::new(),
        notes: vec!["the labels of the image are not known, so that the policy applies".to_owned()],
    }
}
