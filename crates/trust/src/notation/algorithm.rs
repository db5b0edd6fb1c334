//! Signature algorithms: which one goes with which key, and whether a signature verifies. Source: Notary Project signature
//! specification, "Algorithm Selection". P-521 is not judged (S28).

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use model::Reason;
use rustls_pki_types::SignatureVerificationAlgorithm;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::{shown, unsupported};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// An algorithm of the specification that is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
}

impl Algorithm {
    /// By its name in JWS.
    pub(super) fn from_jws(name: &str) -> Result<Self, Reason> {
        Ok(match name {
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            other => return Err(unsupported(format!("its algorithm is {}, which is not verified", shown(other)))),
        })
    }

    /// The one algorithm that goes with a key.
    pub(super) fn of(key: &SubjectPublicKeyInfoOwned) -> Result<Self, Reason> {
        match key.algorithm.oid {
            RSA_ENCRYPTION => match modulus_bits(key.subject_public_key.raw_bytes()) {
                Ok(2048) => Ok(Self::Ps256),
                Ok(3072) => Ok(Self::Ps384),
                Ok(4096) => Ok(Self::Ps512),
                Ok(bits) => Err(unsupported(format!("its RSA key has {bits} bits; 2048, 3072 and 4096 are specified"))),
                Err(_) => Err(super::malformed("its RSA key cannot be read")),
            },
            EC_PUBLIC_KEY => {
                let curve = key.algorithm.parameters.as_ref().map(x509_cert::der::Any::decode_as::<ObjectIdentifier>);
                match curve {
                    Some(Ok(P256)) => Ok(Self::Es256),
                    Some(Ok(P384)) => Ok(Self::Es384),
                    Some(Ok(P521)) => Err(unsupported("its key is on the curve P-521, which is not verified")),
                    _ => Err(unsupported("its key is on a curve that is not specified")),
                }
            }
            other => Err(unsupported(format!("its key is of the kind {other}; RSA and ECDSA are specified"))),
        }
    }

    /// Whether the signature is by this key over these bytes.
    pub(super) fn verifies(self, key: &SubjectPublicKeyInfoOwned, signed: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match self {
            Self::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
            Self::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        };
        UnparsedPublicKey::new(algorithm, key.subject_public_key.raw_bytes()).verify(signed, signature).is_ok()
    }
}

fn modulus_bits(key: &[u8]) -> x509_cert::der::Result<usize> {
    let mut reader = SliceReader::new(key)?;
    let modulus = reader.sequence(|reader| {
        let modulus = UintRef::decode(reader)?;
        UintRef::decode(reader)?;
        Ok(modulus)
    })?;
    let zeros = modulus.as_bytes().iter().map_while(|byte| (*byte == 0).then_some(8)).sum::<usize>();
    let first = modulus.as_bytes().iter().find(|byte| **byte != 0).map_or(0, |byte| byte.leading_zeros());
    Ok(modulus.as_bytes().len() * 8 - zeros - first as usize)
}

/// Whether an X.509 structure (certificate, revocation list, timestamp) is signed by this key. `algorithm` is the content of
/// the `AlgorithmIdentifier`. SHA-1 is no algorithm here.
pub(super) fn signed_by(key: &SubjectPublicKeyInfoOwned, algorithm: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let Ok(kind) = content_of(&key.algorithm) else { return false };
    webpki::ALL_VERIFICATION_ALGS
        .iter()
        .filter(|candidate| {
            candidate.signature_alg_id().as_ref() == algorithm && candidate.public_key_alg_id().as_ref() == kind
        })
        .any(|candidate| verifies(*candidate, key, signed, signature))
}

/// Whether a signature verifies with just this algorithm.
pub(super) fn verifies(
    algorithm: &dyn SignatureVerificationAlgorithm,
    key: &SubjectPublicKeyInfoOwned,
    signed: &[u8],
    signature: &[u8],
) -> bool {
    algorithm.verify_signature(key.subject_public_key.raw_bytes(), signed, signature).is_ok()
}

/// The content of a DER sequence, without tag and length.
pub(super) fn content_of(value: &impl Encode) -> x509_cert::der::Result<Vec<u8>> {
    Ok(AnyRef::from_der(&value.to_der()?)?.value().to_vec())
}
