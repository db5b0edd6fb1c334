//! One question for every form of signature.

use model::{Authentic, Digest, NonEmpty, Reason, ReasonCode, SignatureFormat, Signed};

use crate::artifact::{Artifact, MAX_ENVELOPE};
use crate::error::MaterialError;
use crate::material::Material;
use crate::notation::Notation;
use crate::sigstore::Sigstore;

/// Verifies envelopes with one set of trust material.
#[derive(Debug)]
pub struct Verifier {
    digest: Digest,
    sigstore: Sigstore,
    notation: Notation,
}

impl Verifier {
    /// Prepares the material once.
    ///
    /// # Errors
    /// A part of it cannot be used.
    pub fn new(material: &Material) -> Result<Self, MaterialError> {
        Ok(Self {
            digest: material.digest(),
            sigstore: Sigstore::new(&material.keys, &material.roots),
            notation: Notation::new(&material.stores)?,
        })
    }

    /// Digest over the material: answers of two verifiers with the same one are the same.
    pub fn material(&self) -> &Digest {
        &self.digest
    }

    /// Verifies one envelope that was found attached to `subject`. What is authentic is about exactly that digest.
    ///
    /// # Errors
    /// Every reason why it does not verify; at least one.
    pub fn verify(&self, subject: &Digest, artifact: &Artifact<'_>) -> Result<Authentic<Signed>, NonEmpty<Reason>> {
        if artifact.bytes.len() > MAX_ENVELOPE {
            let message = format!("it has {} bytes; at most {MAX_ENVELOPE} are read", artifact.bytes.len());
            return Err(NonEmpty::one(Reason::new(ReasonCode::SignatureMalformed, message)));
        }
        match artifact.format {
            SignatureFormat::Bundle => self.sigstore.bundle(subject, artifact.bytes),
            SignatureFormat::CosignSignature => self.sigstore.cosign_signature(subject, artifact),
            SignatureFormat::DsseEnvelope => self.sigstore.envelope(subject, artifact),
            SignatureFormat::NotationJws => self.notation.jws(subject, artifact.bytes),
            SignatureFormat::NotationCose => self.notation.cose(subject, artifact.bytes),
            SignatureFormat::Unknown => {
                let message = format!("{:?} is no form of signature that the gate knows", artifact.media_type);
                Err(NonEmpty::one(Reason::new(ReasonCode::SignatureUnsupported, message)))
            }
        }
    }
}
