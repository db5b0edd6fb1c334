//! A layer: tar entries as a build writes them, compressed or not.

use std::io::Write;

use tar::{EntryType, Header};

/// How a layer's tar is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `tar+gzip`
    Gzip,
    /// `tar`
    None,
}

/// A layer under construction; entries stand in the order given.
#[derive(Debug, Clone)]
#[must_use]
pub struct Layer {
    entries: Vec<(Header, String, Option<String>, Vec<u8>)>,
    pub(super) compression: Compression,
}

impl Default for Layer {
    fn default() -> Self {
        Self { entries: Vec::new(), compression: Compression::Gzip }
    }
}

impl Layer {
    /// An empty layer.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file of mode 0644.
    pub fn file(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.entry(EntryType::Regular, path, 0o644, None, content.into())
    }

    /// A file of mode 0755.
    pub fn executable(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.entry(EntryType::Regular, path, 0o755, None, content.into())
    }

    /// A file of this mode.
    pub fn file_with_mode(self, path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        self.entry(EntryType::Regular, path, mode, None, content.into())
    }

    /// A folder of mode 0755.
    pub fn folder(self, path: &str) -> Self {
        self.entry(EntryType::Directory, path, 0o755, None, Vec::new())
    }

    /// A symbolic link.
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, 0o777, Some(target), Vec::new())
    }

    /// A hard link.
    pub fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Link, path, 0o644, Some(target), Vec::new())
    }

    /// The mark that removes this path of the layers below.
    pub fn whiteout(self, path: &str) -> Self {
        let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
        let slash = if folder.is_empty() { "" } else { "/" };
        let mark = format!("{folder}{slash}.wh.{name}");
        self.file_with_mode(&mark, 0o600, "")
    }

    /// The mark that removes everything the layers below hold in this folder.
    pub fn opaque(self, folder: &str) -> Self {
        let mark = format!("{}/.wh..wh..opq", folder.trim_end_matches('/'));
        self.file_with_mode(&mark, 0o600, "")
    }

    /// The layer without compression.
    pub fn uncompressed(self) -> Self {
        Self { compression: Compression::None, ..self }
    }

    /// An entry of any type. The path is written as it is, also one that leads out.
    pub fn entry(mut self, kind: EntryType, path: &str, mode: u32, link: Option<&str>, content: Vec<u8>) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        self.entries.push((header, path.to_owned(), link.map(str::to_owned), content));
        self
    }

    /// The tar, uncompressed.
    pub fn tar(&self) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (header, path, link, content) in &self.entries {
            let mut header = header.clone();
            // A path is set by its bytes: the library would refuse `..` and `/`, which is just what a test may want.
            let name = &mut header.as_ustar_mut().expect("a ustar header").name;
            let fits = path.len() <= name.len();
            if fits {
                name[..path.len()].copy_from_slice(path.as_bytes());
            }
            if let Some(link) = link {
                header.set_link_name_literal(link).expect("a link target that fits");
            }
            if fits {
                header.set_cksum();
                builder.append(&header, content.as_slice()).expect("a tar in memory");
            } else {
                builder.append_data(&mut header, path, content.as_slice()).expect("a tar in memory");
            }
        }
        builder.into_inner().expect("a tar in memory")
    }

    /// The bytes as they are in a registry.
    pub fn bytes(&self) -> Vec<u8> {
        match self.compression {
            Compression::Gzip => gzipped(&self.tar()),
            Compression::None => self.tar(),
        }
    }
}

/// Compressed, the same bytes each time.
pub(super) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).expect("gzip in memory");
    encoder.finish().expect("gzip in memory")
}
