//! `deploy/opensearch` and the page about the log name what entries have, and nothing else (O3).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Log;

fn read(path: &str) -> String {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(top.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The sources of the service, where entries are written.
fn sources() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/src/gate");
    let listed = |folder: &Path| -> Vec<_> { fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect() };
    let mut files = listed(&folder);
    let folders: Vec<_> = files.iter().filter(|path| path.is_dir()).cloned().collect();
    files.extend(folders.iter().flat_map(|folder| listed(folder)));
    files.sort();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "rs"));
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The kinds of entries that the service writes: the first text that is given to what makes a leaf.
fn kinds() -> BTreeSet<String> {
    let sources = sources();
    let calls = sources.match_indices("leaf(").filter(|(at, _)| !sources[..*at].ends_with("fn "));
    let first_text = |(at, _): (usize, &str)| {
        let call = sources[at..].split(';').next()?;
        Some(call.split('"').nth(1)?.to_owned())
    };
    // What becomes of exceptions is named where it happens; `ends` is a job.
    let settled = sources.split('"').filter(|text| text.starts_with("exception.") && *text != "exception.ends");
    // What is no word is a message of an error.
    let first = calls.filter_map(first_text).chain(settled.map(str::to_owned));
    first.filter(|text| !text.contains([' ', ';', '(', '\n'])).collect()
}

fn fields(place: &str, mapping: &Value, into: &mut BTreeSet<String>) {
    for (name, inner) in mapping["properties"].as_object().into_iter().flatten() {
        let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        fields(&place, inner, into);
        if inner["type"].is_string() {
            into.insert(place);
        }
    }
}

fn indexed() -> BTreeSet<String> {
    let template: Value = serde_json::from_str(&read("deploy/opensearch/index-template.json")).unwrap();
    assert_eq!(template["template"]["mappings"]["dynamic"], Value::Bool(false));
    let mut found = BTreeSet::new();
    fields("", &template["template"]["mappings"], &mut found);
    found
}

fn flat(place: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| flat(&format!("{place}.{name}"), value, into));
        }
        _ => drop(into.insert(place.trim_start_matches('.').to_owned())),
    }
}

#[test]
fn o3_the_index_template_names_members_of_entries_and_of_nothing_else() {
    let line: Value = serde_json::from_str(Log::new().export(1, 2, &[]).lines().nth(1).unwrap()).unwrap();
    let mut outer = BTreeSet::new();
    flat("", &line, &mut outer);
    let indexed = indexed();
    let own: BTreeSet<_> = outer.into_iter().filter(|field| !field.starts_with("entry.body.")).collect();
    let missing: Vec<_> = own.difference(&indexed).collect();
    assert!(missing.is_empty(), "not indexed: {missing:?}");
    let (sources, page) = (sources(), read("docs/concepts/audit.md"));
    for field in indexed.difference(&own) {
        let body = field.strip_prefix("entry.body.").unwrap_or_else(|| panic!("no line of an export has {field}"));
        let (first, nested) = body.split_once('.').unwrap_or((body, ""));
        assert!(page.contains(&format!("`{first}`")), "docs/concepts/audit.md does not say what {field} is");
        // Members of a policy's name are serialized by the model.
        let written = if first == "policies" { first } else { body.rsplit('.').next().unwrap() };
        assert!(sources.contains(&format!("\"{written}\":")), "no entry has {field}");
        assert!(first != "policies" || ["name", "version", "digest"].contains(&nested), "no policy has {nested}");
    }
}

#[test]
fn o3_saved_searches_ask_for_what_is_indexed() {
    let text = read("deploy/opensearch/saved-searches.ndjson");
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: BTreeSet<_> = objects.iter().map(|object| object["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), objects.len(), "two objects with one id");
    let template: Value = serde_json::from_str(&read("deploy/opensearch/index-template.json")).unwrap();
    let (indexed, kinds) = (indexed(), kinds());
    let mut searches = 0;
    for object in &objects {
        let attributes = &object["attributes"];
        if object["type"] == "index-pattern" {
            assert_eq!(attributes["title"], template["index_patterns"][0]);
            assert!(indexed.contains(attributes["timeFieldName"].as_str().unwrap()));
            continue;
        }
        searches += 1;
        assert_eq!(object["type"], "search");
        assert!(ids.contains(object["references"][0]["id"].as_str().unwrap()), "{object}");
        let source = attributes["kibanaSavedObjectMeta"]["searchSourceJSON"].as_str().unwrap();
        let source: Value = serde_json::from_str(source).unwrap();
        assert_eq!(source["indexRefName"], object["references"][0]["name"]);
        let query = source["query"]["query"].as_str().unwrap();
        let kind = query.split("entry.kind : \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert!(kinds.contains(kind), "no entry is of the kind {kind}: {kinds:?}");
        let columns = attributes["columns"].as_array().unwrap().iter();
        let sorted = attributes["sort"].as_array().unwrap().iter().map(|sort| &sort[0]);
        let named = columns.chain(sorted).map(|name| name.as_str().unwrap());
        let asked = query.split_whitespace().filter(|word| word.starts_with("entry."));
        for field in named.chain(asked) {
            assert!(indexed.contains(field), "{}: {field} is not indexed", object["id"]);
        }
    }
    assert!(searches >= 3, "{searches}");
}

#[test]
fn o3_every_kind_of_entry_is_documented() {
    let (kinds, page) = (kinds(), read("docs/concepts/audit.md"));
    assert!(kinds.len() >= 5 && kinds.contains("decision"), "{kinds:?}");
    let missing: Vec<_> = kinds.iter().filter(|kind| !page.contains(&format!("| `{kind}` |"))).collect();
    assert!(missing.is_empty(), "docs/concepts/audit.md does not say what these are: {missing:?}");
}
