//! The description of the API is that of its routes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use server::{Access, OPENAPI, listed};

use crate::stage::{How, served};

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let document = document();
    let mut described = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert(format!("{} {path}", method.to_uppercase()), operation);
        }
    }
    let routes = listed();
    let names: BTreeSet<String> = routes.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(names, described.keys().cloned().collect());
    for route in &routes {
        let operation = described[&format!("{} {}", route.method, route.path)];
        let security = operation["security"].to_string();
        let expected = match route.access {
            Access::Open => "[]",
            Access::Read => r#"[{"bearer":[]},{}]"#,
            Access::Named | Access::Write | Access::Admin => r#"[{"bearer":[]}]"#,
        };
        assert_eq!(security, expected, "{} {}", route.method, route.path);
        let parameters = operation["parameters"].as_array().unwrap();
        let in_path: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let in_template: BTreeSet<&str> =
            route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(in_path, in_template, "{}", route.path);
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.contains_key("500") && answers.contains_key("503"), "{}", route.path);
        assert_eq!(answers.contains_key("401"), route.access != Access::Open, "{}", route.path);
    }
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(keys) => {
                found.extend(keys.get("$ref").and_then(Value::as_str));
                keys.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in &found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    for kind in ["schemas", "responses", "parameters", "headers"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            assert!(found.contains(format!("#/components/{kind}/{name}").as_str()), "nothing names {kind}/{name}");
        }
    }
}

#[tokio::test]
async fn the_description_is_served_to_everybody() {
    let served = served(How { anonymous_reads: false, ..How::default() }).await;
    let answer = served.get("/api/v1/openapi.json").await;
    assert_eq!((answer.status, &answer.json()), (200, &document()));
}
