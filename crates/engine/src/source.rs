//! Where an image lies: a registry, or a layout or archive on disk. One set of questions for both; every answer is
//! bounded and checked against its digest below this.

use std::sync::Arc;

use model::{Contents, Digest, ImageConfig, Origin, Reason, ReasonCode};
use registry::source::Source as LocalSource;
use registry::{Client, Descriptor, Location, Manifest, Reference, Referrers, ReferrersBy};
use signals::Limits;
use signals::image::{self, Reader};
use tokio_util::io::SyncIoBridge;

use crate::kept::Kept;
use crate::parts::Parts;

/// The largest configuration that is read, in bytes.
const CONFIG_LIMIT: u64 = 8 << 20;
/// The largest attached document that is read, in bytes.
pub(crate) const DOCUMENT_LIMIT: u64 = 64 << 20;

/// An opened place.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A repository of a registry.
    Registry {
        /// The client.
        client: Client,
        /// The repository.
        location: Location,
        /// What was read from it before, and never changes.
        parts: Arc<Parts>,
        /// What is read as evidence, for whoever wants it.
        kept: Kept,
    },
    /// A layout or archive.
    Local(Arc<LocalSource>),
}

impl Source {
    /// A manifest or index by its digest.
    pub(crate) async fn manifest(&self, digest: &Digest) -> Result<Manifest, Reason> {
        match self {
            Self::Registry { client, location, .. } => {
                let reference = Reference::Digest(digest.clone());
                client.manifest(location, &reference).await.map_err(|error| error.reason())
            }
            Self::Local(images) => images.manifest(digest).map_err(|error| error.reason()),
        }
    }

    /// A blob of at most `limit` bytes.
    pub(crate) async fn blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, Reason> {
        match self {
            Self::Registry { client, location, .. } => {
                client.blob(location, digest, limit).await.map(|bytes| bytes.to_vec()).map_err(|error| error.reason())
            }
            Self::Local(images) => {
                images.blob(digest, limit).map(|bytes| bytes.to_vec()).map_err(|error| error.reason())
            }
        }
    }

    /// A document that facts are read from.
    pub(crate) async fn document(&self, digest: &Digest, media_type: &str) -> Result<Vec<u8>, Reason> {
        let bytes = self.blob(digest, DOCUMENT_LIMIT).await?;
        if let Self::Registry { kept, .. } = self {
            kept.keep(media_type, &bytes);
        }
        Ok(bytes)
    }

    /// The configuration of an image.
    pub(crate) async fn config(&self, manifest: &[u8]) -> Result<ImageConfig, Reason> {
        let invalid = |error: signals::ParseError| error.reason(ReasonCode::ConfigInvalid);
        if let Self::Registry { location, parts, .. } = self
            && let Some(known) = parts.config(location, manifest)
        {
            return Ok(known);
        }
        let digest = signals::manifest::image_id(manifest, &Limits::STANDARD)?;
        let bytes = self.blob(&digest, CONFIG_LIMIT).await?;
        let config = image::config(manifest, &bytes, &digest, &Limits::STANDARD).map_err(invalid)?;
        if let Self::Registry { location, parts, .. } = self {
            parts.keep_config(location, manifest, &config);
        }
        Ok(config)
    }

    /// What the layers hold, each read once, lowest first. Reading runs on a thread of its own, so that the network is
    /// read while the layer is unpacked.
    pub(crate) async fn contents(&self, config: &ImageConfig) -> Result<Contents, Reason> {
        if let Self::Registry { location, parts, .. } = self
            && let Some(known) = parts.contents(location, config)
        {
            return Ok(known);
        }
        let mut reader = Reader::new(config, &Limits::STANDARD);
        for layer in &config.layers {
            let descriptor = Descriptor::new(layer.media_type.as_str(), layer.digest.clone(), layer.size_bytes);
            let media_type = layer.media_type.clone();
            let read = match self {
                Self::Registry { client, location, .. } => {
                    let stream = client.blob_stream(location, &descriptor).await.map_err(|error| error.reason())?;
                    let runtime = tokio::runtime::Handle::current();
                    tokio::task::spawn_blocking(move || {
                        let mut bridge = SyncIoBridge::new_with_handle(stream, runtime);
                        one_layer(reader, &media_type, &mut bridge)
                    })
                    .await
                }
                Self::Local(images) => {
                    let images = Arc::clone(images);
                    tokio::task::spawn_blocking(move || {
                        let mut stream = images.layer(&descriptor).map_err(|error| error.reason())?;
                        one_layer(reader, &media_type, &mut stream)
                    })
                    .await
                }
            };
            reader = read.map_err(|error| Reason::new(ReasonCode::Internal, format!("reading a layer: {error}")))??;
        }
        let contents = reader.finish().map_err(|error| error.reason(ReasonCode::ConfigInvalid))?;
        if let Self::Registry { location, parts, .. } = self {
            parts.keep_contents(location, config, &contents);
        }
        Ok(contents)
    }

    /// What refers to this digest.
    pub(crate) async fn referrers(&self, digest: &Digest) -> Result<Referrers, Reason> {
        match self {
            Self::Registry { client, location, .. } => {
                client.referrers(location, digest, None).await.map_err(|error| error.reason())
            }
            Self::Local(images) => {
                let descriptors = images.referrers(digest).map_err(|error| error.reason())?;
                let opened = std::collections::BTreeMap::new();
                Ok(Referrers { descriptors, by: ReferrersBy::Api, requests: 0, opened })
            }
        }
    }

    /// What cosign keeps about this digest under its fallback tag with a suffix.
    pub(crate) async fn under_tag(&self, digest: &Digest, suffix: &str) -> Result<Vec<Manifest>, Reason> {
        match self {
            Self::Registry { client, location, .. } => {
                let found = client.under_tag(location, digest, suffix).await.map_err(|error| error.reason())?;
                Ok(found.into_iter().collect())
            }
            Self::Local(images) => images.under_tag(digest, suffix).map_err(|error| error.reason()),
        }
    }

    /// Where what it says of this manifest comes from.
    pub(crate) fn origin(&self, digest: &Digest) -> Origin {
        match self {
            Self::Registry { .. } => Origin::Registry(digest.to_string()),
            Self::Local(images) => Origin::File(images.reference().to_string()),
        }
    }

    /// HTTP requests so far.
    pub(crate) fn requests(&self) -> u64 {
        match self {
            Self::Registry { client, .. } => client.requests(),
            Self::Local(_) => 0,
        }
    }
}

/// Reads one layer to its end: only there its digest is known to be right.
fn one_layer(mut reader: Reader, media_type: &str, stream: &mut dyn std::io::Read) -> Result<Reader, Reason> {
    let mut kept = Failing { inner: stream, failed: None };
    let read = reader.layer(media_type, &mut kept);
    if let Some(reason) = kept.failed {
        return Err(reason);
    }
    read.map_err(|error| error.reason(ReasonCode::ConfigInvalid))?;
    // What stands behind the end of the archive belongs to the blob too.
    let drained = std::io::copy(&mut kept, &mut std::io::sink());
    match (kept.failed, drained) {
        (Some(reason), _) => Err(reason),
        (None, Err(error)) => Err(Reason::new(ReasonCode::RegistryUnavailable, format!("reading a layer: {error}"))),
        (None, Ok(_)) => Ok(reader),
    }
}

/// Keeps what the source says about a failure, which a decompressor would hide.
struct Failing<'a> {
    inner: &'a mut dyn std::io::Read,
    failed: Option<Reason>,
}

impl std::io::Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            if error.kind() != std::io::ErrorKind::Interrupted {
                let remote = registry::Error::of_io(error).map(registry::Error::reason);
                let local = || registry::source::SourceError::of_io(error).map(registry::source::SourceError::reason);
                let known = remote.or_else(local);
                let other = || Reason::new(ReasonCode::RegistryUnavailable, format!("reading a layer: {error}"));
                self.failed = Some(known.unwrap_or_else(other));
            }
        })
    }
}
