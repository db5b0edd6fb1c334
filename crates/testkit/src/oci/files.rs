//! Images as files: an OCI image layout (image-spec `image-layout.md`) and what `docker save` writes, in its older and
//! its newer form. Both are a [`Files`], so a test may spoil any of them before they become a folder or an archive.

use std::collections::BTreeMap;
use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use serde_json::{Value, json};

use super::image::{Blob, Image, Stored};
use super::layer::gzipped;
use super::{INDEX, Layer, digest_of};

/// Files by their path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(pub BTreeMap<String, Vec<u8>>);

impl Files {
    /// Puts a file there, or another in its place.
    pub fn put(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.0.insert(path.to_owned(), bytes.into());
    }

    /// Takes a file away.
    pub fn remove(&mut self, path: &str) {
        assert!(self.0.remove(path).is_some(), "there is no {path}: the test would prove nothing");
    }

    /// Where the blob of this digest is.
    pub fn blob_path(digest: &str) -> String {
        format!("blobs/{}", digest.replace(':', "/"))
    }

    /// Changes one bit in the middle of a file.
    pub fn spoil(&mut self, path: &str) {
        let bytes = self.0.get_mut(path).expect("a file to spoil");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    }

    /// Changes a JSON file.
    pub fn edit(&mut self, path: &str, change: impl FnOnce(&mut Value)) {
        let bytes = self.0.get_mut(path).expect("a file to edit");
        let mut value: Value = serde_json::from_slice(bytes).expect("a JSON file");
        change(&mut value);
        *bytes = value.to_string().into_bytes();
    }

    /// Writes everything into a folder.
    pub fn write(&self, folder: &Path) {
        for (path, bytes) in &self.0 {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a path in the folder")).expect("a folder for tests");
            fs::write(path, bytes).expect("a file for tests");
        }
    }

    /// Everything as a tar archive, in the order of the paths.
    pub fn tar(&self) -> Vec<u8> {
        self.layer().tar()
    }

    /// The same, compressed as a whole.
    pub fn tar_gz(&self) -> Vec<u8> {
        gzipped(&self.tar())
    }

    /// The entries of the archive: for more of them, such as links.
    pub fn layer(&self) -> Layer {
        self.0.iter().fold(Layer::new(), |layer, (path, bytes)| layer.file(path, bytes.clone()))
    }
}

/// An OCI image layout.
#[derive(Debug, Clone)]
pub struct Layout(Files);

impl Default for Layout {
    fn default() -> Self {
        Self::new()
    }
}

impl Layout {
    /// A layout without images.
    pub fn new() -> Self {
        let mut files = Files::default();
        files.put("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string());
        files.put("index.json", json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }).to_string());
        Self(files)
    }

    /// One more image, index or referrer, in `index.json` under this name, if any.
    #[must_use]
    pub fn with(self, name: Option<&str>, content: &impl Stored) -> Self {
        let mut descriptor = content.root().descriptor();
        if let Some(name) = name {
            descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        }
        self.with_descriptor(descriptor, content)
    }

    /// One more image with this descriptor in `index.json`.
    #[must_use]
    pub fn with_descriptor(mut self, descriptor: Value, content: &impl Stored) -> Self {
        for blob in content.blobs().into_iter().chain(content.manifests()) {
            self.put(&Files::blob_path(&blob.digest), blob.bytes.clone());
        }
        self.edit("index.json", |index| {
            index["manifests"].as_array_mut().expect("index.json lists manifests").push(descriptor);
        });
        self
    }
}

/// What `docker save` writes.
#[derive(Debug, Clone)]
pub struct DockerSave(Files);

impl DockerSave {
    /// The form before Docker 25: a folder for each layer, no digests but in the names of configurations.
    pub fn classic(images: &[(&Image, &[&str])]) -> Self {
        let mut files = Files::default();
        let mut manifest = Vec::new();
        for (image, names) in images {
            let config = format!("{}.json", hex_of(&image.config.digest));
            files.put(&config, image.config.bytes.clone());
            let mut layers = Vec::new();
            for (at, tar) in image.layer_tars.iter().enumerate() {
                // The real folder is named after a chain of identifiers; any name that is the layer's own will do.
                let folder = digest_of(format!("{at} {}", image.diff_ids[at]).as_bytes());
                let folder = hex_of(&folder).to_owned();
                files.put(&format!("{folder}/VERSION"), "1.0");
                files.put(&format!("{folder}/json"), json!({ "id": folder }).to_string());
                files.put(&format!("{folder}/layer.tar"), tar.clone());
                layers.push(format!("{folder}/layer.tar"));
            }
            manifest.push(json!({ "Config": config, "RepoTags": tags(names), "Layers": layers }));
        }
        files.put("manifest.json", Value::Array(manifest).to_string());
        files.put("repositories", "{}");
        Self(files)
    }

    /// The form since Docker 25: an OCI layout as well, whose manifests Docker makes up from uncompressed layers, so
    /// their digests are of nothing that was pushed.
    pub fn modern(images: &[(&Image, &[&str])]) -> Self {
        let mut layout = Layout::new();
        let mut manifest = Vec::new();
        for (image, names) in images {
            let tar = "application/vnd.oci.image.layer.v1.tar";
            let layers: Vec<Blob> = image.layer_tars.iter().map(|bytes| Blob::new(tar, bytes.clone())).collect();
            let made_up = json!({
                "schemaVersion": 2,
                "mediaType": super::MANIFEST,
                "config": Blob::new(super::CONFIG, image.config.bytes.clone()).descriptor(),
                "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
            });
            let paths: Vec<String> = layers.iter().map(|layer| Files::blob_path(&layer.digest)).collect();
            let config = Files::blob_path(&image.config.digest);
            manifest.push(json!({ "Config": config, "RepoTags": tags(names), "Layers": paths }));
            let saved = Image { manifest: Blob::new(super::MANIFEST, made_up.to_string()), layers, ..(*image).clone() };
            let named = names.first().and_then(|name| name.rsplit_once(':')).map(|(_, tag)| tag);
            layout = layout.with(named, &saved);
        }
        let mut files = layout.0;
        files.put("manifest.json", Value::Array(manifest).to_string());
        Self(files)
    }
}

fn tags(names: &[&str]) -> Value {
    if names.is_empty() { Value::Null } else { json!(names) }
}

fn hex_of(digest: &str) -> &str {
    digest.split_once(':').map_or(digest, |(_, hex)| hex)
}

macro_rules! is_files {
    ($name:ident) => {
        impl Deref for $name {
            type Target = Files;
            fn deref(&self) -> &Files {
                &self.0
            }
        }

        impl DerefMut for $name {
            fn deref_mut(&mut self) -> &mut Files {
                &mut self.0
            }
        }
    };
}

is_files!(Layout);
is_files!(DockerSave);
