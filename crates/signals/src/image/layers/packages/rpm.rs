//! rpm's `rpmdb.sqlite`: the table `Packages`, each row the header of an installed package. Source: rpm's "Package
//! format" (section Header) and its tag list. The older formats, Berkeley DB and ndb, are not read.

use model::OsPackage;

use super::super::kept::Kept;
use super::sqlite::{Database, Row};
use super::{Broken, Installed, add, word};

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const ARCHITECTURE: u32 = 1022;

const INT32: u32 = 4;
const STRING: u32 = 6;

/// An index entry of a header: tag, type, place in the store, count.
const ENTRY: usize = 16;
/// The most that rpm itself takes.
const MOST_ENTRIES: usize = 0xffff;
/// The longest name, version, release or architecture.
const MOST_TEXT: usize = 1024;
/// How far into a store the values may lie that are read. rpm writes them at its beginning.
const MOST_STORE: usize = 1 << 20;

/// The installed packages. Keys that were imported to check signatures are no packages.
pub(in super::super) fn installed(database: &Kept, most: usize) -> Installed {
    let whole = |cause: String| Broken::new("", cause);
    let mut database = Database::open(database).map_err(whole)?;
    let table = database.table("Packages").map_err(whole)?;
    let (mut packages, mut broken, mut number) = (Vec::new(), None, 0);
    let outcome = database.rows(table, |mut row| {
        number += 1;
        let place = format!("package {number}");
        let package = header(&mut row).and_then(|header| header.package(&place).map_err(|broken| broken.cause));
        let added = package.and_then(|package| match package {
            Some(package) => add(&mut packages, package, most).map_err(|broken| broken.cause),
            None => Ok(()),
        });
        added.inspect_err(|_| broken = Some(place))
    });
    match outcome {
        Ok(()) => Ok(packages),
        Err(cause) => Err(Broken::new(broken.unwrap_or_else(String::new), cause)),
    }
}

/// What is read of a header.
struct Header {
    name: Vec<u8>,
    version: Vec<u8>,
    release: Vec<u8>,
    epoch: Option<u32>,
    architecture: Option<Vec<u8>>,
}

impl Header {
    fn package(&self, place: &str) -> Result<Option<OsPackage>, Broken> {
        let name = word(&self.name, "package name", place)?;
        if name == "gpg-pubkey" {
            return Ok(None);
        }
        let (version, release) = (word(&self.version, "version", place)?, word(&self.release, "release", place)?);
        let version = match self.epoch {
            None | Some(0) => format!("{version}-{release}"),
            Some(epoch) => format!("{epoch}:{version}-{release}"),
        };
        let architecture = self.architecture.as_deref();
        let architecture = architecture.map_or(Ok(String::new()), |text| word(text, "architecture", place))?;
        Ok(Some(OsPackage { kind: "rpm".to_owned(), name, version, architecture }))
    }
}

fn header(row: &mut Row<'_, '_>) -> Result<Header, String> {
    let (start, size) = row.blob()?;
    let record = row.read(start + 8)?;
    let intro = record.get(start..start + 8).ok_or("its header is cut off")?;
    let (entries, store) = (size_of(&intro[..4]), size_of(&intro[4..]));
    if entries == 0 || entries > MOST_ENTRIES || 8 + entries * ENTRY + store != size {
        return Err(format!("its header says {entries} entries and {store} bytes of values, and it has {size} bytes"));
    }
    let store_at = start + 8 + entries * ENTRY;
    let record = row.read(store_at)?;
    let index = record.get(start + 8..store_at).ok_or("its header is cut off")?;
    // The last value that is read, with room for the longest text.
    let read = |tag: u32| [NAME, VERSION, RELEASE, EPOCH, ARCHITECTURE].contains(&tag);
    let wanted: Vec<&[u8]> = index.chunks_exact(ENTRY).filter(|entry| read(number(&entry[..4]))).collect();
    let last = wanted.iter().map(|entry| size_of(&entry[8..12])).max().ok_or("its header has no name")?;
    if last >= store || last > MOST_STORE {
        return Err(format!("its header points to byte {last} of {store} bytes of values"));
    }
    let record = row.read(store_at + store.min(last + MOST_TEXT))?;
    let values = record.get(store_at..).ok_or("its header is cut off")?;
    let entry = |tag: u32, kind: u32| {
        let mut found = wanted.iter().filter(|entry| number(&entry[..4]) == tag);
        let Some(entry) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(format!("its header has the tag {tag} twice"));
        }
        let bytes = values.get(size_of(&entry[8..12])..).filter(|_| number(&entry[4..8]) == kind);
        bytes
            .filter(|_| number(&entry[12..16]) == 1)
            .map(Some)
            .ok_or_else(|| format!("the tag {tag} of its header is broken"))
    };
    let text = |tag: u32| match entry(tag, STRING)? {
        None => Ok(None),
        Some(bytes) => match bytes.iter().position(|byte| *byte == 0) {
            Some(end) => Ok(Some(bytes[..end].to_vec())),
            None => Err(format!("the text of the tag {tag} does not end")),
        },
    };
    let needed = |tag: u32| text(tag)?.ok_or_else(|| format!("its header has no tag {tag}"));
    let epoch = match entry(EPOCH, INT32)? {
        None => None,
        Some(bytes) => Some(number(bytes.get(..4).ok_or("its epoch is cut off")?)),
    };
    Ok(Header {
        name: needed(NAME)?,
        version: needed(VERSION)?,
        release: needed(RELEASE)?,
        epoch,
        architecture: text(ARCHITECTURE)?,
    })
}

/// A number of four bytes, highest first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn size_of(bytes: &[u8]) -> usize {
    number(bytes) as usize
}
