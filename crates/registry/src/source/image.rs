//! What a layout or archive lists, what is chosen, and what an image of it holds.

use std::fmt;

use bytes::Bytes;
use model::{Digest, Platform};
use serde_json::json;

use super::error::Fault;
use super::reference::{LocalKind, LocalReference, Pick};
use crate::{Descriptor, Manifest, media_type};

/// One line of the table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The digest of its manifest; for an archive of `docker save` that of its configuration, which Docker calls image id.
    pub digest: Digest,
    /// Its names there: tags, or names with tags.
    pub names: Vec<String>,
    /// What it runs on, if that is said.
    pub platform: Option<Platform>,
    /// Whether it is an image or something about one.
    pub role: Role,
}

/// What an entry of a layout is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// An image or an index of images.
    Image,
    /// A referrer, the list of referrers under a fallback tag, or a signature or attestation as cosign stores them.
    About,
}

/// The image that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A manifest or index with the digest that it has in a registry.
    Manifest(Manifest),
    /// An image of `docker save`: it has no digest in any registry.
    Saved(LocalImage),
}

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalImage {
    /// Its manifest. `None` for an archive of `docker save`: nothing that is found out about such an image is known of
    /// any image in a registry.
    pub manifest: Option<Manifest>,
    /// Its configuration.
    pub config: Config,
    /// Its layers, lowest first. From an archive of `docker save` these are not compressed: the digest is the `diff_id`,
    /// the size is that in the archive.
    pub layers: Vec<Descriptor>,
    /// Its names.
    pub names: Vec<String>,
}

/// The configuration of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Computed from the bytes.
    pub digest: Digest,
    /// The bytes as they are stored.
    pub bytes: Bytes,
}

impl LocalImage {
    /// A manifest for readers that need one: the image's own, or for an archive of `docker save` one that is made up from
    /// what it lists. The made-up one was never pushed anywhere and its digest means nothing.
    pub fn manifest_bytes(&self) -> Bytes {
        if let Some(manifest) = &self.manifest {
            return manifest.bytes.clone();
        }
        let config =
            Descriptor::new(media_type::DOCKER_CONFIG, self.config.digest.clone(), self.config.bytes.len() as u64);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::DOCKER_MANIFEST,
            "config": config,
            "layers": self.layers,
        });
        manifest.to_string().into()
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            f.write_str("(no name)")?;
        } else {
            f.write_str(&self.names.join(", "))?;
        }
        write!(f, " @{}", self.digest)?;
        match &self.platform {
            Some(platform) => write!(f, " {platform}"),
            None => Ok(()),
        }
    }
}

/// The one that a reference means.
pub(super) fn chosen(listed: &[Listed], reference: &LocalReference) -> Result<Listed, Fault> {
    let shown = |listed: &[&Listed]| listed.iter().map(ToString::to_string).collect::<Vec<_>>();
    let images: Vec<&Listed> = listed.iter().filter(|listed| listed.role == Role::Image).collect();
    let (fitting, asked): (Vec<&Listed>, String) = match &reference.pick {
        Pick::Only => (images.clone(), String::new()),
        // A digest is exact: it may also name a referrer.
        Pick::Digest(digest) => {
            (listed.iter().filter(|listed| listed.digest == *digest).collect(), format!("with the digest {digest}"))
        }
        Pick::Name(name) => (
            listed.iter().filter(|l| l.names.iter().any(|known| same_name(reference.kind, known, name))).collect(),
            format!("called {name:?}"),
        ),
    };
    match (fitting.as_slice(), &reference.pick) {
        ([only], _) => Ok((*only).clone()),
        ([], Pick::Only) => Err(Fault::Empty),
        ([], _) => Err(Fault::NoSuchImage { asked, listed: shown(&images) }),
        (several, Pick::Name(name)) => Err(Fault::SameName { name: name.clone(), listed: shown(several) }),
        (several, _) => Err(Fault::SeveralImages { listed: shown(several) }),
    }
}

/// Whether a name that is listed is the one that was asked for.
fn same_name(kind: LocalKind, known: &str, asked: &str) -> bool {
    match kind {
        LocalKind::Layout | LocalKind::LayoutArchive => known == asked,
        LocalKind::DockerArchive => full_name(known) == full_name(asked),
    }
}

/// A name as Docker completes it: `app` is `docker.io/library/app:latest`.
fn full_name(name: &str) -> String {
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (name, "latest"),
    };
    let path = match path.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => path.to_owned(),
        _ => format!("docker.io/{path}"),
    };
    let path = match path.strip_prefix("docker.io/") {
        Some(rest) if !rest.contains('/') => format!("docker.io/library/{rest}"),
        _ => path,
    };
    format!("{path}:{tag}")
}
