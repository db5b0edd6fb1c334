//! What is stated: its type, and the document itself. What is signed is what was read, so a document that two readers would
//! understand differently, such as one with a key twice, is refused.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;
use crate::files;

/// The largest predicate that is read. Bills of materials of large images have some megabytes.
const LIMIT: usize = 16 << 20;

/// The URI of a type.
pub(crate) fn predicate_type(text: &str) -> Result<String, Failure> {
    policy::predicate_type(text).map_err(|words| {
        Failure::usage(format!("--type: {text:?} is neither a URI nor a known word"))
            .hint(format!("the words are {}", words.join(", ")))
    })
}

/// Reads a predicate from a file or, with `-`, from standard input.
pub(super) fn predicate(path: &str) -> Result<Value, Failure> {
    let bytes = if path == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .take(LIMIT as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::configuration(format!("standard input cannot be read: {error}")))?;
        if bytes.len() > LIMIT {
            return Err(Failure::configuration(format!("the predicate is larger than {LIMIT} bytes")));
        }
        bytes
    } else {
        files::read("the predicate", Path::new(path), LIMIT)?
    };
    read(path, &bytes)
}

pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Value, Failure> {
    let wrong = |why: String| Failure::configuration(format!("the predicate {name}: {why}"));
    let value = trust::unambiguous(bytes).map_err(|error| wrong(error.to_string()))?;
    if !is_exact(&value) {
        return Err(wrong("a number is too large to be kept exactly; write it as text".to_owned()));
    }
    let Value::Object(object) = &value else {
        return Err(wrong("it is no JSON object".to_owned()));
    };
    let says = |key: &str, start: &str| object.get(key).and_then(Value::as_str).is_some_and(|v| v.starts_with(start));
    if says("_type", "https://in-toto.io/Statement/") {
        return Err(wrong("it is a whole in-toto statement".to_owned())
            .hint("give the predicate alone; the statement is made around it"));
    }
    if object.contains_key("payloadType") && object.contains_key("signatures") || object.contains_key("dsseEnvelope") {
        return Err(wrong("it is a signed envelope already".to_owned())
            .hint("give the predicate alone; `cosign attach attestation` attaches an envelope"));
    }
    Ok(value)
}

/// Numbers that were not changed by reading them. Whole ones are kept as they are up to 64 bits.
fn is_exact(value: &Value) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => !number.is_f64() || number.as_f64().is_some_and(|number| number.abs() < EXACT),
        Value::Array(list) => list.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}
