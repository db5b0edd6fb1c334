//! cosign's encrypted private keys: PKCS#8 in a NaCl secretbox under a key that scrypt makes of the password, as JSON in
//! PEM. Written with the parameters cosign writes; read with any that a machine can afford.

use crypto_secretbox::aead::{AeadInPlace, KeyInit};
use crypto_secretbox::{Key, Nonce, Tag, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SignError;

/// What cosign writes since 2.0.
pub(super) const LABEL: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// What cosign wrote before.
pub(super) const OLD_LABEL: &str = "ENCRYPTED COSIGN PRIVATE KEY";

const COST: Cost = Cost { n: 65_536, r: 8, p: 1 };
/// The most memory that a file may make scrypt use (`128 · N · r`); cosign's own parameters take 64 MiB.
const MAX_MEMORY: u64 = 256 << 20;
const MAX_PARALLEL: u32 = 16;
const TAG: usize = 16;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    kdf: Derivation,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Derivation {
    name: String,
    params: Cost,
    salt: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    #[serde(rename = "N")]
    n: u32,
    r: u32,
    p: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cipher {
    name: String,
    nonce: String,
}

/// The sealed form of a private key, as the JSON that stands in the PEM block.
pub(super) fn seal(pkcs8: &[u8], password: &[u8]) -> Result<Vec<u8>, SignError> {
    let (mut salt, mut nonce) = ([0_u8; 32], [0_u8; 24]);
    for random in [&mut salt[..], &mut nonce[..]] {
        aws_lc_rs::rand::fill(random).map_err(|_| SignError::new("the machine gives no random numbers"))?;
    }
    let cipher = cipher(password, &salt, COST)?;
    let mut boxed = Zeroizing::new(pkcs8.to_vec());
    let tag = cipher
        .encrypt_in_place_detached(Nonce::from_slice(&nonce), b"", &mut boxed)
        .map_err(|_| SignError::new("the private key cannot be encrypted"))?;
    let mut ciphertext = tag.to_vec();
    ciphertext.extend_from_slice(&boxed);
    let sealed = Sealed {
        kdf: Derivation { name: "scrypt".to_owned(), params: COST, salt: encode(&salt) },
        cipher: Cipher { name: "nacl/secretbox".to_owned(), nonce: encode(&nonce) },
        ciphertext: encode(&ciphertext),
    };
    serde_json::to_vec(&sealed).map_err(|error| SignError::new(error.to_string()))
}

/// The private key in a sealed form, as PKCS#8.
pub(super) fn open(json: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, SignError> {
    let wrong = |why: &str| SignError::new(format!("the encrypted private key cannot be read: {why}"));
    let sealed: Sealed = serde_json::from_slice(json).map_err(|error| wrong(&error.to_string()))?;
    if sealed.kdf.name != "scrypt" || sealed.cipher.name != "nacl/secretbox" {
        return Err(wrong("it is not encrypted with scrypt and nacl/secretbox"));
    }
    let salt = decode(&sealed.kdf.salt).map_err(|()| wrong("its salt is not base64"))?;
    let nonce: [u8; 24] = decode(&sealed.cipher.nonce)
        .map_err(|()| wrong("its nonce is not base64"))?
        .try_into()
        .map_err(|_| wrong("its nonce has not 24 bytes"))?;
    let boxed = decode(&sealed.ciphertext).map_err(|()| wrong("its ciphertext is not base64"))?;
    let (tag, text) = boxed.split_at_checked(TAG).ok_or_else(|| wrong("its ciphertext is too short"))?;
    let mut text = Zeroizing::new(text.to_vec());
    cipher(password, &salt, sealed.kdf.params)?
        .decrypt_in_place_detached(Nonce::from_slice(&nonce), b"", &mut text, Tag::from_slice(tag))
        .map_err(|_| SignError::new("the private key cannot be decrypted: the password is another one"))?;
    Ok(text)
}

fn cipher(password: &[u8], salt: &[u8], cost: Cost) -> Result<XSalsa20Poly1305, SignError> {
    let wrong = || SignError::new("the encrypted private key asks for parameters of scrypt that are not accepted");
    let memory = 128_u64.saturating_mul(u64::from(cost.n)).saturating_mul(u64::from(cost.r));
    if !cost.n.is_power_of_two() || cost.n < 2 || memory > MAX_MEMORY || cost.p > MAX_PARALLEL {
        return Err(wrong());
    }
    let log_n = u8::try_from(cost.n.trailing_zeros()).map_err(|_| wrong())?;
    let params = scrypt::Params::new(log_n, cost.r, cost.p).map_err(|_| wrong())?;
    let mut key = Zeroizing::new([0_u8; 32]);
    scrypt::scrypt(password, salt, &params, &mut *key).map_err(|_| wrong())?;
    Ok(XSalsa20Poly1305::new(Key::from_slice(&*key)))
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn decode(text: &str) -> Result<Vec<u8>, ()> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| ())
}
