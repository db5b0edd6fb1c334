//! One spelling for each JSON document: names sorted by their bytes, no blanks, integers only, and the shortest escapes. What is hashed is
//! written like this, so that nobody has to keep the bytes beside the document.

use std::fmt::Write as _;

use serde_json::Value;

use crate::json::unambiguous;

/// How deep a document may be. What stands in an export is two levels deeper, and `serde_json` reads 128.
pub const MAX_DEPTH: usize = 100;

/// Why a document has no canonical spelling, or is not written in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// Numbers with a fraction are written in many ways.
    #[error("{0} is not an integer of 64 bits")]
    NotAnInteger(String),
    /// Deeper than readers go.
    #[error("it is more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// Not JSON, or a name stands twice in an object.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// JSON in another spelling.
    #[error("it is not canonical JSON: from byte {0} on it is spelled in another way")]
    OtherSpelling(usize),
}

/// The canonical spelling of a document.
///
/// # Errors
/// It has none.
pub fn canonical(value: &Value) -> Result<String, CanonicalError> {
    let mut text = String::new();
    write(&mut text, value, MAX_DEPTH)?;
    Ok(text)
}

/// Reads a document that has to be written in its canonical spelling.
///
/// # Errors
/// It is not.
pub fn read_canonical(bytes: &[u8]) -> Result<Value, CanonicalError> {
    let value = unambiguous::<Value>(bytes).map_err(|error| CanonicalError::NotJson(error.to_string()))?;
    let text = canonical(&value)?;
    match first_difference(text.as_bytes(), bytes) {
        None => Ok(value),
        Some(at) => Err(CanonicalError::OtherSpelling(at)),
    }
}

/// Where two texts begin to differ.
pub(super) fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let common = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    (common < one.len().max(other.len())).then_some(common)
}

pub(super) fn write(text: &mut String, value: &Value, depth: usize) -> Result<(), CanonicalError> {
    let deeper = || depth.checked_sub(1).ok_or(CanonicalError::TooDeep);
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(yes) => text.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) if number.is_f64() => return Err(CanonicalError::NotAnInteger(number.to_string())),
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(string) => write_string(text, string),
        Value::Array(values) => {
            let depth = deeper()?;
            text.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(text, value, depth)?;
            }
            text.push(']');
        }
        Value::Object(members) => {
            let depth = deeper()?;
            // Whatever order `serde_json` was built to keep.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (at, (name, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_string(text, name);
                text.push(':');
                write(text, value, depth)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

/// With the escapes of RFC 8785: what JSON demands, in its short form where it has one.
pub(super) fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            control if control < ' ' => drop(write!(text, "\\u{:04x}", u32::from(control))),
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn o3_one_document_has_one_spelling() {
        let value = json!({"b": [1, -2, u64::MAX, i64::MIN], "a": {"ü": null, "z": true, "": false}, "\u{1}": "\"\\\n\r\t\u{8}\u{c}\u{1f}\u{7f}é/😀"});
        let text = canonical(&value).unwrap();
        assert_eq!(
            text,
            "{\"\\u0001\":\"\\\"\\\\\\n\\r\\t\\b\\f\\u001f\u{7f}é/😀\",\"a\":{\"\":false,\"z\":true,\"ü\":null},\"b\":[1,-2,18446744073709551615,-9223372036854775808]}"
        );
        assert_eq!(read_canonical(text.as_bytes()), Ok(value));
    }

    #[test]
    fn o3_every_other_spelling_is_refused() {
        for (other, at) in [
            (r#"{"b":1,"a":2}"#, Some(2)),
            (r#"{"a": 1}"#, Some(5)),
            (r#"{"a":1} "#, Some(7)),
            (r#" {"a":1}"#, Some(0)),
            (r#"{"a":"\u0041"}"#, Some(6)),
            (r#"{"a":"\/"}"#, Some(6)),
            (r#"{"a":"\u000a"}"#, Some(7)),
            (r#"{"a":"\u001F"}"#, Some(11)),
            (r#"{"a":1.0}"#, None),
            (r#"{"a":1e2}"#, None),
            (r#"{"a":-0}"#, None),
            (r#"{"a":18446744073709551616}"#, None),
            (r#"{"a":1,"a":1}"#, None),
            (r#"{"a":1}}"#, None),
            (r#"{"a":01}"#, None),
            ("", None),
        ] {
            let error = read_canonical(other.as_bytes()).unwrap_err();
            match at {
                Some(at) => assert_eq!(error, CanonicalError::OtherSpelling(at), "{other}"),
                None => assert!(!matches!(error, CanonicalError::OtherSpelling(_)), "{other}: {error}"),
            }
        }
    }

    #[test]
    fn o3_what_is_written_can_be_read() {
        let nested = |depth: usize| (0..depth).fold(Value::Null, |inner, _| json!([inner]));
        let deepest = canonical(&nested(MAX_DEPTH)).unwrap();
        assert_eq!(read_canonical(deepest.as_bytes()), Ok(nested(MAX_DEPTH)));
        assert_eq!(canonical(&nested(MAX_DEPTH + 1)), Err(CanonicalError::TooDeep));
        assert_eq!(canonical(&json!(0.5)), Err(CanonicalError::NotAnInteger("0.5".to_owned())));
    }
}
