//! Keys that a key management service holds, by the names that cosign gives them. AWS KMS is the one there is.

use aws::{Kms, KmsKey};
use model::Reason;

/// Checks that a text is written as the name of a key. Nothing is asked.
///
/// # Errors
/// `trust.keyUnavailable`: it is not.
pub fn kms_key_name(uri: &str) -> Result<(), Reason> {
    KmsKey::parse(uri).map(drop)
}

/// The SubjectPublicKeyInfo of a key, in DER.
///
/// # Errors
/// `trust.keyUnavailable`: the name is none, or the key cannot be had.
pub async fn kms_public_key(uri: &str) -> Result<Vec<u8>, Reason> {
    Kms::connect(KmsKey::parse(uri)?).await?.public_key().await
}

/// Signs a message: ECDSA with the curve's hash in ASN.1 form, RSA PKCS#1 v1.5 with SHA-256.
///
/// # Errors
/// `trust.keyUnavailable`: the name is none, or the key cannot be used.
pub async fn kms_sign(uri: &str, message: &[u8]) -> Result<Vec<u8>, Reason> {
    Kms::connect(KmsKey::parse(uri)?).await?.sign(message).await
}
