//! The findings of one complete scan under one `vulnerabilities` rule, in the order of S6: deny list, exception, allow
//! list, known exploit, grace, `ignoreUnfixed`, score limits, and then the limits per severity.

use std::collections::BTreeMap;

use model::{
    Clock, CompleteScan, Disposition, Finding, FirstSeen, Gap, Judged, Platform, Reason, ReasonCode, Severity,
    Timestamp,
};

use crate::document::{KnownExploited, Vulnerabilities};
use crate::exceptions::Applicable;

pub(super) struct Context<'a> {
    pub(super) rule: &'a Vulnerabilities,
    pub(super) exceptions: &'a [Applicable<'a>],
    pub(super) clock: &'a Clock,
    pub(super) first_seen: &'a FirstSeen,
    pub(super) platform: Option<&'a Platform>,
}

/// What a rule found in one scan.
pub(super) struct Result {
    pub(super) failures: Vec<Reason>,
    pub(super) gaps: Vec<Gap>,
    pub(super) findings: Vec<Judged>,
    pub(super) notes: Vec<String>,
}

pub(super) fn judge(context: &Context<'_>, scan: &CompleteScan) -> Result {
    let rule = context.rule;
    let mut blocked: BTreeMap<ReasonCode, Vec<&Finding>> = BTreeMap::new();
    let mut counted: BTreeMap<Severity, Vec<&Finding>> = BTreeMap::new();
    let mut waived = Vec::new();
    for finding in scan.findings() {
        match disposition(context, finding) {
            Some(Disposition::Blocks(code)) => blocked.entry(code).or_insert_with(Vec::new).push(finding),
            Some(other) => waived.push((finding, other)),
            None => {
                if let Some((severity, _)) = limit_of(rule, &finding.severity) {
                    counted.entry(severity).or_insert_with(Vec::new).push(finding);
                }
            }
        }
    }
    let mut result = Result { failures: Vec::new(), gaps: Vec::new(), findings: Vec::new(), notes: Vec::new() };
    for (code, findings) in &blocked {
        let names: Vec<&str> = findings.iter().map(|finding| finding.id.as_str()).take(5).collect();
        let more = if findings.len() > 5 { format!(" and {} more", findings.len() - 5) } else { String::new() };
        let message = format!("{}: {}{more}", code.meaning().trim_end_matches('.'), names.join(", "));
        result.failures.push(Reason::new(*code, message));
        result.findings.extend(findings.iter().map(|finding| judged(context, finding, Disposition::Blocks(*code))));
    }
    limits(context, scan, &counted, &mut result);
    result.findings.extend(waived.into_iter().map(|(finding, disposition)| judged(context, finding, disposition)));
    if rule.known_exploited.is_some() && scan.findings().iter().any(|finding| finding.exploit_available.is_none()) {
        result.notes.push("the scanner does not say for every finding whether an exploit is known".to_owned());
    }
    result
}

/// The limits per severity, over the larger of our count and the scanner's (S17).
fn limits(
    context: &Context<'_>,
    scan: &CompleteScan,
    counted: &BTreeMap<Severity, Vec<&Finding>>,
    result: &mut Result,
) {
    // Findings that the scanner counts and does not list cannot be told apart: they count as they are.
    let mut unlisted: BTreeMap<Severity, u64> = BTreeMap::new();
    let mut disagreements: BTreeMap<Severity, String> = BTreeMap::new();
    for (severity, listed, summary) in scan.disagreements() {
        let text = format!("the scanner counts {summary} {severity} findings and lists {listed}");
        match limit_of(context.rule, &severity) {
            // A rule that looks at single findings limits every severity: what is not listed cannot be looked at.
            None if looks_at_single_findings(context.rule) => {
                result.gaps.push(Gap::from(Reason::new(ReasonCode::ScanCountsDisagree, text)));
            }
            None => result.notes.push(text),
            Some((limited, _)) => {
                let extra = unlisted.entry(limited.clone()).or_insert(0_u64);
                *extra = extra.saturating_add(summary.saturating_sub(listed));
                disagreements.insert(limited, text);
            }
        }
    }
    let none = Vec::new();
    for severity in Severity::KNOWN {
        let Some(limit) = context.rule.max.as_ref().and_then(|max| max.get(&severity)) else { continue };
        let findings = counted.get(&severity).unwrap_or(&none);
        let extra = unlisted.get(&severity).copied().unwrap_or(0);
        let total = extra.saturating_add(findings.len() as u64);
        if total > u64::from(limit) {
            let plural = if total == 1 { "" } else { "s" };
            let message = format!("{total} {severity} finding{plural}; the policy allows {limit}");
            let code = if findings.len() as u64 > u64::from(limit) {
                ReasonCode::VulnMaxExceeded
            } else {
                ReasonCode::VulnCountExceeded
            };
            let message = disagreements.get(&severity).map_or(message.clone(), |text| format!("{message} ({text})"));
            result.failures.push(Reason::new(code, message));
            let blocks = findings.iter().map(|finding| judged(context, finding, Disposition::Blocks(code)));
            result.findings.extend(blocks);
        } else {
            if let Some(text) = disagreements.get(&severity) {
                result.gaps.push(Gap::from(Reason::new(ReasonCode::ScanCountsDisagree, text.clone())));
            }
            let within = findings.iter().map(|finding| judged(context, finding, Disposition::WithinLimit));
            result.findings.extend(within);
        }
    }
    // Blocking findings first, then as the severities go.
    result.findings.sort_by_key(|judged| !matches!(judged.disposition, Disposition::Blocks(_)));
}

/// What becomes of a finding before the limits per severity; `None` if it counts towards them.
fn disposition(context: &Context<'_>, finding: &Finding) -> Option<Disposition> {
    let rule = context.rule;
    let named = |list: &Option<Vec<String>>| list.iter().flatten().any(|id| finding.id.is(id));
    if named(&rule.deny) {
        return Some(Disposition::Blocks(ReasonCode::VulnDenied));
    }
    if let Some(exception) = context.exceptions.iter().find(|exception| exception.covers(finding, context.clock)) {
        return Some(Disposition::Excepted(exception.entry.id.clone()));
    }
    if named(&rule.allow) {
        return Some(Disposition::Allowed);
    }
    // S20: a known exploit overrides grace and ignoreUnfixed.
    if rule.known_exploited == Some(KnownExploited::Deny) && finding.exploit_available == Some(true) {
        return Some(Disposition::Blocks(ReasonCode::VulnKnownExploited));
    }
    if let Some(until) = grace(context, finding)
        && !context.clock.reached(until)
    {
        return Some(Disposition::Grace(until));
    }
    if rule.ignore_unfixed == Some(true) && finding.said_unfixed() {
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

/// The end of the grace period: the earliest over the packages, and only if every package has a recorded first sighting.
fn grace(context: &Context<'_>, finding: &Finding) -> Option<Timestamp> {
    let period = context.rule.grace_period.as_ref()?.get(&finding.severity)?;
    let mut earliest: Option<Timestamp> = None;
    for package in &finding.packages {
        let key = (finding.id.as_str().to_owned(), package.name.clone());
        let Ok(end) = context.first_seen.get(&key)?.checked_add(period.0) else { return None };
        earliest = Some(earliest.map_or(end, |other| other.min(end)));
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
