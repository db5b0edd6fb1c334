//! The report of a scanner that Harbor ran: from Harbor's API a map with its media type as the key, from the scanner
//! itself the report alone. Source: Harbor's pluggable scanner specification 1.0 and 1.1, Harbor `pkg/scan/vuln`.
//!
//! What proves a complete scan (S16), all of it:
//!
//! | field | says |
//! |---|---|
//! | `scanner` with its name | who looked |
//! | `artifact.digest` | at what; Harbor's API leaves it out, so its reports add findings only |
//! | `vulnerabilities` | the list; `null` is refused |
//! | `severity` not above that of every finding | the list is whole: it is the scanner's own summary |
//! | `generated_at` | when; the time of the database is not said, so this stands for it (S18) |

mod wire;

use std::borrow::Cow;

use model::{Digest, Finding, Package, Reason, ReasonCode, Scanner, Severity, Timestamp, VulnerabilityId};

use self::wire::{Artifact, Item, Report, ReportMap};
use super::collect::Collector;
use super::json::{self, Text};
use super::{Document, Proof, Subject, package, proves_nothing, severity};
use crate::{Limits, ParseError};

const FORMAT: &str = "Harbor scanner report";

/// Reads a report.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let ReportMap { key, report } = json::read(FORMAT, bytes, limits)?;
    let Some(key) = key else { return one(bytes, limits) };
    let version = key.split_once(';').map_or("", |(_, parameters)| parameters.trim());
    if !matches!(version, "version=1.0" | "version=1.1") {
        return Err(ParseError::new(FORMAT, key, "versions 1.0 and 1.1 are read"));
    }
    match report {
        Some(report) => one(report.get().as_bytes(), limits).map_err(|error| {
            let place = if error.place.is_empty() { key.clone() } else { format!("{key}: {}", error.place) };
            ParseError::new(FORMAT, place, error.cause)
        }),
        None => Err(ParseError::new(FORMAT, key, "it is null: Harbor has no report")),
    }
}

fn one(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let report: Report<'_> = json::read(FORMAT, bytes, limits)?;
    let subject = report.artifact.as_ref().map(subject).transpose()?.unwrap_or_else(Subject::default);
    let scanner = report.scanner.as_ref().and_then(|scanner| scanner.name.as_ref()).and_then(Text::filled);
    let version = report.scanner.as_ref().and_then(|scanner| scanner.version.as_ref()).and_then(Text::filled);
    let tool = scanner.map(|name| version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}")));
    let items = report.vulnerabilities.ok_or_else(|| ParseError::new(FORMAT, "vulnerabilities", "it is missing"))?;
    let mut collector = Collector::new(FORMAT, limits);
    let mut worst = None;
    for (number, item) in items.into_iter().enumerate() {
        let place = || format!("vulnerabilities[{number}]");
        let finding = finding(item).map_err(|cause| ParseError::new(FORMAT, place(), cause))?;
        worst = Some(worst.map_or(rank(&finding.severity), |worst: u8| worst.min(rank(&finding.severity))));
        collector.add(finding, 0, Cow::Borrowed(""))?;
    }
    let summary = report.severity.as_ref().map(|word| severity::read(&word.0, severity::HARBOR).0);
    let generated_at = report.generated_at.and_then(|time| time.0);
    let proof = proof(tool.as_ref(), &subject, summary.as_ref(), worst, generated_at);
    Ok(Document::concluded(Scanner::Harbor, tool, subject, collector.finish(), proof))
}

fn subject(artifact: &Artifact<'_>) -> Result<Subject, ParseError> {
    let digest = artifact.digest.as_ref().and_then(Text::filled);
    let digest = digest
        .map(str::parse::<Digest>)
        .transpose()
        .map_err(|error| ParseError::new(FORMAT, "artifact.digest", format!("{error}")))?;
    // `artifact.repository` is the name inside that Harbor; behind another name it is the same image.
    let name = artifact.repository.as_ref().and_then(Text::filled).map(str::to_owned);
    Ok(Subject { manifests: digest.into_iter().collect(), name, ..Subject::default() })
}

fn proof(
    tool: Option<&String>,
    subject: &Subject,
    summary: Option<&Severity>,
    worst: Option<u8>,
    generated_at: Option<Timestamp>,
) -> Result<Proof, Reason> {
    let unproven = |because: &str| Err(proves_nothing(FORMAT, because));
    if tool.is_none() {
        return unproven("it does not name the scanner");
    }
    let Some(digest) = subject.manifests.first() else { return unproven("it has no artifact.digest") };
    if let Some(summary) = summary
        && worst.is_none_or(|worst| rank(summary) < worst)
        && rank(summary) < rank(&Severity::Informational)
    {
        return unproven(&format!("its severity is {summary}, and no finding in its list is as serious"));
    }
    let completed_at = generated_at
        .ok_or_else(|| Reason::new(ReasonCode::ScanUndated, format!("{FORMAT}: it has no generated_at")))?;
    let target = subject.name.as_ref().map_or_else(|| digest.to_string(), |name| format!("{name}@{digest}"));
    Ok(Proof {
        by: "scanner.name, artifact.digest, vulnerabilities, generated_at",
        targets: vec![target],
        completed_at,
        database_at: None,
    })
}

/// The order of severities as numbers; words that nobody knows are the most serious.
fn rank(severity: &Severity) -> u8 {
    match severity {
        Severity::Unknown(_) => 0,
        Severity::Critical => 1,
        Severity::High => 2,
        Severity::Medium => 3,
        Severity::Low => 4,
        Severity::Informational | Severity::Undefined | Severity::Untriaged => 5,
    }
}

fn finding(item: Item<'_>) -> Result<Finding, String> {
    let id = item.id.and_then(|id| VulnerabilityId::new(id.0)).ok_or("it has no id")?;
    let word = item.severity.ok_or_else(|| format!("{id} has no severity"))?;
    let (severity, rating) = severity::read(&word.0, severity::HARBOR);
    let name = item.package.ok_or_else(|| format!("{id} has no package"))?;
    let preferred = item.preferred_cvss.and_then(|cvss| cvss.highest());
    let vendors = item.vendor_attributes.and_then(|attributes| attributes.cvss).and_then(|cvss| cvss.highest);
    Ok(Finding {
        rating,
        packages: vec![Package {
            name: name.0.into_owned(),
            version: item.version.map_or_else(String::new, |version| version.0.into_owned()),
            fix: package::fix(Text::of(item.fix_version.as_ref()), Text::of(item.status.as_ref())),
            purl: None,
            layer: None,
        }],
        cvss_tenths: preferred.max(vendors),
        url: item.links.into_iter().flatten().next().map(|link| link.0.into_owned()),
        ..Finding::new(id, severity)
    })
}

#[cfg(test)]
mod tests;
