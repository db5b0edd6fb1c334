//! Public keys: ECDSA P-256 and P-384, Ed25519, RSA of 2048 to 8192 bits; PEM or DER SubjectPublicKeyInfo (S27). A key of
//! another kind is refused when it is read, so that a policy never names a key that silently verifies nothing (S28).

pub(crate) mod pem;

use aws_lc_rs::signature as parsed;
use ed25519_dalek::VerifyingKey;
use model::Digest;
use sha2::{Digest as _, Sha512};
use sigstore_verify::crypto::{KeyAlgorithm, SigningScheme, VerificationKey};
use sigstore_verify::types::DerPublicKey;
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use x509_cert::der::{Decode as _, Encode as _, Reader as _, SliceReader};
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::error::MaterialError;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// What `spec.signers` and `--key` take, for messages.
const SUPPORTED: &str = "ECDSA P-256 and P-384, Ed25519, and RSA of 2048 to 8192 bits are supported";

/// A public key that can verify.
#[derive(Debug, Clone)]
pub struct PublicKey {
    spki: Vec<u8>,
    id: Digest,
    algorithm: String,
    schemes: &'static [Scheme],
}

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// One that the library knows.
    Common(SigningScheme),
    /// Ed25519 over a SHA-512 digest (RFC 8032): what cosign does with Ed25519 keys.
    Ed25519Prehashed,
}

impl PublicKey {
    /// Reads a PEM block `PUBLIC KEY` or `RSA PUBLIC KEY`; there has to be exactly one block. `name` is for messages.
    ///
    /// # Errors
    /// It is none, or of a kind that cannot be judged.
    pub fn from_pem(name: &str, pem: &[u8]) -> Result<Self, MaterialError> {
        let wrong = |why: String| MaterialError::new(name, why);
        let text = std::str::from_utf8(pem).map_err(|_| wrong("no public key in PEM: it is not text".to_owned()))?;
        let blocks = pem::blocks(text).map_err(|why| wrong(format!("no public key in PEM: {why}")))?;
        let [block] = blocks.as_slice() else {
            let labels: Vec<_> = blocks.iter().map(|block| block.label.as_str()).collect();
            return Err(wrong(match labels.as_slice() {
                [] => "no public key in PEM: there is no block `-----BEGIN PUBLIC KEY-----`".to_owned(),
                labels => format!("{} PEM blocks ({}); give one key a file", labels.len(), labels.join(", ")),
            }));
        };
        match block.label.as_str() {
            "PUBLIC KEY" => Self::from_der(name, &block.der),
            "RSA PUBLIC KEY" => Self::from_der(name, &from_pkcs1(name, &block.der)?),
            "CERTIFICATE" => Err(wrong("a certificate, where a public key is asked for".to_owned())),
            label if label.contains("PRIVATE") => {
                Err(wrong(format!("a private key ({label}); give its public key, and keep this file to yourself")))
            }
            label => Err(wrong(format!("PEM block {label}, where PUBLIC KEY is asked for"))),
        }
    }

    /// Reads a SubjectPublicKeyInfo in DER. `name` is for messages.
    ///
    /// # Errors
    /// It is none, or of a kind that cannot be judged.
    pub fn from_der(name: &str, der: &[u8]) -> Result<Self, MaterialError> {
        let wrong = |why: String| MaterialError::new(name, why);
        let spki = SubjectPublicKeyInfoRef::from_der(der)
            .map_err(|error| wrong(format!("no public key (SubjectPublicKeyInfo): {error}")))?;
        let algorithm = KeyAlgorithm::from_spki(&DerPublicKey::from_bytes(der))
            .map_err(|_| wrong(format!("the key is of an unsupported kind, {}; {SUPPORTED}", kind(&spki))))?;
        let bits = spki.subject_public_key.raw_bytes();
        let (algorithm, schemes, check): (_, &'static [Scheme], _) = match algorithm {
            KeyAlgorithm::EcdsaP256 => (
                "ecdsa-p256".to_owned(),
                &[Scheme::Common(SigningScheme::EcdsaP256Sha256)],
                parsed::ParsedPublicKey::new(&parsed::ECDSA_P256_SHA256_ASN1, bits),
            ),
            // Older versions of cosign sign with SHA-256 whatever the curve, newer ones with the curve's own hash.
            KeyAlgorithm::EcdsaP384 => (
                "ecdsa-p384".to_owned(),
                &[Scheme::Common(SigningScheme::EcdsaP384Sha384), Scheme::Common(SigningScheme::EcdsaP384Sha256)],
                parsed::ParsedPublicKey::new(&parsed::ECDSA_P384_SHA384_ASN1, bits),
            ),
            KeyAlgorithm::Ed25519 => (
                "ed25519".to_owned(),
                &[Scheme::Common(SigningScheme::Ed25519), Scheme::Ed25519Prehashed],
                parsed::ParsedPublicKey::new(&parsed::ED25519, bits),
            ),
            KeyAlgorithm::Rsa => {
                let length = rsa_bits(bits).map_err(|error| wrong(format!("no RSA key: {error}")))?;
                if !(2048..=8192).contains(&length) {
                    return Err(wrong(format!("an RSA key of {length} bits is unsupported; {SUPPORTED}")));
                }
                (
                    format!("rsa-{length}"),
                    &[Scheme::Common(SigningScheme::RsaPkcs1Sha256)],
                    parsed::ParsedPublicKey::new(&parsed::RSA_PKCS1_2048_8192_SHA256, bits),
                )
            }
            _ => return Err(wrong(format!("the key is of an unsupported kind, {}; {SUPPORTED}", kind(&spki)))),
        };
        check.map_err(|error| wrong(format!("the {algorithm} key is broken: {error}")))?;
        let uncompressed = !algorithm.starts_with("ecdsa") || bits.first() == Some(&4);
        if !uncompressed {
            return Err(wrong(format!("the {algorithm} key is a compressed point, which is unsupported")));
        }
        Ok(Self { spki: der.to_vec(), id: Digest::of(der), algorithm, schemes })
    }

    /// SHA-256 of the SubjectPublicKeyInfo in DER.
    pub fn id(&self) -> &Digest {
        &self.id
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn der(&self) -> &[u8] {
        &self.spki
    }

    /// `ecdsa-p256`, `ecdsa-p384`, `ed25519`, `rsa-2048` …
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// Whether this key made the signature over the message. The scheme that holds is the answer.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<Scheme, WrongSignature> {
        self.hold(|scheme| match scheme {
            Scheme::Common(scheme) => self.common(scheme, |key| key.verify(message, &signature.into())),
            Scheme::Ed25519Prehashed => self.prehashed(message, signature).is_ok(),
        })
    }

    /// The same for a message of which only the SHA-256 digest is known; see [`Self::needs_message`].
    pub(crate) fn verify_sha256(&self, digest: &[u8], signature: &[u8]) -> Result<Scheme, WrongSignature> {
        self.hold(|scheme| match scheme {
            Scheme::Common(scheme) => self.common(scheme, |key| key.verify_prehashed(digest, &signature.into())),
            Scheme::Ed25519Prehashed => false,
        })
    }

    /// Whether its signatures can be verified over whole messages only.
    pub(crate) fn needs_message(&self) -> bool {
        self.schemes.contains(&Scheme::Ed25519Prehashed)
    }

    fn hold(&self, holds: impl Fn(Scheme) -> bool) -> Result<Scheme, WrongSignature> {
        self.schemes.iter().copied().find(|scheme| holds(*scheme)).ok_or(WrongSignature)
    }

    fn common(
        &self,
        scheme: SigningScheme,
        holds: impl FnOnce(&VerificationKey) -> sigstore_verify::crypto::Result<()>,
    ) -> bool {
        let key = DerPublicKey::from_bytes(&self.spki);
        VerificationKey::from_spki_with_scheme(&key, scheme).is_ok_and(|key| holds(&key).is_ok())
    }

    fn prehashed(&self, message: &[u8], signature: &[u8]) -> Result<(), WrongSignature> {
        // An Ed25519 key is the last 32 bytes of its SubjectPublicKeyInfo.
        let key = self.spki.last_chunk().ok_or(WrongSignature)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| WrongSignature)?;
        let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| WrongSignature)?;
        let digest = Sha512::new_with_prefix(message);
        key.verify_prehashed_strict(digest, None, &signature).map_err(|_| WrongSignature)
    }
}

/// The key did not make the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongSignature;

/// Whether a PEM file holds one key of the right form, however broken the key itself is.
pub(crate) fn has_form_of_key(pem: &[u8]) -> bool {
    let blocks = std::str::from_utf8(pem).map(pem::blocks);
    let Ok(Ok(blocks)) = blocks else { return false };
    matches!(blocks.as_slice(), [block] if SubjectPublicKeyInfoRef::from_der(&block.der).is_ok())
}

/// Names a kind of key that is not supported.
fn kind(spki: &SubjectPublicKeyInfoRef<'_>) -> String {
    let curve = spki.algorithm.parameters.map(AnyRef::decode_as::<ObjectIdentifier>);
    match (spki.algorithm.oid, curve) {
        (EC_PUBLIC_KEY, Some(Ok(curve))) => match curve.to_string().as_str() {
            "1.3.132.0.35" => "ECDSA P-521".to_owned(),
            "1.3.132.0.10" => "ECDSA secp256k1".to_owned(),
            "1.2.840.10045.3.1.7" | "1.3.132.0.34" => "a broken ECDSA key".to_owned(),
            other => format!("ECDSA on curve {other}"),
        },
        (EC_PUBLIC_KEY, _) => "ECDSA without a named curve".to_owned(),
        (RSA_ENCRYPTION, _) => "a broken RSA key".to_owned(),
        (other, _) => format!("algorithm {other}"),
    }
}

/// Whether a SubjectPublicKeyInfo is of a kind that can verify; else what it is.
pub(crate) fn supported(spki: &SubjectPublicKeyInfoRef<'_>, der: &[u8]) -> Result<(), String> {
    match KeyAlgorithm::from_spki(&DerPublicKey::from_bytes(der)) {
        Ok(KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::Ed25519 | KeyAlgorithm::Rsa) => Ok(()),
        _ => Err(kind(spki)),
    }
}

/// How many bits the modulus of an `RSAPublicKey` (RFC 8017) has.
fn rsa_bits(der: &[u8]) -> x509_cert::der::Result<usize> {
    let mut reader = SliceReader::new(der)?;
    let modulus = reader.sequence(|fields| {
        let modulus = UintRef::decode(fields)?;
        UintRef::decode(fields)?;
        Ok(modulus)
    })?;
    reader.finish(())?;
    let bytes = modulus.as_bytes();
    let leading = bytes.first().map_or(0, |first| first.leading_zeros());
    Ok((bytes.len() * 8).saturating_sub(leading as usize))
}

/// The SubjectPublicKeyInfo around a bare RSA key.
fn from_pkcs1(name: &str, der: &[u8]) -> Result<Vec<u8>, MaterialError> {
    let wrong = |error: x509_cert::der::Error| MaterialError::new(name, format!("no RSA key: {error}"));
    rsa_bits(der).map_err(wrong)?;
    let algorithm = AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) };
    let subject_public_key = BitStringRef::from_bytes(der).map_err(wrong)?;
    SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().map_err(wrong)
}

#[cfg(test)]
mod tests;
