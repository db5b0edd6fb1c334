//! Signing: in-toto statements in DSSE envelopes, as Sigstore bundles v0.3 that cosign v3 verifies.
//!
//! What is to be signed and what is made of a signature are two steps, so that the key may be elsewhere: [`statement`],
//! [`to_be_signed`], a signature by [`SigningKey`] or by a key management service ([`Scheme`] says what to ask it for),
//! [`bundle`]. A bundle is only made of a signature that verifies. Nothing here is uploaded to a log.

mod encrypted;
mod envelope;
mod key;
pub(crate) mod pem;
mod summary;

pub use envelope::{PAYLOAD_TYPE, bundle, pre_authentication_encoding, statement, to_be_signed};
pub use key::{KeyFile, Scheme, SigningKey};
pub use summary::{SUMMARY_TYPE, VerificationSummary, verification_summary};

/// Why something cannot be signed. Never holds anything of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignError(pub String);

impl SignError {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

#[cfg(test)]
mod tests;
