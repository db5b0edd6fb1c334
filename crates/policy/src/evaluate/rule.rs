//! One rule over all its manifests: every gap is unknown, never a pass.

use std::collections::BTreeSet;

use model::{
    Clock, CompleteScan, Digest, Facts, Gap, ManifestFacts, NonEmpty, Observed, Origin, Outcome, Platform, Reason,
    ReasonCode, RuleResult, SignedDuration, Timestamp, UnknownClass, Verdict, format_duration,
};

use super::Target;
use super::findings::{Context, judge};
use crate::document::{Action, OnUnknown, Rule, Source};
use crate::exceptions::Applicable;
use crate::set::{BASIC_AGE, CONTINUOUS_AGE, Member};

/// How far ahead of our clock a source's clock may be.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

pub(super) fn apply(
    member: &Member,
    rule: &Rule,
    targets: &[Target<'_>],
    facts: &Facts,
    exceptions: &[Applicable<'_>],
    clock: &Clock,
    stood_in: &mut BTreeSet<Digest>,
) -> RuleResult {
    let action = rule.action.or(member.policy.spec.action).unwrap_or(Action::Deny);
    let (mut gaps, mut failures, mut findings, mut notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for target in targets {
        let (platform, manifest) = match target {
            Target::Missing(platform) => {
                let message = format!("the index has no manifest for {platform}");
                gaps.push(Gap::from(Reason::new(ReasonCode::ImagePlatformMissing, message)));
                continue;
            }
            Target::Manifest(platform, manifest) => (*platform, *manifest),
        };
        match trusted(member, rule, manifest, clock) {
            Err(gap) => gaps.push(named(gap, platform)),
            Ok(observed) => {
                if let Some(why) = manifest.scan.why_not() {
                    stood_in.insert(manifest.digest.clone());
                    let text = format!(
                        "the last known good scan, read at {}, stands in: {}",
                        minute(observed.at),
                        why.message
                    );
                    notes.push(about(platform, &text));
                }
                let context =
                    Context { rule: &rule.vulnerabilities, exceptions, clock, first_seen: &facts.first_seen, platform };
                let mut judged = judge(&context, &observed.value);
                for reason in &mut judged.failures {
                    reason.message = about(platform, &reason.message);
                }
                failures.append(&mut judged.failures);
                gaps.extend(judged.gaps.into_iter().map(|gap| named(gap, platform)));
                findings.append(&mut judged.findings);
                notes.extend(judged.notes.iter().map(|note| about(platform, note)));
            }
        }
    }
    if targets.is_empty() {
        gaps.push(Gap::from(Reason::new(ReasonCode::Internal, "there is nothing to judge")));
    }
    // S3: a broken rule means its action; not knowing means what onUnknown says, never more than the action.
    let unknown = |gap: &Gap| action.verdict().min(on_unknown(member, gap.class));
    let gap_verdict = gaps.iter().map(unknown).max();
    let failed = (!failures.is_empty()).then(|| action.verdict());
    let (outcome, verdict) = match (NonEmpty::new(failures), NonEmpty::new(gaps)) {
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
        findings,
        notes,
    }
}

/// The scan, if the policy accepts its source and it is young enough.
fn trusted<'a>(
    member: &Member,
    rule: &Rule,
    manifest: &'a ManifestFacts,
    clock: &Clock,
) -> Result<&'a Observed<CompleteScan>, Gap> {
    let scan = &manifest.scan;
    let stand_in = [UnknownClass::Throttled, UnknownClass::RegistryUnavailable, UnknownClass::Deadline]
        .into_iter()
        .filter(|class| scan.why_not().is_some_and(|why| why.code.class() == Some(*class)))
        .find_map(|class| match rule_for(member, class) {
            OnUnknown::LastKnownGood(age) => Some(age),
            _ => None,
        });
    let observed = scan.usable(stand_in, clock)?;
    let source = match observed.origin {
        Origin::Ecr(_) => Source::Ecr,
        Origin::File(_) => Source::File,
    };
    // Without `sources` whatever was asked or handed over counts; with it, a file only if `file` is listed.
    let accepts = rule.vulnerabilities.sources.as_ref().is_none_or(|sources| sources.accept.contains(&source));
    if !accepts {
        let message = format!("rule {:?} does not accept the source of this scan", rule.id);
        return Err(Reason::new(ReasonCode::ScanMissing, message)
            .remedy("Add `file` to `sources.accept` of the rule, or let the gate ask ECR itself.")
            .into());
    }
    let scan = &observed.value;
    let newest = scan.database_at().max(scan.completed_at());
    if !clock.reached(newest.checked_sub(SKEW).unwrap_or(newest)) {
        let message = format!("the scan is dated {newest}, in the future");
        return Err(Reason::new(ReasonCode::ScanMalformed, message).into());
    }
    // S16: a saved answer does not hold the time of the push; the registry may.
    if let Some(pushed) = manifest.pushed_at
        && scan.completed_at() < pushed
    {
        let message =
            format!("the scan ended at {}, before the push at {}", minute(scan.completed_at()), minute(pushed));
        return Err(Reason::new(ReasonCode::ScanOlderThanPush, message).into());
    }
    let default = if scan.is_continuous() { CONTINUOUS_AGE } else { BASIC_AGE };
    let limit = rule.vulnerabilities.max_scan_age.map_or(default, |age| age.0);
    if clock.older_than(scan.database_at(), limit) {
        let age = clock.now().duration_since(scan.database_at());
        let hours = SignedDuration::from_hours(age.as_hours());
        let age = if hours.is_zero() { SignedDuration::from_mins(age.as_mins()) } else { hours };
        let message = format!(
            "the vulnerability data of the scan is of {}, {} old; the policy allows {}",
            minute(scan.database_at()),
            format_duration(age),
            format_duration(limit)
        );
        return Err(Reason::new(ReasonCode::ScanStale, message).into());
    }
    Ok(observed)
}

fn rule_for(member: &Member, class: UnknownClass) -> OnUnknown {
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

fn named(mut gap: Gap, platform: Option<&Platform>) -> Gap {
    gap.reason.message = about(platform, &gap.reason.message);
    gap
}

/// The text, led by the platform it is about.
fn about(platform: Option<&Platform>, text: &str) -> String {
    platform.map_or_else(|| text.to_owned(), |platform| format!("{platform}: {text}"))
}

fn minute(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%MZ").to_string()
}
