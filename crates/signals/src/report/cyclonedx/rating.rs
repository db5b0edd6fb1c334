//! How serious a vulnerability is: the most serious of its ratings, which may come from several sources. The word of a
//! rating counts; where it says `unknown` or nothing, its CVSS score, or the score of its vector.

use model::Severity;

use super::FORMAT;
use super::wire::{self, Vulnerability};
use crate::ParseError;
use crate::report::cvss;
use crate::report::json::Text;
use crate::report::list::List;
use crate::report::severity::{self, Words, of_score};

/// The words of the specification (`severity`); `unknown` says that nobody has rated it.
static WORDS: &Words = &[
    ("critical", Severity::Critical),
    ("high", Severity::High),
    ("medium", Severity::Medium),
    ("low", Severity::Low),
    ("info", Severity::Informational),
    ("none", Severity::Informational),
    ("unknown", Severity::Undefined),
];

/// A severity, the document's own word where it is another one, and the highest score.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rating {
    pub(super) severity: Severity,
    pub(super) word: Option<String>,
    pub(super) tenths: Option<u16>,
}

pub(super) fn of(vulnerability: &Vulnerability<'_>, place: &str) -> Result<Rating, ParseError> {
    let mut whole: Option<Rating> = None;
    for (at, rating) in List::each(vulnerability.ratings.as_ref()).enumerate() {
        let next = one(rating).map_err(|cause| ParseError::new(FORMAT, format!("{place}.ratings[{at}]"), cause))?;
        whole = Some(match whole {
            None => next,
            Some(before) => {
                let tenths = before.tenths.max(next.tenths);
                let worse = if next.severity < before.severity { next } else { before };
                Rating { tenths, ..worse }
            }
        });
    }
    Ok(whole.unwrap_or(Rating { severity: Severity::Undefined, word: None, tenths: None }))
}

fn one(rating: &wire::Rating<'_>) -> Result<Rating, String> {
    let method = rating.method.as_ref().and_then(Text::filled);
    let vector = rating.vector.as_ref().and_then(Text::filled).map(|vector| with_prefix(vector, method));
    let tenths = match (rating.score, &vector) {
        (Some(score), _) if method.is_none_or(|method| method.starts_with("CVSS")) => Some(cvss::tenths(score)?),
        // A score of another method (OWASP, SSVC) is on another scale.
        (Some(_), _) | (None, None) => None,
        (None, Some(vector)) => of_vector(vector),
    };
    let (severity, word) = match rating.severity.as_ref().and_then(Text::filled) {
        Some(word) => severity::read(word, WORDS),
        None => (Severity::Undefined, None),
    };
    let severity = match (severity, tenths, vector) {
        (Severity::Undefined, Some(tenths), _) => of_score(tenths),
        (Severity::Undefined, None, Some(vector)) => Severity::Unknown(vector.chars().take(64).collect()),
        (severity, _, _) => severity,
    };
    Ok(Rating { severity, word, tenths })
}

#[expect(clippy::disallowed_methods, reason = "a vector that is none is told where nothing else rates the finding")]
fn of_vector(vector: &str) -> Option<u16> {
    cvss::vector(vector).ok()
}

/// The vector as its own specification writes it; some documents leave the version to `method`.
fn with_prefix(vector: &str, method: Option<&str>) -> String {
    let version = match method {
        _ if vector.starts_with("CVSS:") => "",
        Some("CVSSv3") => "CVSS:3.0/",
        Some("CVSSv31") => "CVSS:3.1/",
        Some("CVSSv4") => "CVSS:4.0/",
        _ => "",
    };
    format!("{version}{vector}")
}
