//! The keys an issuer publishes (JWKS, RFC 7517). A key is good for the algorithms of its own kind; a secret is no key here, so that nobody signs
//! with what everybody can read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;

use super::TokenError;

/// The largest list that is read, in bytes.
pub(super) const LARGEST: usize = 1 << 20;
/// The most keys of a list.
const MOST: usize = 200;
/// The longest name of a key that is repeated in an error.
const NAME: usize = 100;
/// The shortest RSA modulus, in bytes: 2048 bits.
const MODULUS: usize = 256;

/// What an issuer signs with.
pub struct KeyList(Vec<Key>);

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
}

impl std::fmt::Debug for KeyList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| (&key.id, &key.algorithms))).finish()
    }
}

#[derive(Debug, Deserialize)]
struct Listed {
    keys: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeyList {
    /// Reads a list. A key of a kind that is not known, or that is not for signatures, is left out: it verifies nothing. A list without any other is what
    /// an issuer publishes that took its keys back.
    ///
    /// # Errors
    /// It is no list of keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > LARGEST {
            return Err(format!("the list of keys has more than {LARGEST} bytes"));
        }
        let listed: Listed = serde_json::from_slice(bytes).map_err(|_| "it is no list of keys (JWKS)".to_owned())?;
        if listed.keys.len() > MOST {
            return Err(format!("the list holds {} keys; at most {MOST} are read", listed.keys.len()));
        }
        let mut keys = Vec::new();
        for listed in listed.keys {
            // What is of another kind, or for another use, is for somebody else.
            if let Ok(key) = usable(&listed) {
                keys.push(key);
            }
        }
        Ok(Self(keys))
    }

    /// True if nothing is verified by it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the signature is by a key of the list that is for this algorithm: the one that the token names, or any if it names none.
    pub(super) fn verify(
        &self,
        algorithm: &str,
        id: Option<&str>,
        signed: &str,
        signature: &str,
    ) -> Result<(), TokenError> {
        let shortened = |text: &str| text.chars().take(NAME).collect::<String>();
        let asked = known(algorithm).ok_or_else(|| TokenError::Algorithm(shortened(algorithm)))?;
        let fits = |key: &&Key| key.algorithms.contains(&asked) && id.is_none_or(|id| key.id.as_deref() == Some(id));
        let mut found = false;
        for key in self.0.iter().filter(fits) {
            found = true;
            if crypto::verify(signature, signed.as_bytes(), &key.public, asked).is_ok_and(|good| good) {
                return Ok(());
            }
        }
        Err(if found { TokenError::Signature } else { TokenError::UnknownKey(id.map_or_else(String::new, shortened)) })
    }
}

/// The algorithms that prove something to somebody who holds no secret.
fn known(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        // RFC 9864 names it by its curve; of EdDSA no other is known here.
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        _ => return None,
    })
}

/// The key, or why it verifies nothing here.
fn usable(listed: &serde_json::Value) -> Result<Key, &'static str> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let jwk = Jwk::deserialize(listed).map_err(|_| "it is no key")?;
    let for_signatures = jwk.used_for.as_deref().is_none_or(|used| used == "sig")
        && jwk.key_ops.as_deref().is_none_or(|ops| ops.iter().any(|one| one == "verify"));
    if !for_signatures {
        return Err("it is for another use");
    }
    let part = |part: &Option<String>| part.clone().ok_or("a part of it is missing");
    let elliptic =
        || DecodingKey::from_ec_components(&part(&jwk.x)?, &part(&jwk.y)?).map_err(|_| "its point is no base64");
    let (public, mut algorithms) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            let (n, e) = (part(&jwk.n)?, part(&jwk.e)?);
            let modulus = URL_SAFE_NO_PAD.decode(&n).map_err(|_| "its modulus is no base64")?;
            if modulus.iter().skip_while(|byte| **byte == 0).count() < MODULUS {
                return Err("it is too short");
            }
            let key = DecodingKey::from_rsa_components(&n, &e).map_err(|_| "its exponent is no base64")?;
            (key, vec![RS256, RS384, RS512, PS256, PS384, PS512])
        }
        ("EC", Some("P-256")) => (elliptic()?, vec![ES256]),
        ("EC", Some("P-384")) => (elliptic()?, vec![ES384]),
        ("OKP", Some("Ed25519")) => {
            (DecodingKey::from_ed_components(&part(&jwk.x)?).map_err(|_| "it is no base64")?, vec![EdDSA])
        }
        _ => return Err("it is of a kind that is not known"),
    };
    if let Some(alg) = &jwk.alg {
        let only = known(alg);
        algorithms.retain(|one| Some(*one) == only);
    }
    if algorithms.is_empty() {
        return Err("it is for an algorithm that is not its kind's");
    }
    Ok(Key { id: jwk.kid, algorithms, public })
}
