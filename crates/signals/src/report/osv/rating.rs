//! How serious a record is: the most serious of its words (`database_specific.severity`, Ubuntu's in `severity`), its
//! CVSS vectors, and the highest score that osv-scanner gives the group it is in. A malicious package (`MAL-…`) that
//! nobody has rated is critical.

use std::collections::BTreeMap;

use model::{Finding, Severity};

use super::FORMAT;
use super::wire::{self, Affected, PackageResult, Record, Word};
use crate::ParseError;
use crate::report::cvss;
use crate::report::json::Text;
use crate::report::list::List;
use crate::report::severity::{self, Words, of_score};

/// The words of the databases: GitHub's, and those of distributions.
static WORDS: &Words = &[
    ("CRITICAL", Severity::Critical),
    ("HIGH", Severity::High),
    ("IMPORTANT", Severity::High),
    ("MODERATE", Severity::Medium),
    ("MEDIUM", Severity::Medium),
    ("LOW", Severity::Low),
    ("NEGLIGIBLE", Severity::Informational),
    ("NONE", Severity::Informational),
    ("UNKNOWN", Severity::Undefined),
];

/// A severity, the source's own word where it is another one, and the highest score.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rating {
    pub(super) severity: Severity,
    pub(super) word: Option<String>,
    pub(super) tenths: Option<u16>,
}

/// The rating of a record, with what it says about the packages in question.
pub(super) fn of(record: &Record<'_>, about: &[&Affected<'_>]) -> Rating {
    let (mut found, mut unreadable, mut tenths) = (Vec::new(), Vec::new(), None);
    let of_packages = about.iter().flat_map(|affected| List::each(affected.severity.as_ref()));
    for score in List::each(record.severity.as_ref()).chain(of_packages) {
        match read(score) {
            Ok((severity, score)) => {
                found.push((severity, None));
                tenths = tenths.max(score);
            }
            Err(severity) => unreadable.push((severity, None)),
        }
    }
    let of_packages = about.iter().flat_map(|affected| [&affected.database_specific, &affected.ecosystem_specific]);
    for specific in std::iter::once(&record.database_specific).chain(of_packages) {
        match specific.as_ref().and_then(|specific| specific.severity.as_ref()) {
            Some(Word::Text(word)) if word.filled().is_some() => found.push(severity::read(word.0.trim(), WORDS)),
            Some(Word::Text(_)) | None => {}
            Some(Word::Other) => unreadable.push((Severity::Unknown("database_specific.severity".to_owned()), None)),
        }
    }
    // What cannot be read counts only where nothing else says how serious it is.
    let found = if found.is_empty() { unreadable } else { found };
    // Nobody rates a malicious package: that it is one is enough.
    if found.is_empty() && record.id.as_ref().is_some_and(|id| id.0.trim().starts_with("MAL-")) {
        return Rating { severity: Severity::Critical, word: Some("malicious package".to_owned()), tenths };
    }
    let worst = found.into_iter().min_by(|(one, _), (other, _)| one.cmp(other));
    let (severity, word) = worst.unwrap_or((Severity::Undefined, None));
    Rating { severity, word, tenths }
}

/// An entry of `severity`: a CVSS vector, a score, or a distribution's word.
fn read(entry: &wire::Severity<'_>) -> Result<(Severity, Option<u16>), Severity> {
    let text = entry.score.0.trim();
    let of_tenths = |tenths: u16| (of_score(tenths), Some(tenths));
    if text.contains('/') {
        return cvss::vector(text).map(of_tenths).map_err(|_| unknown(text));
    }
    match text.parse::<f64>() {
        Ok(score) => cvss::tenths(score).map(of_tenths).map_err(|_| unknown(text)),
        Err(_) => Ok((severity::read(text, WORDS).0, None)),
    }
}

fn unknown(text: &str) -> Severity {
    Severity::Unknown(text.chars().take(64).collect())
}

/// The highest score of each group, by the ids of its records. osv-scanner writes nothing or `N/A` where there is none.
pub(super) fn groups<'r>(result: &'r PackageResult<'_>, place: &str) -> Result<BTreeMap<&'r str, u16>, ParseError> {
    let mut scores = BTreeMap::new();
    for (at, group) in List::each(result.groups.as_ref()).enumerate() {
        let text = group.max_severity.as_ref().and_then(Text::filled).filter(|text| *text != "N/A");
        let Some(text) = text else { continue };
        let wrong = |cause: String| ParseError::new(FORMAT, format!("{place}.groups[{at}].max_severity"), cause);
        let score = text.parse::<f64>().map_err(|_| wrong(format!("{text:?} is no score")))?;
        let tenths = cvss::tenths(score).map_err(wrong)?;
        for id in List::each(group.ids.as_ref()) {
            let highest = scores.entry(id.0.trim()).or_insert(tenths);
            *highest = tenths.max(*highest);
        }
    }
    Ok(scores)
}

/// Raises a finding to the score of its group.
pub(super) fn raise(finding: &mut Finding, tenths: u16) {
    finding.cvss_tenths = finding.cvss_tenths.max(Some(tenths));
    let severity = of_score(tenths);
    if severity < finding.severity {
        finding.rating = None;
        finding.severity = severity;
    }
}
