//! What kind of manifest some bytes are. The bytes are bound by their digest, the header that names their type is not, so
//! the body decides, and a document that could be read as an image and as an index is neither (CVE-2021-41190).

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::media_type::{DOCKER_LIST, DOCKER_MANIFEST, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST};

/// What is asked for, best first.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.oci.artifact.manifest.v1+json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    manifests: Option<IgnoredAny>,
}

/// The media type of a manifest: what the body says of itself, else what the header says, else what it looks like.
pub(crate) fn media_type(header: Option<&str>, body: &[u8]) -> Result<String, String> {
    let shape: Shape =
        serde_json::from_slice(body).map_err(|error| format!("the manifest is not in the form of one: {error}"))?;
    let header = header.map(essence).filter(|name| !is_generic(name));
    if shape.schema_version == Some(1) || header.is_some_and(|name| name.contains("distribution.manifest.v1")) {
        return Err("the manifest is of Docker's schema 1, which has been withdrawn; push the image again".to_owned());
    }
    let is_index = shape.manifests.is_some();
    if is_index && (shape.layers.is_some() || shape.config.is_some()) {
        return Err("the manifest can be read as an image and as an index".to_owned());
    }
    let looks = if is_index {
        Some(OCI_INDEX)
    } else if shape.config.is_some() {
        Some(OCI_MANIFEST)
    } else {
        None
    };
    let body = shape.media_type.filter(|name| !name.is_empty());
    for (name, place) in [(body.as_deref(), "itself"), (header, "in the answer's header")] {
        if let Some(name) = name
            && says_index(name).is_some_and(|says| says != is_index)
        {
            let seen = if is_index { "lists manifests" } else { "lists none" };
            return Err(format!("the manifest is called {name} {place}, and it {seen}"));
        }
    }
    body.or_else(|| header.map(str::to_owned))
        .or_else(|| looks.map(str::to_owned))
        .ok_or_else(|| "nothing says what kind of manifest it is".to_owned())
}

/// Whether a known media type is that of an index.
fn says_index(name: &str) -> Option<bool> {
    match name {
        OCI_INDEX | DOCKER_LIST => Some(true),
        OCI_MANIFEST | DOCKER_MANIFEST | OCI_ARTIFACT => Some(false),
        _ => None,
    }
}

/// A media type without its parameters.
pub(crate) fn essence(header: &str) -> &str {
    header.split_once(';').map_or(header, |(essence, _)| essence).trim()
}

/// True for types that say nothing about what is inside.
pub(crate) fn is_generic(name: &str) -> bool {
    matches!(name, "" | "application/json" | "application/octet-stream" | "text/plain" | "binary/octet-stream")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_body_says_what_a_manifest_is_and_the_header_may_not_turn_it_round() {
        let oci = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{}},"layers":[]}}"#);
        let bare = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;
        let index = r#"{"schemaVersion":2,"manifests":[]}"#;
        let read = |header, body: &str| media_type(header, body.as_bytes());
        assert_eq!(read(Some(OCI_MANIFEST), &oci).unwrap(), OCI_MANIFEST);
        assert_eq!(read(Some(DOCKER_MANIFEST), &oci).unwrap(), OCI_MANIFEST, "the body is bound by the digest");
        assert_eq!(read(Some("application/json; charset=utf-8"), &oci).unwrap(), OCI_MANIFEST);
        assert_eq!(read(Some(DOCKER_MANIFEST), bare).unwrap(), DOCKER_MANIFEST);
        assert_eq!(read(None, bare).unwrap(), OCI_MANIFEST);
        assert_eq!(read(None, index).unwrap(), OCI_INDEX);
        for (header, body) in [
            (Some(OCI_INDEX), oci.as_str()),
            (Some(OCI_INDEX), bare),
            (Some(OCI_MANIFEST), index),
            (None, r#"{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}"#),
            (None, r#"{"schemaVersion":2,"mediaType":"a","mediaType":"b","manifests":[]}"#),
            (Some("application/vnd.docker.distribution.manifest.v1+prettyjws"), r#"{"schemaVersion":1}"#),
            (None, "{}"),
            (None, "<html>"),
            (None, "[]"),
            (None, ""),
        ] {
            assert!(read(header, body).is_err(), "{header:?} {body}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd_to_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = media_type(None, &bytes);
        }
    }
}
