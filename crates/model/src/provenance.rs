//! How an image was built, as a signed SLSA provenance says (v0.2 and v1), in one form for both versions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A provenance statement's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Provenance {
    /// `https://slsa.dev/provenance/v0.2`, `https://slsa.dev/provenance/v1`
    pub predicate_type: String,
    /// `builder.id`, `runDetails.builder.id`
    pub builder: String,
    /// `buildType`, `buildDefinition.buildType`
    pub build_type: String,
    /// The source that was built; nothing if the statement does not say so in a form we know.
    pub source: Option<SourceRevision>,
    /// The entry point of the build: the workflow file, or a pipeline's configuration.
    pub workflow: Option<String>,
    /// Parameters under control of whoever started the build, by JSON pointer-like path (`inputs/version`), values as text
    /// (scalars as they are, anything else as JSON).
    pub parameters: BTreeMap<String, String>,
    /// What went into the build: URI and digests by algorithm.
    pub materials: Vec<Material>,
    /// `buildInvocationId`, `invocationId`
    pub invocation: Option<String>,
    /// When the build ended, by the builder's word.
    pub finished: Option<Timestamp>,
}

/// Where the source came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SourceRevision {
    /// Without scheme prefix `git+`, user, `.git` and trailing slash: `github.com/acme/app`.
    pub repository: String,
    /// `refs/heads/main`, `refs/tags/v1`; nothing if it is not said.
    pub git_ref: Option<String>,
    /// The commit's hash in hexadecimal; nothing if it is not said.
    pub commit: Option<String>,
}

/// One thing that went into a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Material {
    /// Its URI.
    pub uri: String,
    /// Digests by algorithm, in hexadecimal.
    pub digests: BTreeMap<String, String>,
}
