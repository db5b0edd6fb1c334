//! Findings under one `vulnerabilities` rule, in the order of S6: deny list, exception, VEX, allow list, known exploit,
//! grace, `ignoreUnfixed`, score limits, and then the limits per severity. What does not count at all, because too few
//! sources report it or its scanner was told not to count it, comes right after the deny list.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use model::{
    Clock, CompleteScan, Disposition, Finding, FirstSeen, Gap, Judged, OverLimit, Platform, Reason, ReasonCode,
    Severity, Timestamp,
};

use super::Found;
use super::merge::Merged;
use super::names::Names;
use super::vex::{Statements, Word, shown};
use crate::document::{KnownExploited, Vulnerabilities};
use crate::exceptions::Covering;

pub(super) struct Context<'a> {
    pub(super) rule: &'a Vulnerabilities,
    pub(super) exceptions: &'a Covering<'a>,
    pub(super) clock: &'a Clock,
    pub(super) first_seen: &'a FirstSeen,
    pub(super) platform: Option<&'a Platform>,
    pub(super) allow: Names,
    pub(super) deny: Names,
    pub(super) vex: Statements<'a>,
    /// VEX statements that are not applied.
    pub(super) unapplied: RefCell<Vec<String>>,
}

/// What is judged: the findings of one source as they are, or of several as one list.
pub(super) enum View<'a> {
    One(&'a [Finding]),
    Several(Vec<Merged<'a>>),
}

/// One finding of a view.
#[derive(Clone, Copy)]
struct Weighed<'a> {
    finding: &'a Finding,
    /// What it was merged from; empty for the finding of one source.
    parts: &'a [&'a Finding],
    agreed: bool,
}

impl<'a> View<'a> {
    fn iter(&'a self) -> impl Iterator<Item = Weighed<'a>> {
        let (one, several): (&[Finding], &[Merged<'a>]) = match self {
            Self::One(findings) => (findings, &[]),
            Self::Several(merged) => (&[], merged),
        };
        let one = one.iter().map(|finding| Weighed { finding, parts: &[], agreed: true });
        let several = several.iter().map(|merged| Weighed {
            finding: &merged.finding,
            parts: &merged.parts,
            agreed: merged.agreed,
        });
        one.chain(several)
    }
}

impl Weighed<'_> {
    /// The severities under whose limits it counts: the highest, and every rating that a source gives it, so that a limit
    /// which one source's word would break is not passed by a higher word of another one.
    fn severities(&self) -> BTreeSet<&Severity> {
        let unrated = |severity: &&Severity| matches!(severity, Severity::Undefined | Severity::Untriaged);
        let said = self.parts.iter().map(|part| &part.severity).filter(|severity| !unrated(severity));
        std::iter::once(&self.finding.severity).chain(said).collect()
    }

    fn unfixed(&self) -> bool {
        if self.parts.is_empty() {
            self.finding.said_unfixed()
        } else {
            self.parts.iter().all(|part| part.said_unfixed())
        }
    }
}

/// The findings that count, under their limits.
struct Counted<'a> {
    by_limit: BTreeMap<Severity, Vec<&'a Finding>>,
    /// One finding may count under several limits.
    repeats: bool,
}

pub(super) fn judge(context: &Context<'_>, view: &View<'_>, scans: &[(String, &CompleteScan)]) -> Found {
    let rule = context.rule;
    let mut blocked: BTreeMap<ReasonCode, Vec<&Finding>> = BTreeMap::new();
    let mut counted = Counted { by_limit: BTreeMap::new(), repeats: matches!(view, View::Several(_)) };
    let mut waived = Vec::new();
    let mut exploits_unsaid = false;
    for weighed in view.iter() {
        let finding = weighed.finding;
        exploits_unsaid |= finding.exploit_available.is_none();
        match disposition(context, &weighed) {
            Some(Disposition::Blocks(code)) => blocked.entry(code).or_insert_with(Vec::new).push(finding),
            Some(other) => waived.push((finding, other)),
            None if weighed.parts.is_empty() => {
                if let Some((severity, _)) = limit_of(rule, &finding.severity) {
                    counted.by_limit.entry(severity).or_insert_with(Vec::new).push(finding);
                }
            }
            None => {
                let limits: BTreeSet<Severity> = weighed
                    .severities()
                    .into_iter()
                    .filter_map(|severity| limit_of(rule, severity).map(|(limited, _)| limited))
                    .collect();
                for severity in limits {
                    counted.by_limit.entry(severity).or_insert_with(Vec::new).push(finding);
                }
            }
        }
    }
    let mut result = Found::nothing();
    for (code, findings) in &blocked {
        let names: Vec<&str> = findings.iter().map(|finding| finding.id.as_str()).take(5).collect();
        let more = if findings.len() > 5 { format!(" and {} more", findings.len() - 5) } else { String::new() };
        let message = format!("{}: {}{more}", code.meaning().trim_end_matches('.'), names.join(", "));
        result.failures.push(Reason::new(*code, message));
        result.findings.extend(findings.iter().map(|finding| judged(context, finding, Disposition::Blocks(*code))));
    }
    limits(context, scans, &counted, &mut result);
    result.findings.extend(waived.into_iter().map(|(finding, disposition)| judged(context, finding, disposition)));
    if rule.known_exploited.is_some() && exploits_unsaid {
        result.notes.push("the scanner does not say for every finding whether an exploit is known".to_owned());
    }
    result.notes.append(&mut shown(context.unapplied.take()));
    result
}

/// The limits per severity, over the larger of our count and the scanner's (S17).
fn limits(context: &Context<'_>, scans: &[(String, &CompleteScan)], counted: &Counted<'_>, result: &mut Found) {
    // Findings that the scanner counts and does not list cannot be told apart: they count as they are. What several
    // scanners do not list may be the same.
    let mut unlisted: BTreeMap<Severity, u64> = BTreeMap::new();
    let mut disagreements: BTreeMap<Severity, String> = BTreeMap::new();
    for (scanner, scan) in scans {
        let mut of_scan: BTreeMap<Severity, u64> = BTreeMap::new();
        for (severity, listed, summary) in scan.disagreements() {
            let text = format!("{scanner} counts {summary} {severity} findings and lists {listed}");
            match limit_of(context.rule, &severity) {
                // A rule that looks at single findings limits every severity: what is not listed cannot be looked at.
                None if looks_at_single_findings(context.rule) => {
                    result.gaps.push(Gap::from(Reason::new(ReasonCode::ScanCountsDisagree, text)));
                }
                None => result.notes.push(text),
                Some((limited, _)) => {
                    let extra = of_scan.entry(limited.clone()).or_insert(0_u64);
                    *extra = extra.saturating_add(summary.saturating_sub(listed));
                    disagreements.insert(limited, text);
                }
            }
        }
        for (severity, extra) in of_scan {
            let largest = unlisted.entry(severity).or_insert(0);
            *largest = (*largest).max(extra);
        }
    }
    let none = Vec::new();
    let of = |severity: &Severity| {
        let limit = u64::from(context.rule.max.as_ref().and_then(|max| max.get(severity))?);
        let findings = counted.by_limit.get(severity).unwrap_or(&none);
        Some((limit, findings, unlisted.get(severity).copied().unwrap_or(0).saturating_add(findings.len() as u64)))
    };
    let is_over = |severity: &Severity| of(severity).is_some_and(|(limit, _, total)| total > limit);
    // A finding that counts under several limits is shown once, as blocking if it blocks.
    let mut seen = BTreeSet::new();
    let mut once = |finding: &&&Finding| !counted.repeats || seen.insert(std::ptr::from_ref(**finding));
    for severity in Severity::KNOWN.iter().filter(|severity| is_over(severity)) {
        let Some((limit, findings, total)) = of(severity) else { continue };
        let plural = if total == 1 { "" } else { "s" };
        let message = format!("{total} {severity} finding{plural}; the policy allows {limit}");
        let code =
            if findings.len() as u64 > limit { ReasonCode::VulnMaxExceeded } else { ReasonCode::VulnCountExceeded };
        let message = disagreements.get(severity).map_or(message.clone(), |text| format!("{message} ({text})"));
        result.failures.push(Reason::new(code, message));
        result.over.push(OverLimit {
            platform: context.platform.cloned(),
            severity: severity.clone(),
            found: total,
            listed: findings.len() as u64,
            allowed: limit,
        });
        let blocks = findings.iter().filter(&mut once);
        result.findings.extend(blocks.map(|finding| judged(context, finding, Disposition::Blocks(code))));
    }
    for severity in Severity::KNOWN.iter().filter(|severity| !is_over(severity)) {
        let Some((_, findings, _)) = of(severity) else { continue };
        if let Some(text) = disagreements.get(severity) {
            result.gaps.push(Gap::from(Reason::new(ReasonCode::ScanCountsDisagree, text.clone())));
        }
        let within = findings.iter().filter(&mut once);
        result.findings.extend(within.map(|finding| judged(context, finding, Disposition::WithinLimit)));
    }
}

/// What becomes of a finding before the limits per severity; `None` if it counts towards them.
fn disposition(context: &Context<'_>, weighed: &Weighed<'_>) -> Option<Disposition> {
    let (rule, finding) = (context.rule, weighed.finding);
    if context.deny.mention(finding) || weighed.parts.iter().any(|part| context.deny.mention(part)) {
        return Some(Disposition::Blocks(ReasonCode::VulnDenied));
    }
    if let Some(why) = finding.suppressed.as_ref().filter(|_| rule.honours_suppression()) {
        return Some(Disposition::Suppressed(why.clone()));
    }
    if !weighed.agreed {
        return Some(Disposition::NotAgreed);
    }
    if let Some(exception) = context.exceptions.covering(finding, weighed.parts, context.clock) {
        return Some(Disposition::Excepted(exception.entry.id.clone()));
    }
    match context.vex.about(finding, weighed.parts) {
        Word::Softens(text) => return Some(Disposition::Vex(text)),
        Word::Shown(text) => context.unapplied.borrow_mut().push(text),
        Word::Nothing => {}
    }
    if context.allow.are(finding) {
        return Some(Disposition::Allowed);
    }
    // S20: a known exploit overrides grace and ignoreUnfixed.
    if rule.known_exploited == Some(KnownExploited::Deny) && finding.exploit_available == Some(true) {
        return Some(Disposition::Blocks(ReasonCode::VulnKnownExploited));
    }
    if let Some(until) = grace(context, weighed)
        && !context.clock.reached(until)
    {
        return Some(Disposition::Grace(until));
    }
    if rule.ignore_unfixed == Some(true) && weighed.unfixed() {
        return Some(Disposition::Unfixed);
    }
    if let (Some(limit), Some(score)) = (rule.deny_cvss_from, finding.cvss_tenths)
        && score >= limit.0
    {
        return Some(Disposition::Blocks(ReasonCode::VulnCvss));
    }
    if let (Some(limit), Some(score)) = (rule.deny_epss_from, finding.epss_millionths)
        && score >= limit.0
    {
        return Some(Disposition::Blocks(ReasonCode::VulnEpss));
    }
    None
}

/// The end of the grace period: the earliest over the packages and severities, and only if every package has a recorded
/// first sighting of this vulnerability and every severity a period.
fn grace(context: &Context<'_>, weighed: &Weighed<'_>) -> Option<Timestamp> {
    let periods = context.rule.grace_period.as_ref()?;
    let finding = weighed.finding;
    if weighed.parts.iter().any(|part| part.packages.is_empty()) {
        return None;
    }
    let mut earliest: Option<Timestamp> = None;
    for severity in weighed.severities() {
        let period = periods.get(severity)?;
        for package in &finding.packages {
            // On record is the id that a source gave, or the CVE that it stands for.
            let names =
                weighed.parts.iter().map(|part| &part.id).chain(&finding.aliases).filter(|id| finding.is(id.as_str()));
            let seen = std::iter::once(&finding.id)
                .chain(names)
                .filter_map(|id| context.first_seen.get(&(id.as_str().to_owned(), package.name.clone())))
                .min()?;
            let Ok(end) = seen.checked_add(period.0) else { return None };
            earliest = Some(earliest.map_or(end, |other| other.min(end)));
        }
    }
    earliest
}

/// The severity under whose limit a finding counts, and that limit. A word outside every vocabulary counts under the
/// most serious severity that the policy limits (S21).
fn limit_of(rule: &Vulnerabilities, severity: &Severity) -> Option<(Severity, u32)> {
    let max = rule.max.as_ref()?;
    match severity {
        Severity::Unknown(_) => {
            Severity::KNOWN.into_iter().find_map(|known| max.get(&known).map(|limit| (known, limit)))
        }
        known => max.get(known).map(|limit| (known.clone(), limit)),
    }
}

/// True if a finding of any severity may block by its id, its exploit or its score.
fn looks_at_single_findings(rule: &Vulnerabilities) -> bool {
    rule.deny.as_ref().is_some_and(|ids| !ids.is_empty())
        || rule.known_exploited.is_some()
        || rule.deny_cvss_from.is_some()
        || rule.deny_epss_from.is_some()
}

fn judged(context: &Context<'_>, finding: &Finding, disposition: Disposition) -> Judged {
    Judged { finding: finding.clone(), platform: context.platform.cloned(), disposition }
}
