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
    /// Whose bill of materials counts. `file`: given with `--sbom` by whoever runs the gate. `registry`: attached to the image
    /// by whoever may push to its repository. Names of `spec.signers`: signed by one of them. Without this key none counts.
    pub(crate) from: Option<EvidenceSources>,
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

/// Whose evidence counts: the ways in by which it counts whoever made it, and the signers whose evidence counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EvidenceSources {
    ways: Vec<EvidenceSource>,
    signers: Vec<String>,
}

/// A way for evidence to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EvidenceSource {
    /// A file given by whoever runs the gate.
    File,
    /// The image's repository: attached by whoever may push there, signed or not.
    Registry,
}

/// Words that mean something where names of signers may stand, so that no signer can have one of them as its name.
pub(crate) const RESERVED: [&str; 11] =
    ["file", "registry", "ecr", "inspector", "trivy", "grype", "snyk", "harbor", "sarif", "cyclonedx", "osv"];

/// A name that `spec.signers` may declare.
pub(super) const SIGNER_PATTERN: &str = "^[A-Za-z0-9._-]+$";

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
    /// The signers whose bills of materials count.
    pub(crate) fn signers(&self) -> &[String] {
        self.from.as_ref().map_or(&[], EvidenceSources::signers)
    }

    /// True if what the layers hold has to be read.
    pub(crate) fn needs_contents(&self) -> bool {
        self.must_match == Some(MustMatch::OsPackages)
    }

    /// The checks that a schema cannot express.
    pub(crate) fn check(&self, rule: &str) -> Result<(), (String, &'static str)> {
        EvidenceSources::check(self.from.as_ref(), rule, "sbom.from")?;
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

impl EvidenceSources {
    /// Whether they are looked for in the registry: by the way as such, or signed by somebody.
    pub(crate) fn look_in_registry(&self) -> bool {
        self.opens(EvidenceSource::Registry) || !self.signers.is_empty()
    }

    /// True if evidence counts that came in by this way, whoever made it.
    pub(crate) fn opens(&self, way: EvidenceSource) -> bool {
        self.ways.contains(&way)
    }

    /// True if evidence of this origin counts whoever made it.
    pub(crate) fn opens_to(&self, origin: &Origin) -> bool {
        match origin {
            Origin::File(_) => self.opens(EvidenceSource::File),
            Origin::Registry(_) | Origin::Attestation(_) => self.opens(EvidenceSource::Registry),
            Origin::Ecr(_) => false,
        }
    }

    /// The signers whose evidence counts.
    pub(crate) fn signers(&self) -> &[String] {
        &self.signers
    }

    /// True if nobody's evidence counts.
    pub(super) fn is_empty(&self) -> bool {
        self.ways.is_empty() && self.signers.is_empty()
    }

    /// An empty list would forbid everything or nothing, depending on the reader.
    pub(super) fn check(from: Option<&Self>, rule: &str, key: &str) -> Result<(), (String, &'static str)> {
        if from.is_some_and(Self::is_empty) {
            return Err((format!("rule {rule:?}: `{key}` is empty"), "name `file`, `registry` or signers"));
        }
        Ok(())
    }
}

/// True for a text that may be the name of a signer: what it is not is a word with another meaning.
pub(super) fn is_signer_name(word: &str) -> bool {
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !word.is_empty() && word.bytes().all(byte) && !RESERVED.contains(&word)
}

impl<'de> Deserialize<'de> for EvidenceSources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut from = Self { ways: Vec::new(), signers: Vec::new() };
        for word in Vec::<String>::deserialize(deserializer)? {
            match word.as_str() {
                "file" => from.ways.push(EvidenceSource::File),
                "registry" => from.ways.push(EvidenceSource::Registry),
                name if is_signer_name(name) => from.signers.push(word),
                other => return Err(de::Error::unknown_variant(other, &["file", "registry", "the name of a signer"])),
            }
        }
        Ok(from)
    }
}

impl JsonSchema for EvidenceSources {
    fn schema_name() -> Cow<'static, str> {
        "EvidenceSources".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let others = &RESERVED[2..];
        json_schema!({
            "type": "array",
            "minItems": 1,
            "items": { "anyOf": [
                { "enum": ["file", "registry"] },
                { "type": "string", "pattern": SIGNER_PATTERN, "not": { "enum": others } }
            ] }
        })
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
