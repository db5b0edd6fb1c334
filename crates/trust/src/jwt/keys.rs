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
    key: DecodingKey,
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
    /// Reads a list. A key of a kind that is not known, or that is not for signatures, is left out: it verifies nothing.
    ///
    /// # Errors
    /// It is no list of keys, or holds none that verifies anything.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > LARGEST {
            return Err(format!("the list of keys has more than {LARGEST} bytes"));
        }
        let listed: Listed = serde_json::from_slice(bytes).map_err(|_| "it is no list of keys (JWKS)".to_owned())?;
        if listed.keys.len() > MOST {
            return Err(format!("the list holds {} keys; at most {MOST} are read", listed.keys.len()));
        }
        let keys: Vec<Key> =
            listed.keys.into_iter().filter_map(|key| usable(serde_json::from_value(key).ok()?)).collect();
        if keys.is_empty() {
            return Err(
                "the list holds no key for signatures (RSA of 2048 bits or more, P-256, P-384, Ed25519)".to_owned()
            );
        }
        Ok(Self(keys))
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
            if crypto::verify(signature, signed.as_bytes(), &key.key, asked).is_ok_and(|good| good) {
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
        "EdDSA" => Algorithm::EdDSA,
        _ => return None,
    })
}

fn usable(jwk: Jwk) -> Option<Key> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let for_signatures = jwk.used_for.as_deref().is_none_or(|used| used == "sig")
        && jwk.key_ops.as_deref().is_none_or(|ops| ops.iter().any(|one| one == "verify"));
    if !for_signatures {
        return None;
    }
    let (key, mut algorithms) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            let (n, e) = (jwk.n.as_deref()?, jwk.e.as_deref()?);
            let modulus = URL_SAFE_NO_PAD.decode(n).ok()?;
            if modulus.iter().skip_while(|byte| **byte == 0).count() < MODULUS {
                return None;
            }
            (DecodingKey::from_rsa_components(n, e).ok()?, vec![RS256, RS384, RS512, PS256, PS384, PS512])
        }
        ("EC", Some("P-256")) => {
            (DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?).ok()?, vec![ES256])
        }
        ("EC", Some("P-384")) => {
            (DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?).ok()?, vec![ES384])
        }
        ("OKP", Some("Ed25519")) => (DecodingKey::from_ed_components(jwk.x.as_deref()?).ok()?, vec![EdDSA]),
        _ => return None,
    };
    if let Some(alg) = &jwk.alg {
        let only = known(alg);
        algorithms.retain(|one| Some(*one) == only);
    }
    (!algorithms.is_empty()).then_some(Key { id: jwk.kid, algorithms, key })
}
