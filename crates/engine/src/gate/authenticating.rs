//! Who somebody is by what they show: a token that the gate gave out, or one of an identity provider. What is shown is never logged, nor part of an
//! error.

use std::sync::Arc;

use super::actor::Actor;
use super::{Gate, tokens};

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
    /// It is known, and no rule gives it any right.
    #[error("{identity} has no rights here: {why}")]
    NoRights {
        /// Who it is.
        identity: String,
        /// What was looked at.
        why: String,
    },
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
    /// Who bears this token: one that the gate gave out, or one of an identity provider.
    ///
    /// # Errors
    /// Nobody we know, or why that cannot be told.
    pub async fn authenticate(&self, secret: &str) -> Result<Arc<Actor>, AuthenticationError> {
        let now = (self.inner.settings.now)();
        if let Some(hash) = tokens::hash(secret) {
            // S42: a token that was revoked a lease ago is revoked here.
            let confirmed = self.inner.follower.confirmed().await;
            confirmed.map_err(|error| AuthenticationError::Store(error.to_string()))?;
            return self.inner.follower.force().tokens.bearer(&hash, now);
        }
        self.inner.identities.bearer(secret, now).await
    }

    /// Who shows this certificate (DER), which the server verified.
    ///
    /// # Errors
    /// Nobody we know.
    pub fn authenticate_certificate(&self, certificate: &[u8]) -> Result<Arc<Actor>, AuthenticationError> {
        self.inner.identities.certified(certificate)
    }
}
