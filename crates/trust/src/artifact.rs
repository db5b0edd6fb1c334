//! What is to be verified: one envelope as it was found.

use std::collections::BTreeMap;

use model::{Digest, SignatureFormat};

/// The largest envelope that is looked at, in bytes. Attestations of large images carry whole bills of materials.
pub(crate) const MAX_ENVELOPE: usize = 64 << 20;

/// One envelope as it was found.
#[derive(Debug, Clone, Copy)]
pub struct Artifact<'a> {
    /// Its form, told by media types.
    pub format: SignatureFormat,
    /// The media type it was found with.
    pub media_type: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The annotations of the layer it was found in: where cosign keeps signature, certificate and log entry.
    pub annotations: &'a BTreeMap<String, String>,
}

impl Artifact<'_> {
    /// Digest over everything that a verdict on it depends on: bytes, media type and annotations.
    pub fn digest(&self) -> Digest {
        let mut whole = Vec::new();
        let mut add = |bytes: &[u8]| {
            whole.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            whole.extend_from_slice(bytes);
        };
        add(self.format.as_str().as_bytes());
        add(self.media_type.as_bytes());
        add(Digest::of(self.bytes).as_str().as_bytes());
        for (name, value) in self.annotations {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        Digest::of(&whole)
    }
}
