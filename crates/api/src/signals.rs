//! `/api/v1/signals`: documents about an image. The document is the body, byte for byte; what it is about stands in the query.

use model::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// What a document is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignalQuery {
    /// `host/repository@sha256:…`
    pub image: String,
    /// What it is.
    pub kind: SignalKind,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignalKind {
    /// A scanner's report.
    Report,
    /// A bill of materials.
    Sbom,
    /// A VEX document.
    Vex,
    /// A measurement.
    Measurement,
}

impl SignalKind {
    /// `report`, `sbom`, `vex`, `measurement`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Sbom => "sbom",
            Self::Vex => "vex",
            Self::Measurement => "measurement",
        }
    }
}

/// What was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubmittedSignal {
    /// Its id.
    pub id: String,
    /// The digest of the document.
    pub evidence: Digest,
    /// The format it was read as.
    pub format: String,
}

/// Of which image the documents are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignalsQuery {
    /// `host/repository@sha256:…`
    pub image: String,
}

/// The documents that were handed in about an image and count, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalsPage {
    /// The documents.
    pub signals: Vec<HandedInSignal>,
}

/// A document that was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandedInSignal {
    /// Its id.
    pub id: String,
    /// `host/repository`
    pub repository: String,
    /// The manifest or index it is about.
    pub digest: Digest,
    /// `report`, `sbom`, `vex`, `measurement`
    pub kind: String,
    /// The digest of the document.
    pub evidence: Digest,
    /// When.
    pub submitted_at: Timestamp,
    /// By whom.
    pub submitted_by: String,
}

/// Takes a document back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WithdrawRequest {
    /// Why, for the audit log.
    pub reason: String,
}
