//! JSON documents of a layout or archive: read strictly, so that they say the same to us as to every other program.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::Fault;

/// Every key that is read anywhere here.
const READ: &[&str] = &[
    "imageLayoutVersion",
    "schemaVersion",
    "mediaType",
    "manifests",
    "config",
    "layers",
    "digest",
    "size",
    "annotations",
    "artifactType",
    "subject",
    "platform",
    "os",
    "architecture",
    "variant",
    "blobs",
    "rootfs",
    "diff_ids",
];

/// The keys of Docker's `manifest.json`.
const READ_BY_DOCKER: &[&str] = &["Config", "RepoTags", "Layers"];

/// Reads a document of the OCI specifications.
pub(super) fn oci<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Fault> {
    read(what, bytes, READ)
}

/// Reads `manifest.json`.
pub(super) fn docker<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Fault> {
    read(what, bytes, READ_BY_DOCKER)
}

fn read<T: DeserializeOwned>(what: &str, bytes: &[u8], keys: &'static [&'static str]) -> Result<T, Fault> {
    let broken = |error: serde_json::Error| Fault::Document { what: what.to_owned(), why: error.to_string() };
    let value: Value = serde_json::from_slice(bytes).map_err(broken)?;
    if let Some((found, key)) = other_case(&value, keys) {
        return Err(Fault::Ambiguous { what: what.to_owned(), found, read: key });
    }
    serde_json::from_slice(bytes).map_err(broken)
}

/// A key that differs only in its case from one that is read: programs written in Go take it for that key. What lies under
/// keys that are not read, and the free keys of annotations and of the configuration proper, is nobody's business.
fn other_case(value: &Value, keys: &'static [&'static str]) -> Option<(String, &'static str)> {
    match value {
        Value::Array(list) => list.iter().find_map(|value| other_case(value, keys)),
        Value::Object(object) => object.iter().find_map(|(key, value)| {
            if let Some(read) = keys.iter().find(|read| read.eq_ignore_ascii_case(key) && *read != key) {
                return Some((key.clone(), *read));
            }
            let inside = keys.contains(&key.as_str()) && key != "annotations" && !is_settings(key, value);
            inside.then(|| other_case(value, keys)).flatten()
        }),
        _ => None,
    }
}

/// The `config` object of an image configuration, as against the `config` descriptor of a manifest.
fn is_settings(key: &str, value: &Value) -> bool {
    key == "config" && value.get("digest").is_none()
}
