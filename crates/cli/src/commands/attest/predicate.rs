//! What is stated: its type, and the document itself. What is signed is what was read, so a document that two readers would
//! understand differently, such as one with a key twice, is refused.

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

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
    let value = serde_json::from_slice(bytes).map(|Strict(value)| value).map_err(|error| wrong(error.to_string()))?;
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

/// A JSON value without a key twice and without a number that would be changed by reading it.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Strictly).map(Self)
    }
}

struct Strictly;

impl<'de> Visitor<'de> for Strictly {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if value.abs() >= EXACT {
            return Err(E::custom("a number is too large to be kept exactly; write it as text"));
        }
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let Strict(value) = map.next_value()?;
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key:?} is there twice")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
