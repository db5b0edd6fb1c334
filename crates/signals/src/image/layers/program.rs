//! What kind of program an executable file is, told by its first bytes: an ELF header with its interpreter
//! (`PT_INTERP`), or a `#!` line. A summary of few bytes, as an image has thousands of them. Sources: the System V ABI
//! "ELF header", Linux `execve(2)`.

use std::io::{self, Read};

/// What would be run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Program {
    Elf(Elf),
    /// The rest of the `#!` line.
    Script(Box<[u8]>),
    /// The kernel does not run it, and why.
    Unfit(&'static str),
    /// It cannot be told, and why.
    Unknown(&'static str),
}

/// As far as the kernel asks before it runs one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Elf {
    /// `e_machine`
    pub(super) machine: u16,
    /// True for 64 bits.
    pub(super) wide: bool,
    /// True if the lowest byte is first.
    pub(super) little: bool,
    /// `PT_INTERP`; `None` for a static program.
    pub(super) interpreter: Option<Box<[u8]>>,
}

/// The longest `#!` line the kernel looks at.
const MOST_LINE: usize = 256;
const MOST_INTERPRETER: u64 = 4096;
const MOST_TABLE: usize = 64 << 10;

impl Program {
    /// Bytes in memory, about.
    pub(super) fn size(&self) -> usize {
        128 + match self {
            Self::Script(line) => line.len() * 2,
            Self::Elf(Elf { interpreter: Some(interpreter), .. }) => interpreter.len() * 2,
            Self::Elf(_) | Self::Unfit(_) | Self::Unknown(_) => 0,
        }
    }

    /// Reads as much of a file as it takes.
    pub(super) fn read(content: &mut impl Read) -> io::Result<Self> {
        let mut start = Vec::with_capacity(4096);
        content.by_ref().take(4096).read_to_end(&mut start)?;
        if let Some(line) = start.strip_prefix(b"#!") {
            let line = &line[..line.len().min(MOST_LINE - 2)];
            let line = line.split(|byte| *byte == b'\n').next().unwrap_or(line);
            return Ok(Self::Script(line.trim_ascii_start().into()));
        }
        if start.starts_with(b"\x7fELF") {
            let at = start.len() as u64;
            return elf(&mut Forward { start, at, content });
        }
        Ok(match start.as_slice() {
            [] => Self::Unfit("it is empty"),
            [b'M', b'Z', ..] => Self::Unfit("it is a Windows program"),
            [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] => Self::Unfit("it is a macOS program"),
            [0, b'a', b's', b'm', ..] => Self::Unknown("it is a WebAssembly module, which only some runtimes run"),
            _ => Self::Unfit("it is no ELF program and has no #! line"),
        })
    }
}

const DAMAGED: Program = Program::Unfit("its ELF header is damaged");

fn elf(file: &mut Forward<'_, impl Read>) -> io::Result<Program> {
    let (wide, little) = match (file.start.get(4), file.start.get(5)) {
        (Some(class @ 1..=2), Some(data @ 1..=2)) => (*class == 2, *data == 1),
        _ => return Ok(DAMAGED),
    };
    let number = |bytes: &[u8], at: usize, count: usize| -> Option<u64> {
        let bytes = bytes.get(at..at + count)?;
        let join = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        Some(if little { bytes.iter().rev().fold(0, join) } else { bytes.iter().fold(0, join) })
    };
    let (word, table_at, counts_at, entry) = if wide { (8, 32, 54, 56) } else { (4, 28, 42, 32) };
    let fields = |bytes: &[u8]| {
        Some((
            number(bytes, 16, 2)?,
            u16::try_from(number(bytes, 18, 2)?).unwrap_or(0),
            number(bytes, table_at, word)?,
            number(bytes, counts_at, 2)?,
            usize::try_from(number(bytes, counts_at + 2, 2)?).unwrap_or(usize::MAX),
        ))
    };
    let Some((kind, machine, table, entry_size, entries)) = fields(&file.start) else { return Ok(DAMAGED) };
    if !(2..=3).contains(&kind) {
        return Ok(Program::Unfit("it is an ELF file but no program"));
    }
    let length = entries.saturating_mul(entry);
    if entry_size != entry as u64 || entries == 0 || length > MOST_TABLE {
        return Ok(DAMAGED);
    }
    let headers = match file.bytes(table, length)? {
        Bytes::Read(headers) => headers,
        Bytes::Behind => return Ok(Program::Unknown("its ELF headers are in an unusual order")),
        Bytes::Missing => return Ok(DAMAGED),
    };
    let named = headers.chunks_exact(entry).find(|header| number(header, 0, 4) == Some(3));
    let mut interpreter = None;
    if let Some(header) = named {
        let (offset_at, size_at) = if wide { (8, 32) } else { (4, 16) };
        let (Some(offset), Some(size)) = (number(header, offset_at, word), number(header, size_at, word)) else {
            return Ok(DAMAGED);
        };
        if !(2..=MOST_INTERPRETER).contains(&size) {
            return Ok(DAMAGED);
        }
        match file.bytes(offset, usize::try_from(size).unwrap_or(0))? {
            Bytes::Read(text) if text.ends_with(b"\0") => {
                interpreter = Some(text.split(|byte| *byte == 0).next().unwrap_or(&[]).into());
            }
            Bytes::Behind => return Ok(Program::Unknown("its ELF headers are in an unusual order")),
            Bytes::Read(_) | Bytes::Missing => return Ok(DAMAGED),
        }
    }
    Ok(Program::Elf(Elf { machine, wide, little, interpreter }))
}

/// A file that is only read forward, of which the start is kept.
struct Forward<'a, R> {
    start: Vec<u8>,
    at: u64,
    content: &'a mut R,
}

enum Bytes {
    Read(Vec<u8>),
    /// They have been passed.
    Behind,
    /// The file ends before.
    Missing,
}

impl<R: Read> Forward<'_, R> {
    fn bytes(&mut self, from: u64, count: usize) -> io::Result<Bytes> {
        let start = usize::try_from(from).unwrap_or(usize::MAX);
        let kept = start.checked_add(count).and_then(|end| self.start.get(start..end));
        if let Some(kept) = kept {
            return Ok(Bytes::Read(kept.to_vec()));
        }
        let mut bytes = match self.start.get(start..) {
            // They begin in what is kept and go on behind it.
            Some(begun) if self.at == self.start.len() as u64 => begun.to_vec(),
            Some(_) => return Ok(Bytes::Behind),
            None if from < self.at => return Ok(Bytes::Behind),
            None => {
                let gap = from - self.at;
                self.at += io::copy(&mut self.content.by_ref().take(gap), &mut io::sink())?;
                Vec::new()
            }
        };
        let missing = count - bytes.len();
        self.at += self.content.by_ref().take(missing as u64).read_to_end(&mut bytes)? as u64;
        Ok(if bytes.len() == count { Bytes::Read(bytes) } else { Bytes::Missing })
    }
}
