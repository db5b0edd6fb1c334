//! Keys that follow from a seed, so that two runs of one seed trust each other.

use aws_lc_rs::digest::{Digest, SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::der;

/// The hash of everything here.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

pub(super) enum Key {
    /// Signs anything.
    P256(EcdsaKeyPair),
    /// Signs what has to be the same bytes every time: certificates of authorities.
    Ed25519(Ed25519KeyPair),
}

impl Key {
    pub(super) fn p256(seed: &str) -> Self {
        let scalar = sha256(seed.as_bytes());
        let curve = der::object_id("1.2.840.10045.3.1.7");
        let private = der::sequence(&[&der::number(1), &der::octets(&scalar), &der::explicit(0, &curve)]);
        Self::P256(EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &private).unwrap())
    }

    pub(super) fn ed25519(seed: &str) -> Self {
        Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(&sha256(seed.as_bytes())).unwrap())
    }

    /// The SubjectPublicKeyInfo.
    pub(super) fn public(&self) -> Vec<u8> {
        match self {
            Self::P256(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
        }
    }

    /// The key alone.
    pub(super) fn raw_public(&self) -> Vec<u8> {
        match self {
            Self::P256(pair) => pair.public_key().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(_) => self.sign_digest(&sha256(message)),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// Signs a message of which only the digest is known.
    pub(super) fn sign_digest(&self, digest: &[u8; 32]) -> Vec<u8> {
        let Self::P256(pair) = self else { panic!("Ed25519 signs whole messages") };
        pair.sign_digest(&Digest::import_less_safe(digest, &SHA256).unwrap()).unwrap().as_ref().to_vec()
    }

    /// The AlgorithmIdentifier of its signatures.
    pub(super) fn algorithm(&self) -> Vec<u8> {
        der::sequence(&[&der::object_id(match self {
            Self::P256(_) => "1.2.840.10045.4.3.2",
            Self::Ed25519(_) => "1.3.101.112",
        })])
    }

    /// How a trusted root names its kind.
    pub(super) fn details(&self) -> &'static str {
        match self {
            Self::P256(_) => "PKIX_ECDSA_P256_SHA_256",
            Self::Ed25519(_) => "PKIX_ED25519",
        }
    }
}
