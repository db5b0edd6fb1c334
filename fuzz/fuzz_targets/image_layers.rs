//! Layers: the first byte says how they are compressed, `0xff 0xfe` starts the next one.
#![no_main]

use std::sync::LazyLock;

use fuzz::{LIMITS, image};
use model::ImageConfig;
use signals::image::Reader;

static IMAGE: LazyLock<ImageConfig> = LazyLock::new(|| image(1));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let media_type = match kind % 4 {
        0 => "application/vnd.oci.image.layer.v1.tar",
        1 => "application/vnd.oci.image.layer.v1.tar+gzip",
        2 => "application/vnd.oci.image.layer.v1.tar+zstd",
        _ => "application/vnd.docker.image.rootfs.diff.tar.gzip",
    };
    let mut reader = Reader::new(&IMAGE, &LIMITS);
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|two| two == [0xff, 0xfe]).unwrap_or(rest.len());
        if reader.layer(media_type, &rest[..end]).is_err() {
            return;
        }
        rest = rest.get(end + 2..).unwrap_or(&[]);
    }
    if let Ok(contents) = reader.finish() {
        assert!(contents.packages.len() <= LIMITS.entries, "more packages than the limit");
    }
});
