//! Manifests as `kubectl apply -f` reads them: YAML documents, JSON, and lists. What cannot be understood stays in the list, so that it is denied and
//! never passed over.

use std::io::Read as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::failure::Failure;
use crate::files;
use crate::output::logged;

/// The largest manifest that is read.
const FILE: usize = 32 << 20;
/// The most objects at once.
const OBJECTS: usize = 10_000;
/// Lists within lists.
const NESTED: usize = 4;

/// One object of a manifest.
#[derive(Debug)]
pub(super) struct Found {
    /// The manifest, and which of its documents.
    pub place: String,
    /// The object; else why it cannot be understood.
    pub object: Result<Value, String>,
}

/// The objects of these files; `-` is stdin.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            add("stdin", &stdin()?, &mut found)?;
        } else {
            if path.is_dir() {
                let what = format!("the manifest {} is a folder", path.display());
                return Err(Failure::configuration(what).hint("give each file of it: `-f one.yaml -f two.yaml`"));
            }
            add(&path.display().to_string(), &files::read_text("the manifest", path, FILE)?, &mut found)?;
        }
    }
    Ok(found)
}

fn stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(FILE as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::configuration(format!("the manifest cannot be read from stdin: {error}")))?;
    if bytes.len() > FILE {
        return Err(Failure::configuration(format!("the manifest on stdin is larger than {FILE} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Failure::configuration("the manifest on stdin is no UTF-8 text"))
}

fn add(name: &str, text: &str, found: &mut Vec<Found>) -> Result<(), Failure> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents = documents(text);
    let many = documents.len() > 1;
    for (number, document) in documents.into_iter().enumerate() {
        let place = if many { format!("{name}, document {}", number + 1) } else { name.to_owned() };
        match parse(&document) {
            Ok(Value::Null) => {}
            Ok(value) => flatten(&place, value, NESTED, found),
            Err(why) => found.push(Found { place, object: Err(why) }),
        }
        if found.len() > OBJECTS {
            return Err(Failure::configuration(format!("{name}: there are more than {OBJECTS} objects"))
                .hint("give them in several runs"));
        }
    }
    Ok(())
}

/// The documents of a text, as kubectl parts them: at lines that begin with `---`. What holds nothing but comments is none.
fn documents(text: &str) -> Vec<String> {
    let is_mark = |line: &str| line == "---" || line.starts_with("--- ") || line.starts_with("---\t");
    let mut parts = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if is_mark(line.trim_end_matches(['\n', '\r'])) {
            parts.push(String::new());
        }
        if let Some(last) = parts.last_mut() {
            last.push_str(line);
        }
    }
    let is_empty = |part: &String| {
        part.lines().all(|line| {
            let line = line.strip_prefix("---").unwrap_or(line).trim();
            line.is_empty() || line.starts_with('#')
        })
    };
    parts.retain(|part| !is_empty(part));
    parts
}

fn parse(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('{') {
        // Nothing may be said twice: who reads the first and who reads the last would see different images.
        return engine::distinct(text).map_err(|error| logged(&error.to_string(), 300));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: 2_000_000, max_aliases: 1_000, max_anchors: 1_000, max_depth: 100 },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let words = error.without_snippet().to_string();
        logged(words.lines().next().unwrap_or("it cannot be read"), 300)
    })
}

/// The objects of a list, one by one.
fn flatten(place: &str, mut value: Value, depth: usize, found: &mut Vec<Found>) {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or("");
    let is_list = kind == "List" || (kind.ends_with("List") && value.get("items").is_some());
    if !is_list {
        found.push(Found { place: place.to_owned(), object: Ok(value) });
        return;
    }
    match value.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) if depth > 0 => {
            for (number, item) in items.into_iter().enumerate() {
                if found.len() > OBJECTS {
                    return;
                }
                flatten(&format!("{place}, item {}", number + 1), item, depth - 1, found);
            }
        }
        Some(Value::Array(_)) => {
            found.push(Found { place: place.to_owned(), object: Err("there are lists within lists".to_owned()) });
        }
        _ => found.push(Found { place: place.to_owned(), object: Err("its items are no list".to_owned()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Found> {
        let mut found = Vec::new();
        add("m.yaml", text, &mut found).unwrap();
        found
    }

    #[test]
    fn d1_documents_lists_and_json_are_objects_and_what_is_none_stays_in_the_list() {
        let kinds = |text: &str| -> Vec<String> {
            let name = |one: Found| match one.object {
                Ok(value) => value["kind"].as_str().unwrap_or("?").to_owned(),
                Err(why) => format!("{}: {why}", one.place),
            };
            found(text).into_iter().map(name).collect()
        };
        assert_eq!(kinds("# nothing\n---\n---\nkind: Pod\n--- # two\nkind: Job\n"), ["Pod", "Job"]);
        assert_eq!(kinds("{\"kind\": \"Pod\"}"), ["Pod"]);
        assert_eq!(kinds("kind: List\nitems: [{kind: Pod}, {kind: PodList, items: [{kind: Pod}]}]\n"), ["Pod", "Pod"]);
        assert_eq!(kinds("kind: List\nitems: []\n"), [] as [&str; 0]);
        assert_eq!(kinds("kind: List\nitems: 1\n"), ["m.yaml: its items are no list"]);
        assert_eq!(kinds("kind: List\n"), ["m.yaml: its items are no list"]);
        assert_eq!(kinds(""), [] as [&str; 0]);
        // A scalar is no object, and is said so later.
        assert_eq!(kinds("hello"), ["?"]);
        let broken = kinds("kind: Pod\n---\nkind: [\n---\nkind: Pod\nkind: Job\n");
        assert_eq!((broken.len(), broken[0].as_str()), (3, "Pod"));
        assert!(broken[1].starts_with("m.yaml, document 2: ") && broken[2].starts_with("m.yaml, document 3: "));
        assert!(kinds("{\"kind\": \"Pod\", \"kind\": \"Job\"}")[0].contains("m.yaml: "));
        // An anchor is no way around: it is the same value.
        assert_eq!(found("a: &x {image: app}\nb: *x\n")[0].object.as_ref().unwrap()["b"]["image"], "app");
    }

    #[test]
    fn lists_within_lists_end() {
        let mut text = "{\"kind\":\"Pod\"}".to_owned();
        for _ in 0..8 {
            text = format!("{{\"kind\":\"List\",\"items\":[{text}]}}");
        }
        let found = found(&text);
        assert!(found.len() == 1 && found[0].object.as_ref().unwrap_err().contains("lists within lists"));
    }
}
