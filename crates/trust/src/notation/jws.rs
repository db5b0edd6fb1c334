//! JWS envelopes: the flattened JSON form. Source: Notary Project, "JWS Signature Envelope"; RFC 7515.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use model::Reason;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::envelope::{
    AUTHENTIC_SIGNING_TIME, EXPIRY, Envelope, Header, SIGNING_SCHEME, SIGNING_TIME, TIMESTAMP_SIGNATURE,
};
use super::{json, malformed, shown};

const ENVELOPE: &str = "envelope";
const PROTECTED: &str = "protected header";
const UNPROTECTED: &str = "unprotected header";

/// Reads an envelope.
pub(super) fn read(bytes: &[u8]) -> Result<Envelope, Reason> {
    let mut envelope = json::object(ENVELOPE, bytes).map_err(malformed)?;
    let payload = required(&mut envelope, "payload")?;
    let protected = required(&mut envelope, "protected")?;
    let signature = required(&mut envelope, "signature")?;
    let Some(Value::Object(mut unprotected)) = envelope.remove("header") else {
        return Err(malformed("`header` of the envelope is no object"));
    };
    if let Some((name, _)) = envelope.iter().next() {
        return Err(malformed(format!("{} does not belong into the envelope", shown(name))));
    }

    let members = json::object(PROTECTED, &base64url("protected", &protected)?).map_err(malformed)?;
    if let Some(name) = members.keys().find(|name| unprotected.contains_key(*name)) {
        return Err(malformed(format!("{} stands in both headers", shown(name))));
    }
    let (algorithm, header) = protected_header(members)?;
    let attributes = header.attributes()?;

    let chain = json::texts(UNPROTECTED, &mut unprotected, "x5c").map_err(malformed)?;
    let chain = chain.ok_or_else(|| malformed("`x5c` is missing"))?;
    let chain = chain.iter().map(|certificate| base64("x5c", certificate)).collect::<Result<_, _>>()?;
    let timestamp = json::text(UNPROTECTED, &mut unprotected, TIMESTAMP_SIGNATURE).map_err(malformed)?;
    let timestamp = timestamp.map(|token| base64(TIMESTAMP_SIGNATURE, &token)).transpose()?;
    Ok(Envelope {
        algorithm,
        signed: format!("{protected}.{payload}").into_bytes(),
        signature: base64url("signature", &signature)?,
        payload: base64url("payload", &payload)?,
        attributes,
        chain,
        timestamp,
    })
}

fn protected_header(mut members: Map<String, Value>) -> Result<(Algorithm, Header), Reason> {
    let mut text = |name: &str| json::text(PROTECTED, &mut members, name).map_err(malformed);
    let algorithm = text("alg")?.ok_or_else(|| malformed("`alg` is missing"))?;
    let mut header = Header {
        content_type: text("cty")?,
        signing_scheme: text(SIGNING_SCHEME)?,
        signing_time: text(SIGNING_TIME)?.map(|text| time(SIGNING_TIME, &text)).transpose()?,
        authentic_signing_time: text(AUTHENTIC_SIGNING_TIME)?
            .map(|text| time(AUTHENTIC_SIGNING_TIME, &text))
            .transpose()?,
        expiry: text(EXPIRY)?.map(|text| time(EXPIRY, &text)).transpose()?,
        critical: Vec::new(),
        others: BTreeMap::new(),
    };
    let critical = json::texts(PROTECTED, &mut members, "crit").map_err(malformed)?;
    header.critical = critical.ok_or_else(|| malformed("`crit` is missing"))?;
    header.others = members
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect();
    Ok((Algorithm::from_jws(&algorithm)?, header))
}

fn required(members: &mut Map<String, Value>, name: &str) -> Result<String, Reason> {
    let text = json::text(ENVELOPE, members, name).map_err(malformed)?;
    text.ok_or_else(|| malformed(format!("`{name}` is missing")))
}

fn base64url(name: &str, text: &str) -> Result<Vec<u8>, Reason> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| malformed(format!("`{name}` is no base64url: {error}")))
}

fn base64(name: &str, text: &str) -> Result<Vec<u8>, Reason> {
    STANDARD.decode(text).map_err(|error| malformed(format!("`{name}` is no base64: {error}")))
}

/// A date and time as RFC 3339 writes it, and no other.
fn time(name: &str, text: &str) -> Result<Timestamp, Reason> {
    let wrong = || malformed(format!("`{name}` is no date and time of RFC 3339: {}", shown(text)));
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"TtZz:.+-".contains(&byte)) {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}
