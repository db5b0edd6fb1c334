//! Who said it: the scanners whose reports are read, and what one of them said about one manifest.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::text::read_as_text;
use crate::{CompleteScan, Finding, Origin, Signal};

/// A scanner, or a format that several scanners write. The name is the one that policies use in `sources`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scanner {
    /// Amazon ECR, basic and enhanced scanning.
    Ecr,
    /// Amazon Inspector's own findings (`inspector2 list-findings`).
    Inspector,
    /// Trivy.
    Trivy,
    /// Grype.
    Grype,
    /// Snyk Container.
    Snyk,
    /// The report of a scanner that Harbor ran.
    Harbor,
    /// SARIF 2.1.0 of any tool.
    Sarif,
    /// The vulnerabilities of a CycloneDX document.
    CycloneDx,
    /// OSV records, as osv-scanner writes them.
    Osv,
    /// A report that could not be read, so that nobody knows whose it is. No policy can name it.
    Unknown,
}

impl Scanner {
    /// Every scanner that a policy can name.
    pub const ALL: [Self; 9] = [
        Self::Ecr,
        Self::Inspector,
        Self::Trivy,
        Self::Grype,
        Self::Snyk,
        Self::Harbor,
        Self::Sarif,
        Self::CycloneDx,
        Self::Osv,
    ];

    /// The name that policies and records use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::Inspector => "inspector",
            Self::Trivy => "trivy",
            Self::Grype => "grype",
            Self::Snyk => "snyk",
            Self::Harbor => "harbor",
            Self::Sarif => "sarif",
            Self::CycloneDx => "cyclonedx",
            Self::Osv => "osv",
            Self::Unknown => "unknown",
        }
    }

    /// The scanner of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scanner| scanner.as_str() == name)
    }
}

impl fmt::Display for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Scanner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

read_as_text!(Scanner, "The scanner or format, by the name that policies use.", |text| Scanner::parse(text)
    .or((text == Scanner::Unknown.as_str()).then_some(Scanner::Unknown))
    .ok_or_else(|| format!("{text:?} is no scanner that this version knows")));

/// What one source says about one manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ScanReport {
    /// The scanner or format.
    pub scanner: Scanner,
    /// The tool as it names itself, with its version: `Trivy 0.59.1`.
    pub tool: Option<String>,
    /// How the report came to us; who is believed depends on it (S22).
    pub origin: Origin,
    /// The scan, if the report proves that it is one; else why not.
    pub scan: Signal<CompleteScan>,
    /// Findings of a report that proves no complete scan. They may block; they never satisfy anything (S19). Empty where
    /// `scan` is present.
    pub unproven: Vec<Finding>,
}
