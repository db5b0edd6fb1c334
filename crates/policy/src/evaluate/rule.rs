//! One rule over all its manifests: every gap is unknown, never a pass.

use std::borrow::Cow;

use model::{
    Ask, Clock, Facts, Gap, NonEmpty, Outcome, Platform, Reason, ReasonCode, RuleResult, UnknownClass, Verdict,
};

use super::evidence::Evidence;
use super::signed::hidden;
use super::{Found, Target, attestations, config, measurements, provenance, sbom, signatures, vsa, vulnerabilities};
use crate::document::{Action, Check, On, OnUnknown, Rule};
use crate::exceptions::Covering;
use crate::set::Member;

/// What a rule is applied to, and with what.
#[derive(Clone, Copy)]
pub(super) struct Scene<'s, 'a> {
    pub(super) member: &'s Member,
    pub(super) rule: &'s Rule,
    pub(super) ask: &'s Ask,
    pub(super) facts: &'a Facts,
    pub(super) exceptions: &'s Covering<'s>,
    pub(super) clock: &'s Clock,
}

pub(super) fn apply<'a>(scene: &Scene<'_, 'a>, targets: &[Target<'a>], evidence: &mut Evidence<'a>) -> RuleResult {
    let Scene { member, rule, facts, clock, .. } = *scene;
    let action = rule.action.or(member.policy.spec.action).unwrap_or(Action::Deny);
    let mut all = Found::nothing();
    let check = rule.check();
    let targets = about(check.as_ref().map_or(None, |check| check.on()), targets, facts);
    for target in targets.iter() {
        let (platform, manifest) = match target {
            Target::Missing(platform) => {
                let message = format!("the index has no manifest for {platform}");
                all.gaps.push(Gap::from(Reason::new(ReasonCode::ImagePlatformMissing, message)));
                continue;
            }
            Target::Manifest(platform, manifest) => (*platform, *manifest),
        };
        let mut found = match check {
            Ok(Check::Vulnerabilities(of)) => vulnerabilities::judge(scene, of, manifest, platform, evidence),
            Ok(Check::Sbom(of)) => sbom::judge(scene, of, manifest),
            Ok(Check::Config(of)) => config::judge(of, manifest, &facts.bases, clock),
            Ok(Check::Measurements(of)) => measurements::judge(scene, of, manifest),
            Ok(Check::Signatures(of)) => signatures::judge(scene, of, manifest),
            Ok(Check::Attestations(of)) => attestations::judge(scene, of, manifest),
            Ok(Check::Provenance(of)) => provenance::judge(scene, of, manifest),
            Ok(Check::Vsa(of)) => vsa::judge(scene, of, manifest),
            Err(_) => {
                let reason = Reason::new(ReasonCode::Internal, format!("rule {:?} is not of one kind", rule.id));
                Found { gaps: vec![Gap::from(reason)], ..Found::nothing() }
            }
        };
        if let Ok(of @ (Check::Vulnerabilities(_) | Check::Sbom(_) | Check::Measurements(_))) = check {
            let listed = of.signers();
            let signers: Vec<&str> = listed.iter().flat_map(|(_, list)| list.iter().map(String::as_str)).collect();
            found.gaps.extend(hidden(scene, &signers, of.opens_to_registry(), manifest));
        }
        all.add(found, platform);
    }
    if targets.is_empty() {
        all.gaps.push(Gap::from(Reason::new(ReasonCode::Internal, "there is nothing to judge")));
    }
    // S3: a broken rule means its action; not knowing means what onUnknown says, never more than the action.
    let unknown = |gap: &Gap| action.verdict().min(on_unknown(member, gap.class));
    let gap_verdict = all.gaps.iter().map(unknown).max();
    let failed = (!all.failures.is_empty()).then(|| action.verdict());
    let (outcome, verdict) = match (NonEmpty::new(all.failures), NonEmpty::new(all.gaps)) {
        (Some(mut reasons), gaps) => {
            for gap in gaps.iter().flatten() {
                reasons.push(gap.reason.clone());
            }
            (Outcome::Fail(reasons), failed.max(gap_verdict))
        }
        (None, Some(gaps)) => {
            let class = gaps.max_by(|gap| unknown(gap)).class;
            (Outcome::Unknown(class, gaps.map(|gap| gap.reason)), gap_verdict)
        }
        (None, None) => (Outcome::Pass, Some(Verdict::Allow)),
    };
    RuleResult {
        policy: member.id.name.clone(),
        rule: rule.id.clone(),
        outcome,
        verdict: verdict.unwrap_or(Verdict::Deny),
        findings: all.findings,
        over: all.over,
        notes: all.notes,
    }
}

/// The manifests a rule is for: what signers say is about the index, the platforms, or both; everything else is about
/// the platforms. An image that is no index is both at once.
fn about<'t, 'a>(on: Option<On>, targets: &'t [Target<'a>], facts: &'a Facts) -> Cow<'t, [Target<'a>]> {
    let root = Target::Manifest(None, &facts.root);
    match on {
        None | Some(On::Platforms) => Cow::Borrowed(targets),
        Some(On::All) if facts.platforms.is_some() => {
            Cow::Owned(std::iter::once(root).chain(targets.iter().cloned()).collect())
        }
        Some(On::Index | On::All) => Cow::Owned(vec![root]),
    }
}

impl Found {
    /// Adds what was found in one manifest, each text led by the platform it is about.
    fn add(&mut self, mut found: Self, platform: Option<&Platform>) {
        if let Some(platform) = platform {
            let reasons = found.failures.iter_mut().chain(found.gaps.iter_mut().map(|gap| &mut gap.reason));
            for text in reasons.map(|reason| &mut reason.message).chain(&mut found.notes) {
                text.insert_str(0, &format!("{platform}: "));
            }
        }
        self.failures.append(&mut found.failures);
        self.gaps.append(&mut found.gaps);
        self.findings.append(&mut found.findings);
        self.over.append(&mut found.over);
        self.notes.append(&mut found.notes);
    }
}

pub(super) fn rule_for(member: &Member, class: UnknownClass) -> OnUnknown {
    match &member.policy.spec.on_unknown {
        Some(map) => map.classes.get(&class).copied().unwrap_or(map.default),
        None => OnUnknown::Deny,
    }
}

pub(super) fn on_unknown(member: &Member, class: UnknownClass) -> Verdict {
    match rule_for(member, class) {
        OnUnknown::Warn => Verdict::Warn,
        OnUnknown::Pending => Verdict::Pending,
        OnUnknown::Deny | OnUnknown::LastKnownGood(_) => Verdict::Deny,
    }
}
