//! What the fuzz targets share: small limits, and the property that holds for every format in JSON. A target looks for
//! panics, overflows, endless loops and memory without bound; and for the worst bug there is, an answer that was cut off
//! and still reads as a whole one ("never silently green").

pub mod log;

pub mod notation;

pub mod review;

pub mod signed;

use std::fmt::Debug;

use model::{Digest, ImageConfig};
use signals::Limits;

/// The limits of the product, except that a document of a few kilobytes already meets those on lists.
pub const LIMITS: Limits = Limits { bytes: 1 << 20, findings: 64, pages: 4, manifests: 16, entries: 64 };

/// Reads the bytes twice, which must say the same, and then cut short, which must be refused: what ends before its last
/// bracket is no JSON, so no reader may take it for a document.
///
/// # Panics
/// If the reader breaks one of these promises.
pub fn whole_or_nothing<T: Debug, E: Debug>(data: &[u8], read: impl Fn(&[u8]) -> Result<T, E>) {
    let first = read(data);
    let second = read(data);
    assert_eq!(format!("{first:?}"), format!("{second:?}"), "the same bytes read differently");
    if first.is_err() {
        return;
    }
    let end = data.iter().rposition(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    for cut in [end, end / 2, end / 3 * 2, 1.min(end)] {
        let cut_off = read(&data[..cut]);
        assert!(cut_off.is_err(), "{cut} of {} bytes read as a whole document: {cut_off:?}", data.len());
    }
}

/// A configuration with a manifest of so many layers, as a builder would write them.
pub fn manifest_of(config: &[u8], layers: usize) -> Vec<u8> {
    let layers: Vec<_> = (0..layers)
        .map(|n| {
            serde_json::json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": Digest::of(&n.to_le_bytes()),
                "size": 1000 + n,
            })
        })
        .collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::of(config),
            "size": config.len(),
        },
        "layers": layers,
    });
    manifest.to_string().into_bytes()
}

/// The configuration of an image of one layer that runs a script.
///
/// # Panics
/// If the reader refuses it: then every target that needs it would test nothing.
pub fn image(layers: usize) -> ImageConfig {
    let diff_ids: Vec<_> = (0..layers).map(|n| Digest::of(format!("layer {n}").as_bytes())).collect();
    let config = serde_json::json!({
        "architecture": "amd64",
        "os": "linux",
        "config": { "Entrypoint": ["run.sh"], "Env": ["PATH=/usr/bin:/bin"], "WorkingDir": "/srv" },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
    .to_string();
    let manifest = manifest_of(config.as_bytes(), layers);
    signals::image::config(&manifest, config.as_bytes(), &Digest::of(config.as_bytes()), &LIMITS)
        .unwrap_or_else(|error| panic!("the image of the fuzz targets is refused: {error}"))
}
