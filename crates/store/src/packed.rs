//! Raw evidence as it is kept: packed, under the digest of the bytes as they were read.

use std::io::Read as _;
use std::sync::{Mutex, PoisonError};

use flate2::read::GzDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use model::Digest;

use crate::{EvidenceRow, Result, StoreError};

/// Behind the media type of what is packed.
const PACKED: &str = "; packed=gzip";
/// The largest evidence that is unpacked, in bytes.
const LARGEST: u64 = 256 << 20;
/// The window of a packer: 2^15 bytes, the largest that gzip knows.
const WINDOW: u8 = 15;
/// How many packers are kept.
const PACKERS: usize = 4;

/// Packers that have nothing to do. Each takes hundreds of KiB: made anew for every decision they tear the heap apart, because what stays is put where
/// they were.
static IDLE: Mutex<Vec<Compress>> = Mutex::new(Vec::new());

impl EvidenceRow {
    /// These bytes, under their digest, in less room.
    pub fn packed(media_type: &str, bytes: &[u8]) -> std::io::Result<Self> {
        let media_type = format!("{media_type}{PACKED}");
        Ok(Self { digest: Digest::of(bytes), media_type, bytes: pack(bytes)? })
    }

    /// The same with the bytes as they were read.
    pub(crate) fn unpacked(self) -> Result<Self> {
        let Some(media_type) = self.media_type.strip_suffix(PACKED).map(str::to_owned) else { return Ok(self) };
        Ok(Self { media_type, bytes: unpack(&self.bytes)?, digest: self.digest })
    }
}

/// The bytes in less room, as gzip.
///
/// # Errors
/// The packer fails.
pub fn pack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let idle = || IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = idle().pop();
    let mut packer = known.unwrap_or_else(|| Compress::new_gzip(Compression::fast(), WINDOW));
    let mut made = Vec::with_capacity(bytes.len() / 2 + 256);
    let mut rest = bytes;
    loop {
        let before = packer.total_in();
        let status = packer.compress_vec(rest, &mut made, FlushCompress::Finish)?;
        let read = usize::try_from(packer.total_in() - before).unwrap_or(usize::MAX);
        rest = rest.get(read..).unwrap_or(&[]);
        if status == Status::StreamEnd {
            break;
        }
        made.reserve(made.capacity().max(256));
    }
    made.shrink_to_fit();
    packer.reset();
    let mut idle = idle();
    if idle.len() < PACKERS {
        idle.push(packer);
    }
    Ok(made)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_whatever_its_size_and_whoever_packed_before() {
        let noise = |many: usize| -> Vec<u8> {
            (0..many)
                .scan(7_u32, |seed, _| {
                    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    seed.to_be_bytes().first().copied()
                })
                .collect()
        };
        let threads: Vec<_> = (0..8)
            .map(|_| {
                std::thread::spawn(move || {
                    for many in [0, 1, 255, 4_096, 300_000] {
                        for bytes in [noise(many), b"the same again ".repeat(many / 15)] {
                            let packed = pack(&bytes).unwrap();
                            assert_eq!(unpack(&packed).unwrap(), bytes);
                            assert_eq!(packed, pack(&bytes).unwrap(), "{many}");
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!((1..=PACKERS).contains(&IDLE.lock().unwrap().len()));
    }
}
