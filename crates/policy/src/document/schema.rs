//! The JSON Schemas, made from the types. A key that is written has a value, so no schema allows `null`.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::Policy;

/// The JSON Schema of a `GatePolicy`, for editors and checkers.
pub fn schema() -> Value {
    let mut schema = schema_of::<Policy>();
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        for (name, definition) in definitions {
            // What is read before parameters have values, and what cannot have any.
            let mut fixed = ["ApiVersion", "PolicyKind", "Metadata", "EnvironmentSpec", "Class", "Parameter", "Match"]
                .into_iter()
                .chain(["Source", "RequiredScanner", "Accept", "EvidenceSources"]);
            if !fixed.any(|fixed| fixed == name) {
                with_parameters(definition);
            }
        }
    }
    schema
}

/// Where a value has a form, `$name` may stand for it.
fn with_parameters(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(with_parameters),
        Value::Object(keys) => {
            let kind = keys.get("type").and_then(Value::as_str);
            let formed = ["pattern", "minLength", "format"].into_iter().any(|key| keys.contains_key(key));
            let scalar = matches!(kind, Some("integer" | "number" | "boolean")) || (kind == Some("string") && formed);
            if scalar || keys.contains_key("enum") {
                let described = keys.remove("description");
                let plain = Value::Object(std::mem::take(keys));
                keys.extend(described.map(|text| ("description".to_owned(), text)));
                keys.insert("anyOf".to_owned(), serde_json::json!([plain, { "type": "string", "pattern": PARAMETER }]));
                return;
            }
            for (key, value) in keys.iter_mut() {
                // What one of several forms is told apart by stays as it is.
                if !["oneOf", "not", "required", "examples"].contains(&key.as_str()) {
                    with_parameters(value);
                }
            }
        }
        _ => {}
    }
}

/// `$name`, or `${name}`.
const PARAMETER: &str = r"^\$(\{[A-Za-z][A-Za-z0-9_]*\}|[A-Za-z][A-Za-z0-9_]*)$";

pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    schema
}

/// An optional key may be left out; that does not make `null` one of its values.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(without_null),
        Value::Object(keys) => {
            keys.values_mut().for_each(without_null);
            if let Some(Value::Array(types)) = keys.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    keys.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = keys.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    keys.remove("anyOf");
                    keys.extend(only);
                }
            }
        }
        _ => {}
    }
}
