//! Layouts and archives as the testkit writes them, then spoiled one place at a time.

mod archives;
mod docker;
mod layouts;
mod skopeo;

use std::io::Read as _;
use std::path::PathBuf;

use tempfile::TempDir;
use testkit::oci::{Files, Image, ImageBuilder, Layer};

use super::*;

/// A place for files that goes away with it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn folder(&self, files: &Files) -> LocalReference {
        let path = self.path("layout");
        let _ = std::fs::remove_dir_all(&path);
        files.write(&path);
        LocalReference { kind: LocalKind::Layout, path, pick: Pick::Only }
    }

    fn archive(&self, kind: LocalKind, bytes: &[u8]) -> LocalReference {
        let path = self.path("image.tar");
        std::fs::write(&path, bytes).unwrap();
        LocalReference { kind, path, pick: Pick::Only }
    }
}

fn named(reference: &LocalReference, name: &str) -> LocalReference {
    LocalReference { pick: Pick::Name(name.to_owned()), ..reference.clone() }
}

fn by_digest(reference: &LocalReference, digest: &str) -> LocalReference {
    LocalReference { pick: Pick::Digest(digest.parse().unwrap()), ..reference.clone() }
}

fn open(reference: &LocalReference) -> Result<Source, SourceError> {
    Source::open(reference, SourceLimits::default())
}

/// What opening, choosing and reading everything says.
fn everything(reference: &LocalReference) -> Result<LocalImage, SourceError> {
    everything_within(reference, SourceLimits::default())
}

fn everything_within(reference: &LocalReference, limits: SourceLimits) -> Result<LocalImage, SourceError> {
    let source = Source::open(reference, limits)?;
    let image = match source.choose()? {
        Subject::Manifest(manifest) => source.image(&manifest)?,
        Subject::Saved(image) => image,
    };
    for layer in &image.layers {
        read(&source, layer)?;
    }
    Ok(image)
}

fn read(source: &Source, layer: &Descriptor) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    match source.layer(layer)?.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(SourceError::of_io(&error).unwrap_or_else(|| panic!("{error}")).clone()),
    }
}

fn fault(result: Result<LocalImage, SourceError>) -> Fault {
    let error = result.expect_err("a spoiled source");
    let reason = error.reason();
    assert_eq!(reason.code, model::ReasonCode::SourceInvalid);
    assert!(reason.message.contains(&error.reference) && reason.remedy.ends_with('.'), "{reason:?}");
    *error.fault
}

fn image(word: &str) -> Image {
    ImageBuilder::new()
        .layer(Layer::new().file("etc/os-release", "ID=debian\n"))
        .layer(Layer::new().file("etc/word", word.repeat(3000)))
        .user("65532")
        .build()
}

fn descriptors(image: &Image) -> Vec<(String, u64)> {
    image.layers.iter().map(|layer| (layer.digest.clone(), layer.bytes.len() as u64)).collect()
}
