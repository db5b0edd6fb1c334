//! Sigstore bundles, and everything that is turned into one: cosign's signatures and attestations of before there were
//! bundles. There is one way to verify them all (S27).

mod certificate;
mod keyed;
mod keyless;
pub(crate) mod read;
mod refusal;
pub(crate) mod root;
pub(crate) mod subject;

use std::collections::BTreeMap;

use model::{Authentic, Digest, NonEmpty, Proof, Reason, ReasonCode, Signed, SignedImage, TrustName};
use sigstore_verify::Error;

use crate::artifact::Artifact;
use crate::cosign;
use crate::dsse;
use crate::key::PublicKey;
use crate::material::SigstoreRoot;
use crate::statement::UnverifiedStatement;
use read::{Content, Material, UnverifiedBundle};
use root::Root;
use subject::Subject;

/// Keys and roots, prepared.
#[derive(Debug)]
pub(crate) struct Sigstore {
    keys: Vec<(TrustName, PublicKey)>,
    roots: Vec<Root>,
}

impl Sigstore {
    pub(crate) fn new(keys: &[(TrustName, PublicKey)], roots: &[SigstoreRoot]) -> Self {
        Self { keys: keys.to_vec(), roots: roots.iter().map(Root::new).collect() }
    }

    /// A bundle that was found attached to an image.
    pub(crate) fn bundle(&self, image: &Digest, bytes: &[u8]) -> Result<Authentic<Signed>, NonEmpty<Reason>> {
        let bundle = UnverifiedBundle::read(bytes).map_err(NonEmpty::one)?;
        let authentic = self.about(image, &bundle, true)?;
        if let Content::Message { .. } = bundle.content {
            // Authentic as it is, it says only that somebody signed these bytes, and cosign takes it for no signature either.
            let message = "it is a signature over the bytes of the manifest, as `cosign sign-blob` makes; a signature on an \
                           image is a signed statement, as `cosign sign` makes";
            return Err(NonEmpty::one(Reason::new(ReasonCode::SignatureUnsupported, message)));
        }
        Ok(authentic)
    }

    /// A simple signing payload with cosign's annotations.
    pub(crate) fn cosign_signature(
        &self,
        image: &Digest,
        artifact: &Artifact<'_>,
    ) -> Result<Authentic<Signed>, NonEmpty<Reason>> {
        let payload = cosign::UnverifiedPayload::read(artifact.bytes).map_err(NonEmpty::one)?;
        let bundle = cosign::signature(artifact).map_err(NonEmpty::one)?;
        let mut proof = self.proof(&bundle, Subject::Bytes(artifact.bytes))?;
        let signed = payload.signed(image, &mut proof.notes).map_err(NonEmpty::one)?;
        Ok(Authentic::by_verifier(Signed::Image(signed), proof))
    }

    /// A DSSE envelope with cosign's annotations, if it has any.
    pub(crate) fn envelope(
        &self,
        image: &Digest,
        artifact: &Artifact<'_>,
    ) -> Result<Authentic<Signed>, NonEmpty<Reason>> {
        let bundle = cosign::attestation(artifact).map_err(NonEmpty::one)?;
        let authentic = self.about(image, &bundle, false)?;
        if authentic.proof().log.is_some() {
            dsse::is_logged(&bundle, artifact.bytes).map_err(NonEmpty::one)?;
        }
        Ok(authentic)
    }

    /// Verifies a bundle whose content says which image it is about.
    fn about(
        &self,
        image: &Digest,
        bundle: &UnverifiedBundle,
        may_sign: bool,
    ) -> Result<Authentic<Signed>, NonEmpty<Reason>> {
        let one = |reason: Reason| NonEmpty::one(reason);
        let subject = Subject::of(image).map_err(one)?;
        let statement = match &bundle.content {
            Content::Message { .. } => None,
            Content::Envelope { payload_type, payload, .. } => {
                Some(UnverifiedStatement::read(payload_type, payload.as_bytes()).map_err(one)?)
            }
        };
        let proof = self.proof(bundle, subject)?;
        let signed = if let Some(statement) = statement {
            statement.signed(image, may_sign).map_err(one)?
        } else {
            let (reference, annotations) = (None, BTreeMap::new());
            Signed::Image(SignedImage { digest: image.clone(), reference, annotations })
        };
        Ok(Authentic::by_verifier(signed, proof))
    }

    /// Who signed the subject.
    fn proof(&self, bundle: &UnverifiedBundle, subject: Subject<'_>) -> Result<Proof, NonEmpty<Reason>> {
        let roots: Vec<_> = self.roots.iter().collect();
        match &bundle.material {
            Material::Certificate(certificate) => keyless::verify(&roots, bundle, certificate, subject),
            Material::Key(hint) => keyed::verify(&self.keys, &roots, bundle, hint, subject),
        }
    }
}

/// Verifies a bundle with a certificate by one root.
pub(crate) fn keyless_proof(
    root: &Root,
    bundle: &UnverifiedBundle,
    subject: Subject<'_>,
) -> Result<Proof, NonEmpty<Reason>> {
    match &bundle.material {
        Material::Certificate(certificate) => keyless::verify(&[root], bundle, certificate, subject),
        Material::Key(_) => {
            let message = "the bundle is signed by a key, and an identity is expected".to_owned();
            Err(NonEmpty::one(Reason::new(ReasonCode::SignatureIdentity, message)))
        }
    }
}

/// The reason for an error of the library. It calls two things a mismatch: a signature over another image, and a log entry
/// over something else than this signature.
pub(crate) fn refused(error: &Error, bundle: &UnverifiedBundle, subject: Subject<'_>) -> Reason {
    match error {
        Error::ArtifactMismatch(_) if is_about(bundle, subject) => {
            let message = "the transparency log entry is about something else than this signature".to_owned();
            Reason::new(ReasonCode::SignatureLogInvalid, message)
        }
        Error::ArtifactMismatch(_) => other_image(bundle, subject),
        other => refusal::reason(other),
    }
}

fn is_about(bundle: &UnverifiedBundle, subject: Subject<'_>) -> bool {
    let Ok(digest) = subject.digest().parse::<Digest>() else { return false };
    match &bundle.content {
        Content::Message { .. } => bundle.message_is(&digest),
        Content::Envelope { payload_type, payload, .. } => {
            UnverifiedStatement::read(payload_type, payload.as_bytes()).is_ok_and(|statement| statement.about(&digest))
        }
    }
}

fn other_image(bundle: &UnverifiedBundle, subject: Subject<'_>) -> Reason {
    let said = match &bundle.content {
        Content::Message { digest: Some(digest), .. } => format!("{} {}", digest.algorithm, digest.digest.to_hex()),
        Content::Message { digest: None, .. } => "something else".to_owned(),
        Content::Envelope { payload_type, payload, .. } => {
            match UnverifiedStatement::read(payload_type, payload.as_bytes()) {
                Ok(statement) => statement.named(),
                Err(_) => "something else".to_owned(),
            }
        }
    };
    let message = format!("the signature is about {said}, not about {}", subject.digest());
    Reason::new(ReasonCode::SignatureOtherImage, message)
}
