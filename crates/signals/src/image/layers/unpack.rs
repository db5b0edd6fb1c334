//! From the bytes of a layer to those of its tar archive: none, gzip (of one or more members) or zstd (of one or more
//! frames, skippable ones among them: zstd:chunked). Bounded by what comes out, altogether and against what went in. A
//! stream that is cut off or whose checksum is wrong is an error. Sources: OCI image-spec `layer.md`; RFC 1952, RFC 8878.

use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How the bytes of a layer are packed, by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// Known media types; the error says what an unknown one is.
    pub(super) fn of(media_type: &str) -> Result<Self, String> {
        match media_type {
            "application/vnd.oci.image.layer.v1.tar" | "application/vnd.docker.image.rootfs.diff.tar" => Ok(Self::None),
            "application/vnd.oci.image.layer.v1.tar+gzip" | "application/vnd.docker.image.rootfs.diff.tar.gzip" => {
                Ok(Self::Gzip)
            }
            "application/vnd.oci.image.layer.v1.tar+zstd" | "application/vnd.docker.image.rootfs.diff.tar.zstd" => {
                Ok(Self::Zstd)
            }
            other if other.contains(".foreign.") || other.contains(".nondistributable.") => {
                Err(format!("layers of type {other:?} are kept outside the registry and are not read"))
            }
            other => Err(format!("layers of type {other:?} are not known; tar, gzip and zstd are")),
        }
    }

    fn magic(self) -> &'static [u8] {
        match self {
            Self::None => &[],
            Self::Gzip => &[0x1f, 0x8b],
            Self::Zstd => &[0x28, 0xb5, 0x2f, 0xfd],
        }
    }
}

/// At most so many bytes come out of one layer.
const MOST_BYTES: u64 = 64 << 30;
/// Past the first GiB, at most so many bytes come out for each one that goes in; gzip cannot make more than 1,032.
const MOST_GROWTH: u64 = 2_000;
/// The widest window of a zstd frame: what builders use at their highest level.
const MOST_WINDOW: u64 = 32 << 20;

type Source<R> = Counted<io::Chain<Cursor<Vec<u8>>, R>>;

/// The unpacked bytes of a layer.
pub(super) struct Unpacked<R: Read> {
    stream: Stream<Source<R>>,
    bytes: u64,
}

enum Stream<R: Read> {
    None(R),
    Gzip(Box<MultiGzDecoder<R>>),
    Zstd(Box<Frames<R>>),
}

impl<R: Read> Unpacked<R> {
    /// Looks at the first bytes: a layer that is packed otherwise than its media type says is refused.
    pub(super) fn new(packing: Packing, mut bytes: R) -> io::Result<Self> {
        let mut start = Vec::new();
        bytes.by_ref().take(4).read_to_end(&mut start)?;
        let skippable = packing == Packing::Zstd && start.get(1..) == Some(&SKIPPABLE[1..]);
        if !start.starts_with(packing.magic()) && !skippable {
            return Err(wrong(format!("its media type says {packing:?}, and it starts with the bytes {start:02x?}")));
        }
        let source = Counted { source: Cursor::new(start).chain(bytes), count: 0 };
        let stream = match packing {
            Packing::None => Stream::None(source),
            Packing::Gzip => Stream::Gzip(Box::new(MultiGzDecoder::new(source))),
            Packing::Zstd => Stream::Zstd(Box::new(Frames::new(source))),
        };
        Ok(Self { stream, bytes: 0 })
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (count, packed) = match &mut self.stream {
            Stream::None(stream) => (stream.read(buffer)?, stream.count),
            Stream::Gzip(stream) => (stream.read(buffer)?, stream.get_ref().count),
            Stream::Zstd(stream) => (stream.read(buffer)?, stream.source.count),
        };
        self.bytes = self.bytes.saturating_add(count as u64);
        if self.bytes > MOST_BYTES {
            return Err(wrong(format!("it unpacks to more than {MOST_BYTES} bytes")));
        }
        if self.bytes > (1 << 30) && self.bytes / MOST_GROWTH > packed {
            return Err(wrong(format!("its first {packed} bytes unpack to more than {} bytes", self.bytes)));
        }
        Ok(count)
    }
}

struct Counted<R> {
    source: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.count = self.count.saturating_add(count as u64);
        Ok(count)
    }
}

/// A skippable frame begins with one of sixteen numbers, which differ in the first byte: `0x50` to `0x5f`.
const SKIPPABLE: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// Zstd frames one after another. The library reads one frame, and leaves its checksum to the caller.
struct Frames<R> {
    source: R,
    frame: FrameDecoder,
    inside: bool,
    /// There was a frame that holds something.
    any: bool,
}

impl<R: Read> Frames<R> {
    fn new(source: R) -> Self {
        Self { source, frame: FrameDecoder::new(), inside: false, any: false }
    }

    /// Goes to the next frame that holds something; false at the end.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            let mut header = Vec::new();
            self.more(&mut header, 4)?;
            if header.is_empty() {
                return if self.any { Ok(false) } else { Err(cut()) };
            }
            if header.get(1..) == Some(&SKIPPABLE[1..]) && header[0] & 0xf0 == SKIPPABLE[0] {
                self.more(&mut header, 4)?;
                let length = header.get(4..8).map_or(0, number);
                if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length || header.len() < 8 {
                    return Err(cut());
                }
                continue;
            }
            if header != Packing::Zstd.magic() {
                return Err(wrong(format!("a zstd frame starts with the bytes {header:02x?}")));
            }
            // RFC 8878, section 3.1.1.1: descriptor, window or size of the content.
            self.more(&mut header, 1)?;
            let descriptor = *header.get(4).ok_or_else(cut)?;
            let single = descriptor & 0x20 != 0;
            let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
            let size = [usize::from(single), 2, 4, 8][usize::from(descriptor >> 6)];
            self.more(&mut header, usize::from(!single) + dictionary + size)?;
            let fields = header.get(5..).unwrap_or(&[]);
            let window = if single {
                let content = fields.get(dictionary..).unwrap_or(&[]);
                number(content) + if size == 2 { 256 } else { 0 }
            } else {
                let window = u64::from(*fields.first().ok_or_else(cut)?);
                let base = 1u64 << (10 + (window >> 3));
                base + (base / 8) * (window & 7)
            };
            if window > MOST_WINDOW {
                return Err(wrong(format!(
                    "a zstd frame needs {window} bytes of memory; at most {MOST_WINDOW} are given"
                )));
            }
            self.frame.init(Cursor::new(header).chain(&mut self.source)).map_err(|error| wrong(error.to_string()))?;
            (self.inside, self.any) = (true, true);
            return Ok(true);
        }
    }

    /// Reads up to so many bytes more.
    fn more(&mut self, into: &mut Vec<u8>, count: usize) -> io::Result<()> {
        self.source.by_ref().take(count as u64).read_to_end(into).map(|_| ())
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.inside && !self.begin()? {
                return Ok(0);
            }
            if self.frame.can_collect() > 0 {
                return self.frame.read(buffer);
            }
            if self.frame.is_finished() {
                let (said, found) = (self.frame.get_checksum_from_data(), self.frame.get_calculated_checksum());
                if said.is_some() && said != found {
                    return Err(wrong("the checksum of a zstd frame is wrong".to_owned()));
                }
                self.inside = false;
                continue;
            }
            let one = BlockDecodingStrategy::UptoBlocks(1);
            self.frame.decode_blocks(&mut self.source, one).map_err(|error| wrong(error.to_string()))?;
        }
    }
}

/// A number of up to eight bytes, lowest first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn wrong(cause: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut off")
}
