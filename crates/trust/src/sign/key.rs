//! Private keys: ECDSA P-256 and P-384, Ed25519, RSA; as PKCS#8, SEC1 or PKCS#1 in PEM, or in cosign's encrypted form.
//! A key is read, used and wiped; no message and no `Debug` shows anything of it.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_SHA256,
};
use zeroize::Zeroizing;

use super::{SignError, encrypted, pem};
use crate::key::PublicKey;

/// A private key.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(rsa::KeyPair),
}

/// A new key pair, as the text of two files.
pub struct KeyFile {
    /// The private key.
    pub private: Zeroizing<String>,
    /// The public key in PEM.
    pub public: String,
}

/// How a key signs: what a key management service has to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA on P-256 over SHA-256, the signature in ASN.1.
    EcdsaP256Sha256,
    /// ECDSA on P-384 over SHA-384, the signature in ASN.1.
    EcdsaP384Sha384,
    /// Ed25519 over the message itself.
    Ed25519,
    /// RSA PKCS#1 v1.5 over SHA-256.
    RsaPkcs1Sha256,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("public", &self.public).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a new ECDSA P-256 key; with a password its file is in cosign's encrypted form, else PKCS#8 PEM.
    ///
    /// # Errors
    /// The machine gives no random numbers.
    pub fn generate(password: Option<&[u8]>) -> Result<KeyFile, SignError> {
        let failed = |_| SignError::new("no key could be made");
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(failed)?;
        let private = match password {
            Some(password) => pem::encode(encrypted::LABEL, &encrypted::seal(pkcs8.as_ref(), password)?),
            None => pem::encode("PRIVATE KEY", pkcs8.as_ref()),
        };
        let spki = pair.public_key().as_der().map_err(failed)?;
        Ok(KeyFile { private, public: pem::encode("PUBLIC KEY", spki.as_ref()).to_string() })
    }

    /// Reads a private key file: PKCS#8 PEM, SEC1 PEM, or cosign's encrypted form with its password.
    ///
    /// # Errors
    /// It is none, is encrypted and the password is missing or another one, or is of a kind that cannot sign here.
    pub fn from_pem(file: &[u8], password: Option<&[u8]>) -> Result<Self, SignError> {
        let block = pem::private_block(file)?;
        match block.label {
            encrypted::LABEL | encrypted::OLD_LABEL => {
                let password = password.ok_or_else(|| {
                    SignError::new(
                        "the private key is encrypted: give its password in ECR_GATE_KEY_PASSWORD or COSIGN_PASSWORD",
                    )
                })?;
                Self::from_pkcs8(&encrypted::open(&block.contents, password)?)
            }
            "PRIVATE KEY" => Self::from_pkcs8(&block.contents),
            "EC PRIVATE KEY" => Self::from_sec1(&block.contents),
            "RSA PRIVATE KEY" => {
                let pair = rsa::KeyPair::from_der(&block.contents).map_err(|_| unusable())?;
                Self::of(Pair::Rsa(pair))
            }
            "ENCRYPTED PRIVATE KEY" => Err(pem::encrypted_otherwise()),
            other => Err(SignError::new(format!(
                "a PEM block {:?} is no private key that is known here",
                other.chars().take(64).collect::<String>()
            ))),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, SignError> {
        for curve in [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING] {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(curve, der) {
                return Self::of(Pair::Ecdsa(pair));
            }
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Self::of(Pair::Ed25519(pair));
        }
        Self::of(Pair::Rsa(rsa::KeyPair::from_pkcs8(der).map_err(|_| unusable())?))
    }

    fn from_sec1(der: &[u8]) -> Result<Self, SignError> {
        for curve in [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING] {
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve, der) {
                return Self::of(Pair::Ecdsa(pair));
            }
        }
        Err(unusable())
    }

    fn of(pair: Pair) -> Result<Self, SignError> {
        let failed = |_| unusable();
        let spki = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
        };
        let public = PublicKey::from_der("the signing key", spki.map_err(failed)?.as_ref())
            .map_err(|error| SignError::new(error.to_string()))?;
        Ok(Self { pair, public })
    }

    /// Its public key.
    ///
    /// # Errors
    /// None: a key without one is not read.
    pub fn public(&self) -> Result<PublicKey, SignError> {
        Ok(self.public.clone())
    }

    /// Signs a message: ECDSA with the curve's hash in ASN.1 form, Ed25519, RSA PKCS#1 v1.5 with SHA-256.
    ///
    /// # Errors
    /// The key does not sign.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let failed = |_| SignError::new("the key does not sign");
        match &self.pair {
            Pair::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl Scheme {
    const ALL: [Self; 4] = [Self::EcdsaP256Sha256, Self::EcdsaP384Sha384, Self::Ed25519, Self::RsaPkcs1Sha256];

    /// How a key signs.
    ///
    /// # Errors
    /// The key is of another kind.
    pub fn of(key: &PublicKey) -> Result<Self, SignError> {
        Self::ALL.into_iter().find(|scheme| scheme.parse(key).is_ok()).ok_or_else(|| {
            SignError::new("the key is of a kind that cannot sign here: ECDSA P-256, P-384, Ed25519 and RSA of 2048 bits or more can")
        })
    }

    /// What the service signs: the digest of a message, or nothing where it has to be given the message itself.
    pub fn digest(self, message: &[u8]) -> Option<Vec<u8>> {
        let algorithm = match self {
            Self::EcdsaP256Sha256 | Self::RsaPkcs1Sha256 => &aws_lc_rs::digest::SHA256,
            Self::EcdsaP384Sha384 => &aws_lc_rs::digest::SHA384,
            Self::Ed25519 => return None,
        };
        Some(aws_lc_rs::digest::digest(algorithm, message).as_ref().to_vec())
    }

    /// Whether a signature that was made elsewhere is this key's over the message.
    pub fn verifies(self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        self.parse(key).is_ok_and(|parsed| parsed.verify_sig(message, signature).is_ok())
    }

    fn parse(self, key: &PublicKey) -> Result<ParsedPublicKey, KeyRejected> {
        let algorithm: &'static dyn signature::VerificationAlgorithm = match self {
            Self::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
            Self::EcdsaP384Sha384 => &signature::ECDSA_P384_SHA384_ASN1,
            Self::Ed25519 => &signature::ED25519,
            Self::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        };
        ParsedPublicKey::new(algorithm, key.der())
    }
}

fn unusable() -> SignError {
    SignError::new(
        "the private key cannot be used: it is damaged, or of another kind than ECDSA P-256, P-384, Ed25519 and RSA of 2048 to 8192 bits",
    )
}
