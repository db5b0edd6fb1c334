//! Images that lie on this machine: an OCI image layout as a folder or an archive (image-spec 1.1 `image-layout.md`), and
//! what `docker save` writes, in its older and its newer form.
//!
//! Everything read is bounded and checked against its digest. A layout holds manifests, so a judgement of its image is a
//! judgement of the digest that a push would give. An archive of `docker save` holds none: Docker makes layers and
//! manifest anew at each push, so such an image has no digest in any registry ([`LocalImage::manifest`] is `None`).
//! Blocking: meant for a thread that may block. Which platform of an index is meant is not decided here.

mod archive;
mod docker_archive;
mod document;
mod error;
mod files;
mod image;
mod layout;
mod limits;
mod reference;
mod tar_index;
mod verified;

use std::io::Read;

use bytes::Bytes;
use model::Digest;

pub use error::{Fault, SourceError};
pub use image::{Config, Listed, LocalImage, Role, Subject};
pub use limits::SourceLimits;
pub use reference::{LocalKind, LocalReference, LocalReferenceError, Pick};

use crate::{Descriptor, Manifest};
use docker_archive::DockerArchive;
use files::Files;
use layout::Layout;

/// An opened layout or archive.
#[derive(Debug)]
pub struct Source {
    reference: LocalReference,
    limits: SourceLimits,
    files: Files,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Layout(Layout),
    Docker(DockerArchive),
}

impl Source {
    /// Opens what a reference names and reads its table of contents. An archive is read through once.
    pub fn open(reference: &LocalReference, limits: SourceLimits) -> Result<Self, SourceError> {
        let in_it = |fault| SourceError::new(reference, fault);
        let files = match reference.kind {
            LocalKind::Layout => Files::folder(&reference.path),
            LocalKind::LayoutArchive | LocalKind::DockerArchive => Files::archive(&reference.path, &limits),
        };
        let files = files.map_err(in_it)?;
        let content = match reference.kind {
            LocalKind::Layout | LocalKind::LayoutArchive => Layout::read(&files, &limits).map(Content::Layout),
            LocalKind::DockerArchive => DockerArchive::read(&files, &limits).map(Content::Docker),
        };
        Ok(Self { reference: reference.clone(), content: content.map_err(in_it)?, limits, files })
    }

    /// What was opened.
    pub fn reference(&self) -> &LocalReference {
        &self.reference
    }

    /// Everything that the table of contents lists, in its order, each digest once.
    pub fn images(&self) -> Vec<Listed> {
        match &self.content {
            Content::Layout(layout) => layout.listed(),
            Content::Docker(archive) => archive.listed(),
        }
    }

    /// The image that the reference means: the one of this name or digest, or the only one.
    pub fn choose(&self) -> Result<Subject, SourceError> {
        let chosen = image::chosen(&self.images(), &self.reference);
        if let (Err(_), Content::Layout(_), Pick::Digest(digest)) = (&chosen, &self.content, &self.reference.pick)
            && self.files.has(&layout::blob_path(digest))
        {
            // An image inside an index is not listed, and yet its digest says exactly which one is meant.
            return self.manifest(digest).map(Subject::Manifest);
        }
        let listed = chosen.map_err(|fault| self.fault(fault))?;
        match &self.content {
            Content::Layout(_) => self.manifest(&listed.digest).map(Subject::Manifest),
            Content::Docker(archive) => archive
                .image(&self.files, &listed.digest, &self.limits)
                .map(Subject::Saved)
                .map_err(|fault| self.fault(fault)),
        }
    }

    /// A manifest or index of a layout, by digest: the chosen one, one inside an index, or a referrer.
    pub fn manifest(&self, digest: &Digest) -> Result<Manifest, SourceError> {
        let manifest = match &self.content {
            Content::Layout(layout) => layout.manifest(&self.files, digest, &self.limits),
            Content::Docker(_) => Err(Fault::NoManifests),
        };
        manifest.map_err(|fault| self.fault(fault))
    }

    /// The configuration and layers of an image manifest that [`Source::manifest`] gave.
    pub fn image(&self, manifest: &Manifest) -> Result<LocalImage, SourceError> {
        let image = match &self.content {
            Content::Layout(_) => layout::image(&self.files, manifest, &self.limits),
            Content::Docker(_) => Err(Fault::NoManifests),
        };
        image.map_err(|fault| self.fault(fault))
    }

    /// A blob of at most `limit` bytes.
    pub fn blob(&self, digest: &Digest, limit: u64) -> Result<Bytes, SourceError> {
        let blob = match &self.content {
            Content::Layout(_) => layout::blob(&self.files, digest, limit),
            Content::Docker(archive) => archive.blob(&self.files, digest, limit),
        };
        blob.map_err(|fault| self.fault(fault))
    }

    /// A layer of [`LocalImage::layers`] as a stream, in the form that its media type names. It ends well only if size and
    /// digest are right; else an error ([`SourceError::of_io`]) stands in the place of its end. Whoever acts on the bytes
    /// before they have read to the end acts on unchecked bytes.
    pub fn layer(&self, layer: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        let stream = match &self.content {
            Content::Layout(_) => layout::layer(&self.files, layer),
            Content::Docker(archive) => archive.layer(&self.files, layer, &self.limits),
        };
        let stream = stream.map_err(|fault| self.fault(fault))?;
        Ok(Box::new(error::Named::new(self.reference.clone(), stream)))
    }

    /// Everything in a layout that refers to this digest: manifests whose `subject` it is, and what the index under its
    /// fallback tag lists. Always the whole list, sorted by digest; empty for an archive of `docker save`.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, SourceError> {
        match &self.content {
            Content::Layout(layout) => {
                layout.referrers(&self.files, subject, &self.limits).map_err(|fault| self.fault(fault))
            }
            Content::Docker(_) => Ok(Vec::new()),
        }
    }

    /// What cosign keeps about a digest in a layout under a tag of its own: the fallback tag with a suffix such as `.sig`
    /// or `.att`, or the entries of that kind (`sigs`, `atts`) of what `cosign save` wrote, which say only by their content
    /// what they are about.
    pub fn under_tag(&self, subject: &Digest, suffix: &str) -> Result<Vec<Manifest>, SourceError> {
        match &self.content {
            Content::Layout(layout) => {
                layout.under_tag(&self.files, subject, suffix, &self.limits).map_err(|fault| self.fault(fault))
            }
            Content::Docker(_) => Ok(Vec::new()),
        }
    }

    fn fault(&self, fault: Fault) -> SourceError {
        SourceError::new(&self.reference, fault)
    }
}

#[cfg(test)]
mod tests;
