//! One vulnerability found in one image by one scanner, in the vocabulary all scanners are read into.
//! Numbers are whole: CVSS in tenths, EPSS in millionths.

use std::fmt;

use serde::{Serialize, Serializer};

/// A vulnerability id as the scanner gave it: `CVE-2021-44228`, `GHSA-…`, `ALAS-…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct VulnerabilityId(String);

impl VulnerabilityId {
    /// Takes the id unless it is blank.
    pub fn new(id: impl Into<String>) -> Option<Self> {
        let id = id.into();
        if id.trim().is_empty() { None } else { Some(Self(id)) }
    }

    /// The id as the scanner wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Ids are compared without regard to case.
    pub fn is(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other.trim())
    }
}

impl fmt::Display for VulnerabilityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A severity, most serious first. The values of the ECR and Inspector APIs; [`Severity::Unknown`] keeps any other
/// word, which policy treats as the most serious one it limits (S21).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A word outside every vocabulary.
    Unknown(String),
    /// CRITICAL
    Critical,
    /// HIGH
    High,
    /// MEDIUM
    Medium,
    /// LOW
    Low,
    /// INFORMATIONAL
    Informational,
    /// UNDEFINED: the source has not rated it.
    Undefined,
    /// UNTRIAGED: Inspector has not rated it yet.
    Untriaged,
}

impl Severity {
    /// Every known severity, most serious first.
    pub const KNOWN: [Self; 7] =
        [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Informational, Self::Undefined, Self::Untriaged];

    /// Reads a severity word, whatever its case.
    pub fn parse(word: &str) -> Self {
        Self::KNOWN
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(word))
            .unwrap_or_else(|| Self::Unknown(word.chars().take(64).collect()))
    }

    /// The word in upper case, or the unknown word as it was given.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unknown(word) => word,
            Self::Critical => "CRITICAL",
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
            Self::Informational => "INFORMATIONAL",
            Self::Undefined => "UNDEFINED",
            Self::Untriaged => "UNTRIAGED",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(word) => write!(f, "{word:?} (unknown)"),
            known => f.write_str(known.as_str()),
        }
    }
}

impl Serialize for Severity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What the source says about a fix. "Not said" is not "there is none".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fix {
    /// Fixed in this version.
    In(String),
    /// There is a fix; the version is not said.
    Available,
    /// The source says that there is no fix.
    None,
    /// The source does not say.
    NotSaid,
}

/// A package in the image that the vulnerability lies in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// The package's name.
    pub name: String,
    /// The installed version; empty if the source does not say.
    pub version: String,
    /// What the source says about a fix.
    pub fix: Fix,
}

/// One vulnerability found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The scanner's id for it.
    pub id: VulnerabilityId,
    /// How serious the scanner calls it.
    pub severity: Severity,
    /// The packages it was found in; empty if the source names none.
    pub packages: Vec<Package>,
    /// CVSS base score in tenths (98 is 9.8), the highest the source gives.
    pub cvss_tenths: Option<u16>,
    /// EPSS probability in millionths.
    pub epss_millionths: Option<u32>,
    /// Whether the source knows of an exploit; `None` if it does not say.
    pub exploit_available: Option<bool>,
    /// Where to read more.
    pub url: Option<String>,
}

impl Finding {
    /// True only if the source says of every package that there is no fix.
    pub fn said_unfixed(&self) -> bool {
        let mut packages = self.packages.iter().peekable();
        packages.peek().is_some() && packages.all(|package| package.fix == Fix::None)
    }

    /// `openssl`, `openssl, libssl3` or `-`.
    pub fn package_names(&self) -> String {
        if self.packages.is_empty() {
            return "-".to_owned();
        }
        let mut names: Vec<&str> = self.packages.iter().map(|package| package.name.as_str()).collect();
        names.dedup();
        names.join(", ")
    }
}
