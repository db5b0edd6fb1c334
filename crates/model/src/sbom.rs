//! A bill of materials, in the vocabulary that CycloneDX and SPDX are read into.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// A bill of materials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Sbom {
    /// `cyclonedx` or `spdx`, as policies write it.
    pub format: String,
    /// The version of the format: `1.6`, `2.3`.
    pub version: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// The tools that made it.
    pub tools: Vec<String>,
    /// Digests it says that it describes: of a manifest, or of an image configuration.
    pub describes: Vec<Digest>,
    /// The name of what it says that it describes.
    pub name: Option<String>,
    /// What is in it, sorted by purl, name, version.
    pub components: Vec<Component>,
}

/// One component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Component {
    /// Its package URL in canonical form.
    pub purl: Option<String>,
    /// Its name.
    pub name: String,
    /// Its version; empty if it is not said.
    pub version: String,
    /// SPDX licence ids, expressions or names, as they are written.
    pub licenses: Vec<String>,
    /// Hashes as `alg:hex`.
    pub hashes: Vec<String>,
}
