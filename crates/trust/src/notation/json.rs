//! Taking an envelope apart in which every name stands once: one with two payloads would mean one thing to this verifier and
//! another to the next.

use serde_json::{Map, Value};

use crate::json::unambiguous;

/// Reads an object. `what` is for messages.
pub(super) fn object(what: &str, bytes: &[u8]) -> Result<Map<String, Value>, String> {
    match unambiguous(bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(format!("the {what} is no JSON object")),
        Err(error) => Err(format!("the {what} cannot be read: {error}")),
    }
}

/// Takes a text out of an object.
pub(super) fn text(what: &str, members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` of the {what} is no text")),
    }
}

/// Takes a list of texts out of an object.
pub(super) fn texts(what: &str, members: &mut Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, String> {
    let wrong = || format!("`{name}` of the {what} is no list of texts");
    let list = match members.remove(name) {
        None => return Ok(None),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(wrong()),
    };
    let texts = list.into_iter().map(|value| match value {
        Value::String(text) => Ok(text),
        _ => Err(wrong()),
    });
    texts.collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s28_a_name_that_stands_twice_is_refused_at_every_depth() {
        assert!(object("test", br#"{"a":1,"b":[{"a":null}],"c":-1.5}"#).is_ok());
        for bad in [r#"{"a":1,"a":1}"#, r#"{"b":[{"a":1,"\u0061":2}]}"#] {
            assert!(object("test", bad.as_bytes()).unwrap_err().contains("twice"), "{bad}");
        }
        for bad in ["", "[]", "1", "{} {}", "{\"a\":1", &"[".repeat(5000)] {
            assert!(object("test", bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
