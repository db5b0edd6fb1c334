//! Why trust material cannot be used.

use model::{Reason, ReasonCode};

/// Why trust material cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct MaterialError {
    /// Which material: a file's name, a signer's.
    pub what: String,
    /// Why.
    pub why: String,
}

impl MaterialError {
    /// With what it is about.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }

    /// As a reason for a judgement.
    pub fn reason(&self) -> Reason {
        Reason::new(ReasonCode::TrustRootInvalid, self.to_string())
    }
}
