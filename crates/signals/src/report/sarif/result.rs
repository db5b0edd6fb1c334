//! A result in the vocabulary: which vulnerability, whether it counts, who was told not to count it.
//! How serious it is stands in `rating`, which package it is about in `package`.

use model::{Finding, VulnerabilityId};

use super::wire::{Outcome, Rule};
use super::{FORMAT, package, rating, rules};
use crate::ParseError;
use crate::report::json::Text;
use crate::report::list::{List, add_aliases};
use rules::Rules;

/// The finding; `None` for a result that says that nothing is wrong, or no longer.
pub(super) fn finding(result: &Outcome<'_>, rules: &Rules<'_, '_>, place: &str) -> Result<Option<Finding>, ParseError> {
    let word = |field: &Option<Text<'_>>| field.as_ref().and_then(Text::filled).map(str::to_owned);
    // Any other kind or state counts: `fail`, `open`, `review`, and words of tomorrow.
    if matches!(word(&result.kind).as_deref(), Some("pass" | "notApplicable" | "informational"))
        || word(&result.baseline_state).as_deref() == Some("absent")
    {
        return Ok(None);
    }
    let (rule_id, rule) = rules.of_result(result).unzip();
    let name = rules::id_of(result).or(rule_id.filter(|id| !id.is_empty()));
    let (name, in_brackets) = name.map_or((None, None), with_cve);
    let in_help = rule.and_then(|rule| rule.vulnerability);
    let Some(id) = name.and_then(|name| VulnerabilityId::new(vulnerability(name, in_help))) else {
        return Err(ParseError::new(FORMAT, place, "the result names no rule: no `ruleId`, no rule at `ruleIndex`"));
    };
    let rating = rating::of(result, rule);
    let mut finding = Finding::new(id, rating.severity);
    finding.rating = rating.word;
    finding.cvss_tenths = rating.tenths;
    let of_rule = rule.and_then(|rule| rule.package.as_ref());
    finding.packages = package::of(finding.id.as_str(), result, of_rule);
    finding.url = rule.and_then(|rule| rule.url).map(str::to_owned);
    finding.suppressed = suppressed(result).filter(|_| !rules.suppresses_all());
    add_aliases(&mut finding, in_brackets);
    add_aliases(&mut finding, rule.into_iter().flat_map(|rule| rule.aliases.iter().copied()));
    Ok(Some(finding))
}

/// The vulnerability that a rule's name names: Grype adds the package (`CVE-2021-3711-openssl`), old templates of Trivy
/// put the severity before it (`[HIGH] CVE-2021-3711`).
fn vulnerability<'r>(name: &'r str, in_help: Option<&'r str>) -> &'r str {
    let name = if name.starts_with('[') { name.split_once("] ").map_or(name, |(_, id)| id.trim()) } else { name };
    let is_part = |id: &&str| name.strip_prefix(*id).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    in_help.filter(is_part).unwrap_or_else(|| leading(name).unwrap_or(name))
}

/// Black Duck puts the CVE behind its own id: `BDSA-2020-1001 (CVE-2020-11022)`.
fn with_cve(name: &str) -> (Option<&str>, Option<&str>) {
    match name.strip_suffix(')').and_then(|name| name.split_once(" (")) {
        Some((own, cve)) if leading(cve) == Some(cve) => (Some(own), Some(cve)),
        _ => (Some(name), None),
    }
}

/// The id of the CVE programme or of GitHub that a name begins with.
fn leading(name: &str) -> Option<&str> {
    let mut parts = name.split('-');
    let (start, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |part: &str| part.len() >= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    let letters = |part: &str| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let length = if start.eq_ignore_ascii_case("CVE") && second.len() == 4 && digits(second) && digits(third) {
        start.len() + second.len() + third.len() + 2
    } else if start.eq_ignore_ascii_case("GHSA") && letters(second) && letters(third) {
        let last = parts.next().filter(|last| letters(last))?;
        start.len() + second.len() + third.len() + last.len() + 3
    } else {
        return None;
    };
    name.get(..length)
}

/// Other names of a rule: what osv-scanner lists as `deprecatedIds`, and the CVEs that Snyk puts before the package in
/// the full description: `(CVE-2021-3711,CVE-2021-3712) openssl@1.1.1`. Other texts only speak of other vulnerabilities.
pub(super) fn aliases<'r>(rule: &'r Rule<'_>) -> Vec<&'r str> {
    let deprecated = List::each(rule.deprecated_ids.as_ref()).map(|id| id.0.as_ref());
    let mut names: Vec<&str> = deprecated.filter(|id| rules::is_vulnerability(id)).collect();
    let full = rule.full_description.as_ref().and_then(|text| text.text.as_ref()).and_then(Text::filled);
    if rule.id.0.starts_with("SNYK-")
        && let Some((list, _)) = full.and_then(|text| text.strip_prefix('(')).and_then(|text| text.split_once(") "))
    {
        let ids: Vec<&str> = list.split(',').map(str::trim).collect();
        if ids.iter().all(|id| leading(id) == Some(id)) {
            names.extend(ids);
        }
    }
    names
}

/// By what the tool was told not to count the result: only if every suppression is accepted (3.27.23, 3.35).
fn suppressed(result: &Outcome<'_>) -> Option<String> {
    let suppressions = List::each(result.suppressions.as_ref());
    let first = suppressions.as_slice().first()?;
    let accepted = |status: &Option<Text<'_>>| status.as_ref().is_none_or(|status| status.0 == "accepted");
    if !suppressions.clone().all(|suppression| accepted(&suppression.status) && accepted(&suppression.state)) {
        return None;
    }
    let kind = first.kind.as_ref().and_then(Text::filled).unwrap_or("of no kind");
    let why = first.justification.as_ref().and_then(Text::filled);
    let why = why.map_or_else(String::new, |why| format!(": {}", why.chars().take(500).collect::<String>()));
    Some(format!("SARIF suppression ({kind}){why}"))
}
