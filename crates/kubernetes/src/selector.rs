//! Label selectors as the API server reads them. What is not understood is an error: neither yes nor no.

use serde_json::Value;

/// Whether a selector chooses something with these labels. One that is not there, or empty, chooses everything.
///
/// # Errors
/// What is not understood.
pub(crate) fn chooses(selector: Option<&Value>, labels: Option<&Value>) -> Result<bool, String> {
    let Some(selector) = selector.filter(|selector| !selector.is_null()) else { return Ok(true) };
    let of = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    let Value::Object(parts) = selector else { return Err("a selector is no object".to_owned()) };
    for (part, value) in parts {
        match (part.as_str(), value) {
            ("matchLabels", Value::Object(wanted)) => {
                if wanted.iter().any(|(key, value)| of(key) != value.as_str() || !value.is_string()) {
                    return Ok(false);
                }
            }
            ("matchExpressions", Value::Array(requirements)) => {
                for one in requirements {
                    if !holds(one, &of)? {
                        return Ok(false);
                    }
                }
            }
            (_, Value::Null) => {}
            (other, _) => return Err(format!("a selector has {other}, which is not known")),
        }
    }
    Ok(true)
}

fn holds<'a>(requirement: &Value, of: &impl Fn(&str) -> Option<&'a str>) -> Result<bool, String> {
    let text = |key: &str| requirement.get(key).and_then(Value::as_str);
    let Some(key) = text("key") else { return Err("a requirement of a selector has no key".to_owned()) };
    let values = requirement.get("values").and_then(Value::as_array);
    let is_one = |found: &str| values.is_some_and(|values| values.iter().any(|value| value.as_str() == Some(found)));
    match text("operator") {
        Some("In") => Ok(of(key).is_some_and(is_one)),
        Some("NotIn") => Ok(!of(key).is_some_and(is_one)),
        Some("Exists") => Ok(of(key).is_some()),
        Some("DoesNotExist") => Ok(of(key).is_none()),
        other => Err(format!("a requirement of a selector has the operator {:?}", other.unwrap_or(""))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_is_read_as_the_api_server_reads_it() {
        let labels = json!({ "team": "a", "empty": "" });
        let expression = |key: &str, operator: &str, values: &[&str]| json!({ "matchExpressions": [{ "key": key, "operator": operator, "values": values }] });
        for (selector, is) in [
            (json!({}), true),
            (json!(null), true),
            (json!({ "matchLabels": { "team": "a" } }), true),
            (json!({ "matchLabels": { "team": "b" } }), false),
            (json!({ "matchLabels": { "other": "a" } }), false),
            (expression("team", "In", &["a", "b"]), true),
            (expression("other", "In", &["a"]), false),
            (expression("team", "NotIn", &["a"]), false),
            (expression("other", "NotIn", &["a"]), true),
            (expression("empty", "Exists", &[]), true),
            (expression("other", "Exists", &[]), false),
            (expression("other", "DoesNotExist", &[]), true),
        ] {
            assert_eq!(chooses(Some(&selector), Some(&labels)), Ok(is), "{selector}");
        }
        assert_eq!(chooses(None, None), Ok(true));
        for unknown in [expression("team", "Gt", &["1"]), json!([]), json!({ "matchFields": [] })] {
            assert!(chooses(Some(&unknown), Some(&labels)).is_err(), "{unknown}");
        }
    }
}
