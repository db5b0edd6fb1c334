//! The keys of a `GatePolicy`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use model::{Platform, SignedDuration, UnknownClass, Verdict, parse_duration};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::Rule;
use super::parameters::Parameters;
use super::pattern::TextPattern;
use super::signers::{Signer, Trust};

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
    #[allow(dead_code)] // read before the rest of the document
    pub(crate) parameters: Option<Parameters>,
    /// The environments there are. An undeclared name on the command line is a usage error. Without this key there is
    /// one environment, `production`.
    pub(crate) environments: Option<BTreeMap<String, EnvironmentSpec>>,
    /// Which images and environments the policy is about; everything, if it is left out.
    #[serde(rename = "match")]
    pub(crate) matches: Option<Match>,
    /// What it means not to know, per class: `deny`, `pending`, `warn`, or `{lastKnownGood: DURATION}`.
    pub(crate) on_unknown: Option<OnUnknownMap>,
    /// How long what runs in a cluster may run on, and start again, after its verdict turned for nothing but vulnerabilities or a scan that is too old:
    /// up to `90d`. Not at all, if it is left out. Of several policies about an image each has to say it, and the shortest counts.
    pub(crate) grandfathering: Option<Duration>,
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
