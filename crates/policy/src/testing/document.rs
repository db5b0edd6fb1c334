//! The keys of a test file (`kind: GatePolicyTest`), but for the facts in few words, which are in `given`.

use std::collections::BTreeMap;

use model::{ReasonCode, Timestamp, Verdict};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::given::Given;
use crate::document::{ApiVersion, schema_of};

/// Tests of policies, in a file beside them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "ecr-gate policy test")]
pub(super) struct Document {
    /// The version of this format.
    #[allow(dead_code)] // reading it is the check
    pub(super) api_version: ApiVersion,
    /// `GatePolicyTest`
    #[allow(dead_code)]
    pub(super) kind: Kind,
    /// Its name.
    pub(super) metadata: Metadata,
    /// The policies under test: files, relative to this one.
    #[schemars(extend("minItems" = 1))]
    pub(super) policies: Vec<String>,
    /// `false`: the exception files that the policies list are left out. They are honoured if nothing is said.
    pub(super) exceptions: Option<bool>,
    /// The tests.
    #[schemars(extend("minItems" = 1))]
    pub(super) tests: Vec<Test>,
}

/// The kind of document.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(super) enum Kind {
    /// Tests of policies.
    GatePolicyTest,
}

/// A name for people.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Metadata {
    /// The name of the tests.
    pub(super) name: String,
    /// What they are for.
    #[allow(dead_code)] // for readers of the document
    pub(super) description: Option<String>,
}

/// One test: what is known about an image, and what has to come out. Exactly one of `facts` and `given`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = serde_json::json!([{ "required": ["facts"] }, { "required": ["given"] }])))]
pub(super) struct Test {
    /// Its name, unique in the file.
    pub(super) name: String,
    /// A file with recorded facts, relative to this one: what `inspect --output json` or `check --output facts=FILE` wrote.
    pub(super) facts: Option<String>,
    /// Facts in few words.
    pub(super) given: Option<Given>,
    /// With `facts`: what is changed in them first, as a JSON merge patch (RFC 7386). `null` takes a key out, a list replaces
    /// a list.
    pub(super) change: Option<Json>,
    /// The environment; that of the recorded facts, or `production`, if nothing is said.
    pub(super) environment: Option<String>,
    /// The moment of the judgement; that of the recorded facts, or `2026-01-01T12:00:00Z`, if nothing is said.
    pub(super) now: Option<Timestamp>,
    /// What has to come out.
    pub(super) expect: Expect,
}

/// What has to come out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Expect {
    /// The verdict.
    pub(super) verdict: Verdict,
    /// Exactly these reasons, in any order; `[]` for none.
    pub(super) reasons: Option<Vec<ReasonCode>>,
    /// What these rules have to find, by their id; `POLICY/RULE` where several policies have a rule of this id.
    pub(super) rules: Option<BTreeMap<String, Expected>>,
    /// Text that the message of one of the reasons contains.
    pub(super) message: Option<String>,
}

/// What a rule has to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Expected {
    /// It holds.
    Pass,
    /// It is broken.
    Fail,
    /// It could not be judged.
    Unknown,
    /// Nobody asked: its policy is not about this image, or it has ended.
    NotJudged,
}

impl Expected {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::NotJudged => "notJudged",
        }
    }
}

/// Any JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Json(pub(super) Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Json {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Json".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Any JSON." })
    }
}

/// The JSON Schema of a test file.
pub fn tests_schema() -> Value {
    schema_of::<Document>()
}
