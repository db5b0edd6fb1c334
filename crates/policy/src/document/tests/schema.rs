//! Schema and reader agree.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{BUILT_IN, HEAD};
use crate::Policy;
use crate::document::schema;

/// Every object of a schema, with the path to it.
fn objects<'a>(path: &str, schema: &'a Value, found: &mut Vec<(String, &'a serde_json::Map<String, Value>)>) {
    match schema {
        Value::Object(keys) => {
            found.push((path.to_owned(), keys));
            keys.iter().for_each(|(key, value)| objects(&format!("{path}/{key}"), value, found));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, value)| objects(&format!("{path}/{n}"), value, found));
        }
        _ => {}
    }
}

#[test]
fn b10_the_schema_closes_every_object_and_allows_no_null() {
    for schema in [schema(), crate::exceptions_schema()] {
        let mut found = Vec::new();
        objects("", &schema, &mut found);
        let mut closed = 0;
        for (path, keys) in &found {
            let is_schema = !path.ends_with("/properties") && !path.ends_with("/$defs");
            if is_schema && (keys.contains_key("properties") || keys.get("type").is_some_and(|kind| kind == "object")) {
                let rest = &keys["additionalProperties"];
                // A map of free names (`environments`) says what its values are.
                assert!(rest == false || rest.get("$ref").is_some(), "{path}");
                closed += 1;
            }
        }
        assert!(closed >= 2);
        let text = schema.to_string();
        assert!(!text.contains("null"), "{text}");
        assert!(!text.contains("\"additionalProperties\":true"));
    }
}

/// Checks keys and required keys of a document against a schema; the leaves are the reader's business.
fn fits(path: &str, document: &Value, schema: &Value, root: &Value) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return fits(path, document, root.pointer(reference.trim_start_matches('#')).unwrap(), root);
    }
    match document {
        Value::Object(keys) => {
            if schema.get("oneOf").is_some() && schema.get("properties").is_none() {
                return;
            }
            for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                assert!(keys.contains_key(key.as_str().unwrap()), "{path} lacks {key}");
            }
            for (key, value) in keys {
                let known = schema.get("properties").and_then(|properties| properties.get(key));
                let rest = schema.get("additionalProperties").filter(|rest| rest.is_object());
                fits(&format!("{path}/{key}"), value, known.or(rest).unwrap_or_else(|| panic!("{path}/{key}")), root);
            }
        }
        Value::Array(list) => list.iter().for_each(|item| fits(path, item, &schema["items"], root)),
        _ => {}
    }
}

#[test]
fn b10_the_schema_knows_every_key_of_the_built_in_policy_and_of_a_full_one() {
    let full = format!(
        "{HEAD}spec:
  environments: {{ production: {{ class: production }} }}
  match: {{ environments: [production], images: [\"**\"], platforms: [linux/amd64] }}
  onUnknown: {{ scanPending: pending, throttled: {{ lastKnownGood: 24h }}, default: deny }}
  exceptions: [exceptions.yaml]
  action: deny
  rules:
    - id: r
      action: warn
      vulnerabilities:
        sources: {{ accept: [ecr, file, registry, trivy], required: [ecr], blockWhen: any, suppressed: honour }}
        max: {{ critical: 0, high: 0, medium: 1, low: 2, informational: 3, undefined: 4, untriaged: 5 }}
        ignoreUnfixed: true
        allow: [CVE-1]
        deny: [CVE-2]
        knownExploited: deny
        denyCvssFrom: 9
        denyEpssFrom: 0.5
        gracePeriod: {{ critical: 1d, high: 7d, medium: 8d, low: 1w, informational: 1h, undefined: 1m, untriaged: 1s }}
        maxScanAge: 8d
        vex: {{ from: [file, registry], authors: [\"*@acme.example\"] }}
    - id: s
      sbom: {{ from: [file] }}
    - id: c
      config: {{ nonRoot: true }}
    - id: m
      measurements: {{ metric: m, max: 1 }}
"
    );
    let schema = schema();
    for text in [BUILT_IN, &full] {
        Policy::parse("policy.yaml", text).unwrap();
        fits("", &serde_saphyr::from_str::<Value>(text).unwrap(), &schema, &schema);
    }
    // The other way round: there is no key in the schema that the full document does not show, apart from these.
    let document = serde_saphyr::from_str::<Value>(&full).unwrap();
    for (key, place) in [
        ("Spec", "/spec"),
        ("Vulnerabilities", "/spec/rules/0/vulnerabilities"),
        ("Sources", "/spec/rules/0/vulnerabilities/sources"),
        ("Vex", "/spec/rules/0/vulnerabilities/vex"),
        ("Match", "/spec/match"),
    ] {
        let known: Vec<_> = schema["$defs"][key]["properties"].as_object().unwrap().keys().collect();
        let mut shown: Vec<_> = document.pointer(place).unwrap().as_object().unwrap().keys().collect();
        shown.sort();
        assert_eq!(shown, known, "{key}");
    }
    let rules = document.pointer("/spec/rules").unwrap().as_array().unwrap();
    let shown: BTreeSet<_> = rules.iter().flat_map(|rule| rule.as_object().unwrap().keys()).collect();
    assert_eq!(shown, schema["$defs"]["Rule"]["properties"].as_object().unwrap().keys().collect());
    let kinds: Vec<_> =
        schema["$defs"]["Rule"]["oneOf"].as_array().unwrap().iter().map(|one| &one["required"][0]).collect();
    assert_eq!(kinds, ["vulnerabilities", "sbom", "config", "measurements"]);
    let classes = schema["$defs"]["OnUnknownMap"]["properties"].as_object().unwrap();
    assert_eq!(classes.len(), model::UnknownClass::ALL.len() + 1);
    assert!(model::UnknownClass::ALL.iter().all(|class| classes.contains_key(class.as_str())));
}

#[test]
fn s22_the_schema_names_every_scanner() {
    let schema = schema();
    let names = |key: &str| -> Vec<String> {
        let names = schema["$defs"][key]["enum"].as_array().unwrap();
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let scanners: Vec<_> = model::Scanner::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(names("RequiredScanner"), scanners);
    let others = ["ecr", "file", "registry"].map(str::to_owned).to_vec();
    assert_eq!(names("Source"), [others, scanners[1..].to_vec()].concat());
    for name in names("Source") {
        let way = if ["ecr", "file", "registry"].contains(&name.as_str()) { "" } else { ", file" };
        let text = format!(
            "{HEAD}spec: {{ rules: [{{ id: r, vulnerabilities: {{ sources: {{ accept: [{name}{way}] }} }} }}] }}\n"
        );
        assert!(Policy::parse("policy.yaml", &text).is_ok(), "{name}");
    }
}
