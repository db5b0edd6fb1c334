//! Tar archives as container runtimes read them: ustar with its prefix, GNU long names, PAX records, old GNU and PAX
//! sparse files by name only. Sources: POSIX.1-2017 `pax`, GNU tar manual "Basic Tar Format".
//!
//! Not the `tar` crate, for two reasons. It keeps long names and PAX records of any length in memory. And it skips the
//! content that a header of a folder or link claims to have, where runtimes (Go's archive/tar) know that these have
//! none: two readers would see different files in one layer.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

/// The longest PAX header or GNU long name that runtimes take.
const MOST_EXTENSION: u64 = 1 << 20;
const BLOCK: u64 = 512;

/// What an entry makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// A regular file whose content is stored as pieces with holes between.
    SparseFile,
    HardLink,
    Symlink,
    Directory,
    /// A device or a pipe.
    Special,
}

/// The header of an entry, names as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) path: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: u64,
    pub(super) size: u64,
}

/// An archive. After [`Archive::next`] it reads the content of that entry.
pub(super) struct Archive<R> {
    source: R,
    content: u64,
    padding: u64,
}

impl<R: BufRead> Archive<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, content: 0, padding: 0 }
    }

    /// The next entry; `None` at the end of the archive.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        let (mut pax, mut long_path, mut long_link) = (BTreeMap::new(), None, None);
        loop {
            self.skip_rest()?;
            let Some(header) = self.header()? else {
                return if pax.is_empty() && long_path.is_none() && long_link.is_none() {
                    Ok(None)
                } else {
                    Err(wrong("the archive ends after a header that describes a next entry"))
                };
            };
            let mut size = number(&header[124..136])?;
            match header[156] {
                b'x' => pax = records(&self.extension(size)?)?,
                b'L' => long_path = Some(until_nul(&self.extension(size)?).to_vec()),
                b'K' => long_link = Some(until_nul(&self.extension(size)?).to_vec()),
                // Records for all later entries: runtimes leave them aside.
                b'g' => self.open(size)?,
                flag => {
                    let field = |key: &str| pax.get(key.as_bytes()).filter(|value: &&Vec<u8>| !value.is_empty());
                    if let Some(text) = field("size") {
                        size = decimal(text)?;
                    }
                    let path = field("path").cloned().unwrap_or_else(|| path(&header));
                    let path = long_path.filter(|path: &Vec<u8>| !path.is_empty()).unwrap_or(path);
                    let link = field("linkpath").cloned().unwrap_or_else(|| until_nul(&header[157..257]).to_vec());
                    let link = long_link.filter(|link: &Vec<u8>| !link.is_empty()).unwrap_or(link);
                    let sparse = pax.keys().any(|key| key.starts_with(b"GNU.sparse."));
                    let kind = match flag {
                        0 if path.ends_with(b"/") => Kind::Directory,
                        0 | b'0' | b'7' if sparse => Kind::SparseFile,
                        0 | b'0' | b'7' => Kind::File,
                        b'S' => Kind::SparseFile,
                        b'1' => Kind::HardLink,
                        b'2' => Kind::Symlink,
                        b'3' | b'4' | b'6' => Kind::Special,
                        b'5' => Kind::Directory,
                        other => {
                            return Err(wrong(&format!("an entry is of the unknown type {:?}", char::from(other))));
                        }
                    };
                    let path = field("GNU.sparse.name").filter(|_| kind == Kind::SparseFile).cloned().unwrap_or(path);
                    if flag == b'S' {
                        self.sparse_map(header[482])?;
                    }
                    // Whatever their header says, only files have content.
                    let has_content = matches!(kind, Kind::File | Kind::SparseFile);
                    self.open(if has_content { size } else { 0 })?;
                    return Ok(Some(Entry { kind, path, link, mode: number(&header[100..108])?, size }));
                }
            }
        }
    }

    /// Reads what is behind the end of the archive, so that the checksum of the packed stream is looked at.
    pub(super) fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self.source, &mut io::sink()).map(|_| ())
    }

    /// The next header; `None` at the end of the bytes or at two blocks of zeros.
    fn header(&mut self) -> io::Result<Option<[u8; 512]>> {
        if self.source.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut block = [0; 512];
        self.block(&mut block)?;
        if block == [0; 512] {
            if !self.source.fill_buf()?.is_empty() {
                self.block(&mut block)?;
            }
            return if block == [0; 512] {
                Ok(None)
            } else {
                Err(wrong("a block of zeros stands between two entries"))
            };
        }
        let said = number(&block[148..156])?;
        // The field of the checksum counts as blanks. Some old writers summed signed bytes.
        let bytes = || block[..148].iter().chain(&[b' '; 8]).chain(&block[156..]);
        let signed = || bytes().map(|byte| i64::from(byte.cast_signed())).sum::<i64>();
        if bytes().map(|byte| u64::from(*byte)).sum::<u64>() == said || i64::try_from(said) == Ok(signed()) {
            Ok(Some(block))
        } else {
            Err(wrong("the checksum of a header is wrong, or this is no tar archive"))
        }
    }

    fn block(&mut self, block: &mut [u8; 512]) -> io::Result<()> {
        self.source
            .read_exact(block)
            .map_err(|error| if error.kind() == io::ErrorKind::UnexpectedEof { cut() } else { error })
    }

    fn open(&mut self, size: u64) -> io::Result<()> {
        self.content = size;
        self.padding = size.checked_next_multiple_of(BLOCK).ok_or_else(|| wrong("an entry is too large"))? - size;
        Ok(())
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        let mut left = self.content.saturating_add(self.padding);
        (self.content, self.padding) = (0, 0);
        while left > 0 {
            let ready = self.source.fill_buf()?.len();
            if ready == 0 {
                return Err(cut());
            }
            let skipped = ready.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.source.consume(skipped);
            left -= skipped as u64;
        }
        Ok(())
    }

    /// The content of a header that describes the next entry.
    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MOST_EXTENSION {
            return Err(wrong(&format!("a name or header has {size} bytes; at most {MOST_EXTENSION} are read")));
        }
        self.open(size)?;
        let mut content = Vec::new();
        self.read_to_end(&mut content)?;
        Ok(content)
    }

    /// The further blocks of an old GNU sparse map.
    fn sparse_map(&mut self, mut more: u8) -> io::Result<()> {
        let mut block = [0; 512];
        while more != 0 {
            self.block(&mut block)?;
            more = block[504];
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.content).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let count = self.source.read(&mut buffer[..most])?;
        self.content -= count as u64;
        if count == 0 { Err(cut()) } else { Ok(count) }
    }
}

/// Name and, for ustar, the prefix before it.
fn path(header: &[u8; 512]) -> Vec<u8> {
    let name = until_nul(&header[..100]);
    let prefix = match (&header[257..263], &header[508..512]) {
        (b"ustar\0", b"tar\0") => until_nul(&header[345..476]),
        (b"ustar\0", _) => until_nul(&header[345..500]),
        _ => &[],
    };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or(bytes)
}

/// A number of a header: octal digits, or base 256 if the first bit is set.
fn number(field: &[u8]) -> io::Result<u64> {
    if let Some((first, rest)) = field.split_first()
        && first & 0x80 != 0
    {
        let start = u64::from(first & 0x7f);
        let number =
            rest.iter().try_fold(start, |number, byte| (number >> 56 == 0).then_some((number << 8) | u64::from(*byte)));
        return number
            .filter(|_| first & 0x40 == 0)
            .ok_or_else(|| wrong("a number of a header is too large or negative"));
    }
    let digits = until_nul(field).trim_ascii();
    digits
        .iter()
        .try_fold(0u64, |number, byte| (b'0'..=b'7').contains(byte).then(|| (number << 3) | u64::from(byte - b'0')))
        .ok_or_else(|| wrong("a number of a header is not octal"))
}

fn decimal(text: &[u8]) -> io::Result<u64> {
    let number = std::str::from_utf8(text).map_or(None, |text| {
        text.bytes().try_fold(0u64, |number, byte| {
            if byte.is_ascii_digit() { number.checked_mul(10)?.checked_add(u64::from(byte - b'0')) } else { None }
        })
    });
    number.filter(|_| !text.is_empty()).ok_or_else(|| wrong("a number of a PAX record is not decimal"))
}

/// PAX records: `length key=value\n`, the length with all of it. The last of a key counts.
fn records(mut bytes: &[u8]) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let bad = || wrong("a PAX record is broken");
    let mut records = BTreeMap::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
        let length = usize::try_from(decimal(&bytes[..space])?).map_err(|_| bad())?;
        let record = bytes.get(space + 1..length).and_then(|record| record.strip_suffix(b"\n")).ok_or_else(bad)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        if [b"path".as_slice(), b"linkpath"].contains(&key) && value.contains(&0) {
            return Err(bad());
        }
        records.insert(key.to_vec(), value.to_vec());
        bytes = &bytes[length..];
    }
    Ok(records)
}

fn wrong(cause: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut off")
}
