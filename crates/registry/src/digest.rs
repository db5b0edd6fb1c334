//! Computing digests the way one is asked for: by its algorithm, over bytes that arrive in pieces.

use model::Digest;
use sha2::{Digest as _, Sha256, Sha512};

/// Computes a digest and compares it with the expected one.
#[derive(Debug, Clone)]
pub(crate) struct Verifier {
    expected: Digest,
    hasher: Hasher,
}

#[derive(Debug, Clone)]
enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Verifier {
    pub(crate) fn new(expected: &Digest) -> Self {
        let hasher = if expected.as_str().starts_with("sha512:") {
            Hasher::Sha512(Sha512::new())
        } else {
            Hasher::Sha256(Sha256::new())
        };
        Self { expected: expected.clone(), hasher }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.hasher {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The expected digest, or both when they differ.
    pub(crate) fn finish(self) -> Result<Digest, Box<Mismatch>> {
        let text = match self.hasher {
            Hasher::Sha256(hasher) => format!("sha256:{}", hex::encode(hasher.finalize())),
            Hasher::Sha512(hasher) => format!("sha512:{}", hex::encode(hasher.finalize())),
        };
        if text == self.expected.as_str() {
            return Ok(self.expected);
        }
        // What was just formatted parses; the digest of the text stands in for the impossible case and matches nothing.
        let found = text.parse().unwrap_or_else(|_| Digest::of(text.as_bytes()));
        Err(Box::new(Mismatch { expected: self.expected, found }))
    }
}

/// Content with another digest than the expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) expected: Digest,
    pub(crate) found: Digest,
}

/// Checks bytes against a digest, by its algorithm.
pub(crate) fn check(expected: &Digest, bytes: &[u8]) -> Result<Digest, Box<Mismatch>> {
    let mut verifier = Verifier::new(expected);
    verifier.update(bytes);
    verifier.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_algorithms_are_computed_and_differences_named() {
        let wide: Digest = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f".parse().unwrap();
        assert_eq!(check(&wide, b"abc"), Ok(wide.clone()));
        assert_eq!(check(&Digest::of(b"abc"), b"abc"), Ok(Digest::of(b"abc")));
        let wrong = check(&Digest::of(b"abc"), b"abd").unwrap_err();
        assert_eq!((wrong.expected, wrong.found), (Digest::of(b"abc"), Digest::of(b"abd")));
        assert!(check(&wide, b"abd").unwrap_err().found.as_str().starts_with("sha512:"));
    }
}
