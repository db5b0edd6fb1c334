//! Parts of images that never change: what a configuration says, what layers hold. Each is read once from a repository, because its digest is that of
//! its content; whether it is still there is for the manifest to say, which is asked for each time.

use std::sync::Arc;

use model::{Contents, Digest, ImageConfig};
use moka::sync::Cache;
use registry::Location;

/// Parts together, in bytes, as far as that can be told.
const BYTES: u64 = 64 << 20;

/// Parts, by the repository they were read from and what they are of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// As JSON, which takes a third of the room: what is known about the image holds it ready to use.
    configs: Cache<(Location, Digest), Arc<[u8]>>,
    contents: Cache<(Location, Digest), Arc<Contents>>,
}

impl Parts {
    pub(crate) fn new() -> Self {
        let bytes = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        Self {
            configs: Cache::builder()
                .max_capacity(BYTES / 16)
                .weigher(move |_, config: &Arc<[u8]>| bytes(config.len().saturating_add(512)))
                .build(),
            contents: Cache::builder()
                .max_capacity(BYTES)
                .weigher(move |_, contents: &Arc<Contents>| bytes(2048 + 256 * contents.packages.len()))
                .build(),
        }
    }

    pub(crate) fn config(&self, location: &Location, manifest: &[u8]) -> Option<ImageConfig> {
        let known = self.configs.get(&(location.clone(), Digest::of(manifest)))?;
        // What cannot be read back is read from the registry again.
        serde_json::from_slice(&known).ok()
    }

    pub(crate) fn keep_config(&self, location: &Location, manifest: &[u8], config: &ImageConfig) {
        let json = serde_json::to_vec(config).ok();
        // Kept if it comes back as it was.
        if let Some(json) =
            json.filter(|json| serde_json::from_slice(json).is_ok_and(|back: ImageConfig| back == *config))
        {
            self.configs.insert((location.clone(), Digest::of(manifest)), json.into());
        }
    }

    pub(crate) fn contents(&self, location: &Location, config: &ImageConfig) -> Option<Contents> {
        self.contents.get(&(location.clone(), layers(config))).map(|known| (*known).clone())
    }

    pub(crate) fn keep_contents(&self, location: &Location, config: &ImageConfig, contents: &Contents) {
        self.contents.insert((location.clone(), layers(config)), Arc::new(contents.clone()));
    }
}

/// What the content of an image is of: its configuration, which says what to look for, and its layers.
fn layers(config: &ImageConfig) -> Digest {
    let layers: Vec<&str> = config.layers.iter().map(|layer| layer.digest.as_str()).collect();
    Digest::of(format!("{} {layers:?}", config.id).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_comes_back_as_it_was() {
        let configuration = serde_json::json!({
            "architecture": "arm64", "variant": "v8", "os": "linux", "created": "2026-01-02T03:04:05.123456789Z",
            "config": {
                "User": "1000:\u{e4}", "Entrypoint": ["/app", "\u{0}\"\\"], "Cmd": [], "Env": ["PATH=/a:/b", "AWS_SECRET_ACCESS_KEY=x", "E="],
                "ExposedPorts": { "80/tcp": {} }, "Labels": { "a": "", "org.opencontainers.image.base.name": "docker.io/library/debian:12" },
            },
            "rootfs": { "type": "layers", "diff_ids": [Digest::of(b"unpacked")] },
        });
        let configuration = serde_json::to_vec(&configuration).unwrap();
        let id = Digest::of(&configuration);
        let layer = serde_json::json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": Digest::of(b"a layer"), "size": u32::MAX });
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [layer], "annotations": { "x": "y" },
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": id, "size": configuration.len() },
        });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let config = signals::image::config(&manifest, &configuration, &id, &signals::Limits::STANDARD).unwrap();
        let (here, there) = (
            Location::new("registry.example", "team/app".parse().unwrap()),
            Location::new("registry.example", "team/other".parse().unwrap()),
        );
        let parts = Parts::new();
        parts.keep_config(&here, &manifest, &config);
        assert_eq!(parts.config(&here, &manifest), Some(config));
        assert_eq!(parts.config(&there, &manifest), None);
    }
}
