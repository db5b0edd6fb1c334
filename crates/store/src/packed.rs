//! Raw evidence as it is kept: packed, under the digest of the bytes as they were read.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use model::Digest;

use crate::{EvidenceRow, Result, StoreError};

/// Behind the media type of what is packed.
const PACKED: &str = "; packed=gzip";
/// The largest evidence that is unpacked, in bytes.
const LARGEST: u64 = 256 << 20;

impl EvidenceRow {
    /// These bytes, under their digest, in less room.
    pub fn packed(media_type: &str, bytes: &[u8]) -> std::io::Result<Self> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(bytes)?;
        let media_type = format!("{media_type}{PACKED}");
        Ok(Self { digest: Digest::of(bytes), media_type, bytes: packer.finish()? })
    }

    /// The same with the bytes as they were read.
    pub(crate) fn unpacked(self) -> Result<Self> {
        let Some(media_type) = self.media_type.strip_suffix(PACKED).map(str::to_owned) else { return Ok(self) };
        Ok(Self { media_type, bytes: unpack(&self.bytes)?, digest: self.digest })
    }
}

/// What was packed, and not more than [`LARGEST`] of it.
pub(crate) fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let wrong = |why: String| StoreError::Unreadable { what: "piece of evidence", why };
    let read =
        GzDecoder::new(packed).take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
    if read as u64 > LARGEST {
        return Err(wrong(format!("it is larger than {LARGEST} bytes")));
    }
    Ok(bytes)
}
