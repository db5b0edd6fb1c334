//! Image manifests and indexes: which platforms an index holds. Source: OCI image-spec `image-index.md`, Docker
//! manifest list v2.2, and BuildKit's attestation storage (children with platform `unknown/unknown`).

use model::{Digest, NonEmpty, Platform, Reason, ReasonCode};
use serde::Deserialize;

use crate::Limits;

/// What a manifest is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// An image for one platform.
    Image,
    /// An index: its platform manifests, attestations left out.
    Index(NonEmpty<(Platform, Digest)>),
}

/// True for the media types of an OCI index and a Docker manifest list.
pub fn is_index(media_type: &str) -> bool {
    media_type == "application/vnd.oci.image.index.v1+json"
        || media_type == "application/vnd.docker.distribution.manifest.list.v2+json"
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: Option<String>,
    manifests: Option<Vec<Descriptor>>,
    config: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: Option<String>,
    digest: Digest,
    platform: Option<DescriptorPlatform>,
}

#[derive(Deserialize)]
struct DescriptorPlatform {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

/// Reads a manifest.
///
/// # Errors
/// [`ReasonCode::ImageManifestInvalid`]: not a manifest, an index without platforms, or an index inside an index.
pub fn manifest(bytes: &[u8], limits: &Limits) -> Result<Manifest, Reason> {
    let invalid = |what: String| Reason::new(ReasonCode::ImageManifestInvalid, what);
    if bytes.len() > limits.bytes {
        return Err(invalid(format!("the manifest has {} bytes; at most {} are read", bytes.len(), limits.bytes)));
    }
    let unreadable = |error: serde_json::Error| invalid(format!("the manifest cannot be read: {error}"));
    ambiguous(&serde_json::from_slice(bytes).map_err(unreadable)?).map_err(invalid)?;
    let document: Document = serde_json::from_slice(bytes).map_err(unreadable)?;
    let says_index = document.media_type.as_deref().is_some_and(is_index);
    let Some(children) = document.manifests else {
        return if document.config.is_some() && !says_index {
            Ok(Manifest::Image)
        } else {
            Err(invalid("the manifest has neither a config nor a list of manifests".to_owned()))
        };
    };
    if children.len() > limits.manifests {
        return Err(invalid(format!(
            "the index lists {} manifests; at most {} are read",
            children.len(),
            limits.manifests
        )));
    }
    let mut platforms = Vec::new();
    for child in children {
        if child.media_type.as_deref().is_some_and(is_index) {
            return Err(invalid(format!("the index holds another index, {}", child.digest.short())));
        }
        if !child.is_attestation() {
            platforms.push((child.platform(), child.digest));
        }
    }
    NonEmpty::new(platforms).map(Manifest::Index).ok_or_else(|| invalid("the index lists no platform".to_owned()))
}

/// The digest of an image's configuration, which Docker calls the image id.
///
/// # Errors
/// [`ReasonCode::ImageManifestInvalid`]: not an image manifest.
pub fn image_id(bytes: &[u8], limits: &Limits) -> Result<Digest, Reason> {
    #[derive(Deserialize)]
    struct Image {
        config: Config,
    }
    #[derive(Deserialize)]
    struct Config {
        digest: Digest,
    }
    manifest(bytes, limits)?;
    let image: Image = serde_json::from_slice(bytes).map_err(|error| {
        Reason::new(ReasonCode::ImageManifestInvalid, format!("the manifest names no config: {error}"))
    })?;
    Ok(image.config.digest)
}

/// The attestations of an index, as BuildKit stores them: for each judged manifest the manifests about it.
/// Source: BuildKit `docs/attestations/attestation-storage.md`.
///
/// # Errors
/// [`ReasonCode::ImageManifestInvalid`]: not a manifest.
pub fn attestations(bytes: &[u8], limits: &Limits) -> Result<Vec<(Digest, Digest)>, Reason> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Option<Vec<Child>>,
    }
    #[derive(Deserialize)]
    struct Child {
        digest: Digest,
        annotations: Option<std::collections::BTreeMap<String, String>>,
    }
    manifest(bytes, limits)?;
    let index: Index = serde_json::from_slice(bytes)
        .map_err(|error| Reason::new(ReasonCode::ImageManifestInvalid, format!("the index cannot be read: {error}")))?;
    let mut found = Vec::new();
    for child in index.manifests.into_iter().flatten() {
        let Some(annotations) = &child.annotations else { continue };
        if annotations.get("vnd.docker.reference.type").is_none_or(|kind| kind != "attestation-manifest") {
            continue;
        }
        let Some(about) = annotations.get("vnd.docker.reference.digest") else { continue };
        let about = about.parse().map_err(|error| {
            Reason::new(ReasonCode::ImageManifestInvalid, format!("an attestation names its image wrongly: {error}"))
        })?;
        found.push((about, child.digest));
    }
    Ok(found)
}

/// What a manifest says that it is about (`subject` of OCI 1.1).
///
/// # Errors
/// [`ReasonCode::ImageManifestInvalid`]: not a manifest.
pub fn subject(bytes: &[u8], limits: &Limits) -> Result<Option<Digest>, Reason> {
    #[derive(Deserialize)]
    struct Referrer {
        subject: Option<Subject>,
    }
    #[derive(Deserialize)]
    struct Subject {
        digest: Digest,
    }
    let invalid = |what: String| Reason::new(ReasonCode::ImageManifestInvalid, what);
    if bytes.len() > limits.bytes {
        return Err(invalid(format!("the manifest has {} bytes; at most {} are read", bytes.len(), limits.bytes)));
    }
    let referrer: Referrer =
        serde_json::from_slice(bytes).map_err(|error| invalid(format!("the referrer cannot be read: {error}")))?;
    Ok(referrer.subject.map(|subject| subject.digest))
}

/// The layers of an artifact manifest: media type, digest, size, and the predicate type that BuildKit writes beside it.
///
/// # Errors
/// [`ReasonCode::ImageManifestInvalid`]: not a manifest with layers.
pub fn blobs(bytes: &[u8], limits: &Limits) -> Result<Vec<ArtifactBlob>, Reason> {
    #[derive(Deserialize)]
    struct Artifact {
        layers: Option<Vec<ArtifactBlob>>,
        // The withdrawn artifact manifest of OCI 1.1 release candidates.
        blobs: Option<Vec<ArtifactBlob>>,
    }
    let invalid = |what: String| Reason::new(ReasonCode::ImageManifestInvalid, what);
    let artifact: Artifact =
        serde_json::from_slice(bytes).map_err(|error| invalid(format!("the artifact cannot be read: {error}")))?;
    let blobs = artifact.layers.or(artifact.blobs).ok_or_else(|| invalid("the artifact has no layers".to_owned()))?;
    if blobs.len() > limits.manifests {
        return Err(invalid(format!("the artifact has {} layers; at most {} are read", blobs.len(), limits.manifests)));
    }
    Ok(blobs)
}

/// A layer of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactBlob {
    /// Media type.
    pub media_type: String,
    /// Digest.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Annotations.
    pub annotations: Option<std::collections::BTreeMap<String, String>>,
}

/// Refuses a key that differs from one that is read only in its case: registries and runtimes written in Go would take
/// it for that key, so the manifest says different things to them and to us.
fn ambiguous(document: &serde_json::Value) -> Result<(), String> {
    const READ: [&str; 8] = ["mediaType", "manifests", "config", "digest", "platform", "os", "architecture", "variant"];
    let Some(object) = document.as_object() else { return Ok(()) };
    for (key, value) in object {
        if let Some(read) = READ.iter().find(|read| read.eq_ignore_ascii_case(key) && *read != key) {
            return Err(format!("the manifest has the key {key:?}, which is read as {read:?} elsewhere"));
        }
        match (key.as_str(), value) {
            ("manifests", serde_json::Value::Array(list)) => list.iter().try_for_each(ambiguous)?,
            ("platform", platform) => ambiguous(platform)?,
            _ => {}
        }
    }
    Ok(())
}

impl Descriptor {
    /// BuildKit's attestations: platform `unknown/unknown`.
    fn is_attestation(&self) -> bool {
        let unknown = |word: &Option<String>| word.as_deref() == Some("unknown");
        self.platform.as_ref().is_some_and(|p| unknown(&p.os) && unknown(&p.architecture))
    }

    /// A child that names no platform is judged as `unspecified/unspecified`, so that it is not passed over.
    fn platform(&self) -> Platform {
        let word = |word: Option<&String>| word.filter(|w| !w.is_empty()).cloned();
        let platform = self.platform.as_ref();
        let unspecified = || Platform::UNSPECIFIED.to_owned();
        Platform {
            os: word(platform.and_then(|p| p.os.as_ref())).unwrap_or_else(unspecified),
            architecture: word(platform.and_then(|p| p.architecture.as_ref())).unwrap_or_else(unspecified),
            variant: word(platform.and_then(|p| p.variant.as_ref())).unwrap_or_else(String::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> String {
        Digest::of(&[n]).to_string()
    }

    fn read(text: &str) -> Result<Manifest, Reason> {
        manifest(text.as_bytes(), &Limits::STANDARD)
    }

    #[test]
    fn a18_platforms_without_attestations() {
        let text = format!(
            r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
              {{"digest":"{}","platform":{{"os":"linux","architecture":"amd64"}}}},
              {{"digest":"{}","platform":{{"os":"linux","architecture":"arm64","variant":"v8"}}}},
              {{"digest":"{}"}},
              {{"digest":"{}","platform":{{"os":"unknown","architecture":"unknown"}}}}]}}"#,
            digest(1),
            digest(2),
            digest(3),
            digest(4)
        );
        let Ok(Manifest::Index(platforms)) = read(&text) else { panic!("an index") };
        let names: Vec<String> = platforms.iter().map(|(platform, _)| platform.to_string()).collect();
        assert_eq!(names, ["linux/amd64", "linux/arm64/v8", "unspecified/unspecified"]);
    }

    #[test]
    fn what_is_no_image_and_no_index_is_refused() {
        let nested = format!(
            r#"{{"manifests":[{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{}"}}]}}"#,
            digest(1)
        );
        let only_attestation = format!(
            r#"{{"manifests":[{{"digest":"{}","platform":{{"os":"unknown","architecture":"unknown"}}}}]}}"#,
            digest(1)
        );
        for bad in
            ["", "{}", "[]", r#"{"manifests":[]}"#, r#"{"manifests":[{"digest":"x"}]}"#, &nested, &only_attestation]
        {
            assert_eq!(read(bad).expect_err(bad).code, ReasonCode::ImageManifestInvalid);
        }
        assert_eq!(read(r#"{"config":{},"layers":[]}"#), Ok(Manifest::Image));
    }
}
