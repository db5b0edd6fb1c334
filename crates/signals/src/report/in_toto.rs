//! The vulnerabilities predicate of in-toto, versions 0.1 and 0.2. Source: in-toto attestation framework,
//! `spec/predicates/vulns.md`.
//!
//! It names vulnerabilities and no packages, and has no field that says that the whole image was looked at: an empty list
//! means that the scanner found nothing in whatever it looked at. So it never proves a scan (S19).

use model::{Finding, Scanner, Severity, VulnerabilityId};
use serde::Deserialize;

use super::json::{self, Text};
use super::list::{Budget, List};
use super::{Document, Subject, cvss, proves_nothing, severity};
use crate::{Limits, ParseError};

const FORMAT: &str = "in-toto vulnerabilities";

/// The types of this predicate.
pub(crate) const TYPES: [&str; 2] =
    ["https://in-toto.io/attestation/vulns/v0.1", "https://in-toto.io/attestation/vulns/v0.2"];

#[derive(Deserialize)]
struct Predicate<'a> {
    #[serde(borrow)]
    scanner: Tool<'a>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    uri: Option<Text<'a>>,
    #[serde(borrow)]
    version: Option<Text<'a>>,
    #[serde(borrow)]
    result: List<Entry<'a>>,
}

/// The text of version 0.1 puts everything below `vulnerability`, its example and version 0.2 do not.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    severity: Option<List<Rating<'a>>>,
    #[serde(borrow)]
    vulnerability: Option<Inner<'a>>,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    severity: List<Rating<'a>>,
}

#[derive(Deserialize)]
struct Rating<'a> {
    #[serde(borrow)]
    method: Text<'a>,
    #[serde(borrow)]
    score: Score<'a>,
}

/// A text by the specification; some write a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Score<'a> {
    #[serde(borrow)]
    Word(Text<'a>),
    Number(f64),
}

/// Reads the predicate.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let Predicate { scanner: Tool { uri, version, result } } = json::read(FORMAT, bytes, limits)?;
    let count = result.0.len();
    if count > limits.findings {
        let cause = format!("{count} vulnerabilities; at most {} are read", limits.findings);
        return Err(ParseError::new(FORMAT, "scanner.result", cause));
    }
    let mut budget = Budget::new(FORMAT, limits);
    let mut findings = Vec::new();
    for (number, entry) in result.0.iter().enumerate() {
        let found =
            finding(entry).map_err(|cause| ParseError::new(FORMAT, format!("scanner.result[{number}]"), cause))?;
        budget.finding(&found)?;
        findings.push(found);
    }
    let said = [uri.as_ref(), version.as_ref()].into_iter().flatten().filter_map(Text::filled);
    let tool: Vec<String> = said.map(|word| word.chars().take(200).collect()).collect();
    let why = proves_nothing(FORMAT, "it has no field that says that the whole image was scanned");
    let name = uri.as_ref().and_then(Text::filled).map_or(Scanner::Unknown, scanner);
    let tool = if tool.is_empty() { None } else { Some(tool.join(" ")) };
    Ok(Document::unproven(name, tool, Subject::default(), findings, why))
}

/// The scanner that the URI of a tool names as one of its parts.
fn scanner(uri: &str) -> Scanner {
    let uri = uri.to_ascii_lowercase();
    let named = |name: &str| uri.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|part| part == name);
    let known = [Scanner::Trivy, Scanner::Grype, Scanner::Snyk, Scanner::Inspector];
    known.into_iter().find(|scanner| named(scanner.as_str())).unwrap_or(Scanner::Unknown)
}

fn finding(entry: &Entry<'_>) -> Result<Finding, String> {
    let (id, ratings) = match (&entry.vulnerability, &entry.id, &entry.severity) {
        (Some(inner), None, None) => (&inner.id, &inner.severity),
        (None, Some(id), Some(severity)) => (id, severity),
        (None, None, _) => return Err("it has no id".to_owned()),
        (None, Some(_), None) => return Err("it has no severity".to_owned()),
        (Some(_), ..) => return Err("it has `vulnerability` and the same beside it".to_owned()),
    };
    let id = VulnerabilityId::new(id.0.as_ref()).ok_or("its id is blank")?;
    let mut finding = Finding::new(id, Severity::Undefined);
    let mut rated: Option<Severity> = None;
    for Rating { method, score } in &ratings.0 {
        let word = match score {
            Score::Word(text) => text.0.trim().to_owned(),
            Score::Number(number) => number.to_string(),
        };
        let number = word.parse::<f64>();
        if method.0.to_ascii_lowercase().contains("epss") {
            let millionths = number.map_err(|_| "an EPSS score is no number".to_owned()).and_then(cvss::millionths)?;
            finding.epss_millionths = finding.epss_millionths.max(Some(millionths));
            continue;
        }
        let score = match number {
            Ok(number) => cvss::tenths(number).map(Some),
            Err(_) if word.starts_with("CVSS:") => cvss::vector(&word).map(Some),
            Err(_) => Ok(None),
        };
        // A word or number that nobody understands is no low one (S21).
        let severity = match score {
            Ok(Some(tenths)) => {
                finding.cvss_tenths = finding.cvss_tenths.max(Some(tenths));
                severity::of_score(tenths)
            }
            Ok(None) => severity::read(&word, severity::HARBOR).0,
            Err(_) => Severity::Unknown(word.chars().take(64).collect()),
        };
        rated = Some(rated.map_or(severity.clone(), |other| other.min(severity)));
    }
    finding.severity = rated.unwrap_or(Severity::Undefined);
    Ok(finding)
}

#[cfg(test)]
mod tests;
