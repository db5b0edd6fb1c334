//! The keys of an `sbom` rule: which bills of materials count, that they are about this image, and what they may not
//! list (S22, B15, B19). Patterns and ids are checked when the document is read, so that judging cannot fail on them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use model::{Origin, Purl};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A bill of materials that counts, is about this image, and lists nothing that is denied.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Sbom {
    /// Where an unsigned bill of materials may come from. `file`: given with `--sbom` by whoever runs the gate.
    /// `registry`: attached to the image by whoever may push to its repository. Without this key no unsigned one counts.
    pub(crate) from: Option<Vec<EvidenceSource>>,
    /// The formats that count; all, if left out.
    pub(crate) formats: Option<Vec<SbomFormat>>,
    /// `digest`: at least one names the digest of the image's manifest or configuration. `osPackages`: it also lists the
    /// packages of the operating system that the layers hold, no more and no fewer.
    pub(crate) must_match: Option<MustMatch>,
    /// Packages that must not be listed, as package URLs: `pkg:npm/event-stream@3.3.6` is one version,
    /// `pkg:npm/event-stream` is every version.
    pub(crate) deny_packages: Option<Vec<PackagePattern>>,
    /// SPDX ids of licences that must not be listed. Of `A OR B` both must be denied, of `A AND B` one; an id covers
    /// the same licence `WITH` an exception.
    pub(crate) deny_licenses: Option<Vec<LicenseId>>,
}

/// Where evidence that nobody signed comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum EvidenceSource {
    /// A file given by whoever runs the gate.
    File,
    /// The image's repository: attached by whoever may push there.
    Registry,
}

/// A format of bills of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SbomFormat {
    /// CycloneDX JSON.
    CycloneDx,
    /// SPDX JSON.
    Spdx,
}

/// How close a bill of materials must be to the image; each step includes the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MustMatch {
    /// It names the digest.
    Digest,
    /// It lists the operating system's packages.
    OsPackages,
}

/// A package, or one version of it.
#[derive(Debug, Clone)]
pub(crate) struct PackagePattern(pub(crate) Purl);

/// An SPDX licence id, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LicenseId(pub(crate) String);

impl Sbom {
    /// True if what the layers hold has to be read.
    pub(crate) fn needs_contents(&self) -> bool {
        self.must_match == Some(MustMatch::OsPackages)
    }

    /// The checks that a schema cannot express.
    pub(crate) fn check(&self, rule: &str) -> Result<(), (String, &'static str)> {
        not_empty(rule, "sbom.from", self.from.as_deref(), "name `file`, `registry` or both")?;
        not_empty(rule, "sbom.formats", self.formats.as_deref(), "name `cyclonedx`, `spdx` or both")?;
        not_empty(rule, "sbom.denyPackages", self.deny_packages.as_deref(), "name a package or leave the key out")?;
        not_empty(rule, "sbom.denyLicenses", self.deny_licenses.as_deref(), "name a licence or leave the key out")
    }
}

/// An empty list would forbid everything or nothing, depending on the reader.
pub(super) fn not_empty<T>(
    rule: &str,
    key: &str,
    list: Option<&[T]>,
    hint: &'static str,
) -> Result<(), (String, &'static str)> {
    match list {
        Some([]) => Err((format!("rule {rule:?}: `{key}` is empty"), hint)),
        _ => Ok(()),
    }
}

impl EvidenceSource {
    /// True if this is where it came from.
    pub(crate) fn is(self, origin: &Origin) -> bool {
        matches!((self, origin), (Self::File, Origin::File(_)) | (Self::Registry, Origin::Registry(_)))
    }
}

impl SbomFormat {
    /// The word that [`model::Sbom::format`] holds.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::CycloneDx => "cyclonedx",
            Self::Spdx => "spdx",
        }
    }
}

impl FromStr for MustMatch {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "digest" => Ok(Self::Digest),
            "osPackages" => Ok(Self::OsPackages),
            _ => Err(()),
        }
    }
}

impl<'de> Deserialize<'de> for MustMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const WORDS: [&str; 2] = ["digest", "osPackages"];
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = MustMatch;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`digest`, `osPackages` or a list of them")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<MustMatch, E> {
                text.parse().map_err(|()| E::unknown_variant(text, &WORDS))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<MustMatch, A::Error> {
                let mut closest = None;
                while let Some(text) = list.next_element::<String>()? {
                    let next: MustMatch = text.parse().map_err(|()| de::Error::unknown_variant(&text, &WORDS))?;
                    closest = closest.max(Some(next));
                }
                closest.ok_or_else(|| de::Error::custom("`mustMatch` is empty: name `digest` or `osPackages`"))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for MustMatch {
    fn schema_name() -> Cow<'static, str> {
        "MustMatch".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let word = json_schema!({ "enum": ["digest", "osPackages"] });
        json_schema!({ "oneOf": [word, { "type": "array", "minItems": 1, "items": word }] })
    }
}

impl<'de> Deserialize<'de> for PackagePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let purl = Purl::parse(&text).ok_or_else(|| {
            de::Error::custom(format!("{text:?} is no package URL; write it like pkg:npm/event-stream@3.3.6"))
        })?;
        if text.contains('*') {
            return Err(de::Error::custom(format!(
                "{text:?} has a `*`; leave the version out for every version, and name every package"
            )));
        }
        if purl.kind == "maven" && purl.namespace.is_none() {
            return Err(de::Error::custom(format!(
                "{text:?} lacks the group; write it like pkg:maven/org.apache.logging.log4j/log4j-core"
            )));
        }
        if text.contains(['?', '#']) || text.ends_with('@') {
            return Err(de::Error::custom(format!("{text:?}: only type, namespace, name and version are compared")));
        }
        Ok(Self(purl))
    }
}

impl JsonSchema for PackagePattern {
    fn schema_name() -> Cow<'static, str> {
        "PackagePattern".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^pkg:[^?#*]+[^?#*@]$", "examples": ["pkg:npm/event-stream@3.3.6"] })
    }
}

impl<'de> Deserialize<'de> for LicenseId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let id = |b: u8| b.is_ascii_alphanumeric() || b".+-:".contains(&b);
        if text.is_empty() || !text.bytes().all(id) || matches!(text.as_str(), "AND" | "OR" | "WITH") {
            return Err(de::Error::custom(format!("{text:?} is no SPDX licence id; write one, such as AGPL-3.0-only")));
        }
        Ok(Self(text))
    }
}

impl JsonSchema for LicenseId {
    fn schema_name() -> Cow<'static, str> {
        "LicenseId".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9.+:-]+$", "examples": ["AGPL-3.0-only"] })
    }
}
