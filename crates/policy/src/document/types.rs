//! The keys of a `GatePolicy`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use model::{Platform, SignedDuration, UnknownClass, Verdict, parse_duration};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::age::Age;
use super::attestations::Attestations;
use super::base_image::BaseImage;
use super::dates::{Since, Until};
use super::packages::Packages;
use super::parameters::Parameters;
use super::pattern::TextPattern;
use super::provenance::Provenance;
use super::registries::Registries;
use super::signatures::{On, Signatures};
use super::signers::{Signer, Trust};
use super::vsa::Vsa;
use super::{Config, EvidenceSource, EvidenceSources, Measurements, RESERVED, Sbom, Source, Vulnerabilities};

/// A policy: which images in which environments it is about, and what must hold for them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "ecr-gate policy")]
pub struct Policy {
    /// The version of this format.
    #[allow(dead_code)] // reading it is the check
    pub(crate) api_version: ApiVersion,
    /// `GatePolicy`
    #[allow(dead_code)]
    pub(crate) kind: PolicyKind,
    /// Its name and version.
    pub(crate) metadata: Metadata,
    /// What it says.
    pub(crate) spec: Spec,
}

/// The version of this format.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) enum ApiVersion {
    /// The first version.
    #[serde(rename = "ecr-gate.dev/v1")]
    V1,
}

/// The kind of document.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) enum PolicyKind {
    /// A policy.
    GatePolicy,
}

/// A name for people, repeated in every decision.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Metadata {
    /// The policy's name.
    pub(crate) name: String,
    /// Your own version of it, repeated in every decision.
    pub(crate) version: Option<String>,
    /// What it is for.
    #[allow(dead_code)] // for readers of the document
    pub(crate) description: Option<String>,
}

/// What a policy says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Spec {
    /// Values that differ from environment to environment, each with the value for all that say nothing else. `$name`
    /// stands for it wherever a rule, `onUnknown` or `action` has a value; a Rego policy sees `input.parameters`.
    pub(crate) parameters: Option<Parameters>,
    /// The environments there are. An undeclared name on the command line is a usage error. Without this key there is
    /// one environment, `production`.
    pub(crate) environments: Option<BTreeMap<String, EnvironmentSpec>>,
    /// Which images and environments the policy is about; everything, if it is left out.
    #[serde(rename = "match")]
    pub(crate) matches: Option<Match>,
    /// What it means not to know, per class: `deny`, `pending`, `warn`, or `{lastKnownGood: DURATION}`.
    pub(crate) on_unknown: Option<OnUnknownMap>,
    /// Files of kind `GateExceptions`, relative to this file. Only files listed here are honoured.
    pub(crate) exceptions: Option<Vec<String>>,
    /// Trusted roots, and where else to look for signatures.
    pub(crate) trust: Option<Trust>,
    /// Signers by name. Rules say which of them count for what.
    pub(crate) signers: Option<BTreeMap<String, Signer>>,
    /// What must hold.
    pub(crate) rules: Vec<Rule>,
    /// What a broken rule means unless the rule says otherwise: `deny` (default), `warn`, `audit`.
    pub(crate) action: Option<Action>,
}

/// One environment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct EnvironmentSpec {
    /// `production` fails closed.
    pub(crate) class: Class,
    /// What it means that no policy is about an image: `deny`, `warn`, `audit`. In production it is always `deny`, and `warn`
    /// elsewhere if nothing is said.
    pub(crate) none_matched: Option<Action>,
    /// The values of parameters here.
    #[allow(dead_code)] // read before the rest of the document
    pub(crate) parameters: Option<Parameters>,
}

/// What an environment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Class {
    /// Fails closed.
    Production,
    /// May be softened.
    NonProduction,
}

/// Which images and environments.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Match {
    /// Names of environments; all, if left out.
    pub(crate) environments: Option<Vec<String>>,
    /// Patterns for `host/repository`: `*` within a part, `**` over parts. All images, if left out.
    pub(crate) images: Option<Vec<String>>,
    /// Labels of the image's configuration, or annotations of its manifest, with patterns for their values: `*` within a part,
    /// `**` over parts. Who builds an image chooses its labels, so they may add rules and never replace any.
    pub(crate) labels: Option<BTreeMap<String, TextPattern>>,
    /// For an index: the platforms that are judged, or `all` (default).
    pub(crate) platforms: Option<Platforms>,
}

/// `all`, or a list of `os/architecture`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Platforms {
    All,
    Named(Vec<Platform>),
}

/// What a broken rule means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// The image is denied.
    Deny,
    /// A soft-fail: allowed, and said so.
    Warn,
    /// Recorded; the verdict is unchanged.
    Audit,
}

impl Action {
    /// `deny`, `warn`, `audit`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Warn => "warn",
            Self::Audit => "audit",
        }
    }

    pub(crate) fn verdict(self) -> Verdict {
        match self {
            Self::Deny => Verdict::Deny,
            Self::Warn => Verdict::Warn,
            Self::Audit => Verdict::Allow,
        }
    }
}

/// What it means not to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnknown {
    /// Denied.
    Deny,
    /// Not decided.
    Pending,
    /// A soft-fail.
    Warn,
    /// The last known good fact stands in, up to this age; without one, denied (S5).
    LastKnownGood(SignedDuration),
}

impl OnUnknown {
    /// The word it is written as.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Pending => "pending",
            Self::Warn => "warn",
            Self::LastKnownGood(_) => "lastKnownGood",
        }
    }
}

/// `onUnknown`: per class, and `default` for the rest.
#[derive(Debug, Clone)]
pub(crate) struct OnUnknownMap {
    pub(crate) classes: BTreeMap<UnknownClass, OnUnknown>,
    pub(crate) default: OnUnknown,
}

/// One rule: exactly one of `vulnerabilities`, `sbom`, `packages`, `config`, `baseImage`, `age`, `registries`,
/// `measurements`, `signatures`, `attestations`, `provenance` and `vsa`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = Self::KINDS.map(|kind| serde_json::json!({ "required": [kind] }))))]
pub struct Rule {
    /// Its id, unique in the policy, repeated in every decision.
    pub(crate) id: String,
    /// Limits on the findings of a complete scan.
    pub(crate) vulnerabilities: Option<Vulnerabilities>,
    /// What must hold of the bill of materials.
    pub(crate) sbom: Option<Sbom>,
    /// Which packages of the operating system the image may hold.
    pub(crate) packages: Option<Packages>,
    /// What must hold of the image's configuration.
    pub(crate) config: Option<Config>,
    /// The image it must be built on.
    pub(crate) base_image: Option<BaseImage>,
    /// How old it may be.
    pub(crate) age: Option<Age>,
    /// Where it may come from, and how it has to be named.
    pub(crate) registries: Option<Registries>,
    /// Limits on what was measured.
    pub(crate) measurements: Option<Measurements>,
    /// Who has to have signed the image.
    pub(crate) signatures: Option<Signatures>,
    /// What has to be stated about the image, and by whom.
    pub(crate) attestations: Option<Attestations>,
    /// How the image has to have been built.
    pub(crate) provenance: Option<Provenance>,
    /// Whose verification summary has to say that the image passed.
    pub(crate) vsa: Option<Vsa>,
    /// What a break of this rule means: `deny`, `warn`, `audit`.
    pub(crate) action: Option<Action>,
    /// From this day on, in UTC, the rule's action holds: `2026-12-31`, or a moment such as `2026-12-31T12:00:00Z`. Until then
    /// a break is only announced.
    pub(crate) effective_from: Option<Since>,
    /// What a break means before `effectiveFrom`: `warn` (default) or `audit`.
    pub(crate) before: Option<Announcement>,
    /// The last day the rule is in force.
    pub(crate) until: Option<Until>,
    /// Whether exceptions may waive it. Rules about signatures, statements and provenance say `true` themselves, or cannot be
    /// waived; all other rules can, unless they say `false`.
    pub(crate) waivable: Option<bool>,
}

/// What a break of a rule means that is not in force yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Announcement {
    /// A soft-fail.
    Warn,
    /// Recorded.
    Audit,
}

impl Announcement {
    pub(crate) fn action(self) -> Action {
        match self {
            Self::Warn => Action::Warn,
            Self::Audit => Action::Audit,
        }
    }
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Check<'a> {
    Vulnerabilities(&'a Vulnerabilities),
    Sbom(&'a Sbom),
    Packages(&'a Packages),
    Config(&'a Config),
    BaseImage(&'a BaseImage),
    Age(&'a Age),
    Registries(&'a Registries),
    Measurements(&'a Measurements),
    Signatures(&'a Signatures),
    Attestations(&'a Attestations),
    Provenance(&'a Provenance),
    Vsa(&'a Vsa),
}

impl<'a> Check<'a> {
    /// True if exceptions may waive a rule of this kind that does not say itself whether they may (S29).
    pub(crate) fn is_waivable(self) -> bool {
        !matches!(self, Self::Signatures(_) | Self::Attestations(_) | Self::Provenance(_) | Self::Vsa(_))
    }

    /// Which manifests it is for, if it is about what signers said.
    pub(crate) fn on(self) -> Option<On> {
        match self {
            Self::Signatures(rule) => Some(rule.on.unwrap_or(On::Index)),
            Self::Attestations(rule) => Some(rule.on.unwrap_or(On::Index)),
            Self::Provenance(rule) => Some(rule.on.unwrap_or(On::Index)),
            Self::Vsa(_) => Some(On::Index),
            _ => None,
        }
    }

    /// Which manifests it is judged on; the platforms, if not said. A reference is the same for all of them.
    pub(crate) fn scope(self) -> Option<On> {
        if matches!(self, Self::Registries(_)) { Some(On::Index) } else { self.on() }
    }

    /// The words that may stand in a list of signers beside them.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Vulnerabilities(_) => &RESERVED,
            Self::Sbom(_) | Self::Measurements(_) => &RESERVED[..2],
            _ => &[],
        }
    }

    /// True if the rule hears evidence in the image's repository whoever pushed it.
    pub(crate) fn opens_to_registry(self) -> bool {
        let open = |from: &EvidenceSources| from.opens(EvidenceSource::Registry);
        match self {
            Self::Vulnerabilities(rule) => {
                rule.opens(Source::Registry) || rule.vex.as_ref().is_some_and(|vex| open(&vex.from))
            }
            Self::Sbom(rule) => rule.from.as_ref().is_some_and(open),
            Self::Measurements(rule) => rule.from.as_ref().is_some_and(open),
            _ => false,
        }
    }

    /// The lists of signers it names, each with its key.
    pub(crate) fn signers(self) -> Vec<(&'static str, &'a [String])> {
        let lists = match self {
            Self::Signatures(rule) => {
                vec![("signatures.of", rule.of.as_deref()), ("signatures.required", rule.required.as_deref())]
            }
            Self::Attestations(rule) => vec![("attestations.signers", rule.signers.as_deref())],
            Self::Provenance(rule) => vec![("provenance.signers", rule.signers.as_deref())],
            Self::Vsa(rule) => vec![("vsa.signers", rule.signers.as_deref())],
            Self::Sbom(rule) => vec![("sbom.from", Some(rule.signers()))],
            Self::Measurements(rule) => vec![("measurements.from", Some(rule.signers()))],
            Self::Vulnerabilities(rule) => {
                vec![("sources.accept", Some(rule.report_signers())), ("vex.from", Some(rule.vex_signers()))]
            }
            Self::Packages(_) | Self::Config(_) | Self::BaseImage(_) | Self::Age(_) | Self::Registries(_) => Vec::new(),
        };
        lists.into_iter().filter_map(|(key, list)| list.map(|list| (key, list))).collect()
    }
}

impl Rule {
    /// The kinds of rule there are.
    pub(crate) const KINDS: [&'static str; 12] = [
        "vulnerabilities",
        "sbom",
        "packages",
        "config",
        "baseImage",
        "age",
        "registries",
        "measurements",
        "signatures",
        "attestations",
        "provenance",
        "vsa",
    ];

    /// What a rule that is not of one kind is told.
    pub(super) const ONE_OF: &'static str = "a rule is exactly one of `vulnerabilities`, `sbom`, `packages`, `config`, \
                                             `baseImage`, `age`, `registries`, `measurements`, `signatures`, \
                                             `attestations`, `provenance` and `vsa`";

    /// What the rule looks at; the names of the kinds it has, if that is not exactly one.
    pub(crate) fn check(&self) -> Result<Check<'_>, Vec<&'static str>> {
        let kinds = [
            self.vulnerabilities.as_ref().map(Check::Vulnerabilities),
            self.sbom.as_ref().map(Check::Sbom),
            self.packages.as_ref().map(Check::Packages),
            self.config.as_ref().map(Check::Config),
            self.base_image.as_ref().map(Check::BaseImage),
            self.age.as_ref().map(Check::Age),
            self.registries.as_ref().map(Check::Registries),
            self.measurements.as_ref().map(Check::Measurements),
            self.signatures.as_ref().map(Check::Signatures),
            self.attestations.as_ref().map(Check::Attestations),
            self.provenance.as_ref().map(Check::Provenance),
            self.vsa.as_ref().map(Check::Vsa),
        ];
        let mut there = kinds.into_iter().zip(Self::KINDS).filter_map(|(kind, name)| kind.map(|kind| (kind, name)));
        match (there.next(), there.next()) {
            (Some((only, _)), None) => Ok(only),
            (one, two) => Err(one.into_iter().chain(two).chain(there).map(|(_, name)| name).collect()),
        }
    }
}

/// A duration such as `8d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duration(pub(crate) SignedDuration);

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_duration(&String::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Platforms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Platforms;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`all` or a list such as [linux/amd64, linux/arm64]")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Platforms, E> {
                if text == "all" { Ok(Platforms::All) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Platforms, A::Error> {
                let mut named = Vec::new();
                while let Some(text) = list.next_element::<String>()? {
                    named.push(text.parse().map_err(de::Error::custom)?);
                }
                if named.is_empty() {
                    return Err(de::Error::custom("`platforms` is empty: nothing would be judged; write `all`"));
                }
                Ok(Platforms::Named(named))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for OnUnknown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = OnUnknown;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`deny`, `pending`, `warn` or `{lastKnownGood: DURATION}`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<OnUnknown, E> {
                match text {
                    "deny" => Ok(OnUnknown::Deny),
                    "pending" => Ok(OnUnknown::Pending),
                    "warn" => Ok(OnUnknown::Warn),
                    other => Err(E::unknown_variant(other, &["deny", "pending", "warn"])),
                }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<OnUnknown, A::Error> {
                let mut age = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key != "lastKnownGood" {
                        return Err(de::Error::unknown_field(&key, &["lastKnownGood"]));
                    }
                    age = Some(map.next_value::<Duration>()?.0);
                }
                age.map(OnUnknown::LastKnownGood).ok_or_else(|| de::Error::missing_field("lastKnownGood"))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

const ON_UNKNOWN_KEYS: [&str; 16] = [
    "scanPending",
    "scanMissing",
    "scanFailed",
    "scanUnsupported",
    "scanStale",
    "accessDenied",
    "notFound",
    "throttled",
    "registryUnavailable",
    "trustUnavailable",
    "evidenceInvalid",
    "evidenceRemoved",
    "storeUnavailable",
    "deadline",
    "internal",
    "default",
];

impl<'de> Deserialize<'de> for OnUnknownMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = OnUnknownMap;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from unknown classes to `deny`, `pending` or `warn`")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<OnUnknownMap, A::Error> {
                let (mut classes, mut default) = (BTreeMap::new(), OnUnknown::Deny);
                while let Some(key) = map.next_key::<String>()? {
                    let class = UnknownClass::ALL.into_iter().find(|class| class.as_str() == key);
                    match class {
                        None if key == "default" => default = map.next_value()?,
                        None => return Err(de::Error::unknown_field(&key, &ON_UNKNOWN_KEYS)),
                        Some(class) => {
                            classes.insert(class, map.next_value()?);
                        }
                    }
                }
                Ok(OnUnknownMap { classes, default })
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w))+$", "examples": ["8d", "24h"] })
    }
}

impl JsonSchema for Platforms {
    fn schema_name() -> Cow<'static, str> {
        "Platforms".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            { "const": "all" },
            { "type": "array", "minItems": 1, "items": { "type": "string", "pattern": "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){1,2}$" } }
        ] })
    }
}

impl JsonSchema for OnUnknown {
    fn schema_name() -> Cow<'static, str> {
        "OnUnknown".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let duration = generator.subschema_for::<Duration>();
        json_schema!({ "oneOf": [
            { "enum": ["deny", "pending", "warn"] },
            { "type": "object", "additionalProperties": false, "required": ["lastKnownGood"], "properties": { "lastKnownGood": duration } }
        ] })
    }
}

impl JsonSchema for OnUnknownMap {
    fn schema_name() -> Cow<'static, str> {
        "OnUnknownMap".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<OnUnknown>();
        let properties: serde_json::Map<String, serde_json::Value> =
            ON_UNKNOWN_KEYS.iter().map(|key| ((*key).to_owned(), value.clone().to_value())).collect();
        json_schema!({ "type": "object", "additionalProperties": false, "properties": properties })
    }
}
