//! An image for one platform: layers, configuration and manifest that fit one another.

use serde_json::{Map, Value, json};

use super::layer::{Compression, Layer};
use super::{CONFIG, DOCKER_CONFIG, DOCKER_MANIFEST, MANIFEST, digest_of};

/// Bytes with what describes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub digest: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
}

impl Blob {
    /// A blob with its true digest.
    pub fn new(media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self { digest: digest_of(&bytes), media_type: media_type.to_owned(), bytes }
    }

    /// Its descriptor.
    pub fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len() })
    }
}

/// What a registry, a layout or an archive can hold as one thing.
pub trait Stored {
    /// The manifest that stands for the whole.
    fn root(&self) -> &Blob;
    /// Every manifest, those that others name first; the root is the last.
    fn manifests(&self) -> Vec<&Blob>;
    /// Every blob of these manifests.
    fn blobs(&self) -> Vec<&Blob>;
    /// The digest this is about, if it is a referrer.
    fn subject(&self) -> Option<&str> {
        None
    }
}

/// An image for one platform.
#[derive(Debug, Clone)]
pub struct Image {
    pub manifest: Blob,
    pub config: Blob,
    pub layers: Vec<Blob>,
    /// The layers uncompressed, as `docker save` writes them.
    pub layer_tars: Vec<Vec<u8>>,
    pub diff_ids: Vec<String>,
    /// `{"os": …, "architecture": …}` as in an index.
    pub platform: Value,
}

impl Image {
    /// The digest of the manifest.
    pub fn digest(&self) -> &str {
        &self.manifest.digest
    }
}

impl Stored for Image {
    fn root(&self) -> &Blob {
        &self.manifest
    }

    fn manifests(&self) -> Vec<&Blob> {
        vec![&self.manifest]
    }

    fn blobs(&self) -> Vec<&Blob> {
        std::iter::once(&self.config).chain(&self.layers).collect()
    }
}

/// What a layer is made from.
#[derive(Debug, Clone)]
enum Source {
    Built(Layer),
    Given(Blob),
}

/// An image under construction. Without any call: `linux/amd64`, no layers, no user, a fixed date.
#[derive(Debug, Clone)]
#[must_use]
pub struct ImageBuilder {
    layers: Vec<Source>,
    platform: Map<String, Value>,
    config: Map<String, Value>,
    top: Map<String, Value>,
    history: Option<Vec<Value>>,
    annotations: Map<String, Value>,
    manifest: Map<String, Value>,
    docker: bool,
}

impl Default for ImageBuilder {
    fn default() -> Self {
        let top = [("created".to_owned(), json!("2026-01-02T03:04:05Z"))];
        Self {
            layers: Vec::new(),
            platform: Map::new(),
            config: Map::new(),
            top: top.into_iter().collect(),
            history: None,
            annotations: Map::new(),
            manifest: Map::new(),
            docker: false,
        }
        .platform("linux/amd64")
    }
}

impl ImageBuilder {
    pub fn new() -> Self {
        Self::default()
    }

    /// `os/architecture[/variant]`
    pub fn platform(mut self, platform: &str) -> Self {
        let mut words = platform.split('/');
        self.platform = ["os", "architecture", "variant"]
            .into_iter()
            .filter_map(|key| words.next().map(|word| (key.to_owned(), json!(word))))
            .collect();
        self
    }

    /// One more layer, above those before.
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(Source::Built(layer));
        self
    }

    /// One more layer of exactly these bytes, whatever they are; its `diff_id` is that of the bytes.
    pub fn layer_bytes(mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.layers.push(Source::Given(Blob::new(media_type, bytes)));
        self
    }

    /// With Docker's media types in the place of OCI's.
    pub fn docker(self) -> Self {
        Self { docker: true, ..self }
    }

    /// `User`
    pub fn user(self, user: &str) -> Self {
        self.config("User", json!(user))
    }

    /// `Env`, one more `NAME=value`.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        let list = self.config.entry("Env").or_insert_with(|| json!([]));
        list.as_array_mut().expect("Env is a list").push(json!(format!("{name}={value}")));
        self
    }

    /// `Entrypoint`
    pub fn entrypoint(self, words: &[&str]) -> Self {
        self.config("Entrypoint", json!(words))
    }

    /// `Cmd`
    pub fn command(self, words: &[&str]) -> Self {
        self.config("Cmd", json!(words))
    }

    /// `Labels`, one more.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        let labels = self.config.entry("Labels").or_insert_with(|| json!({}));
        labels[name] = json!(value);
        self
    }

    /// `ExposedPorts`, one more, such as `8080/tcp`.
    pub fn port(mut self, port: &str) -> Self {
        let ports = self.config.entry("ExposedPorts").or_insert_with(|| json!({}));
        ports[port] = json!({});
        self
    }

    /// Any key of the configuration's `config` object.
    pub fn config(mut self, key: &str, value: Value) -> Self {
        self.config.insert(key.to_owned(), value);
        self
    }

    /// Any key at the top of the configuration, such as `created`; null takes it out.
    pub fn top(mut self, key: &str, value: Value) -> Self {
        if value.is_null() {
            self.top.remove(key);
        } else {
            self.top.insert(key.to_owned(), value);
        }
        self
    }

    /// `history`, one more entry; without any there is one for each layer.
    pub fn history(mut self, created_by: &str, empty_layer: bool) -> Self {
        let entry = json!({ "created": "2026-01-02T03:04:05Z", "created_by": created_by, "empty_layer": empty_layer });
        self.history.get_or_insert_default().push(entry);
        self
    }

    /// An annotation of the manifest.
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), json!(value));
        self
    }

    /// Any key at the top of the manifest; null takes it out.
    pub fn manifest(mut self, key: &str, value: Value) -> Self {
        self.manifest.insert(key.to_owned(), value);
        self
    }

    /// The image.
    pub fn build(self) -> Image {
        let (mut layers, mut layer_tars, mut diff_ids) = (Vec::new(), Vec::new(), Vec::new());
        for source in &self.layers {
            let (tar, blob) = match source {
                Source::Given(blob) => (blob.bytes.clone(), blob.clone()),
                Source::Built(layer) => {
                    let media_type = match (self.docker, layer.compression) {
                        (false, Compression::Gzip) => "application/vnd.oci.image.layer.v1.tar+gzip",
                        (false, Compression::None) => "application/vnd.oci.image.layer.v1.tar",
                        (true, Compression::Gzip) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
                        (true, Compression::None) => "application/vnd.docker.image.rootfs.diff.tar",
                    };
                    (layer.tar(), Blob::new(media_type, layer.bytes()))
                }
            };
            diff_ids.push(digest_of(&tar));
            layer_tars.push(tar);
            layers.push(blob);
        }
        let history = self.history.unwrap_or_else(|| {
            let entry =
                |at: usize| json!({ "created": "2026-01-02T03:04:05Z", "created_by": format!("COPY layer {at}") });
            (0..layers.len()).map(entry).collect()
        });
        let mut config = self.top;
        config.extend(self.platform.clone());
        config.insert("config".to_owned(), Value::Object(self.config));
        config.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": diff_ids }));
        config.insert("history".to_owned(), Value::Array(history));
        let (config_type, manifest_type) =
            if self.docker { (DOCKER_CONFIG, DOCKER_MANIFEST) } else { (CONFIG, MANIFEST) };
        let config = Blob::new(config_type, Value::Object(config).to_string());
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": config.descriptor(),
            "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
        });
        if !self.annotations.is_empty() {
            manifest["annotations"] = Value::Object(self.annotations);
        }
        overridden(&mut manifest, self.manifest);
        Image {
            manifest: Blob::new(manifest_type, manifest.to_string()),
            config,
            layers,
            layer_tars,
            diff_ids,
            platform: Value::Object(self.platform),
        }
    }
}

/// Puts keys in the place of those that are there; null takes a key out.
pub(super) fn overridden(document: &mut Value, keys: Map<String, Value>) {
    let object = document.as_object_mut().expect("a manifest is an object");
    for (key, value) in keys {
        if value.is_null() {
            object.remove(&key);
        } else {
            object.insert(key, value);
        }
    }
}
