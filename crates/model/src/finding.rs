//! One vulnerability found in one image by one scanner, in the vocabulary all scanners are read into.
//! Numbers are whole: CVSS in tenths, EPSS in millionths.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::text::read_as_text;
use crate::{Digest, Scanner};

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

    /// True for an id of the CVE programme, the one that all scanners share.
    pub fn is_cve(&self) -> bool {
        self.0.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("CVE-"))
    }

    /// Ids are compared without regard to case.
    pub fn is(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other.trim())
    }
}

read_as_text!(VulnerabilityId, "The id of a vulnerability, such as `CVE-2021-44228`.", |text| VulnerabilityId::new(
    text
)
.ok_or_else(|| "the id of a vulnerability is blank".to_owned()));

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

read_as_text!(
    Severity,
    "`CRITICAL`, `HIGH`, `MEDIUM`, `LOW`, `INFORMATIONAL`, `UNDEFINED`, `UNTRIAGED`, or another word as the source wrote it.",
    |text| Ok(Severity::parse(text))
);

/// What the source says about a fix. "Not said" is not "there is none".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Package {
    /// The package's name.
    pub name: String,
    /// The installed version; empty if the source does not say.
    pub version: String,
    /// What the source says about a fix.
    pub fix: Fix,
    /// Its package URL in canonical form, if the source gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purl: Option<String>,
    /// The layer it was found in, if the source names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<PackageLayer>,
}

/// The layer a package was found in, by one or both of its names. Says who brought the package, and decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PackageLayer {
    /// Digest of the layer as it is unpacked: one of the `diff_ids` of the image's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff_id: Option<Digest>,
    /// Digest of the layer as the manifest names it, which is mostly compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// It is the layer that last wrote the package database: the package came with it or with one below it.
    pub or_below: bool,
}

impl PackageLayer {
    /// The layer of these names; `None` without any.
    pub fn named(diff_id: Option<Digest>, digest: Option<Digest>) -> Option<Self> {
        (diff_id.is_some() || digest.is_some()).then_some(Self { diff_id, digest, or_below: false })
    }

    /// What two sources say together; `None` if they name two layers. Who names the very layer is believed before who
    /// names one that is above it.
    pub fn agreed(&self, other: &Self) -> Option<Self> {
        if self.or_below != other.or_below {
            return Some(if self.or_below { other } else { self }.clone());
        }
        let same = |one: &Option<Digest>, another: &Option<Digest>| match (one, another) {
            (Some(one), Some(another)) => one == another,
            _ => true,
        };
        let agree = same(&self.diff_id, &other.diff_id) && same(&self.digest, &other.digest);
        agree.then(|| Self {
            diff_id: self.diff_id.clone().or_else(|| other.diff_id.clone()),
            digest: self.digest.clone().or_else(|| other.digest.clone()),
            or_below: self.or_below,
        })
    }
}

/// One vulnerability found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Finding {
    /// The scanner's id for it.
    pub id: VulnerabilityId,
    /// Other names of the same vulnerability, and the CVEs an advisory is about.
    pub aliases: Vec<VulnerabilityId>,
    /// How serious the scanner calls it, in our words.
    pub severity: Severity,
    /// The scanner's own word for it, where that is another one (`IMPORTANT`, `Negligible`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<String>,
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
    /// The scanner was told not to count it, and by what (`.trivyignore`, an ignore rule, a VEX document).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<String>,
    /// Who reports it, where several sources were asked. Empty: the one source there is.
    pub said_by: Vec<Saying>,
}

/// One source's word about a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Saying {
    /// Who.
    pub scanner: Scanner,
    /// How serious they call it.
    pub severity: Severity,
}

impl Finding {
    /// A finding of which nothing is known but its name and how serious it is.
    pub fn new(id: VulnerabilityId, severity: Severity) -> Self {
        Self {
            id,
            aliases: Vec::new(),
            severity,
            rating: None,
            packages: Vec::new(),
            cvss_tenths: None,
            epss_millionths: None,
            exploit_available: None,
            url: None,
            suppressed: None,
            said_by: Vec::new(),
        }
    }

    /// Every name of the vulnerability.
    pub fn names(&self) -> impl Iterator<Item = &VulnerabilityId> {
        std::iter::once(&self.id).chain(&self.aliases)
    }

    /// True if the finding is about the vulnerability of this name and no other: by its id, or by an alias. An advisory
    /// about several CVEs is none of them.
    pub fn is(&self, name: &str) -> bool {
        let mut cves: Vec<String> =
            self.names().filter(|id| id.is_cve()).map(|id| id.as_str().to_ascii_uppercase()).collect();
        cves.sort_unstable();
        cves.dedup();
        self.id.is(name) || (cves.len() <= 1 && self.mentions(name))
    }

    /// True if any of its names is this one.
    pub fn mentions(&self, name: &str) -> bool {
        self.names().any(|id| id.is(name))
    }

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
