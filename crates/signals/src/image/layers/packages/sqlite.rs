//! SQLite databases, read only: the rows of one table. Source: "SQLite Database File Format" (sqlite.org), sections 1.3
//! (header), 1.6 (b-tree pages and overflow), 2.1 (records), 2.6 (schema).
//!
//! Not a binding to SQLite: that needs C, and a file or the whole database in memory; here the pages lie packed in
//! memory and come from a stranger. No library in Rust alone reads this format. What is not needed is not there: no
//! indexes, no writing, no journals; a database with a journal is refused by the caller.

use super::super::kept::Kept;

const MAGIC: &[u8] = b"SQLite format 3\0";

/// A database of which pages are read.
pub(super) struct Database<'a> {
    kept: &'a Kept,
    /// The piece that was unpacked last.
    last: Option<(usize, Vec<u8>)>,
    page_size: usize,
    /// Bytes of a page that hold something.
    usable: usize,
    pages: u32,
    /// How many pages may be read still: several times what there are, so that no loop goes on.
    budget: u64,
}

/// The payload of a row: what lies on its page, and where it goes on.
struct Payload {
    local: Vec<u8>,
    size: usize,
    next: u32,
}

/// A row: its record, of which as much is read as is asked for.
pub(super) struct Row<'a, 'b> {
    database: &'a mut Database<'b>,
    payload: Payload,
}

type Outcome<T> = Result<T, String>;

impl<'a> Database<'a> {
    pub(super) fn open(kept: &'a Kept) -> Outcome<Self> {
        let mut last = None;
        let header = kept.part(0, 100, &mut last).map_err(|error| error.to_string())?;
        let header = header.filter(|header| header.starts_with(MAGIC)).ok_or("it is no SQLite database")?;
        let page_size = match big_endian(&header[16..18]) {
            1 => 65_536,
            size => usize::try_from(size).unwrap_or(0),
        };
        let usable = page_size.saturating_sub(usize::from(header[20]));
        if !page_size.is_power_of_two() || !(512..=65_536).contains(&page_size) || usable < 480 {
            return Err(format!("its pages have {page_size} bytes, of which {usable} are used"));
        }
        if header[18] > 2 || header[19] > 2 || big_endian(&header[56..60]) != 1 {
            return Err("it is of a newer format, or its text is not UTF-8".to_owned());
        }
        let pages = u32::try_from(kept.len() / page_size).unwrap_or(u32::MAX);
        let said = big_endian(&header[28..32]);
        if !kept.len().is_multiple_of(page_size) || said > u64::from(pages) {
            return Err(format!("it has {} bytes, and its header says {said} pages of {page_size}", kept.len()));
        }
        let budget = 1_000 + u64::from(pages) * 8;
        Ok(Self { kept, last, page_size, usable, pages, budget })
    }

    /// The first page of a table, by its name.
    pub(super) fn table(&mut self, name: &str) -> Outcome<u32> {
        let mut root = None;
        self.rows(1, |mut row| {
            let record = row.read(usize::MAX)?;
            let mut columns = columns(&record)?;
            let mut text = || columns.next().map_or(&b""[..], |(_, value)| value);
            let (kind, found, _) = (text(), text(), text());
            if kind != b"table" || found != name.as_bytes() {
                return Ok(());
            }
            let page = u32::try_from(big_endian(text())).map_err(|_| "a table begins on no page")?;
            match root.replace(page) {
                None => Ok(()),
                Some(_) => Err(format!("the table {name} is there twice")),
            }
        })?;
        root.ok_or_else(|| format!("there is no table {name}"))
    }

    /// Every row of the table that begins on this page, in the order of their keys.
    pub(super) fn rows(&mut self, root: u32, mut each: impl FnMut(Row<'_, 'a>) -> Outcome<()>) -> Outcome<()> {
        let (mut todo, mut last_key) = (vec![root], None);
        while let Some(number) = todo.pop() {
            let page = self.page(number)?;
            let start = if number == 1 { 100 } else { 0 };
            let broken = || format!("page {number} is broken");
            let header = page.get(start..start + 12).ok_or_else(broken)?;
            let interior = match header[0] {
                0x05 => true,
                0x0d => false,
                kind => return Err(format!("page {number} is of type {kind}, which is no page of a table")),
            };
            let cells = index(big_endian(&header[3..5]));
            let first = start + if interior { 12 } else { 8 };
            let pointers = page.get(first..first + cells * 2).ok_or_else(broken)?;
            let mut children = Vec::new();
            for pointer in pointers.chunks_exact(2) {
                let cell = page.get(index(big_endian(pointer))..self.usable).ok_or_else(broken)?;
                if interior {
                    children.push(page_number(cell.get(..4).ok_or_else(broken)?));
                    continue;
                }
                let (size, rest) = varint(cell).ok_or_else(broken)?;
                let (key, rest) = varint(rest).ok_or_else(broken)?;
                let key = key.cast_signed();
                if last_key.is_some_and(|last| last >= key) {
                    return Err(format!("the rows on page {number} are not in their order"));
                }
                last_key = Some(key);
                let payload = self.payload(size, rest).ok_or_else(broken)?;
                each(Row { database: self, payload })?;
            }
            if interior {
                children.push(page_number(&header[8..12]));
                todo.extend(children.into_iter().rev());
            }
        }
        Ok(())
    }

    /// How much of a payload is on the page of its row: section 1.6, "X", "M" and "K".
    fn payload(&self, size: u64, rest: &[u8]) -> Option<Payload> {
        let size = Some(index(size)).filter(|size| *size <= self.kept.len())?;
        let most = self.usable - 35;
        if size <= most {
            return Some(Payload { local: rest.get(..size)?.to_vec(), size, next: 0 });
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let fitted = least + (size - least) % (self.usable - 4);
        let here = if fitted <= most { fitted } else { least };
        let next = page_number(rest.get(here..here + 4)?);
        Some(Payload { local: rest.get(..here)?.to_vec(), size, next })
    }

    fn page(&mut self, number: u32) -> Outcome<Vec<u8>> {
        if number == 0 || number > self.pages {
            return Err(format!("it points to page {number}, and it has {} pages", self.pages));
        }
        self.budget = self.budget.checked_sub(1).ok_or("its pages point to each other in a circle")?;
        let from = (number - 1) as usize * self.page_size;
        let page = self.kept.part(from, self.page_size, &mut self.last).map_err(|error| error.to_string())?;
        page.ok_or_else(|| format!("page {number} is cut off"))
    }
}

impl Row<'_, '_> {
    /// The first bytes of the record, or all if it has no more.
    pub(super) fn read(&mut self, count: usize) -> Outcome<Vec<u8>> {
        let count = count.min(self.payload.size);
        let mut bytes = self.payload.local.get(..count).unwrap_or(&self.payload.local).to_vec();
        let mut next = self.payload.next;
        while bytes.len() < count {
            let page = self.database.page(next)?;
            let (link, rest) = page.split_at(4);
            next = page_number(link);
            let rest = rest.get(..self.database.usable - 4).unwrap_or(rest);
            bytes.extend_from_slice(rest.get(..count - bytes.len()).unwrap_or(rest));
        }
        Ok(bytes)
    }

    /// Where the second column, a blob, begins in the record, and its size. The first is the row's key.
    pub(super) fn blob(&mut self) -> Outcome<(usize, usize)> {
        let record = self.read(32)?;
        let parsed = || {
            let (header, rest) = varint(&record)?;
            let (key, rest) = varint(rest)?;
            let (blob, _) = varint(rest)?;
            let (header, blob) = (index(header), index(blob));
            let size = blob.checked_sub(12).filter(|twice| twice % 2 == 0)? / 2;
            (key == 0 && header.checked_add(size)? == self.payload.size).then_some((header, size))
        };
        parsed().ok_or_else(|| "a row is not a key and a blob".to_owned())
    }
}

/// The columns of a whole record: serial type and bytes.
fn columns(record: &[u8]) -> Outcome<impl Iterator<Item = (u64, &[u8])>> {
    let broken = || "a record is broken".to_owned();
    let (size, _) = varint(record).ok_or_else(broken)?;
    let size = usize::try_from(size).map_err(|_| broken())?;
    let (mut types, mut values) = record.split_at_checked(size).ok_or_else(broken)?;
    types = varint(types).ok_or_else(broken)?.1;
    let mut columns = Vec::new();
    while !types.is_empty() {
        let (kind, rest) = varint(types).ok_or_else(broken)?;
        types = rest;
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return Err(broken()),
            _ => (kind - 12) / 2,
        };
        let size = usize::try_from(size).map_err(|_| broken())?;
        let (value, rest) = values.split_at_checked(size).ok_or_else(broken)?;
        values = rest;
        columns.push((kind, value));
    }
    Ok(columns.into_iter())
}

/// Up to nine bytes, seven bits in each but the last, highest first.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return Some(((number << 8) | u64::from(*byte), &bytes[9..]));
        }
        number = (number << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// A number of bytes; one that cannot be in memory is as many as can be.
fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn page_number(bytes: &[u8]) -> u32 {
    u32::try_from(big_endian(bytes)).unwrap_or(0)
}
