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
    configs: Cache<(Location, Digest), Arc<ImageConfig>>,
    contents: Cache<(Location, Digest), Arc<Contents>>,
}

impl Parts {
    pub(crate) fn new() -> Self {
        let bytes = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        Self {
            configs: Cache::builder()
                .max_capacity(BYTES / 4)
                .weigher(move |_, config: &Arc<ImageConfig>| bytes(2048 + 256 * config.layers.len()))
                .build(),
            contents: Cache::builder()
                .max_capacity(BYTES)
                .weigher(move |_, contents: &Arc<Contents>| bytes(2048 + 256 * contents.packages.len()))
                .build(),
        }
    }

    pub(crate) fn config(&self, location: &Location, manifest: &[u8]) -> Option<ImageConfig> {
        self.configs.get(&(location.clone(), Digest::of(manifest))).map(|known| (*known).clone())
    }

    pub(crate) fn keep_config(&self, location: &Location, manifest: &[u8], config: &ImageConfig) {
        self.configs.insert((location.clone(), Digest::of(manifest)), Arc::new(config.clone()));
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
