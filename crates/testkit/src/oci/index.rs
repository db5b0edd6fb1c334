//! An image index: one image for several platforms.

use serde_json::{Map, Value, json};

use super::image::{Blob, Image, Stored, overridden};
use super::{DOCKER_LIST, INDEX};

/// An image for several platforms.
#[derive(Debug, Clone)]
pub struct Index {
    pub manifest: Blob,
    pub images: Vec<Image>,
}

impl Index {
    /// The digest of the index.
    pub fn digest(&self) -> &str {
        &self.manifest.digest
    }
}

impl Stored for Index {
    fn root(&self) -> &Blob {
        &self.manifest
    }

    fn manifests(&self) -> Vec<&Blob> {
        self.images.iter().map(|image| &image.manifest).chain([&self.manifest]).collect()
    }

    fn blobs(&self) -> Vec<&Blob> {
        self.images.iter().flat_map(Image::blobs).collect()
    }
}

/// An index under construction; images stand in the order given.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct IndexBuilder {
    children: Vec<(Value, Option<Image>)>,
    keys: Map<String, Value>,
    docker: bool,
}

impl IndexBuilder {
    pub fn new() -> Self {
        Self::default()
    }

    /// An image for its platform.
    pub fn image(mut self, image: &Image) -> Self {
        let mut descriptor = image.manifest.descriptor();
        descriptor["platform"] = image.platform.clone();
        self.children.push((descriptor, Some(image.clone())));
        self
    }

    /// An attestation as BuildKit stores it: for the platform `unknown/unknown`, with a reference to the image.
    pub fn attestation(mut self, subject: &Image, attestation: &Image) -> Self {
        let mut descriptor = attestation.manifest.descriptor();
        descriptor["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
        descriptor["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": subject.digest(),
        });
        self.children.push((descriptor, Some(attestation.clone())));
        self
    }

    /// Any descriptor; what it describes is not put anywhere.
    pub fn descriptor(mut self, descriptor: Value) -> Self {
        self.children.push((descriptor, None));
        self
    }

    /// Any key at the top of the index; null takes it out.
    pub fn key(mut self, key: &str, value: Value) -> Self {
        self.keys.insert(key.to_owned(), value);
        self
    }

    /// A Docker manifest list in the place of an OCI index.
    pub fn docker(self) -> Self {
        Self { docker: true, ..self }
    }

    /// The index.
    pub fn build(self) -> Index {
        let media_type = if self.docker { DOCKER_LIST } else { INDEX };
        let descriptors: Vec<Value> = self.children.iter().map(|(descriptor, _)| descriptor.clone()).collect();
        let mut index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": descriptors });
        overridden(&mut index, self.keys);
        Index {
            manifest: Blob::new(media_type, index.to_string()),
            images: self.children.into_iter().filter_map(|(_, image)| image).collect(),
        }
    }
}
