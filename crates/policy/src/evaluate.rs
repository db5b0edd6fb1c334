//! `evaluate`: policies, question, facts, exceptions and time in, judgement out. Pure and total.

mod age;
mod attestations;
mod base_image;
mod config;
mod denials;
mod evidence;
mod findings;
mod identity;
mod labels;
mod measurements;
mod merge;
mod names;
mod packages;
mod predicate;
mod provenance;
mod registries;
mod rego;
mod rule;
mod sbom;
mod score;
mod signatures;
mod signed;
mod signers;
mod sources;
mod vex;
mod vsa;
mod vulnerabilities;

use std::collections::BTreeMap;

use model::{
    Ask, Clock, EnvironmentClass, ExceptionUse, Facts, Gap, Inputs, Judged, Judgement, ManifestFacts, NonEmpty,
    Outcome, OverLimit, Platform, PolicyId, Reason, ReasonCode, RuleResult, Timestamp, Verdict,
};

use crate::denials::Denials;
use crate::document::dates::shown;
use crate::exceptions::{Entry, Exceptions};
use crate::set::{Member, PolicySet};
use evidence::Evidence;
pub(crate) use labels::labels_meant;
pub use score::{TrustPart, TrustScore, trust_score};
pub(crate) use signers::never_counts;

/// One manifest that has to be judged, or a platform that is not there.
#[derive(Clone)]
pub(crate) enum Target<'a> {
    Manifest(Option<&'a Platform>, &'a ManifestFacts),
    Missing(Platform),
}

/// What one rule found in one manifest.
#[derive(Debug)]
struct Found {
    /// What breaks the rule.
    failures: Vec<Reason>,
    /// What is only warned of, whatever the rule's action.
    warnings: Vec<Reason>,
    /// What could not be judged.
    gaps: Vec<Gap>,
    /// Vulnerabilities that a limit, an exception or a list touched.
    findings: Vec<Judged>,
    /// The limits per severity that are exceeded.
    over: Vec<OverLimit>,
    /// What a reader should know although it changed nothing.
    notes: Vec<String>,
}

impl Found {
    /// Neither broken nor unknown.
    fn nothing() -> Self {
        Self {
            failures: Vec::new(),
            warnings: Vec::new(),
            gaps: Vec::new(),
            findings: Vec::new(),
            over: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Judges an image.
///
/// The environment must be declared ([`PolicySet::environment`]); an undeclared one is production that no policy
/// matches, and so denied.
///
/// Nothing is on the deny list: for whoever has none. [`evaluate_beside`] judges with one.
pub fn evaluate(set: &PolicySet, ask: &Ask, facts: &Facts, exceptions: &Exceptions, now: Timestamp) -> Judgement {
    evaluate_beside(set, ask, facts, exceptions, &Denials::none(), now)
}

/// Judges an image by policies and by what is denied beside them (S30): the deny list comes before everything else (S6).
pub fn evaluate_beside(
    set: &PolicySet,
    ask: &Ask,
    facts: &Facts,
    exceptions: &Exceptions,
    denials: &Denials,
    now: Timestamp,
) -> Judgement {
    let clock = Clock::at(now);
    let environment_class = set.environment(&ask.environment).unwrap_or(EnvironmentClass::Production);
    let mut rules = Vec::new();
    let mut policies = Vec::new();
    let mut evidence = Evidence::none();
    let (mut used, mut warnings) = (Vec::new(), Vec::new());
    let (mut scans_asked, mut answered, mut judged) = (false, true, false);
    for member in set.matching(ask) {
        let targets = targets(member, facts);
        match labels::meant(member, &targets) {
            labels::Meant::Yes => {}
            labels::Meant::No => continue,
            labels::Meant::Unknown(gaps) => rules.push(labels::unknown(member, gaps)),
        }
        let applicable = exceptions.about(member, ask, &clock);
        policies.push(member.id.clone());
        let inputs = rego::Inputs::new(ask, environment_class, facts, now);
        for rule in &member.policy.spec.rules {
            if let Some(until) = rule.until.filter(|until| clock.reached(until.0)) {
                let (policy, rule, ended) = (&member.id.name, &rule.id, shown(until.0));
                warnings.push(format!("policy {policy}: rule {rule:?} ended on {ended}; nothing was judged by it"));
                continue;
            }
            scans_asked |= rule.vulnerabilities.is_some();
            let scene =
                rule::Scene { member, rule, ask, facts, exceptions: &applicable, inputs: &inputs, clock: &clock };
            let result = rule::apply(&scene, &targets, &mut evidence);
            // What is not known of a signature leaves a scan as complete as it is.
            answered &= rule.vulnerabilities.is_none() || result.on_unknown.is_empty();
            judged = true;
            rules.push(result);
        }
        for exception in applicable.iter().filter(|exception| exception.used.get() > 0) {
            count(&mut used, exception.entry, exception.used.get());
        }
        warnings.extend(applicable.iter().flat_map(|exception| exception.warnings(&clock)));
    }
    warnings.dedup();
    // That labels are not known is no rule: where every rule has ended nobody judged anything.
    let nothing_matched = !judged;
    if nothing_matched {
        rules.push(none_matched(ask, &policies, set.none_matched(&ask.environment)));
    }
    let (denied, not_looked_for) = denials::judge(denials, ask, facts);
    rules.splice(0..0, denied);
    warnings.extend(not_looked_for);
    let rules = NonEmpty::new(rules).unwrap_or_else(|| NonEmpty::one(none_matched(ask, &policies, Verdict::Deny)));
    // A rule that is broken on one platform says nothing about another one that has no scan; and where no policy
    // matched, or none is about vulnerabilities, nobody looked at all.
    let complete = answered && !nothing_matched && !evidence.is_empty();
    Judgement {
        complete,
        // Where no policy matches nobody said that findings do not matter.
        scans_asked: scans_asked || nothing_matched,
        verdict: rules.max_by(|rule| rule.verdict).verdict,
        environment_class,
        counts: complete.then(|| evidence.counts()),
        inputs: Inputs { policies, signals: evidence.signals(facts), exceptions: used },
        valid_until: clock.horizon(),
        warnings,
        rules,
    }
}

/// Adds what an exception waived. One that counts for several policies is listed once.
fn count(used: &mut Vec<ExceptionUse>, entry: &Entry, findings: u64) {
    let Entry { id, owner, reason, expires, .. } = entry;
    let same = |used: &&mut ExceptionUse| {
        used.id == *id && used.owner == *owner && used.reason == *reason && used.expires == expires.0
    };
    match used.iter_mut().find(same) {
        Some(known) => known.findings = known.findings.saturating_add(findings),
        None => used.push(ExceptionUse {
            id: id.clone(),
            owner: owner.clone(),
            reason: reason.clone(),
            expires: expires.0,
            findings,
        }),
    }
}

/// S3: an image that no policy is about is denied outside declared non-production environments.
fn none_matched(ask: &Ask, ended: &[PolicyId], verdict: Verdict) -> RuleResult {
    let (name, environment) = (ask.name(), &ask.environment);
    let message = if ended.is_empty() {
        format!(
            "no policy matches {name} in environment {environment} (patterns of `match.images` start with the registry host)"
        )
    } else {
        format!("every rule of the policies that match {name} in environment {environment} has ended")
    };
    RuleResult {
        policy: String::new(),
        rule: ReasonCode::PolicyNoneMatched.as_str().to_owned(),
        outcome: Outcome::Fail(NonEmpty::one(Reason::new(ReasonCode::PolicyNoneMatched, message))),
        verdict,
        on_unknown: BTreeMap::new(),
        findings: Vec::new(),
        over: Vec::new(),
        notes: Vec::new(),
    }
}

/// The manifests a policy judges: the image itself, or the platforms of the index that it names (S1, A18).
pub(crate) fn targets<'a>(member: &Member, facts: &'a Facts) -> Vec<Target<'a>> {
    let Some(children) = &facts.platforms else { return vec![Target::Manifest(None, &facts.root)] };
    let Some(named) = member.platforms() else {
        return children.iter().map(|(platform, child)| Target::Manifest(Some(platform), child)).collect();
    };
    let mut targets = Vec::new();
    for wanted in named {
        let found: Vec<_> = children.iter().filter(|(platform, _)| wanted.covers(platform)).collect();
        // A manifest that does not say what it is for is judged, but it is not the platform that was asked for.
        if found.iter().all(|(platform, _)| platform.is_unspecified()) {
            targets.push(Target::Missing(wanted.clone()));
        }
        targets.extend(found.into_iter().map(|(platform, child)| Target::Manifest(Some(platform), child)));
    }
    targets
}

/// The first few, and how many more there are.
fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(5).map(AsRef::as_ref).collect();
    let more = if names.len() > 5 { format!(" and {} more", names.len() - 5) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests;
