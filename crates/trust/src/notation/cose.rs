//! COSE envelopes: a tagged COSE_Sign1. Source: Notary Project, "COSE Sign1 Signature Envelope"; RFC 9052, RFC 9360.

use std::collections::BTreeMap;

use coset::cbor::value::Value;
use coset::iana::EnumI64;
use coset::{CoseError, CoseSign1, Label, RegisteredLabel, RegisteredLabelWithPrivate, TaggedCborSerializable, iana};
use jiff::{SignedDuration, Timestamp};
use model::Reason;

use super::algorithm::Algorithm;
use super::envelope::{
    AUTHENTIC_SIGNING_TIME, EXPIRY, Envelope, Header, SIGNING_SCHEME, SIGNING_TIME, TIMESTAMP_SIGNATURE,
};
use super::{malformed, shown, unsupported};

/// The label of the certificate chain (RFC 9360).
const X5CHAIN: Label = Label::Int(33);
/// Epoch-based date and time (RFC 8949, 3.4.2).
const TIME: u64 = 1;

/// Reads an envelope.
pub(super) fn read(bytes: &[u8]) -> Result<Envelope, Reason> {
    let message = CoseSign1::from_tagged_slice(bytes).map_err(|error| match error {
        CoseError::UnregisteredIanaValue | CoseError::UnregisteredIanaNonPrivateValue => {
            unsupported("it has an algorithm or a critical label that is not known")
        }
        error => malformed(format!("it is no tagged COSE_Sign1: {error}")),
    })?;
    let signed = message.tbs_data(&[]);
    let payload = message.payload.ok_or_else(|| malformed("it has no payload"))?;
    let mut unprotected = message.unprotected.rest;
    let protected = message.protected.header;
    if let Some((label, _)) =
        protected.rest.iter().find(|(label, _)| unprotected.iter().any(|(other, _)| other == label))
    {
        return Err(malformed(format!("{} stands in both headers", name(label))));
    }
    let mut signed_rest = protected.rest;

    let algorithm = match protected.alg {
        Some(RegisteredLabelWithPrivate::Assigned(algorithm)) => Algorithm::from_cose(algorithm)?,
        Some(other) => return Err(unsupported(format!("its algorithm is {other:?}"))),
        None => return Err(malformed("`alg` is missing")),
    };
    let content_type = match protected.content_type {
        Some(RegisteredLabel::Text(text)) => Some(text),
        Some(RegisteredLabel::Assigned(number)) => Some(number.to_i64().to_string()),
        None => None,
    };
    let critical = protected.crit.iter().map(|label| match label {
        RegisteredLabelWithPrivate::Text(text) => text.clone(),
        RegisteredLabelWithPrivate::Assigned(label) => name(&Label::Int(label.to_i64())),
        RegisteredLabelWithPrivate::PrivateUse(label) => name(&Label::Int(*label)),
    });
    let critical: Vec<_> = critical.collect();
    let chain = take(&mut unprotected, &X5CHAIN).or_else(|| take(&mut signed_rest, &X5CHAIN));
    let chain = certificates(chain.ok_or_else(|| malformed("`x5chain` is missing"))?)?;
    let signing_scheme = match take(&mut signed_rest, &text(SIGNING_SCHEME)) {
        None => None,
        Some(Value::Text(scheme)) => Some(scheme),
        Some(_) => return Err(malformed(format!("`{SIGNING_SCHEME}` is no text"))),
    };
    let mut header = Header {
        content_type,
        signing_scheme,
        signing_time: time(&mut signed_rest, SIGNING_TIME)?,
        authentic_signing_time: time(&mut signed_rest, AUTHENTIC_SIGNING_TIME)?,
        expiry: time(&mut signed_rest, EXPIRY)?,
        critical,
        others: BTreeMap::new(),
    };
    header.others = signed_rest.iter().map(|(label, value)| (name(label), worded(value))).collect();
    for (there, label) in
        [(!protected.key_id.is_empty(), 4), (!protected.iv.is_empty(), 5), (!protected.partial_iv.is_empty(), 6)]
    {
        if there {
            header.others.insert(name(&Label::Int(label)), String::new());
        }
    }
    let timestamp = match take(&mut unprotected, &text(TIMESTAMP_SIGNATURE)) {
        None => None,
        Some(Value::Bytes(token)) => Some(token),
        Some(_) => return Err(malformed(format!("`{TIMESTAMP_SIGNATURE}` is no byte string"))),
    };
    let attributes = header.attributes()?;
    Ok(Envelope { algorithm, signed, signature: message.signature, payload, attributes, chain, timestamp })
}

impl Algorithm {
    fn from_cose(algorithm: iana::Algorithm) -> Result<Self, Reason> {
        Ok(match algorithm {
            iana::Algorithm::PS256 => Self::Ps256,
            iana::Algorithm::PS384 => Self::Ps384,
            iana::Algorithm::PS512 => Self::Ps512,
            iana::Algorithm::ES256 => Self::Es256,
            iana::Algorithm::ES384 => Self::Es384,
            other => return Err(unsupported(format!("its algorithm is {other:?}, which is not verified"))),
        })
    }
}

fn text(name: &str) -> Label {
    Label::Text(name.to_owned())
}

fn name(label: &Label) -> String {
    match label {
        Label::Text(text) => text.clone(),
        Label::Int(number) => format!("label {number}"),
    }
}

fn worded(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

fn take(rest: &mut Vec<(Label, Value)>, label: &Label) -> Option<Value> {
    let position = rest.iter().position(|(other, _)| other == label)?;
    Some(rest.swap_remove(position).1)
}

/// One certificate stands there by itself or in a list, several in a list.
fn certificates(value: Value) -> Result<Vec<Vec<u8>>, Reason> {
    let list = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    let certificates = list.into_iter().map(|value| match value {
        Value::Bytes(der) => Ok(der),
        _ => Err(malformed("`x5chain` is no list of byte strings")),
    });
    certificates.collect()
}

fn time(rest: &mut Vec<(Label, Value)>, name: &str) -> Result<Option<Timestamp>, Reason> {
    let wrong = |what: &str| malformed(format!("`{name}` is {what}"));
    let value = match take(rest, &text(name)) {
        None => return Ok(None),
        Some(Value::Tag(TIME, value)) => *value,
        Some(other) => return Err(wrong(&format!("no date and time: {}", shown(&format!("{other:?}"))))),
    };
    let at = match value {
        Value::Integer(seconds) => {
            i64::try_from(seconds).map(SignedDuration::from_secs).map_err(|_| wrong("out of range"))?
        }
        Value::Float(seconds) => SignedDuration::try_from_secs_f64(seconds).map_err(|_| wrong("out of range"))?,
        _ => return Err(wrong("no number of seconds")),
    };
    Timestamp::from_duration(at).map(Some).map_err(|_| wrong("out of range"))
}
