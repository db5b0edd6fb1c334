//! What was found signed on an image, and the material it was verified with. Absent, unsupported, refused and unavailable
//! stay apart: only what verified can ever count, and what could not be looked at is never "nothing there".

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Authentic, Digest, NonEmpty, Observed, Proof, Provenance, Reason, Signal, SignatureFormat, Signed, TrustName,
};

/// One signature or signed statement that is attached to a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignedArtifact {
    /// Its form.
    pub format: SignatureFormat,
    /// The manifest it was found in: a referrer, or what a tag of cosign stands for.
    pub manifest: Digest,
    /// The raw envelope.
    pub envelope: Digest,
    /// Where that manifest was found, for people: `referrer`, `tag sha256-….sig`, with the repository if it is another one.
    pub place: String,
    /// What it says and who signed that, or every reason why it does not verify.
    #[serde(with = "crate::either")]
    #[schemars(with = "crate::either::Either<Authentic<Signed>, NonEmpty<Reason>>")]
    pub verified: Result<Authentic<Signed>, NonEmpty<Reason>>,
    /// What a provenance statement says, read after it was authenticated; nothing for anything else.
    #[serde(with = "crate::either::optional")]
    #[schemars(with = "Option<crate::either::Either<Provenance, Reason>>")]
    pub provenance: Option<Result<Provenance, Reason>>,
}

/// A signed document that is authentic, and cannot be read: whether that matters depends on whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UnreadableDocument {
    /// What it would have been.
    pub kind: DocumentKind,
    /// Where it was found, and who signed it.
    pub origin: crate::Origin,
    /// Why it cannot be read.
    pub reason: Reason,
}

/// Kinds of documents that rules ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DocumentKind {
    /// A bill of materials.
    Sbom,
    /// A measurement.
    Measurement,
}

/// Everything signed that is attached to one manifest.
pub type SignedArtifacts = Signal<Vec<SignedArtifact>>;

/// The trust material that was at hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TrustMaterial {
    /// Digest over all of it.
    pub digest: Digest,
    /// Of every signer with a key of its own: the SHA-256 of the key's SubjectPublicKeyInfo, or why the key is not at hand.
    #[serde(with = "crate::either::map")]
    #[schemars(with = "BTreeMap<TrustName, crate::either::Either<Digest, Reason>>")]
    pub keys: BTreeMap<TrustName, Result<Digest, Reason>>,
    /// Per policy that needs trusted roots: their digests, or why they are not at hand.
    #[serde(with = "crate::either::map")]
    #[schemars(with = "BTreeMap<String, crate::either::Either<Vec<Digest>, Reason>>")]
    pub roots: BTreeMap<String, Result<Vec<Digest>, Reason>>,
}

/// Where a signed document was found, and who signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Attested {
    /// The manifest it was found in.
    pub manifest: Digest,
    /// Who signed it.
    pub proof: Proof,
}

impl fmt::Display for Attested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} signed by {}", self.manifest, self.proof.signer)
    }
}

impl<T> Observed<T> {
    /// Who signed the evidence, if anybody did.
    pub fn attested(&self) -> Option<&Attested> {
        match &self.origin {
            crate::Origin::Attestation(attested) => Some(attested),
            _ => None,
        }
    }
}
