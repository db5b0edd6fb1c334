//! What `docker save` writes. Before Docker 25: `manifest.json`, a configuration and a folder for each layer. Since then an
//! OCI layout is in it as well; its manifests are made up when it is written, so only `manifest.json` is read.
//! Source: the Docker image specification v1.2 and the writers of Docker, podman, buildkit and crane.

use std::io::{BufReader, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use model::{Digest, Platform};
use serde::Deserialize;

use super::document;
use super::error::Fault;
use super::files::{Files, Opened};
use super::image::{Config, Listed, LocalImage, Role};
use super::limits::SourceLimits;
use super::verified::{Length, Verified, bounded};
use crate::Descriptor;
use crate::digest::check;

/// Docker's name for a layer that is not compressed.
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const DOCUMENT: &str = "manifest.json";

/// The table of contents of an archive.
#[derive(Debug)]
pub(super) struct DockerArchive {
    images: Vec<Saved>,
}

/// An image as `manifest.json` and its configuration describe it.
#[derive(Debug)]
struct Saved {
    config: Config,
    names: Vec<String>,
    platform: Option<Platform>,
    /// Digest uncompressed, and path.
    layers: Vec<(Digest, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Configuration {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Option<Vec<Digest>>,
}

impl DockerArchive {
    pub(super) fn read(files: &Files, limits: &SourceLimits) -> Result<Self, Fault> {
        let Some(bytes) = files.document(DOCUMENT, limits.manifest_bytes)? else {
            return Err(Fault::NotADockerArchive { layout: files.has("oci-layout") });
        };
        let entries: Vec<Entry> = document::docker(DOCUMENT, &bytes)?;
        if entries.len() > limits.images {
            return Err(Fault::TooMany { what: "images", limit: limits.images });
        }
        let mut images: Vec<Saved> = Vec::new();
        for entry in entries {
            let saved = Saved::read(files, entry, limits)?;
            // The same image may be listed once for each of its names.
            match images.iter_mut().find(|known| known.config.digest == saved.config.digest) {
                Some(known) => known.names.extend(saved.names),
                None => images.push(saved),
            }
        }
        Ok(Self { images })
    }

    pub(super) fn listed(&self) -> Vec<Listed> {
        let listed = |image: &Saved| Listed {
            digest: image.config.digest.clone(),
            names: image.names.clone(),
            platform: image.platform.clone(),
            role: Role::Image,
        };
        self.images.iter().map(listed).collect()
    }

    /// The image of this id.
    pub(super) fn image(&self, files: &Files, id: &Digest, _limits: &SourceLimits) -> Result<LocalImage, Fault> {
        let missing = || Fault::Missing { what: format!("the image {id}") };
        let saved = self.images.iter().find(|image| image.config.digest == *id).ok_or_else(missing)?;
        let mut layers = Vec::new();
        for (diff_id, path) in &saved.layers {
            let size = opened(files, path)?.size;
            layers.push(Descriptor::new(LAYER, diff_id.clone(), size));
        }
        Ok(LocalImage { manifest: None, config: saved.config.clone(), layers, names: saved.names.clone() })
    }

    /// A configuration; an archive has no other blobs that are known by digest.
    pub(super) fn blob(&self, _files: &Files, digest: &Digest, limit: u64) -> Result<Bytes, Fault> {
        let what = format!("the blob {digest}");
        let found = self.images.iter().find(|image| image.config.digest == *digest);
        let config = &found.ok_or_else(|| Fault::Missing { what: what.clone() })?.config;
        if config.bytes.len() as u64 > limit {
            return Err(Fault::TooLarge { what, limit });
        }
        Ok(config.bytes.clone())
    }

    /// A layer, uncompressed; checked against its `diff_id`.
    pub(super) fn layer(
        &self,
        files: &Files,
        layer: &Descriptor,
        limits: &SourceLimits,
    ) -> Result<Box<dyn Read + Send>, Fault> {
        let what = format!("the layer {}", layer.digest);
        let mut layers = self.images.iter().flat_map(|image| &image.layers);
        let found = layers.find(|(diff_id, _)| *diff_id == layer.digest);
        let (diff_id, path) = found.ok_or_else(|| Fault::Missing { what: what.clone() })?;
        let Opened { size, mut stream } = opened(files, path)?;
        let magic = bounded((&mut stream).take(4), &what, 4)?;
        let (gzipped, zstd) = (magic.starts_with(&[0x1f, 0x8b]), magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
        let whole = std::io::Cursor::new(magic).chain(stream);
        if zstd {
            return Err(Fault::Compressed { what, with: "zstd" });
        }
        if gzipped {
            let unpacked = MultiGzDecoder::new(BufReader::new(whole));
            let length = Length::AtMost(limits.archive_bytes);
            return Ok(Box::new(Verified::new(unpacked, what, diff_id, length)));
        }
        Ok(Box::new(Verified::new(whole, what, diff_id, Length::Exactly(size))))
    }
}

impl Saved {
    fn read(files: &Files, entry: Entry, limits: &SourceLimits) -> Result<Self, Fault> {
        let what = format!("the configuration {}", entry.config.chars().take(120).collect::<String>());
        let opened = files.open(&entry.config)?.ok_or_else(|| Fault::Missing { what: what.clone() })?;
        let bytes = Bytes::from(bounded(opened.stream, &what, limits.config_bytes)?);
        if let Some(named) = named_digest(&entry.config) {
            check(&named, &bytes).map_err(|mismatch| Fault::DigestMismatch {
                what: what.clone(),
                expected: mismatch.expected,
                found: mismatch.found,
            })?;
        }
        let configuration: Configuration = document::oci(&what, &bytes)?;
        let layers = entry.layers.unwrap_or_else(Vec::new);
        let diff_ids = configuration.rootfs.diff_ids.unwrap_or_else(Vec::new);
        if layers.len() > limits.layers {
            return Err(Fault::TooMany { what: "layers", limit: limits.layers });
        }
        if layers.len() != diff_ids.len() {
            return Err(Fault::LayerCount { layers: layers.len(), diff_ids: diff_ids.len() });
        }
        let said = |word: Option<String>| word.filter(|word| !word.is_empty());
        let platform = said(configuration.os).zip(said(configuration.architecture)).map(|(os, architecture)| {
            let variant = configuration.variant.unwrap_or_else(String::new);
            Platform { os, architecture, variant }
        });
        Ok(Self {
            config: Config { digest: Digest::of(&bytes), bytes },
            names: entry.repo_tags.unwrap_or_else(Vec::new),
            platform,
            layers: diff_ids.into_iter().zip(layers).collect(),
        })
    }
}

/// The digest that a configuration's path gives: `HEX.json`, `blobs/sha256/HEX`, or as crane writes it `sha256:HEX`.
fn named_digest(path: &str) -> Option<Digest> {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let hex = name.strip_suffix(".json").unwrap_or(name);
    let hex = hex.strip_prefix("sha256:").unwrap_or(hex);
    format!("sha256:{hex}").parse().ok()
}

/// A layer's file. The older form writes equal layers once and links to the first from the others: one such step is
/// followed, within the archive; the layer is checked against its `diff_id` in any case.
fn opened(files: &Files, path: &str) -> Result<Opened, Fault> {
    if let Some(opened) = files.open(path)? {
        return Ok(opened);
    }
    let target = match files {
        Files::Archive(archive) => archive.link_target(path).and_then(|target| beside(path, target)),
        Files::Folder(_) => None,
    };
    let linked = target.map(|target| files.open(&target)).transpose()?.flatten();
    linked.ok_or_else(|| Fault::Missing { what: format!("the layer {}", path.chars().take(120).collect::<String>()) })
}

/// Where a relative link leads; `None` if it leads out.
fn beside(path: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}
