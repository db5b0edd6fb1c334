//! The keys of an `attestations` rule: a signed statement of a type, by a signer that counts, that says what is asked.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::pattern::TextPattern;
use super::signatures::{On, names_once};
use super::types::Duration;

/// A signed statement about the image.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Attestations {
    /// The predicate type, exactly, or one of cosign's words for some: `slsaprovenance`, `slsaprovenance02`,
    /// `slsaprovenance1`, `link`, `spdx`, `spdxjson`, `cyclonedx`, `vuln`, `openvex`, `custom`.
    #[serde(rename = "type")]
    pub(crate) kind: PredicateType,
    /// Names of signers that count; all of `spec.signers`, if left out.
    pub(crate) signers: Option<Vec<String>>,
    /// What the statement has to say; one statement has to meet all of it.
    pub(crate) conditions: Option<Vec<Condition>>,
    /// What the statement has to be about: `index` (default), `platforms`, `all`.
    pub(crate) on: Option<On>,
}

/// A predicate type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PredicateType(pub(crate) String);

/// What a value of the predicate has to be. A value that is not there never meets a condition.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Condition {
    /// Where the value is in the predicate: a JSON pointer such as `/result` or `/scanner/db/lastUpdate`.
    pub(crate) path: Pointer,
    /// It is this.
    pub(crate) equals: Option<Expected>,
    /// It is one of these.
    #[serde(rename = "in")]
    pub(crate) one_of: Option<Vec<Expected>>,
    /// It is text of this pattern.
    pub(crate) matches: Option<TextPattern>,
    /// `true`: it is there and has a value.
    pub(crate) exists: Option<bool>,
    /// It is a number and no larger.
    pub(crate) at_most: Option<Bound>,
    /// It is a number and no smaller.
    pub(crate) at_least: Option<Bound>,
    /// It is a time (RFC 3339), not in the future and no longer ago than this.
    pub(crate) not_older_than: Option<Duration>,
}

/// A JSON pointer (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer(pub(crate) String);

/// A text, a number or a truth value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expected(pub(crate) Value);

/// A number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bound(pub(crate) serde_json::Number);

/// cosign's words for predicate types, and what they stand for.
const WORDS: [(&str, &str); 10] = [
    ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance02", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
    ("link", "https://in-toto.io/Link/v1"),
    ("spdx", "https://spdx.dev/Document"),
    ("spdxjson", "https://spdx.dev/Document"),
    ("cyclonedx", "https://cyclonedx.org/bom"),
    ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
    ("openvex", "https://openvex.dev/ns"),
    ("custom", "https://cosign.sigstore.dev/attestation/v1"),
];

/// The words alone, for messages.
const NAMES: [&str; 10] = [
    "slsaprovenance",
    "slsaprovenance02",
    "slsaprovenance1",
    "link",
    "spdx",
    "spdxjson",
    "cyclonedx",
    "vuln",
    "openvex",
    "custom",
];

/// The predicate type of a verification summary (VSA), which only a `vsa` rule looks at (S26).
pub(crate) const VSA: &str = "https://slsa.dev/verification_summary/v1";

/// True for every version of it.
fn is_vsa(kind: &str) -> bool {
    kind.starts_with("https://slsa.dev/verification_summary/")
}

/// The predicate type that a text names: a URI, or one of cosign's words.
///
/// # Errors
/// It is neither; the words there are.
pub fn predicate_type(text: &str) -> Result<String, &'static [&'static str]> {
    if let Some((_, uri)) = WORDS.iter().find(|(word, _)| *word == text) {
        return Ok((*uri).to_owned());
    }
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_uri = !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !text.contains([' ', '*']);
    if is_uri { Ok(text.to_owned()) } else { Err(&NAMES) }
}

impl Attestations {
    /// The checks that a schema cannot express.
    pub(super) fn check(&self) -> Result<(), (String, &'static str)> {
        if is_vsa(&self.kind.0) {
            return Err((
                format!(
                    "`attestations.type: {}` is a verification summary, which is no statement of its own",
                    self.kind.0
                ),
                "use a `vsa` rule, which says whose summaries count",
            ));
        }
        if self.kind.0 == "https://sigstore.dev/cosign/sign/v1" {
            return Err((format!("`attestations.type: {}` is a signature", self.kind.0), "use a `signatures` rule"));
        }
        names_once("attestations.signers", self.signers.as_deref())?;
        if self.conditions.as_ref().is_some_and(Vec::is_empty) {
            return Err(("`attestations.conditions` is empty".to_owned(), "name a condition, or leave the key out"));
        }
        self.conditions.iter().flatten().try_for_each(Condition::check)
    }
}

impl Condition {
    fn check(&self) -> Result<(), (String, &'static str)> {
        let of = |what: &str, hint| Err((format!("the condition on `{}` {what}", self.path.0), hint));
        let Self { path: _, equals, one_of, matches, exists, at_most, at_least, not_older_than } = self;
        let asks = [
            equals.is_some(),
            one_of.is_some(),
            matches.is_some(),
            exists.is_some(),
            at_most.is_some(),
            at_least.is_some(),
            not_older_than.is_some(),
        ];
        if !asks.contains(&true) {
            return of("asks nothing", "give it one of equals, in, matches, exists, atMost, atLeast, notOlderThan");
        }
        if *exists == Some(false) {
            return of("has `exists: false`", "a value that is not there never meets a condition");
        }
        if one_of.as_ref().is_some_and(Vec::is_empty) {
            return of("has an empty `in`", "name the values");
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for PredicateType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        predicate_type(&text).map(Self).map_err(|words| de::Error::unknown_variant(&text, words))
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // `~` is followed by 0 or 1 only.
        let escapes = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if !text.starts_with('/') || !escapes {
            return Err(de::Error::custom(format!(
                "{text:?} is no JSON pointer; write it like /result or /scanner/uri"
            )));
        }
        Ok(Self(text))
    }
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Array(_) | Value::Object(_) | Value::Null => {
                Err(de::Error::custom("a condition compares with text, numbers and truth values"))
            }
            value => Ok(Self(value)),
        }
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) => Ok(Self(number)),
            _ => Err(de::Error::custom("atMost and atLeast are numbers")),
        }
    }
}

impl JsonSchema for PredicateType {
    fn schema_name() -> Cow<'static, str> {
        "PredicateType".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "examples": ["https://in-toto.io/attestation/test-result/v0.1", "vuln"] })
    }
}

impl JsonSchema for Pointer {
    fn schema_name() -> Cow<'static, str> {
        "Pointer".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^/([^~]|~[01])*$", "examples": ["/result"] })
    }
}

impl JsonSchema for Expected {
    fn schema_name() -> Cow<'static, str> {
        "Expected".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl JsonSchema for Bound {
    fn schema_name() -> Cow<'static, str> {
        "Bound".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}
