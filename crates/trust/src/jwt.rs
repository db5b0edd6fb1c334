//! Identity tokens (JWT, RFC 7519): who issued one, for whom, and what it claims. Only signatures that a key of the issuer's list fits count: the
//! algorithm is never the token's choice alone, keys are never secrets, and a token without signature is none. Times are compared with a time that is
//! given. What the claims are worth is for whoever asks.

mod keys;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

pub use keys::KeyList;

/// The largest token that is read, in bytes.
pub const LONGEST: usize = 16 << 10;
/// By how much clocks may differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(30);
/// Texts of one claim that are looked at.
const TEXTS: usize = 1_000;

/// What a token has to say to be believed.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The issuer, exactly.
    pub issuer: &'a str,
    /// Whom it has to be for: this gate.
    pub audience: &'a str,
    /// For how long a token may be good.
    pub longest: SignedDuration,
    /// Now.
    pub now: Timestamp,
}

/// Why a token is not believed. Nothing of it but who issued it and for whom is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is no token of this kind.
    #[error("it is no identity token: {0}")]
    Malformed(&'static str),
    /// Its algorithm is none that proves anything.
    #[error("it is signed by {0:?}; RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA are accepted")]
    Algorithm(String),
    /// The issuer does not list its key: nothing was verified.
    #[error("its issuer lists no key {0:?} for its algorithm")]
    UnknownKey(String),
    /// The signature is not by the key it names.
    #[error("its signature is not that of its issuer")]
    Signature,
    /// It is by another issuer.
    #[error("it is by another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("it is for {found:?}, and this gate is {wanted:?}")]
    Audience {
        /// Whom it is for.
        found: Vec<String>,
        /// Who this gate is.
        wanted: String,
    },
    /// Its time is over.
    #[error("it ended at {0}")]
    Expired(Timestamp),
    /// Its time has not come.
    #[error("it is good from {0} on only")]
    NotYet(Timestamp),
    /// It is good for longer than any token should be.
    #[error("it is good until {0}, which is longer than this gate accepts")]
    TooLong(Timestamp),
}

/// What a token claims that was believed.
#[derive(Debug, Clone)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// The texts of a claim: texts as they are, truth values and whole numbers as they are written; each entry of a list. Anything else is nothing.
    pub fn texts(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::Array(list)) => list.iter().take(TEXTS).filter_map(text).collect(),
            Some(value) => text(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// The text of a claim that has one.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(text)
    }

    /// The names of all claims.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What has to be understood; nothing is.
    crit: Option<Value>,
}

/// A token taken apart, of which nothing is proven.
struct Parts<'a> {
    header: Header,
    claims: Map<String, Value>,
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Malformed("it is too long"));
        }
        let malformed = TokenError::Malformed("it has not three parts");
        let Some((signed, signature)) = token.rsplit_once('.') else { return Err(malformed) };
        let Some((header, claims)) = signed.split_once('.').filter(|(_, claims)| !claims.contains('.')) else {
            return Err(malformed);
        };
        let header = serde_json::from_value(json(header, "its header")?)
            .map_err(|_| TokenError::Malformed("its header names no algorithm"))?;
        let Value::Object(claims) = json(claims, "its claims")? else {
            return Err(TokenError::Malformed("its claims are no object"));
        };
        Ok(Self { header, claims, signed, signature })
    }
}

/// A part of a token, that says everything once.
fn json(part: &str, what: &'static str) -> Result<Value, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed(what))?;
    crate::json::unambiguous(&bytes).map_err(|_| TokenError::Malformed(what))
}

/// The issuer that a token names, of which nothing is proven: to choose the keys that it has to be verified with, and for nothing else.
///
/// # Errors
/// It is no token, or names none.
pub fn unverified_issuer(token: &str) -> Result<String, TokenError> {
    match Parts::of(token)?.claims.remove("iss") {
        Some(Value::String(issuer)) => Ok(issuer),
        _ => Err(TokenError::Malformed("it names no issuer")),
    }
}

/// What a token claims, if it is believed.
///
/// # Errors
/// Why it is not.
pub fn verify(token: &str, keys: &KeyList, wanted: &Wanted<'_>) -> Result<Claims, TokenError> {
    let Parts { header, claims, signed, signature } = Parts::of(token)?;
    if header.crit.is_some() {
        return Err(TokenError::Malformed("it asks for an extension that is not known"));
    }
    keys.verify(&header.alg, header.kid.as_deref(), signed, signature)?;
    let claims = Claims(claims);
    if claims.0.get("iss").and_then(Value::as_str) != Some(wanted.issuer) {
        return Err(TokenError::Issuer);
    }
    let found = claims.texts("aud");
    if !found.iter().any(|one| one == wanted.audience) {
        let found = found.into_iter().take(5).map(|one| one.chars().take(200).collect()).collect();
        return Err(TokenError::Audience { found, wanted: wanted.audience.to_owned() });
    }
    times(&claims, wanted)?;
    Ok(claims)
}

fn times(claims: &Claims, wanted: &Wanted<'_>) -> Result<(), TokenError> {
    let now = wanted.now;
    let ends = time(claims, "exp")?.ok_or(TokenError::Malformed("it does not say when it ends"))?;
    if now.duration_since(ends) >= LEEWAY {
        return Err(TokenError::Expired(ends));
    }
    let issued = time(claims, "iat")?;
    for begins in [time(claims, "nbf")?, issued].into_iter().flatten() {
        if begins.duration_since(now) > LEEWAY {
            return Err(TokenError::NotYet(begins));
        }
    }
    // Counted from when it was issued, and where it does not say from now: a theft is over some time.
    if ends.duration_since(issued.unwrap_or(now)) > wanted.longest.saturating_add(LEEWAY) {
        return Err(TokenError::TooLong(ends));
    }
    Ok(())
}

/// Seconds since 1970, whole or not.
fn time(claims: &Claims, name: &str) -> Result<Option<Timestamp>, TokenError> {
    let wrong = TokenError::Malformed("its times are none");
    let Some(value) = claims.0.get(name) else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second less; beyond every time it is refused")]
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64));
    seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).map(Some).ok_or(wrong)
}
