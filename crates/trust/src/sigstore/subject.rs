//! What a bundle is verified for: the digest of an image, or bytes that are at hand.

use model::{Digest, Reason, ReasonCode};
use sigstore_verify::types::{Artifact, Sha256Hash};

/// What has to have been signed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// Something with this sha256 digest.
    Digest(Sha256Hash),
    /// These bytes.
    Bytes(&'a [u8]),
}

impl Subject<'_> {
    /// The subject with this digest.
    pub(crate) fn of(digest: &Digest) -> Result<Self, Reason> {
        let unsupported = || {
            let message = format!("signatures on {digest} cannot be judged: sha256 digests can");
            Reason::new(ReasonCode::SignatureUnsupported, message)
        };
        let hex = digest.as_str().strip_prefix("sha256:").ok_or_else(unsupported)?;
        Sha256Hash::from_hex(hex).map(Self::Digest).map_err(|_| unsupported())
    }

    /// Its digest.
    pub(crate) fn digest(&self) -> String {
        match self {
            Self::Digest(hash) => format!("sha256:{}", hash.to_hex()),
            Self::Bytes(bytes) => Digest::of(bytes).to_string(),
        }
    }
}

impl<'a> From<Subject<'a>> for Artifact<'a> {
    fn from(subject: Subject<'a>) -> Self {
        match subject {
            Subject::Digest(hash) => hash.into(),
            Subject::Bytes(bytes) => Self::Blob(bytes),
        }
    }
}
