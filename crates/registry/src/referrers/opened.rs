//! What a referrer's own manifest says: its artifact type, its annotations, and what it is about. Source: OCI image-spec
//! `manifest.md` ("Guidelines for Artifact Usage") and distribution-spec ("Listing Referrers").

use std::collections::BTreeMap;

use model::Digest;
use serde::Deserialize;

use crate::{Descriptor, Manifest};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Opened {
    artifact_type: Option<String>,
    config: Option<Config>,
    subject: Option<Subject>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    media_type: String,
}

#[derive(Deserialize)]
struct Subject {
    digest: Digest,
}

/// The descriptor with what the manifest says of itself; an error if it is about something else.
pub(super) fn described(listed: &Descriptor, subject: &Digest, manifest: &Manifest) -> Result<Descriptor, String> {
    let digest = &listed.digest;
    if manifest.bytes.len() as u64 != listed.size {
        return Err(format!("{digest} has {} bytes, and the list says {}", manifest.bytes.len(), listed.size));
    }
    let opened: Opened = serde_json::from_slice(&manifest.bytes)
        .map_err(|error| format!("{digest} is listed and is not in the form of a manifest: {error}"))?;
    match opened.subject {
        Some(about) if about.digest == *subject => {}
        Some(about) => return Err(format!("{digest} is listed and is about {}", about.digest)),
        None => return Err(format!("{digest} is listed and names no subject")),
    }
    let named = opened.artifact_type.filter(|name| !name.is_empty());
    let annotations = opened.annotations.filter(|_| listed.annotations.is_empty());
    Ok(Descriptor {
        media_type: manifest.media_type.clone(),
        artifact_type: named.or_else(|| opened.config.map(|config| config.media_type)),
        annotations: annotations.unwrap_or_else(|| listed.annotations.clone()),
        ..listed.clone()
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media_type::{EMPTY, OCI_MANIFEST};

    fn described_as(text: &str, subject: &Digest) -> Result<Descriptor, String> {
        let bytes = Bytes::from(text.to_owned());
        let manifest = Manifest { digest: Digest::of(&bytes), media_type: OCI_MANIFEST.into(), bytes };
        described(&manifest.descriptor(), subject, &manifest)
    }

    #[test]
    fn a_referrer_is_what_its_manifest_says_and_about_its_subject() {
        let subject = Digest::of(b"image");
        let about = |rest: &str| format!(r#"{{"schemaVersion":2,"subject":{{"digest":"{subject}"}}{rest}}}"#);
        let full = about(&format!(
            r#","artifactType":"application/spdx+json","config":{{"mediaType":"{EMPTY}"}},"annotations":{{"k":"v"}}"#
        ));
        let read = described_as(&full, &subject).unwrap();
        assert_eq!(read.artifact_type.as_deref(), Some("application/spdx+json"));
        assert_eq!(read.annotations["k"], "v");
        let by_config = about(r#","config":{"mediaType":"application/vnd.acme.config"}"#);
        assert_eq!(
            described_as(&by_config, &subject).unwrap().artifact_type.as_deref(),
            Some("application/vnd.acme.config")
        );
        assert_eq!(described_as(&about(""), &subject).unwrap().artifact_type, None);
        assert!(described_as(&full, &Digest::of(b"other")).unwrap_err().contains("is about"));
        assert!(described_as("{}", &subject).unwrap_err().contains("names no subject"));
        assert!(described_as(r#"{"artifactType":"a","artifactType":"b"}"#, &subject).is_err());
    }
}
