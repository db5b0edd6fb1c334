//! From the findings that block to packages, steps, and what stays. A step on the base image takes all that the base
//! brought, unless its name stands for no other build today: then only an upgrade above the base helps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use model::{Judgement, Outcome, OverLimit, Package, Platform, Reason, ReasonCode, RuleResult, Severity, Verdict};

use super::blocked::{Blocked, Finding};
use super::origin::Origin;
use super::upgrade::{Fixing, target};
use super::{BlockedPackage, Introduced, Introducer, Stays, Step, StepOf, ToGo, words};

fn introducer(finding: &Finding<'_>) -> Introducer {
    match finding.origin {
        Origin::Base(name) => Introducer::Base(name.to_owned()),
        Origin::Own => Introducer::Own,
        Origin::Unknown(_) => Introducer::Unknown,
    }
}

/// The findings by who brought them and by package.
pub(super) fn packages(blocked: &Blocked<'_>, from: Verdict) -> Vec<BlockedPackage> {
    let mut groups: BTreeMap<(Introducer, BTreeSet<&str>), Vec<&Finding<'_>>> = BTreeMap::new();
    for finding in &blocked.findings {
        groups.entry((introducer(finding), finding.names())).or_insert_with(Vec::new).push(finding);
    }
    groups.into_iter().map(|((by, names), findings)| package(by, &names, &findings, from)).collect()
}

fn package(by: Introducer, names: &BTreeSet<&str>, findings: &[&Finding<'_>], from: Verdict) -> BlockedPackage {
    let mut versions: Vec<(&Package, Vec<&str>)> = Vec::new();
    let (mut fixed, mut version_not_said, mut no_fix, mut fix_not_said) = (0, 0, 0, 0);
    for finding in findings {
        match Fixing::of(&finding.packages) {
            Fixing::Fixed(all) => {
                fixed += 1;
                version_not_said += u64::from(all.iter().any(|(_, named)| named.is_empty()));
                versions.extend(all);
            }
            Fixing::None => no_fix += 1,
            Fixing::NotSaid => fix_not_said += 1,
        }
    }
    let installed = findings.iter().flat_map(|finding| &finding.packages).map(|package| &package.version);
    let installed: BTreeSet<&String> = installed.filter(|version| !version.is_empty()).collect();
    let platforms: BTreeSet<&Platform> = findings.iter().filter_map(|finding| finding.platform).collect();
    let only_warned = |finding: &&&Finding<'_>| from > Verdict::Warn && finding.weight == Verdict::Warn;
    BlockedPackage {
        by,
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        installed: installed.into_iter().cloned().collect(),
        platforms: platforms.into_iter().cloned().collect(),
        findings: findings.len() as u64,
        only_warned: findings.iter().filter(only_warned).count() as u64,
        fixed,
        version_not_said,
        no_fix,
        fix_not_said,
        upgrade_to: target(&versions),
    }
}

/// The findings by who brought them.
pub(super) fn introduced(blocked: &Blocked<'_>) -> Vec<Introduced> {
    let mut all: BTreeMap<Introducer, (u64, BTreeSet<&'static str>)> = BTreeMap::new();
    for finding in &blocked.findings {
        let (findings, why) = all.entry(introducer(finding)).or_insert_with(|| (0, BTreeSet::new()));
        *findings += 1;
        if let Origin::Unknown(because) = finding.origin {
            why.insert(because.words());
        }
    }
    all.into_iter()
        .map(|(by, (findings, why))| {
            let newer_build = match &by {
                Introducer::Base(name) => blocked.newer_builds.get(name.as_str()).copied().flatten(),
                Introducer::Own | Introducer::Unknown => None,
            };
            Introduced { by, findings, why: why.into_iter().map(Into::into).collect(), newer_build }
        })
        .collect()
}

/// True if another build of the base image may have the fix.
fn may_rebuild(by: &Introducer, introduced: &[Introduced]) -> bool {
    let is_base = matches!(by, Introducer::Base(_));
    is_base && introduced.iter().any(|who| who.by == *by && who.newer_build != Some(false))
}

/// What to do, in the order of what it clears.
pub(super) fn steps(judgement: &Judgement, packages: &[BlockedPackage], introduced: &[Introduced]) -> Vec<Step> {
    let mut steps = Vec::new();
    for who in introduced {
        let Introducer::Base(base) = &who.by else { continue };
        if !may_rebuild(&who.by, introduced) {
            continue;
        }
        let brought: Vec<&BlockedPackage> = packages
            .iter()
            .filter(|package| package.by == who.by && package.fixed + package.fix_not_said > 0)
            .collect();
        let clears = brought.iter().map(|package| package.fixed + package.fix_not_said).sum();
        if clears == 0 {
            continue;
        }
        let mut names: Vec<String> = brought.iter().flat_map(|package| package.names.clone()).collect();
        names.sort_unstable();
        names.dedup();
        let text = words::rebuild(base, who.newer_build, clears, &names);
        steps.push(Step { of: StepOf::Rebuild { base: base.clone(), packages: names }, clears, certain: false, text });
    }
    for package in packages.iter().filter(|package| package.fixed > 0 && !may_rebuild(&package.by, introduced)) {
        let of = StepOf::Upgrade { packages: package.names.clone(), to: package.upgrade_to.clone() };
        steps.push(Step { of, clears: package.fixed, certain: true, text: words::upgrade(package) });
    }
    steps.extend(rules(judgement));
    steps.sort_by(|one, other| {
        (Reverse(one.clears), name(one), &one.text).cmp(&(Reverse(other.clears), name(other), &other.text))
    });
    steps
}

fn name(step: &Step) -> String {
    match &step.of {
        StepOf::Rebuild { base, .. } => base.clone(),
        StepOf::Upgrade { packages, .. } => packages.join(", "),
        StepOf::Rule { policy, rule, code, .. } => format!("{policy} {rule} {code}"),
    }
}

/// True for the reasons that single findings show by themselves.
fn is_about_findings(code: ReasonCode) -> bool {
    use ReasonCode::{VulnCvss, VulnDenied, VulnEpss, VulnKnownExploited, VulnMaxExceeded};
    matches!(code, VulnMaxExceeded | VulnDenied | VulnKnownExploited | VulnCvss | VulnEpss)
}

/// The rules that something else than a listed finding breaks or leaves open: one step for each reason.
fn rules(judgement: &Judgement) -> Vec<Step> {
    let mut steps: BTreeMap<(&str, &str, ReasonCode), (Verdict, BTreeSet<&str>)> = BTreeMap::new();
    for rule in judgement.rules.iter().filter(|rule| rule.verdict > Verdict::Allow) {
        for reason in reasons(rule).filter(|reason| !is_about_findings(reason.code)) {
            let (verdict, remedies) =
                steps.entry((&rule.policy, &rule.rule, reason.code)).or_insert_with(|| (rule.verdict, BTreeSet::new()));
            *verdict = (*verdict).max(rule.verdict);
            remedies.insert(&reason.remedy);
        }
    }
    let step = |((policy, rule, code), (verdict, remedies)): ((&str, &str, _), (_, BTreeSet<&str>))| {
        let remedies: Vec<&str> = remedies.into_iter().collect();
        let only_warns = verdict == Verdict::Warn && judgement.verdict > Verdict::Warn;
        let text = words::rule(policy, rule, code, &remedies.join(" "), only_warns);
        let of = StepOf::Rule { policy: policy.to_owned(), rule: rule.to_owned(), code, verdict };
        Step { of, clears: 0, certain: true, text }
    };
    steps.into_iter().map(step).collect()
}

fn reasons(rule: &RuleResult) -> impl Iterator<Item = &Reason> {
    let reasons = match &rule.outcome {
        Outcome::Pass => None,
        Outcome::Fail(reasons) | Outcome::Unknown(_, reasons) => Some(reasons),
    };
    reasons.into_iter().flat_map(|reasons| reasons.iter())
}

/// The exceeded limits of each rule that is not only recorded.
fn over(judgement: &Judgement) -> impl Iterator<Item = (usize, &RuleResult, &OverLimit)> {
    let rules = judgement.rules.iter().enumerate().filter(|(_, rule)| rule.verdict > Verdict::Allow);
    rules.flat_map(|(number, rule)| rule.over.iter().map(move |over| (number, rule, over)))
}

pub(super) fn limits(judgement: &Judgement) -> Vec<ToGo> {
    over(judgement)
        .map(|(_, rule, over)| ToGo {
            policy: rule.policy.clone(),
            rule: rule.rule.clone(),
            platform: over.platform.clone(),
            severity: over.severity.clone(),
            found: over.found,
            allowed: over.allowed,
            to_go: over.found.saturating_sub(over.allowed),
        })
        .collect()
}

/// What is left when every step is done, and a newer base has what it may have.
pub(super) fn stays(judgement: &Judgement, blocked: &Blocked<'_>, introduced: &[Introduced]) -> Stays {
    let mut left: Vec<&Finding<'_>> = Vec::new();
    let (mut no_fix, mut fix_not_said) = (0, 0);
    for finding in &blocked.findings {
        match Fixing::of(&finding.packages) {
            Fixing::None => no_fix += 1,
            Fixing::NotSaid if !may_rebuild(&introducer(finding), introduced) => fix_not_said += 1,
            Fixing::NotSaid | Fixing::Fixed(_) => continue,
        }
        left.push(finding);
    }
    let mut unlisted: BTreeMap<(Option<&Platform>, &Severity), u64> = BTreeMap::new();
    let mut full = Vec::new();
    for (number, _, over) in over(judgement) {
        let beyond = over.found.saturating_sub(over.listed);
        let most = unlisted.entry((over.platform.as_ref(), &over.severity)).or_insert(0);
        *most = (*most).max(beyond);
        let counted = left.iter().filter(|finding| counts_under(finding, number, over)).count() as u64;
        if counted.saturating_add(beyond) > over.allowed {
            full.push((number, over));
        }
    }
    let blocks = |finding: &&&Finding<'_>| {
        finding.breaks.iter().any(|(_, code)| !is_of_limit(*code))
            || full.iter().any(|(number, over)| counts_under(finding, *number, over))
    };
    let still: Vec<&&Finding<'_>> = left.iter().filter(blocks).collect();
    let denied = still.iter().any(|finding| finding.breaks.iter().any(|(_, code)| *code == ReasonCode::VulnDenied));
    let mut stays = Stays {
        findings: left.len() as u64,
        blocking: still.len() as u64,
        no_fix,
        fix_not_said,
        unlisted: unlisted.values().fold(0, |sum, beyond| sum.saturating_add(*beyond)),
        text: String::new(),
    };
    let nothing_helps = left.len() == blocked.findings.len();
    stays.text =
        words::stays(&stays, nothing_helps, introduced.iter().any(|who| may_rebuild(&who.by, introduced)), denied);
    stays
}

fn is_of_limit(code: ReasonCode) -> bool {
    matches!(code, ReasonCode::VulnMaxExceeded | ReasonCode::VulnCountExceeded)
}

/// True if a finding counts under a limit. A word that is no severity may count under each of them.
fn counts_under(finding: &Finding<'_>, rule: usize, over: &OverLimit) -> bool {
    let of_rule = finding.breaks.iter().any(|(number, code)| *number == rule && is_of_limit(*code));
    let severity = |severity: &&Severity| matches!(severity, Severity::Unknown(_)) || **severity == over.severity;
    of_rule && finding.platform == over.platform.as_ref() && finding.severities.iter().any(severity)
}
