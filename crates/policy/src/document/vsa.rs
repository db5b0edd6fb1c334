//! The keys of a `vsa` rule: whose verification summaries (SLSA VSA) count, and about which policy. Nothing else in a
//! policy looks at a verification summary, the gate's own among them (S26).

use schemars::JsonSchema;
use serde::Deserialize;

use super::pattern::TextPattern;
use super::signatures::names_once;
use super::types::Duration;

/// A verification summary that says that the image passed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Vsa {
    /// Verifiers whose summaries count, by `verifier.id`.
    pub(crate) verifiers: Vec<TextPattern>,
    /// Names of signers that count; all of `spec.signers`, if left out.
    pub(crate) signers: Option<Vec<String>>,
    /// The policy it has to have been judged by, by `policy.uri`.
    pub(crate) policy: Option<TextPattern>,
    /// How long ago the image may have been verified.
    pub(crate) max_age: Option<Duration>,
}

impl Vsa {
    /// The checks that a schema cannot express.
    pub(super) fn check(&self) -> Result<(), (String, &'static str)> {
        if self.verifiers.is_empty() {
            return Err(("`vsa.verifiers` is empty".to_owned(), "name the ids of verifiers that count"));
        }
        names_once("vsa.signers", self.signers.as_deref())
    }
}
