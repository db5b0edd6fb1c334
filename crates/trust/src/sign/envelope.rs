//! Statements, what is signed of them, and the bundle around a signature. The same statement is the same bytes always.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Digest;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Scheme, SignError};
use crate::artifact::MAX_ENVELOPE;
use crate::key::PublicKey;

/// The payload type of in-toto statements in DSSE envelopes.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

#[derive(Serialize)]
struct Statement<'a> {
    #[serde(rename = "_type")]
    kind: &'a str,
    subject: [Subject<'a>; 1],
    #[serde(rename = "predicateType")]
    predicate_type: &'a str,
    predicate: Value,
}

#[derive(Serialize)]
struct Subject<'a> {
    name: &'a str,
    digest: Map<String, Value>,
}

/// An in-toto statement v1 about one subject, as the bytes to be signed.
///
/// # Errors
/// The predicate is no object, or its type no URI.
pub fn statement(name: &str, subject: &Digest, predicate_type: &str, predicate: &Value) -> Result<Vec<u8>, SignError> {
    if !predicate.is_object() {
        return Err(SignError::new("the predicate is no JSON object"));
    }
    let is_uri = predicate_type.split_once(':').is_some_and(|(scheme, rest)| {
        let mut letters = scheme.chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
            && !rest.is_empty()
    });
    if !is_uri || predicate_type.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
        return Err(SignError::new(format!("the predicate type {predicate_type:?} is no URI")));
    }
    let statement = Statement {
        kind: STATEMENT_TYPE,
        subject: [Subject { name, digest: digest_set(subject) }],
        predicate_type,
        predicate: sorted(predicate),
    };
    let bytes = serde_json::to_vec(&statement).map_err(|error| SignError::new(error.to_string()))?;
    if bytes.len() > MAX_ENVELOPE / 2 {
        return Err(SignError::new(format!("the statement has {} bytes; nobody would read it", bytes.len())));
    }
    Ok(bytes)
}

/// A digest as in-toto writes it: an object with the algorithm's name.
pub(super) fn digest_set(digest: &Digest) -> Map<String, Value> {
    digest.as_str().split_once(':').into_iter().map(|(name, hex)| (name.to_owned(), Value::from(hex))).collect()
}

/// The same value with the keys of every object in order, whatever order the library keeps them in.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            entries.sort_unstable_by_key(|(name, _)| *name);
            Value::Object(entries.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// What is signed of a payload (DSSE v1, PAE).
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

/// What is signed of a statement.
pub fn to_be_signed(statement: &[u8]) -> Vec<u8> {
    pre_authentication_encoding(PAYLOAD_TYPE, statement)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle<'a> {
    media_type: &'a str,
    verification_material: VerificationMaterial,
    dsse_envelope: Envelope<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerificationMaterial {
    public_key: Hint,
}

#[derive(Serialize)]
struct Hint {
    hint: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    payload: String,
    payload_type: &'a str,
    signatures: [EnvelopeSignature; 1],
}

#[derive(Serialize)]
struct EnvelopeSignature {
    sig: String,
}

/// A Sigstore bundle v0.3 around a signed statement. The signature is over [`to_be_signed`], made as [`Scheme::of`] says.
///
/// # Errors
/// The signature is not the key's over this statement.
pub fn bundle(key: &PublicKey, statement: &[u8], signature: &[u8]) -> Result<Vec<u8>, SignError> {
    if !Scheme::of(key)?.verifies(key, &to_be_signed(statement), signature) {
        return Err(SignError::new("the signature is not by this key over this statement"));
    }
    let fingerprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.der());
    let bundle = Bundle {
        media_type: BUNDLE_TYPE,
        verification_material: VerificationMaterial { public_key: Hint { hint: STANDARD.encode(fingerprint) } },
        dsse_envelope: Envelope {
            payload: STANDARD.encode(statement),
            payload_type: PAYLOAD_TYPE,
            signatures: [EnvelopeSignature { sig: STANDARD.encode(signature) }],
        },
    };
    serde_json::to_vec(&bundle).map_err(|error| SignError::new(error.to_string()))
}
