//! A referrer: an artifact whose manifest names another manifest as its `subject` (OCI image-spec 1.1, `manifest.md`).

use serde_json::{Map, Value, json};

use super::image::{Blob, Stored, overridden};
use super::{EMPTY, MANIFEST};

/// An artifact about a subject.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub manifest: Blob,
    pub blobs: Vec<Blob>,
    pub subject: String,
}

impl Artifact {
    /// The digest of the manifest.
    pub fn digest(&self) -> &str {
        &self.manifest.digest
    }
}

impl Stored for Artifact {
    fn root(&self) -> &Blob {
        &self.manifest
    }

    fn manifests(&self) -> Vec<&Blob> {
        vec![&self.manifest]
    }

    fn blobs(&self) -> Vec<&Blob> {
        self.blobs.iter().collect()
    }

    fn subject(&self) -> Option<&str> {
        Some(&self.subject)
    }
}

/// A referrer under construction.
#[derive(Debug, Clone)]
#[must_use]
pub struct Referrer {
    subject: Blob,
    artifact_type: String,
    config: Blob,
    layers: Vec<(Blob, Map<String, Value>)>,
    annotations: Map<String, Value>,
    keys: Map<String, Value>,
}

impl Referrer {
    /// An artifact of this type about this subject, with the empty configuration.
    pub fn new(subject: &impl Stored, artifact_type: &str) -> Self {
        Self {
            subject: subject.root().clone(),
            artifact_type: artifact_type.to_owned(),
            config: Blob::new(EMPTY, "{}"),
            layers: Vec::new(),
            annotations: Map::new(),
            keys: Map::new(),
        }
    }

    /// One more layer.
    pub fn layer(mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.layers.push((Blob::new(media_type, bytes), Map::new()));
        self
    }

    /// An annotation of the layer given last.
    pub fn layer_annotation(mut self, name: &str, value: &str) -> Self {
        if let Some((_, annotations)) = self.layers.last_mut() {
            annotations.insert(name.to_owned(), json!(value));
        }
        self
    }

    /// A configuration of its own; with it there is no `artifactType`, as before image-spec 1.1.
    pub fn config(mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.config = Blob::new(media_type, bytes);
        self.artifact_type.clear();
        self
    }

    /// An annotation of the manifest.
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), json!(value));
        self
    }

    /// Any key at the top of the manifest; null takes it out.
    pub fn key(mut self, key: &str, value: Value) -> Self {
        self.keys.insert(key.to_owned(), value);
        self
    }

    /// The artifact.
    pub fn build(self) -> Artifact {
        let described = |(blob, annotations): &(Blob, Map<String, Value>)| {
            let mut descriptor = blob.descriptor();
            if !annotations.is_empty() {
                descriptor["annotations"] = Value::Object(annotations.clone());
            }
            descriptor
        };
        // Without layers of its own an artifact repeats the empty one, as the specification says.
        let layers: Vec<Value> = if self.layers.is_empty() {
            vec![self.config.descriptor()]
        } else {
            self.layers.iter().map(described).collect()
        };
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.config.descriptor(),
            "layers": layers,
            "subject": self.subject.descriptor(),
        });
        if !self.artifact_type.is_empty() {
            manifest["artifactType"] = json!(self.artifact_type);
        }
        if !self.annotations.is_empty() {
            manifest["annotations"] = Value::Object(self.annotations);
        }
        overridden(&mut manifest, self.keys);
        Artifact {
            manifest: Blob::new(MANIFEST, manifest.to_string()),
            blobs: std::iter::once(self.config).chain(self.layers.into_iter().map(|(blob, _)| blob)).collect(),
            subject: self.subject.digest,
        }
    }
}
