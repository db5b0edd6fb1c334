//! An OCI image layout: `oci-layout`, `index.json`, `blobs/` (image-spec 1.1 `image-layout.md`).

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use model::Digest;
use serde::Deserialize;

use super::document;
use super::error::Fault;
use super::files::{Files, Opened};
use super::image::{Config, Listed, LocalImage, Role};
use super::limits::SourceLimits;
use super::verified::{Length, Verified, bounded};
use crate::{Descriptor, Manifest, media_type};

const NAME: &str = "org.opencontainers.image.ref.name";
/// Where `docker buildx` and containerd write the whole name.
const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// What `cosign save` marks its entries with.
const KIND: &str = "kind";
const COSIGN_KIND: &str = "dev.cosignproject.cosign/";

/// The table of contents of a layout.
#[derive(Debug)]
pub(super) struct Layout {
    /// The entries of `index.json`, in its order.
    entries: Vec<Descriptor>,
    /// What each is for, by digest.
    roles: BTreeMap<Digest, Role>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    image_layout_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Vec<Descriptor>,
}

/// Any manifest: what says which kind it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Layout {
    pub(super) fn read(files: &Files, limits: &SourceLimits) -> Result<Self, Fault> {
        if let Files::Archive(archive) = files
            && let Some(name) = archive.any_link()
        {
            return Err(Fault::Link { name: name.to_owned() });
        }
        let Some(version) = files.document("oci-layout", limits.manifest_bytes)? else {
            return Err(Fault::NotALayout { docker: files.has("manifest.json") });
        };
        let version: Version = document::oci("oci-layout", &version)?;
        if version.image_layout_version != "1.0.0" {
            let found = version.image_layout_version.chars().take(40).collect();
            return Err(Fault::LayoutVersion { found });
        }
        let missing = || Fault::Missing { what: "index.json".to_owned() };
        let index = files.document("index.json", limits.manifest_bytes)?.ok_or_else(missing)?;
        let index: Index = document::oci("index.json", &index)?;
        if index.schema_version != 2 {
            let why = format!("schemaVersion is {}, not 2", index.schema_version);
            return Err(Fault::Document { what: "index.json".to_owned(), why });
        }
        if let Some(found) = index.media_type.filter(|found| found != media_type::OCI_INDEX) {
            let listed = media_type::OCI_INDEX.to_owned();
            return Err(Fault::MediaType { what: "index.json".to_owned(), listed, found });
        }
        if index.manifests.len() > limits.images {
            return Err(Fault::TooMany { what: "entries in index.json", limit: limits.images });
        }
        let mut layout = Self { entries: index.manifests, roles: BTreeMap::new() };
        for entry in &layout.entries {
            let role = layout.role(files, entry, limits);
            // A digest that is listed as an image anywhere is an image.
            let known = layout.roles.entry(entry.digest.clone()).or_insert(Role::About);
            if role == Role::Image {
                *known = Role::Image;
            }
        }
        Ok(layout)
    }

    /// What an entry is for. One that cannot be read counts as an image: whoever means another has to say so.
    fn role(&self, files: &Files, entry: &Descriptor, limits: &SourceLimits) -> Role {
        if !is_manifest(&entry.media_type) {
            return Role::About;
        }
        let annotation = |name: &str| entry.annotations.get(name).map(String::as_str);
        if let Some(kind) = annotation(KIND).and_then(|kind| kind.strip_prefix(COSIGN_KIND)) {
            return if kind == "image" || kind == "imageIndex" { Role::Image } else { Role::About };
        }
        if annotation(NAME).is_some_and(|name| self.entries.iter().any(|other| is_about(name, &other.digest))) {
            return Role::About;
        }
        match self.manifest(files, &entry.digest, limits).and_then(|manifest| parsed(&manifest)) {
            Ok(document) if document.subject.is_some() => Role::About,
            _ => Role::Image,
        }
    }

    pub(super) fn listed(&self) -> Vec<Listed> {
        let mut listed: Vec<Listed> = Vec::new();
        for entry in &self.entries {
            let at = listed.iter().position(|known| known.digest == entry.digest).unwrap_or_else(|| {
                let role = self.roles.get(&entry.digest).cloned().unwrap_or(Role::Image);
                let platform = entry.platform.clone();
                listed.push(Listed { digest: entry.digest.clone(), names: Vec::new(), platform, role });
                listed.len() - 1
            });
            for name in [NAME, CONTAINERD_NAME].iter().filter_map(|key| entry.annotations.get(*key)) {
                if !listed[at].names.contains(name) {
                    listed[at].names.push(name.clone());
                }
            }
        }
        listed
    }

    /// A manifest by digest. Its media type is what it says itself and what the entry says that points to it.
    pub(super) fn manifest(&self, files: &Files, digest: &Digest, limits: &SourceLimits) -> Result<Manifest, Fault> {
        let bytes = blob(files, digest, limits.manifest_bytes)?;
        let what = || format!("the manifest {digest}");
        let document: Document = document::oci(&what(), &bytes)?;
        let entries = self.entries.iter().filter(|entry| entry.digest == *digest);
        let mut media_type = document.media_type.clone();
        for entry in entries {
            if entry.size != bytes.len() as u64 {
                return Err(Fault::SizeMismatch { what: what(), expected: entry.size, found: bytes.len() as u64 });
            }
            let found = media_type.get_or_insert_with(|| entry.media_type.clone());
            if *found != entry.media_type {
                let (listed, found) = (entry.media_type.clone(), found.clone());
                return Err(Fault::MediaType { what: what(), listed, found });
            }
        }
        let holds = match (&document.manifests, &document.config, &document.layers) {
            (Some(_), None, None) => media_type::OCI_INDEX,
            (None, _, _) => media_type::OCI_MANIFEST,
            (Some(_), _, _) => {
                let why = "it lists both manifests and layers".to_owned();
                return Err(Fault::Document { what: what(), why });
            }
        };
        let media_type = media_type.unwrap_or_else(|| holds.to_owned());
        let manifest = Manifest { digest: digest.clone(), media_type, bytes };
        if manifest.is_index() != document.manifests.is_some() {
            let listed = manifest.media_type.clone();
            let found = if manifest.is_index() { "not an index" } else { "an index" };
            return Err(Fault::MediaType { what: what(), listed, found: found.to_owned() });
        }
        Ok(manifest)
    }

    pub(super) fn under_tag(
        &self,
        files: &Files,
        subject: &Digest,
        suffix: &str,
        limits: &SourceLimits,
    ) -> Result<Vec<Manifest>, Fault> {
        let tag = format!("{}{suffix}", fallback_tag(subject));
        let kind = format!("{COSIGN_KIND}{}s", suffix.trim_start_matches('.'));
        let mut found: BTreeMap<Digest, Manifest> = BTreeMap::new();
        // What `cosign save` wrote is about an image that is listed beside it, never about one inside an index.
        let listed = self.entries.iter().any(|entry| entry.digest == *subject);
        for entry in self.entries.iter().filter(|entry| is_manifest(&entry.media_type)) {
            let says = |key: &str, value: &str| entry.annotations.get(key).is_some_and(|said| said == value);
            if says(NAME, &tag) || (listed && says(KIND, &kind)) {
                found.insert(entry.digest.clone(), self.manifest(files, &entry.digest, limits)?);
            }
        }
        Ok(found.into_values().collect())
    }

    pub(super) fn referrers(
        &self,
        files: &Files,
        subject: &Digest,
        limits: &SourceLimits,
    ) -> Result<Vec<Descriptor>, Fault> {
        let mut found: BTreeMap<Digest, Descriptor> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| is_manifest(&entry.media_type)) {
            let manifest = self.manifest(files, &entry.digest, limits)?;
            let document = parsed(&manifest)?;
            let named = entry.annotations.get(NAME).is_some_and(|name| *name == fallback_tag(subject));
            if named {
                for listed in document.manifests.iter().flatten() {
                    found.entry(listed.digest.clone()).or_insert_with(|| listed.clone());
                }
            }
            if document.subject.as_ref().is_some_and(|about| about.digest == *subject) {
                let mut descriptor = manifest.descriptor();
                let config = document.config.as_ref().map(|config| config.media_type.clone());
                descriptor.artifact_type = document.artifact_type.or(config);
                descriptor.annotations = document.annotations.unwrap_or_else(BTreeMap::new);
                found.insert(entry.digest.clone(), descriptor);
            }
            if found.len() > limits.images {
                return Err(Fault::TooMany { what: "referrers", limit: limits.images });
            }
        }
        Ok(found.into_values().collect())
    }
}

/// Whether a media type is one of manifests; `index.json` may list other things, too.
fn is_manifest(found: &str) -> bool {
    [
        media_type::OCI_MANIFEST,
        media_type::OCI_INDEX,
        media_type::OCI_ARTIFACT,
        media_type::DOCKER_MANIFEST,
        media_type::DOCKER_LIST,
    ]
    .contains(&found)
}

/// The tag under which a list of referrers is kept where there is no referrers API (distribution-spec 1.1).
fn fallback_tag(subject: &Digest) -> String {
    subject.as_str().replacen(':', "-", 1)
}

/// Whether a tag is the fallback tag of this digest, or one under which cosign keeps things about it.
fn is_about(tag: &str, digest: &Digest) -> bool {
    tag.strip_prefix(fallback_tag(digest).as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn parsed(manifest: &Manifest) -> Result<Document, Fault> {
    document::oci(&format!("the manifest {}", manifest.digest), &manifest.bytes)
}

pub(super) fn blob_path(digest: &Digest) -> String {
    // A digest is an algorithm we know and hexadecimal digits: it makes no path but this.
    format!("blobs/{}", digest.as_str().replacen(':', "/", 1))
}

fn open(files: &Files, digest: &Digest) -> Result<Opened, Fault> {
    files.open(&blob_path(digest))?.ok_or_else(|| Fault::Missing { what: format!("the blob {digest}") })
}

/// A blob, whole and checked.
pub(super) fn blob(files: &Files, digest: &Digest, limit: u64) -> Result<Bytes, Fault> {
    let what = format!("the blob {digest}");
    let opened = open(files, digest)?;
    if opened.size > limit {
        return Err(Fault::TooLarge { what, limit });
    }
    let stream = Verified::new(opened.stream, what.as_str(), digest, Length::AtMost(limit));
    bounded(stream, &what, limit).map(Bytes::from)
}

/// A layer as a checked stream.
pub(super) fn layer(files: &Files, layer: &Descriptor) -> Result<Box<dyn Read + Send>, Fault> {
    let what = format!("the layer {}", layer.digest);
    let opened = open(files, &layer.digest)?;
    if opened.size != layer.size {
        return Err(Fault::SizeMismatch { what, expected: layer.size, found: opened.size });
    }
    Ok(Box::new(Verified::new(opened.stream, what, &layer.digest, Length::Exactly(layer.size))))
}

/// What an image manifest names.
pub(super) fn image(files: &Files, manifest: &Manifest, limits: &SourceLimits) -> Result<LocalImage, Fault> {
    let what = format!("the manifest {}", manifest.digest);
    let document = parsed(manifest)?;
    let (Some(config), Some(layers)) = (document.config, document.layers) else {
        return Err(Fault::Document { what, why: "it has no configuration or no layers".to_owned() });
    };
    if layers.len() > limits.layers {
        return Err(Fault::TooMany { what: "layers", limit: limits.layers });
    }
    let bytes = blob(files, &config.digest, limits.config_bytes)?;
    if bytes.len() as u64 != config.size {
        let what = format!("the configuration {}", config.digest);
        return Err(Fault::SizeMismatch { what, expected: config.size, found: bytes.len() as u64 });
    }
    Ok(LocalImage {
        manifest: Some(manifest.clone()),
        config: Config { digest: config.digest, bytes },
        layers,
        names: Vec::new(),
    })
}
