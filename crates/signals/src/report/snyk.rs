//! The JSON of `snyk container test --json`: one project, several in a list, or one with `applications` beside it
//! (`--app-vulns`). Source: Snyk's documentation of the CLI's JSON output.
//!
//! It says neither when the scan was made nor of which digest, so it proves none: its findings may block and never
//! satisfy (S19). Licence issues (`type` = `license`) are no vulnerabilities and are left out. One vulnerability stands
//! once for each path that leads to a package; it is read once per project.

mod wire;

use std::borrow::Cow;

use model::{Finding, Fix, Package, Reason, ReasonCode, Scanner, VulnerabilityId};

use self::wire::{Filtered, Issue, Project, Projects};
use super::collect::Collector;
use super::json::{self, Text};
use super::{Document, Subject, cvss, package, severity};
use crate::{Limits, ParseError};

const FORMAT: &str = "Snyk report";

/// Reads a report.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let is_list = json::text(Some(FORMAT), bytes, limits)?.trim_start().starts_with('[');
    let projects: Vec<(String, Project<'_>)> = if is_list {
        let Projects(projects) = json::read(FORMAT, bytes, limits)?;
        projects.into_iter().enumerate().map(|(number, project)| (format!("[{number}]."), project)).collect()
    } else {
        vec![(String::new(), json::read(FORMAT, bytes, limits)?)]
    };
    if projects.is_empty() {
        return Err(ParseError::new(FORMAT, "", "it is a list without projects"));
    }
    let mut collector = Collector::new(FORMAT, limits);
    let mut lists = 0;
    let mut name = None;
    let mut threshold = None;
    for (place, project) in projects {
        name = name.or_else(|| project.name().map(str::to_owned));
        threshold = threshold.or_else(|| Text::of(project.severity_threshold.as_ref()).map(str::to_owned));
        collect(project, &place, &mut lists, &mut collector)?;
    }
    let mut why = format!("{FORMAT}: it says neither when the image was scanned nor which digest it has");
    if let Some(threshold) = threshold {
        why.push_str(", and lists nothing below the severity ");
        why.extend(threshold.chars().take(32));
    }
    let why = Reason::new(ReasonCode::ScanUndated, why)
        .remedy("Let its findings add to those of a source that proves a scan, such as Trivy's, Grype's or ECR's.");
    let subject = Subject { name, ..Subject::default() };
    Ok(Document::unproven(Scanner::Snyk, None, subject, collector.finish(), why))
}

/// The vulnerabilities of one project, those that it was told to ignore, and the same of its applications.
fn collect<'a>(
    project: Project<'a>,
    place: &str,
    lists: &mut usize,
    collector: &mut Collector<'a>,
) -> Result<(), ParseError> {
    if let Some(error) = &project.error {
        let error: String = error.0.chars().take(500).collect();
        return Err(ParseError::new(FORMAT, format!("{place}error"), format!("Snyk did not finish: {error}")));
    }
    let refused =
        |field: &str, number: usize, cause: String| ParseError::new(FORMAT, format!("{place}{field}[{number}]"), cause);
    let issues = project
        .vulnerabilities
        .ok_or_else(|| ParseError::new(FORMAT, format!("{place}vulnerabilities"), "it is missing"))?;
    for (number, issue) in issues.into_iter().enumerate() {
        let found = finding(issue).map_err(|cause| refused("vulnerabilities", number, cause))?;
        if let Some(finding) = found {
            collector.add(finding, *lists, Cow::Borrowed(""))?;
        }
    }
    let (ignored, patched) = project.filtered.map_or((None, None), |filtered| (filtered.ignore, filtered.patch));
    for (field, list) in [("filtered.ignore", ignored), ("filtered.patch", patched)] {
        for (number, mut issue) in list.into_iter().flatten().enumerate() {
            let rules = issue.filtered.take();
            let found = finding(issue).map_err(|cause| refused(field, number, cause))?;
            if let Some(finding) = found {
                let suppressed = Some(suppressed(rules.as_ref(), field == "filtered.patch"));
                collector.add(Finding { suppressed, ..finding }, *lists + 1, Cow::Borrowed(field))?;
            }
        }
    }
    *lists += 2;
    for (number, application) in project.applications.into_iter().flatten().enumerate() {
        collect(application, &format!("{place}applications[{number}]."), lists, collector)?;
    }
    Ok(())
}

fn finding(issue: Issue<'_>) -> Result<Option<Finding>, String> {
    if Text::of(issue.r#type.as_ref()) == Some("license") {
        return Ok(None);
    }
    let id = issue.id.and_then(|id| VulnerabilityId::new(id.0)).ok_or("it has no id")?;
    // Older versions write `high` in `severity` where `severityWithCritical` says `critical`.
    let words = [issue.severity.as_ref(), issue.severity_with_critical.as_ref()];
    let (severity, rating) = words
        .into_iter()
        .flatten()
        .map(|word| severity::read(&word.0, severity::SNYK))
        .min() // the most serious one
        .ok_or_else(|| format!("{id} has no severity"))?;
    let name = issue.package_name.or(issue.name).ok_or_else(|| format!("{id} has no packageName"))?;
    let mut aliases = Vec::new();
    let identifiers = issue.identifiers;
    let (cves, advisories) = identifiers.map_or((None, None), |identifiers| (identifiers.cve, identifiers.ghsa));
    for alias in cves.into_iter().flatten().chain(advisories.into_iter().flatten()) {
        package::add_alias(&mut aliases, &id, &alias.0);
    }
    let cvss_tenths = match (issue.cvss_score, issue.vector.as_ref().and_then(Text::filled)) {
        (Some(score), _) => Some(score.0),
        (None, Some(vector)) => Some(cvss::vector(vector).map_err(|cause| format!("{id}: {cause}"))?),
        (None, None) => None,
    };
    let fix = match issue.nearest_fixed_in_version.as_ref().and_then(Text::filled) {
        Some(version) => Fix::In(version.to_owned()),
        None => match issue.fixed_in {
            Some(versions) if versions.is_empty() && issue.is_upgradable != Some(true) => Fix::None,
            versions => match package::fixed_in(versions.iter().flatten().map(|version| version.0.as_ref())) {
                Fix::NotSaid if issue.is_upgradable == Some(true) => Fix::Available,
                fix => fix,
            },
        },
    };
    Ok(Some(Finding {
        aliases,
        rating,
        packages: vec![Package {
            name: name.0.into_owned(),
            version: issue.version.map_or_else(String::new, |version| version.0.into_owned()),
            fix,
            purl: None,
            layer: None,
        }],
        cvss_tenths,
        exploit_available: Text::of(issue.exploit.as_ref()).and_then(exploit),
        ..Finding::new(id, severity)
    }))
}

/// Snyk's words for the maturity of an exploit; a proof of concept is one.
fn exploit(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "attacked" | "mature" | "functional" | "high" | "proof of concept" | "proof-of-concept" => Some(true),
        "unproven" | "no known exploit" | "no-known-exploit" => Some(false),
        _ => None,
    }
}

fn suppressed(filtered: Option<&Filtered<'_>>, is_patched: bool) -> String {
    let mut words = if is_patched { "patched by Snyk" } else { "ignored by a Snyk policy" }.to_owned();
    for rule in filtered.and_then(|filtered| filtered.ignored.as_ref()).into_iter().flatten().take(3) {
        for (joint, text) in [(": ", rule.reason.as_ref()), (", until ", rule.expires.as_ref())] {
            if let Some(text) = text.and_then(Text::filled) {
                words.push_str(joint);
                words.extend(text.chars().take(300));
            }
        }
    }
    words
}

#[cfg(test)]
mod tests;
