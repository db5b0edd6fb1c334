//! What the sigstore-conformance suite asks of a client: one bundle, one artifact, one expected signer. It is the verifier
//! of the product, except that a key too needs its log entry or timestamp, as the suite expects.

use model::{Digest, NonEmpty, Reason, ReasonCode, Signer, UnknownClass};
use sigstore_verify::PublicKeyVerificationPolicy;
use sigstore_verify::types::DerPublicKey;

use crate::artifact::MAX_ENVELOPE;
use crate::key::{self, PublicKey};
use crate::material::SigstoreRoot;
use crate::sigstore::read::{Material, UnverifiedBundle};
use crate::sigstore::root::Root;
use crate::sigstore::subject::Subject;
use crate::sigstore::{keyless_proof, refused};

/// One question.
#[derive(Debug)]
pub struct Conformance<'a> {
    /// The bundle.
    pub bundle: &'a [u8],
    /// Who has to have signed.
    pub expected: Expected<'a>,
    /// The trusted root.
    pub root: &'a SigstoreRoot,
}

/// Who has to have signed.
#[derive(Debug)]
pub enum Expected<'a> {
    /// Whoever the certificate names, by this issuer.
    Identity {
        /// The subject alternative name, exactly.
        identity: &'a str,
        /// The OIDC issuer, exactly.
        issuer: &'a str,
    },
    /// The holder of this key.
    Key(&'a PublicKey),
    /// The holder of the key in this PEM file. A key that is none, such as a point beside its curve, has signed nothing.
    KeyFile(&'a [u8]),
}

/// Why the answer is no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConformanceError {
    /// It does not verify.
    #[error("refused: {0}")]
    Refused(String),
    /// It cannot be said.
    #[error("cannot be decided: {0}")]
    Undecided(String),
}

impl Conformance<'_> {
    /// Whether the expected signer signed these bytes.
    ///
    /// # Errors
    /// It is not so, or it cannot be said.
    pub fn verify(&self, artifact: &[u8]) -> Result<(), ConformanceError> {
        self.answer(Subject::Bytes(artifact))
    }

    /// Whether the expected signer signed something with this digest.
    ///
    /// # Errors
    /// It is not so, or it cannot be said.
    pub fn verify_digest(&self, artifact: &Digest) -> Result<(), ConformanceError> {
        self.answer(Subject::of(artifact).map_err(|reason| ConformanceError::Undecided(reason.message))?)
    }

    fn answer(&self, subject: Subject<'_>) -> Result<(), ConformanceError> {
        let root = Root::new(self.root);
        if self.bundle.len() > MAX_ENVELOPE {
            return Err(ConformanceError::Refused(format!("the bundle has more than {MAX_ENVELOPE} bytes")));
        }
        let bundle = UnverifiedBundle::read(self.bundle).map_err(|reason| told(&NonEmpty::one(reason)))?;
        match self.expected {
            Expected::Identity { identity, issuer } => by_identity(&root, &bundle, subject, identity, issuer),
            Expected::Key(key) => by_key(&root, &bundle, subject, key),
            Expected::KeyFile(pem) => by_key(&root, &bundle, subject, &read_key(pem)?),
        }
        .map_err(|reasons| told(&reasons))
    }
}

fn read_key(pem: &[u8]) -> Result<PublicKey, ConformanceError> {
    PublicKey::from_pem("the key", pem).map_err(|error| {
        if key::has_form_of_key(pem) {
            ConformanceError::Refused(format!("{error}; nothing was signed with it"))
        } else {
            ConformanceError::Undecided(error.to_string())
        }
    })
}

fn by_identity(
    root: &Root,
    bundle: &UnverifiedBundle,
    subject: Subject<'_>,
    expected: &str,
    expected_issuer: &str,
) -> Result<(), NonEmpty<Reason>> {
    let proof = keyless_proof(root, bundle, subject)?;
    match &proof.signer {
        Signer::Keyless { identity, issuer, .. } if identity.as_str() == expected && issuer == expected_issuer => {
            Ok(())
        }
        other => {
            let message = format!("it is signed by {other}, and {expected} (issuer {expected_issuer}) is expected");
            Err(NonEmpty::one(Reason::new(ReasonCode::SignatureIdentity, message)))
        }
    }
}

fn by_key(
    root: &Root,
    bundle: &UnverifiedBundle,
    subject: Subject<'_>,
    key: &PublicKey,
) -> Result<(), NonEmpty<Reason>> {
    if let Material::Certificate(_) = bundle.material {
        let message = "the bundle is signed with a certificate, and a key is expected".to_owned();
        return Err(NonEmpty::one(Reason::new(ReasonCode::SignatureUnknownKey, message)));
    }
    bundle.every_entry_has_a_proof().map_err(NonEmpty::one)?;
    let policy = PublicKeyVerificationPolicy::new(DerPublicKey::from_bytes(key.der()));
    let whole = bundle.whole().map_err(NonEmpty::one)?;
    match root.verifier().verify(subject, whole, &policy) {
        Ok(_) => Ok(()),
        Err(error) => Err(NonEmpty::one(refused(&error, bundle, subject))),
    }
}

/// What is unsupported is refused too: the suite counts a bundle of an unknown version among those. Trust material that
/// is missing or broken, and faults of our own, decide nothing.
fn told(reasons: &NonEmpty<Reason>) -> ConformanceError {
    let text =
        reasons.iter().map(|reason| format!("{} ({})", reason.message, reason.code)).collect::<Vec<_>>().join("; ");
    let class = |reason: &Reason| reason.code.class();
    let undecided =
        |reason: &Reason| matches!(class(reason), Some(UnknownClass::TrustUnavailable | UnknownClass::Internal));
    if reasons.iter().any(undecided) { ConformanceError::Undecided(text) } else { ConformanceError::Refused(text) }
}
