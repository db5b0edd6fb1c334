//! The keys of a log: Ed25519, named like the log. The public half travels as the verifier key of C2SP signed notes, one line that says whose it
//! is, with a short hash against mistyping.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::note::{NoteError, UnverifiedNote, check_name, signature_line};
use crate::sign::{SigningKey, pem};

/// The byte that says Ed25519 in ids and verifier keys.
const ED25519_TYPE: u8 = 1;

/// The private key that signs the checkpoints of one log.
pub struct LogKey {
    key: SigningKey,
    verifier: VerifierKey,
}

/// The public key of one log, under the log's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: [u8; 32],
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({})", self.verifier)
    }
}

impl LogKey {
    /// Makes a new key, as the text of its file: PKCS #8 in PEM.
    ///
    /// # Errors
    /// The machine gives no random numbers.
    pub fn generate() -> Result<Zeroizing<String>, NoteError> {
        let failed = |_| NoteError::PrivateKey("none could be made".to_owned());
        let pkcs8 = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(failed)?;
        Ok(pem::encode("PRIVATE KEY", pkcs8.as_ref()))
    }

    /// Reads the key of the log of this name: Ed25519 as PKCS #8 in PEM, or in cosign's encrypted form with its password.
    ///
    /// # Errors
    /// It is no such key, or the name cannot stand in a note.
    pub fn from_pem(name: &str, file: &[u8], password: Option<&[u8]>) -> Result<Self, NoteError> {
        check_name(name)?;
        let key = SigningKey::from_pem(file, password).map_err(|error| NoteError::PrivateKey(error.to_string()))?;
        let public = key.public().map_err(|error| NoteError::PrivateKey(error.to_string()))?;
        // An Ed25519 key is the last 32 bytes of its SubjectPublicKeyInfo.
        match (public.algorithm(), public.der().last_chunk()) {
            ("ed25519", Some(bytes)) => Ok(Self { key, verifier: VerifierKey { name: name.to_owned(), key: *bytes } }),
            (other, _) => Err(NoteError::PrivateKey(format!("it is of the kind {other}; a log signs with Ed25519"))),
        }
    }

    /// Its public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a text, which ends in a newline and has no control character but newlines.
    pub(super) fn sign(&self, text: &str) -> Result<String, NoteError> {
        let signature = self.key.sign(text.as_bytes()).map_err(|error| NoteError::PrivateKey(error.to_string()))?;
        let VerifierKey { name, .. } = &self.verifier;
        Ok(format!("{text}\n{}", signature_line(name, self.verifier.id(), &signature)))
    }
}

impl VerifierKey {
    /// The log's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32 bytes of the key.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.key
    }

    /// What signatures name the key by, beside its name.
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new_with_prefix(&self.name).chain_update([b'\n', ED25519_TYPE]).chain_update(self.key);
        let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
        [a, b, c, d]
    }

    /// The text of the note, if this key signed it. Signatures of others are not looked at.
    pub(super) fn verify<'a>(&self, note: &UnverifiedNote<'a>) -> Result<&'a str, NoteError> {
        let mine = |name: &str, id: [u8; 4]| name == self.name && id == self.id();
        let mut signed = false;
        for line in note.signatures.iter().filter(|line| mine(line.name, line.id)) {
            let key = UnparsedPublicKey::new(&ED25519, &self.key);
            key.verify(note.text.as_bytes(), &line.signature)
                .map_err(|_| NoteError::WrongSignature(self.name.clone()))?;
            signed = true;
        }
        if signed { Ok(note.text) } else { Err(NoteError::NotSigned(self.to_string())) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ED25519_TYPE], &self.key[..]].concat());
        write!(f, "{}+{}+{key}", self.name, hex::encode(self.id()))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let wrong = NoteError::NotAVerifierKey;
        let (name, rest) = text.split_once('+').ok_or(wrong("there is no `+`"))?;
        // The key in base64 may have a `+` too.
        let (hash, encoded) = rest.split_once('+').ok_or(wrong("there is only one `+`"))?;
        check_name(name)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| wrong("the key is not base64"))?;
        let key = match bytes.split_first() {
            Some((&ED25519_TYPE, key)) => key.try_into().map_err(|_| wrong("the key has not 32 bytes"))?,
            Some(_) => return Err(wrong("the key is of another kind than Ed25519 (0x01)")),
            None => return Err(wrong("the key is empty")),
        };
        let key = Self { name: name.to_owned(), key };
        if hash != hex::encode(key.id()) {
            return Err(wrong("the hash is not that of the name and the key: something is mistyped or missing"));
        }
        Ok(key)
    }
}
