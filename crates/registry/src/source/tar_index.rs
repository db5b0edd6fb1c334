//! The table of contents of a tar archive (POSIX ustar and pax, GNU long names). Extension records are bounded, paths stay
//! inside, and what is neither file, folder nor link is refused. Sparse files, which images never use, are refused too.

use std::borrow::Cow;
use std::io::{self, Read};

use tar::{EntryType, Header, PaxExtensions};

use super::error::Fault;
use super::limits::SourceLimits;

const BLOCK: usize = 512;
/// Long names and pax records of one entry.
const EXTENSION_BYTES: u64 = 1 << 20;
/// The longest path.
const NAME_BYTES: usize = 4096;

/// An archive as it is walked through.
pub(super) trait Walk: Read {
    /// Goes on by so many bytes; false if there are fewer.
    fn skip(&mut self, bytes: u64) -> io::Result<bool>;
}

/// An entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path, without `./` in front and `/` behind.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Where its content begins.
    pub(super) offset: u64,
    pub(super) size: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// A symbolic or hard link, with its target as written.
    Link(String),
}

/// What extension records say about the entry behind them.
#[derive(Default)]
struct Extension {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Reads the archive through. `visit` says whether it has read the entry's content itself.
pub(super) fn read<W: Walk>(
    walk: &mut W,
    limits: &SourceLimits,
    mut visit: impl FnMut(&mut W, Entry) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let (mut offset, mut entries) = (0_u64, 0_usize);
    let mut extension = Extension::default();
    while let Some(header) = header(walk, offset)? {
        offset = added(offset, BLOCK as u64, limits)?;
        entries += 1;
        if entries > limits.entries {
            return Err(Fault::TooMany { what: "entries", limit: limits.entries });
        }
        let own_size = header.entry_size().map_err(|error| not_a_tar(&format!("a size is no number: {error}")))?;
        let kind = header.entry_type();
        if let EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader = kind {
            if own_size > EXTENSION_BYTES {
                return Err(Fault::TooLarge { what: "an extension record".to_owned(), limit: EXTENSION_BYTES });
            }
            let content = take(walk, "an extension record", own_size)?;
            extension.read(kind, &content)?;
            offset = padded(walk, added(offset, own_size, limits)?, limits)?;
            continue;
        }
        let extension = std::mem::take(&mut extension);
        let name = extension.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = || extension.link.or_else(|| header.link_name_bytes().map(Cow::into_owned));
        let name = inside(&name)?;
        let kind = match kind {
            EntryType::Regular | EntryType::Continuous if name.ends_with('/') => Kind::Folder,
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::Directory => Kind::Folder,
            EntryType::Symlink | EntryType::Link => Kind::Link(link().map_or_else(String::new, |link| lossy(&link))),
            _ => return Err(Fault::Special { name: shown(&name) }),
        };
        // Folders and links have no content, whatever size they give; that is how every reader takes it.
        let has_content = matches!(header.entry_type(), EntryType::Regular | EntryType::Continuous);
        let size = if has_content { extension.size.unwrap_or(own_size) } else { 0 };
        let end = added(offset, size, limits)?;
        let name = name.trim_end_matches('/').to_owned();
        let taken = visit(walk, Entry { name: name.clone(), kind, offset, size })?;
        let truncated = || Fault::Truncated { what: shown(&name) };
        if !taken && !walk.skip(size).map_err(|error| cut(&error, &name))? {
            return Err(truncated());
        }
        offset = padded(walk, end, limits)?;
    }
    Ok(())
}

/// The next header; `None` at the end, which is two blocks of zeros or the end of the file.
fn header(walk: &mut impl Read, offset: u64) -> Result<Option<Header>, Fault> {
    let Some(block) = block(walk)? else {
        return if offset == 0 { Err(not_a_tar("it is empty")) } else { Ok(None) };
    };
    if block.iter().all(|byte| *byte == 0) {
        return match self::block(walk)? {
            Some(next) if next.iter().any(|byte| *byte != 0) => {
                Err(not_a_tar("it goes on after a block of zeros; programs differ in where it ends"))
            }
            _ if offset == 0 => Err(not_a_tar("it is empty")),
            _ => Ok(None),
        };
    }
    let header = Header::from_byte_slice(&block).clone();
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let field: u32 = block[148..156].iter().map(|byte| u32::from(*byte)).sum();
    if header.cksum().ok() == Some(sum - field + 8 * u32::from(b' ')) {
        Ok(Some(header))
    } else {
        Err(not_a_tar(&format!("the header at byte {offset} has a wrong checksum")))
    }
}

/// One block; `None` at the end of the file.
fn block(walk: &mut impl Read) -> Result<Option<[u8; BLOCK]>, Fault> {
    let mut block = Vec::with_capacity(BLOCK);
    walk.by_ref().take(BLOCK as u64).read_to_end(&mut block).map_err(|error| cut(&error, "a header"))?;
    match <[u8; BLOCK]>::try_from(block) {
        Ok(block) => Ok(Some(block)),
        Err(short) if short.is_empty() => Ok(None),
        Err(_) => Err(Fault::Truncated { what: "a header".to_owned() }),
    }
}

/// The content of an entry, whole. The caller has bounded the size.
pub(super) fn take(walk: &mut impl Read, what: &str, size: u64) -> Result<Vec<u8>, Fault> {
    let mut content = Vec::new();
    walk.by_ref().take(size).read_to_end(&mut content).map_err(|error| cut(&error, what))?;
    if content.len() as u64 == size { Ok(content) } else { Err(Fault::Truncated { what: shown(what) }) }
}

/// Goes on to the next block: where that is. The last entry may lack its padding.
fn padded(walk: &mut impl Walk, offset: u64, limits: &SourceLimits) -> Result<u64, Fault> {
    let padding = offset.next_multiple_of(BLOCK as u64) - offset;
    walk.skip(padding).map_err(|error| cut(&error, "the padding of an entry"))?;
    added(offset, padding, limits)
}

fn added(offset: u64, bytes: u64, limits: &SourceLimits) -> Result<u64, Fault> {
    let sum = offset.checked_add(bytes).filter(|sum| *sum <= limits.archive_bytes);
    sum.ok_or_else(|| Fault::TooLarge { what: "the archive".to_owned(), limit: limits.archive_bytes })
}

impl Extension {
    fn read(&mut self, kind: EntryType, content: &[u8]) -> Result<(), Fault> {
        let text = || content.split(|byte| *byte == 0).next().unwrap_or(content).to_vec();
        match kind {
            EntryType::GNULongName => self.name = Some(text()),
            EntryType::GNULongLink => self.link = Some(text()),
            _ => {
                for record in PaxExtensions::new(content) {
                    let record = record.map_err(|error| not_a_tar(&format!("a pax record is broken: {error}")))?;
                    let read = matches!(record.key_bytes(), b"path" | b"linkpath" | b"size");
                    if read && kind == EntryType::XGlobalHeader {
                        return Err(not_a_tar(
                            "a global record names or sizes all entries; programs differ in what it means",
                        ));
                    }
                    match record.key_bytes() {
                        b"path" => self.name = Some(record.value_bytes().to_vec()),
                        b"linkpath" => self.link = Some(record.value_bytes().to_vec()),
                        b"size" => {
                            let size =
                                std::str::from_utf8(record.value_bytes()).ok().and_then(|text| text.parse().ok());
                            self.size = Some(size.ok_or_else(|| not_a_tar("a pax size is no number"))?);
                        }
                        key if key.starts_with(b"GNU.sparse.") => {
                            return Err(not_a_tar("it holds a sparse file, which images never do"));
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }
}

/// A path that stays inside the archive, without `./` in front.
fn inside(name: &[u8]) -> Result<String, Fault> {
    let Ok(text) = std::str::from_utf8(name) else {
        return Err(not_a_tar(&format!("the name of an entry is no text: {}", shown(&lossy(name)))));
    };
    if text.len() > NAME_BYTES || text.contains('\0') {
        return Err(not_a_tar("the name of an entry is too long or has a zero byte"));
    }
    if text.starts_with('/') || text.split(['/', '\\']).any(|part| part == "..") {
        return Err(Fault::Escape { name: shown(text) });
    }
    let mut rest = text;
    while let Some(after) = rest.strip_prefix("./") {
        rest = after;
    }
    Ok(rest.to_owned())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A foreign name, short enough to show.
fn shown(name: &str) -> String {
    name.chars().take(120).collect()
}

fn not_a_tar(why: &str) -> Fault {
    Fault::NotATar { why: why.to_owned() }
}

/// An archive that breaks off, or a disk that fails.
fn cut(error: &io::Error, what: &str) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Truncated { what: shown(what) },
        // What the decompressor says of bytes that are no gzip.
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => not_a_tar(&error.to_string()),
        _ => Fault::io(shown(what), error),
    }
}
