//! Why a document was refused: its format, the place, the cause.

use std::fmt;

use model::{Reason, ReasonCode};

/// A document that cannot be read, or not to its end. Nothing of it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What the document was taken for: `Trivy report`, `SPDX document`; `None` if that could not be told.
    pub format: Option<&'static str>,
    /// Where: a path such as `Results[0].Vulnerabilities[3].Severity`, or `line 3, column 7`; empty for the whole.
    pub place: String,
    /// What is wrong there, and what was seen.
    pub cause: String,
}

impl ParseError {
    /// An error in a document of a known format.
    pub fn new(format: &'static str, place: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { format: Some(format), place: place.into(), cause: cause.into() }
    }

    /// What serde says, which names line and column.
    pub fn json(format: &'static str, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let (cause, place) = match text.rsplit_once(" at line ") {
            Some((cause, place)) => (cause.to_owned(), format!("line {}", place.replace(" column ", ", column "))),
            None => (text, String::new()),
        };
        Self::new(format, place, cause)
    }

    /// The same as the reason of a signal.
    pub fn reason(&self, code: ReasonCode) -> Reason {
        Reason::new(code, self.to_string())
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = self.format.unwrap_or("document");
        if self.place.is_empty() {
            write!(f, "{format}: {}", self.cause)
        } else {
            write!(f, "{format}, at {}: {}", self.place, self.cause)
        }
    }
}

impl std::error::Error for ParseError {}
