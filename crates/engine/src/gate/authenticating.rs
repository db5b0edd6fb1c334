//! Who somebody is by what they show: a token that the gate gave out, or one of an identity provider. What is shown is never logged, nor part of an
//! error.

use std::sync::Arc;

use super::Gate;
use super::actor::Actor;

/// Why what was shown says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// Nobody we know.
    #[error("it is not known")]
    Unknown,
    /// It says who it is, and is refused: why.
    #[error("{0}")]
    Refused(String),
    /// The store is away, so that nobody knows whether it was revoked.
    #[error("{0}")]
    Store(String),
    /// The issuer's keys cannot be had.
    #[error("the keys of {issuer} cannot be had: {why}")]
    Keys {
        /// The issuer's name in the configuration.
        issuer: String,
        /// Why.
        why: String,
    },
}

impl Gate {
    /// Who bears this token.
    ///
    /// # Errors
    /// Nobody we know, or why that cannot be told.
    pub async fn authenticate(&self, secret: &str) -> Result<Arc<Actor>, AuthenticationError> {
        let _ = secret;
        Err(AuthenticationError::Unknown)
    }
}
