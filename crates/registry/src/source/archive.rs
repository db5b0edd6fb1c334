//! An archive: read through once for its table of contents, then file by file. A plain one is read by position; a gzipped
//! one from its start each time, so that nothing has to be unpacked onto a disk (small files are kept).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::{Buf as _, Bytes};
use flate2::bufread::MultiGzDecoder;

use super::error::Fault;
use super::files::{Opened, regular_file};
use super::limits::SourceLimits;
use super::tar_index::{self, Entry, Kind, Walk};

/// Files of a gzipped archive up to this size are kept while it is read through.
const KEPT_FILE_BYTES: u64 = 1 << 20;
/// So many bytes are kept of all of them.
const KEPT_BYTES: u64 = 64 << 20;

/// An archive with its table of contents.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    gzipped: bool,
    entries: BTreeMap<String, Place>,
    twice: BTreeSet<String>,
    links: BTreeMap<String, String>,
}

/// Where an entry's content is.
#[derive(Debug, Clone)]
struct Place {
    offset: u64,
    size: u64,
    kept: Option<Bytes>,
}

impl Archive {
    pub(super) fn open(path: &Path, limits: &SourceLimits) -> Result<Self, Fault> {
        let (mut file, size) = regular_file(path)?;
        let name = path.display().to_string();
        if size > limits.archive_bytes {
            return Err(Fault::TooLarge { what: name, limit: limits.archive_bytes });
        }
        let mut magic = Vec::new();
        (&mut file).take(6).read_to_end(&mut magic).map_err(|error| Fault::io(&name, &error))?;
        file.seek(SeekFrom::Start(0)).map_err(|error| Fault::io(&name, &error))?;
        let gzipped = match magic.as_slice() {
            [0x1f, 0x8b, ..] => true,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => return Err(Fault::Compressed { what: name, with: "zstd" }),
            [b'B', b'Z', b'h', ..] => return Err(Fault::Compressed { what: name, with: "bzip2" }),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => return Err(Fault::Compressed { what: name, with: "xz" }),
            _ => false,
        };
        let mut archive = Self {
            path: path.to_owned(),
            gzipped,
            entries: BTreeMap::new(),
            twice: BTreeSet::new(),
            links: BTreeMap::new(),
        };
        if gzipped {
            archive.read_through(Unpacked::new(file), limits)?;
        } else {
            archive.read_through(Plain { file: BufReader::new(file), size }, limits)?;
        }
        Ok(archive)
    }

    fn read_through(&mut self, mut walk: impl Walk, limits: &SourceLimits) -> Result<(), Fault> {
        let mut kept_bytes = 0_u64;
        let gzipped = self.gzipped;
        tar_index::read(&mut walk, limits, |walk, entry| {
            let Entry { name, kind, offset, size } = entry;
            match kind {
                Kind::Folder => {}
                Kind::Link(target) => {
                    self.links.insert(name, target);
                }
                Kind::File => {
                    let keep = gzipped && size <= KEPT_FILE_BYTES && kept_bytes + size <= KEPT_BYTES;
                    let kept = keep.then(|| tar_index::take(walk, &name, size)).transpose()?;
                    kept_bytes += kept.as_ref().map_or(0, |_| size);
                    let place = Place { offset, size, kept: kept.clone().map(Bytes::from) };
                    if self.entries.insert(name.clone(), place).is_some() {
                        self.twice.insert(name);
                    }
                    return Ok(kept.is_some());
                }
            }
            Ok(false)
        })
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// Whether several entries have this name, so that it depends on the program which one is read.
    pub(super) fn has_twice(&self, path: &str) -> bool {
        self.twice.contains(path) || (self.has(path) && self.links.contains_key(path))
    }

    /// The first link there is.
    pub(super) fn any_link(&self) -> Option<&str> {
        self.links.keys().next().map(String::as_str)
    }

    /// Where a link in an archive of `docker save` leads: the older form writes equal layers once and links to them.
    pub(super) fn link_target(&self, path: &str) -> Option<&str> {
        self.links.get(path).map(String::as_str)
    }

    pub(super) fn open_entry(&self, path: &str) -> Result<Option<Opened>, Fault> {
        let Some(place) = self.entries.get(path) else { return Ok(None) };
        if let Some(kept) = &place.kept {
            return Ok(Some(Opened { size: place.size, stream: Box::new(kept.clone().reader()) }));
        }
        let (mut file, _) = regular_file(&self.path)?;
        let cannot = |error: io::Error| Fault::io(path, &error);
        let stream: Box<dyn Read + Send> = if self.gzipped {
            let mut unpacked = MultiGzDecoder::new(BufReader::new(file));
            io::copy(&mut (&mut unpacked).take(place.offset), &mut io::sink()).map_err(cannot)?;
            Box::new(unpacked.take(place.size))
        } else {
            file.seek(SeekFrom::Start(place.offset)).map_err(cannot)?;
            Box::new(file.take(place.size))
        };
        Ok(Some(Opened { size: place.size, stream }))
    }
}

/// A plain archive.
struct Plain {
    file: BufReader<File>,
    size: u64,
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Walk for Plain {
    fn skip(&mut self, bytes: u64) -> io::Result<bool> {
        // Going beyond the end of a file is no error of the system.
        let here = self.file.stream_position()?;
        if self.size.checked_sub(here).is_none_or(|left| left < bytes) {
            return Ok(false);
        }
        self.file.seek_relative(i64::try_from(bytes).map_err(io::Error::other)?)?;
        Ok(true)
    }
}

/// A gzipped archive.
struct Unpacked {
    stream: MultiGzDecoder<BufReader<File>>,
}

impl Unpacked {
    fn new(file: File) -> Self {
        Self { stream: MultiGzDecoder::new(BufReader::new(file)) }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Walk for Unpacked {
    fn skip(&mut self, bytes: u64) -> io::Result<bool> {
        Ok(io::copy(&mut (&mut self.stream).take(bytes), &mut io::sink())? == bytes)
    }
}
