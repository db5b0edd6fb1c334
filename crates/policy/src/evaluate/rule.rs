//! One rule over all its manifests: every gap is unknown, never a pass.

use std::borrow::Cow;
use std::collections::BTreeMap;

use model::{
    Ask, Clock, Disposition, Facts, Gap, NonEmpty, Outcome, Platform, Reason, ReasonCode, RuleResult, UnknownClass,
    Verdict,
};

use super::evidence::Evidence;
use super::rego::Inputs;
use super::signed::hidden;
use super::{
    Found, Target, age, attestations, base_image, config, measurements, packages, provenance, registries, rego, sbom,
    signatures, vsa, vulnerabilities,
};
use crate::document::dates::shown;
use crate::document::{Action, Announcement, Check, On, OnUnknown, Rule};
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
    /// What Rego rules are given.
    pub(super) inputs: &'s Inputs<'s>,
    pub(super) clock: &'s Clock,
}

pub(super) fn apply<'a>(scene: &Scene<'_, 'a>, targets: &[Target<'a>], evidence: &mut Evidence<'a>) -> RuleResult {
    let Scene { member, rule, facts, clock, .. } = *scene;
    let mut all = Found::nothing();
    let action = action(scene, &mut all.notes);
    let nobody = Covering::none();
    let scene = &Scene { exceptions: if rule.is_waivable() { scene.exceptions } else { &nobody }, ..*scene };
    let check = rule.check();
    let targets = about(check.as_ref().map_or(None, |check| check.scope()), targets, facts);
    for target in targets.iter() {
        let (platform, manifest) = match target {
            Target::Missing(platform) => {
                all.gaps.push(Gap::from(platform_missing(platform)));
                continue;
            }
            Target::Manifest(platform, manifest) => (*platform, *manifest),
        };
        let mut found = match check {
            Ok(Check::Vulnerabilities(of)) => vulnerabilities::judge(scene, of, manifest, platform, evidence),
            Ok(Check::Sbom(of)) => sbom::judge(scene, of, manifest),
            Ok(Check::Packages(of)) => packages::judge(of, manifest, clock),
            Ok(Check::Config(of)) => config::judge(of, manifest, clock),
            Ok(Check::BaseImage(of)) => base_image::judge(of, manifest, &facts.bases, clock),
            Ok(Check::Age(of)) => age::judge(of, manifest, clock),
            Ok(Check::Registries(of)) => registries::judge(of, scene.ask),
            Ok(Check::Measurements(of)) => measurements::judge(scene, of, manifest),
            Ok(Check::Signatures(of)) => signatures::judge(scene, of, manifest),
            Ok(Check::Attestations(of)) => attestations::judge(scene, of, manifest),
            Ok(Check::Provenance(of)) => provenance::judge(scene, of, manifest),
            Ok(Check::Vsa(of)) => vsa::judge(scene, of, manifest),
            Ok(Check::Rego(of)) => rego::judge(scene, of),
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
    let mut said = Vec::new();
    all.gaps.retain(|gap| {
        !said.contains(gap) && {
            said.push(gap.clone());
            true
        }
    });
    // What an exception accepts is still not known: whoever counts findings is told so.
    let mut on_unknown_applied: BTreeMap<_, _> =
        all.gaps.iter().map(|gap| (gap.class, "excepted".to_owned())).collect();
    waive(scene, &mut all);
    for gap in &all.gaps {
        on_unknown_applied.insert(gap.class, rule_for(member, gap.class).as_str().to_owned());
    }
    // S3: a broken rule means its action; not knowing means what onUnknown says, never more than the action.
    let unknown = |gap: &Gap| action.verdict().min(on_unknown(member, gap.class));
    let gap_verdict = all.gaps.iter().map(unknown).max();
    let broken = (!all.failures.is_empty()).then(|| action.verdict());
    let warned = (!all.warnings.is_empty()).then(|| action.verdict().min(Verdict::Warn));
    let failed = broken.max(warned);
    all.failures.append(&mut all.warnings);
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
        on_unknown: on_unknown_applied,
        findings: all.findings,
        over: all.over,
        notes: all.notes,
    }
}

/// A platform that the policy names is not in the index.
pub(super) fn platform_missing(platform: &Platform) -> Reason {
    Reason::new(ReasonCode::ImagePlatformMissing, format!("the index has no manifest for {platform}"))
}

/// What a break of the rule means now: before `effectiveFrom` it is only announced.
fn action(scene: &Scene<'_, '_>, notes: &mut Vec<String>) -> Action {
    let Scene { member, rule, clock, .. } = *scene;
    let full = rule.action.or(member.policy.spec.action).unwrap_or(Action::Deny);
    let Some(from) = rule.effective_from.filter(|from| !clock.reached(from.0)) else { return full };
    let announced = rule.before.unwrap_or(Announcement::Warn).action();
    if announced.verdict() >= full.verdict() {
        return full;
    }
    let (word, then) = (announced.as_str(), full.as_str());
    notes.push(format!("announced: a break means {word} until {}, and {then} from then on", shown(from.0)));
    announced
}

/// Takes out what exceptions for this rule waive, and says so.
fn waive(scene: &Scene<'_, '_>, all: &mut Found) {
    for exception in scene.exceptions.waiving(&scene.rule.id, scene.clock) {
        let accepted = |gap: &Gap| exception.entry.unknown.iter().flatten().any(|class| *class == gap.class);
        let (gaps, kept) = std::mem::take(&mut all.gaps).into_iter().partition(accepted);
        all.gaps = kept;
        let gaps: Vec<Gap> = gaps;
        // S6, S29: a deny list stands, unless the rule itself says that it can be waived.
        let stands = |reason: &Reason| is_denied(scene.rule, reason.code);
        let (denied, failures): (Vec<_>, Vec<_>) = std::mem::take(&mut all.failures).into_iter().partition(stands);
        all.failures = denied;
        let waived: Vec<Reason> = failures
            .into_iter()
            .chain(std::mem::take(&mut all.warnings))
            .chain(gaps.into_iter().map(|gap| gap.reason))
            .collect();
        exception.use_for(waived.len() as u64);
        let named = exception.named();
        all.notes.extend(waived.iter().map(|reason| format!("waived: {} ({named})", reason.message)));
        if !waived.is_empty() {
            all.over.clear();
            for judged in &mut all.findings {
                if matches!(judged.disposition, Disposition::Blocks(code) if !is_denied(scene.rule, code)) {
                    judged.disposition = Disposition::Excepted(exception.entry.id.clone());
                }
            }
        }
    }
}

/// True for what a deny list of the rule refuses, and no exception lifts.
fn is_denied(rule: &Rule, code: ReasonCode) -> bool {
    use ReasonCode::{
        PackagesDenied, ReferenceRegistry, ReferenceTag, SbomDeniedLicense, SbomDeniedPackage, VulnDenied,
    };
    let registries = rule.registries.as_ref();
    rule.waivable != Some(true)
        && match code {
            VulnDenied | PackagesDenied | SbomDeniedPackage | SbomDeniedLicense => true,
            // The reason is the same for what is not allowed.
            ReferenceRegistry => registries.is_some_and(|rule| rule.deny.is_some()),
            ReferenceTag => registries.and_then(|rule| rule.tags.as_ref()).is_some_and(|tags| tags.deny.is_some()),
            _ => false,
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
            let broken = found.failures.iter_mut().chain(&mut found.warnings);
            let reasons = broken.chain(found.gaps.iter_mut().map(|gap| &mut gap.reason));
            for text in reasons.map(|reason| &mut reason.message).chain(&mut found.notes) {
                text.insert_str(0, &format!("{platform}: "));
            }
        }
        self.failures.append(&mut found.failures);
        self.warnings.append(&mut found.warnings);
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
