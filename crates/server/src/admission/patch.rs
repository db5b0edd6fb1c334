//! JSON Patch (RFC 6902), as far as admission needs it.

use serde_json::{Value, json};

/// Puts a value in the place of one that is there.
pub(super) fn replace(pointer: &str, value: &str) -> Value {
    json!({ "op": "replace", "path": pointer, "value": value })
}

/// Puts a value where there may be one.
pub(super) fn add(pointer: &str, value: impl Into<Value>) -> Value {
    json!({ "op": "add", "path": pointer, "value": value.into() })
}

/// Takes away what is there.
pub(super) fn remove(pointer: &str) -> Value {
    json!({ "op": "remove", "path": pointer })
}

/// One part of a JSON pointer.
pub(super) fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}
