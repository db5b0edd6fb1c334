//! Descriptors and manifests as they come from a registry. Source: OCI image-spec 1.1 `descriptor.md`, `manifest.md`,
//! `image-index.md`. A descriptor only claims; a [`Manifest`] carries bytes whose digest was computed here.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::{Digest, Platform};
use serde::{Deserialize, Serialize};

/// Media types that this crate treats by name.
pub mod media_type {
    /// OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// OCI artifact manifest, withdrawn before 1.1 and still found.
    pub const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
    /// Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// OCI image configuration.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// Docker image configuration.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// The empty JSON object that stands for "no configuration".
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
}

/// What points to content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the content.
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Size of the content in bytes.
    pub size: u64,
    /// For a manifest: what kind of artifact it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "nullable")]
    pub annotations: BTreeMap<String, String>,
    /// For a manifest in an index: what it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "platform")]
    pub platform: Option<Platform>,
}

/// A manifest or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Digest, computed from the bytes.
    pub digest: Digest,
    /// Media type: what the body says of itself, which is what the registry called it.
    pub media_type: String,
    /// The bytes as they are stored.
    pub bytes: Bytes,
}

impl Manifest {
    /// A descriptor of this manifest, without what only its content says.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.as_str(), self.digest.clone(), self.bytes.len() as u64)
    }

    /// True for an OCI index or a Docker manifest list.
    pub fn is_index(&self) -> bool {
        matches!(self.media_type.as_str(), media_type::OCI_INDEX | media_type::DOCKER_LIST)
    }
}

impl Descriptor {
    /// A descriptor with the required fields.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            artifact_type: None,
            annotations: BTreeMap::new(),
            platform: None,
        }
    }

    /// A descriptor of these bytes.
    pub fn of(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }
}

fn nullable<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let annotations: Option<BTreeMap<String, String>> = Option::deserialize(deserializer)?;
    Ok(annotations.unwrap_or_else(BTreeMap::new))
}

/// A platform as descriptors write it; a word that is left out stays recognisable.
mod platform {
    use model::Platform;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Wire {
        os: Option<String>,
        architecture: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variant: Option<String>,
    }

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(platform: &Option<Platform>, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = platform.as_ref().map(|platform| Wire {
            os: Some(platform.os.clone()),
            architecture: Some(platform.architecture.clone()),
            variant: (!platform.variant.is_empty()).then(|| platform.variant.clone()),
        });
        wire.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Platform>, D::Error> {
        let said = |word: Option<String>| {
            word.filter(|word| !word.is_empty()).unwrap_or_else(|| Platform::UNSPECIFIED.to_owned())
        };
        let wire = Option::<Wire>::deserialize(deserializer)?;
        Ok(wire.map(|wire| Platform {
            os: said(wire.os),
            architecture: said(wire.architecture),
            variant: wire.variant.unwrap_or_else(String::new),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_read_strictly_and_written_back() {
        let digest = Digest::of(b"{}");
        let text = format!(
            r#"{{"mediaType":"m","digest":"{digest}","size":2,"artifactType":"a","annotations":{{"k":"v"}},"platform":{{"os":"linux","architecture":"arm64","variant":"v8"}}}}"#
        );
        let read: Descriptor = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert_eq!(read.platform.unwrap().to_string(), "linux/arm64/v8");
        let small =
            format!(r#"{{"mediaType":"m","digest":"{digest}","size":2,"annotations":null,"platform":{{"os":""}}}}"#);
        let small: Descriptor = serde_json::from_str(&small).unwrap();
        assert!(small.annotations.is_empty() && small.platform.unwrap().is_unspecified());
        for bad in [
            format!(r#"{{"digest":"{digest}","size":2}}"#),
            r#"{"mediaType":"m","digest":"sha256:0","size":2}"#.to_owned(),
            format!(r#"{{"mediaType":"m","digest":"{digest}","size":-2}}"#),
            format!(r#"{{"mediaType":"m","mediaType":"n","digest":"{digest}","size":2}}"#),
        ] {
            assert!(serde_json::from_str::<Descriptor>(&bad).is_err(), "{bad}");
        }
    }
}
