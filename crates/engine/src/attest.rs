//! Signing statements about an image and attaching them: Sigstore bundles v0.3 as referrers, which cosign reads too (B4).

use std::collections::BTreeMap;

use model::{Digest, ImageReference, Reason, ReasonCode, Timestamp};
use registry::Reference;
use trust::{PublicKey, SigningKey};

use crate::check::Refused;
use crate::kms::{kms_public_key, kms_sign};
use crate::place::{RegistryAccess, registry};

/// The artifact type and media type of a Sigstore bundle.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A bundle that was attached.
#[derive(Debug, Clone)]
pub struct AttachedBundle {
    /// The image.
    pub subject: Digest,
    /// The referrer's manifest.
    pub referrer: Digest,
}

/// A key that signs statements.
#[derive(Debug)]
pub enum StatementKey {
    /// A key file.
    File(SigningKey),
    /// A key of a key management service, by `awskms://` name.
    Kms(String),
}

impl StatementKey {
    /// Its public key.
    ///
    /// # Errors
    /// The key management service does not give it.
    pub async fn public(&self) -> Result<PublicKey, Reason> {
        match self {
            Self::File(key) => {
                key.public().map_err(|error| Reason::new(ReasonCode::TrustRootInvalid, error.to_string()))
            }
            Self::Kms(uri) => {
                let der = kms_public_key(uri).await?;
                PublicKey::from_der(uri, &der).map_err(|error| error.reason())
            }
        }
    }

    /// Signs an in-toto statement; the answer is a Sigstore bundle v0.3.
    ///
    /// # Errors
    /// The key cannot be used.
    pub async fn sign(&self, statement: &[u8]) -> Result<Vec<u8>, Reason> {
        let failed = |error: trust::SignError| Reason::new(ReasonCode::TrustRootInvalid, error.to_string());
        let key = self.public().await?;
        let message = trust::pre_authentication_encoding("application/vnd.in-toto+json", statement);
        let signature = match self {
            Self::File(key) => key.sign(&message).map_err(failed)?,
            Self::Kms(uri) => kms_sign(uri, &message).await?,
        };
        trust::bundle(&key, statement, &signature).map_err(failed)
    }
}

/// Attaches a bundle to the image that its statement is about.
///
/// # Errors
/// The registry refuses it, or does not know the image.
pub async fn attach_bundle(
    image: &ImageReference,
    access: &RegistryAccess,
    subject: &Digest,
    bundle: Vec<u8>,
    predicate_type: &str,
    created: Timestamp,
) -> Result<AttachedBundle, Refused> {
    let (_, client, location) = registry(image, access)?;
    let found =
        client.manifest(&location, &Reference::Digest(subject.clone())).await.map_err(|error| error.reason())?;
    let layers = vec![(BUNDLE.to_owned(), bundle.into())];
    let annotations = BTreeMap::from([
        ("dev.sigstore.bundle.content".to_owned(), "dsse-envelope".to_owned()),
        ("dev.sigstore.bundle.predicateType".to_owned(), predicate_type.to_owned()),
        ("org.opencontainers.image.created".to_owned(), created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    ]);
    let pushed = client
        .push_referrer(&location, &found.descriptor(), BUNDLE, layers, annotations)
        .await
        .map_err(|error| error.reason())?;
    Ok(AttachedBundle { subject: subject.clone(), referrer: pushed.digest })
}
