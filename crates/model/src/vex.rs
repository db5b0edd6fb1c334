//! What somebody says about the effect of vulnerabilities on products: OpenVEX, CycloneDX VEX and CSAF are read into this.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Digest, VulnerabilityId};

mod word;

pub use word::{LastWord, applies, last_word};

/// A VEX document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VexDocument {
    /// `openvex`, `cyclonedx`, `csaf`.
    pub format: String,
    /// The document's own id.
    pub id: Option<String>,
    /// Who says it, as the document names them. A name inside a document proves nothing (S22).
    pub author: String,
    /// The statements, oldest first.
    pub statements: Vec<VexStatement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VexStatement {
    /// The vulnerability and its other names.
    pub vulnerabilities: Vec<VulnerabilityId>,
    /// What it is about: an image, or a package in any image.
    pub products: Vec<VexProduct>,
    /// What is said.
    pub status: VexStatus,
    /// Why it does not affect the product, in the words of the format.
    pub justification: Option<String>,
    /// Free text.
    pub note: Option<String>,
    /// When it was said.
    pub at: Option<Timestamp>,
}

/// A product of a statement, as far as it is named exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VexProduct {
    /// Digests of the product.
    pub digests: Vec<Digest>,
    /// Its package URL.
    pub purl: Option<String>,
    /// Package URLs of the parts of the product it is about; empty: the whole product.
    pub subcomponents: Vec<String>,
}

/// What a statement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VexStatus {
    /// Not affected; needs a justification to count (S24).
    NotAffected,
    /// Affected.
    Affected,
    /// Fixed in this product.
    Fixed,
    /// Nobody knows yet.
    UnderInvestigation,
}
