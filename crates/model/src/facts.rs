//! What the policy judges: the question ([`Ask`]) and everything known about the image ([`Facts`]).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::text::read_as_text;
use crate::{
    CompleteScan, Contents, Digest, ImageConfig, ImageReference, KnownBase, Measurement, NonEmpty, Observed, Origin,
    Reason, ReasonCode, Sbom, ScanReport, Scanner, Signal, SignedArtifacts, TrustMaterial, UnreadableDocument,
    VexDocument,
};

/// An operating system, architecture and variant, as in the OCI image index (`linux/arm64/v8`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// `linux`, `windows`
    pub os: String,
    /// `amd64`, `arm64`
    pub architecture: String,
    /// `v8`; empty if none is said.
    pub variant: String,
}

/// A text that is not `os/architecture` or `os/architecture/variant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformError(String);

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a platform; write os/architecture, such as linux/amd64", self.0)
    }
}

impl std::error::Error for PlatformError {}

impl FromStr for Platform {
    type Err = PlatformError;
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let word = |w: &&str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let parts: Vec<&str> = text.split('/').filter(word).collect();
        let variant = match parts.as_slice() {
            [_, _] => "",
            [_, _, variant] => variant,
            _ => return Err(PlatformError(text.to_owned())),
        };
        if text.split('/').count() != parts.len() {
            return Err(PlatformError(text.to_owned()));
        }
        Ok(Self { os: parts[0].to_owned(), architecture: parts[1].to_owned(), variant: variant.to_owned() })
    }
}

impl Platform {
    /// True if a policy's name of a platform covers this one: `linux/arm64` covers `linux/arm64/v8`, and every name covers
    /// a manifest that does not say what it is for, because a node may run it.
    pub fn covers(&self, other: &Self) -> bool {
        if other.is_unspecified() {
            return true;
        }
        let (wanted, other) = (self.normalized(), other.normalized());
        wanted.os == other.os
            && wanted.architecture == other.architecture
            && (wanted.variant.is_empty() || wanted.variant == other.variant)
    }

    /// True if the index does not say what operating system or architecture it is for.
    pub fn is_unspecified(&self) -> bool {
        self.os == Self::UNSPECIFIED || self.architecture == Self::UNSPECIFIED
    }

    /// Stands for a word that an index leaves out.
    pub const UNSPECIFIED: &str = "unspecified";

    /// The spelling that container runtimes compare: they take `x86_64` for `amd64`, whatever the case.
    fn normalized(&self) -> Self {
        let (os, architecture, variant) =
            (self.os.to_lowercase(), self.architecture.to_lowercase(), self.variant.to_lowercase());
        let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
            ("x86_64" | "x86-64" | "amd64", "v1" | "") => ("amd64", ""),
            ("x86_64" | "x86-64" | "amd64", other) => ("amd64", other),
            ("i386" | "i486" | "i586" | "i686" | "386", _) => ("386", ""),
            ("aarch64" | "arm64", "8" | "v8" | "") => ("arm64", ""),
            ("aarch64" | "arm64", other) => ("arm64", other),
            ("armhf", _) | ("arm", "7" | "") => ("arm", "v7"),
            ("armel", _) | ("arm", "6") => ("arm", "v6"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "8") => ("arm", "v8"),
            (architecture, variant) => (architecture, variant),
        };
        let os = if os == "macos" { "darwin".to_owned() } else { os };
        Self { os, architecture: architecture.to_owned(), variant: variant.to_owned() }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

read_as_text!(Platform, "`os/architecture` or `os/architecture/variant`.", |text| text
    .parse()
    .map_err(|error: PlatformError| error.to_string()));

/// What is known about one manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ManifestFacts {
    /// The manifest's digest.
    pub digest: Digest,
    /// When it was pushed, if the registry says.
    pub pushed_at: Option<Timestamp>,
    /// What each source says about it, in the order they were asked. For an index this is empty: indexes are never
    /// scanned, their platforms are.
    pub reports: Vec<ScanReport>,
    /// Its configuration.
    pub config: Signal<ImageConfig>,
    /// What its layers hold.
    pub contents: Signal<Contents>,
    /// Its bills of materials, each with where it came from; an empty list says that the sources were asked and have none.
    pub sboms: Signal<Vec<Observed<Sbom>>>,
    /// Measurements of it.
    pub measurements: Signal<Vec<Observed<Measurement>>>,
    /// Signatures and signed statements about it; an empty list says that every place was looked at and holds none.
    pub signed: SignedArtifacts,
    /// Signed documents about it that are authentic and cannot be read.
    pub unreadable: Vec<UnreadableDocument>,
}

impl ManifestFacts {
    /// Adds that something about it could not be known, and why: no report, but the reason that there may be one.
    pub fn unknown(&mut self, origin: Origin, scan: Signal<CompleteScan>) {
        self.reports.push(ScanReport { scanner: Scanner::Unknown, tool: None, origin, scan, unproven: Vec::new() });
    }

    /// A manifest about which nothing but its digest is known: nobody asked.
    pub fn bare(digest: Digest, pushed_at: Option<Timestamp>) -> Self {
        let nobody = |what: &str| Reason::new(ReasonCode::NotCollected, format!("{what} was not asked for"));
        Self {
            digest,
            pushed_at,
            reports: Vec::new(),
            config: Signal::NotCollected(nobody("the configuration")),
            contents: Signal::NotCollected(nobody("the content of the layers")),
            sboms: Signal::NotCollected(nobody("a bill of materials")),
            measurements: Signal::NotCollected(nobody("a measurement")),
            signed: Signal::NotCollected(nobody("a signature")),
            unreadable: Vec::new(),
        }
    }

    /// The same with what a source says.
    #[must_use]
    pub fn with(mut self, report: ScanReport) -> Self {
        self.reports.push(report);
        self
    }
}

/// When a vulnerability was first seen in a package of a repository: the start of its grace (S20).
pub type FirstSeen = BTreeMap<(String, String), Timestamp>;

/// Everything known about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The manifest or index that the digest names.
    pub root: ManifestFacts,
    /// For an index: the platforms it holds, attestations left out.
    pub platforms: Option<NonEmpty<(Platform, ManifestFacts)>>,
    /// First-seen times on record for this repository, keyed by (vulnerability, package).
    pub first_seen: FirstSeen,
    /// VEX documents, each with where it came from.
    pub vex: Vec<Observed<VexDocument>>,
    /// The base images that policies approve by name, as their registries have them now.
    pub bases: Vec<(String, Signal<KnownBase>)>,
    /// What signatures were verified with; nothing if nobody asked for signatures.
    pub trust: Option<TrustMaterial>,
}

impl Facts {
    /// Facts of an image of one platform, and nothing beside them.
    pub fn of(root: ManifestFacts) -> Self {
        Self { root, platforms: None, first_seen: FirstSeen::new(), vex: Vec::new(), bases: Vec::new(), trust: None }
    }

    /// True if there is a complete scan of the image or of one of its platforms.
    pub fn has_scan(&self) -> bool {
        let manifests = std::iter::once(&self.root).chain(self.platforms.iter().flatten().map(|(_, child)| child));
        manifests
            .into_iter()
            .flat_map(|manifest| &manifest.reports)
            .any(|report| matches!(report.scan, Signal::Present(_)))
    }
}

/// The question: may this image be used in this environment?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The image as the caller named it, with the host that policies match on.
    pub image: ImageReference,
    /// The digest that is judged.
    pub digest: Digest,
    /// The environment.
    pub environment: String,
}

impl Ask {
    /// `host/repository`, what `match.images` patterns are compared with.
    pub fn name(&self) -> String {
        match &self.image.host {
            Some(host) => format!("{host}/{}", self.image.repository),
            None => self.image.repository.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_parse_and_cover() {
        let p = |t: &str| t.parse::<Platform>().unwrap();
        assert!(p("linux/arm64").covers(&p("linux/arm64/v8")));
        assert!(p("linux/arm64/v8").covers(&p("linux/arm64")), "v8 is what arm64 is");
        assert!(!p("linux/arm64/v9").covers(&p("linux/arm64")));
        for spelling in
            ["linux/x86_64", "Linux/AMD64", "linux/amd64/v1", "unspecified/amd64", "unspecified/unspecified"]
        {
            assert!(p("linux/amd64").covers(&p(spelling)), "{spelling}");
        }
        assert!(p("linux/arm").covers(&p("linux/arm/v7")) && !p("linux/arm/v6").covers(&p("linux/arm/v7")));
        assert!(!p("linux/amd64").covers(&p("linux/arm64")));
        for bad in ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux//amd64"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }
}
