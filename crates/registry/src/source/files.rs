//! Files by their path in a layout: below a folder, or in an archive.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::error::Fault;
use super::limits::SourceLimits;
use super::verified::bounded;

/// Where the files are.
#[derive(Debug)]
pub(super) enum Files {
    Folder(PathBuf),
    Archive(Archive),
}

/// A file being read.
pub(super) struct Opened {
    /// Its size in bytes.
    pub(super) size: u64,
    pub(super) stream: Box<dyn Read + Send>,
}

impl Files {
    pub(super) fn folder(path: &Path) -> Result<Self, Fault> {
        let found = fs::metadata(path).map_err(|error| not_there(path, &error))?;
        if !found.is_dir() {
            return Err(Fault::WrongKind { path: path.display().to_string(), expected: "folder" });
        }
        Ok(Self::Folder(path.to_owned()))
    }

    pub(super) fn archive(path: &Path, limits: &SourceLimits) -> Result<Self, Fault> {
        Archive::open(path, limits).map(Self::Archive)
    }

    /// Opens a file; `None` if it is not there. The path is one of ours or made of a digest: it leads nowhere else.
    pub(super) fn open(&self, path: &str) -> Result<Option<Opened>, Fault> {
        match self {
            Self::Archive(archive) => archive.open_entry(path),
            Self::Folder(folder) => {
                let path = folder.join(path);
                match fs::metadata(&path) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(Fault::io(path.display().to_string(), &error)),
                }
                let (file, size) = regular_file(&path)?;
                Ok(Some(Opened { size, stream: Box::new(file) }))
            }
        }
    }

    /// A document that is there once, whole; `None` if it is not there.
    pub(super) fn document(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
        if let Self::Archive(archive) = self
            && archive.has_twice(path)
        {
            return Err(Fault::Twice { name: path.to_owned() });
        }
        self.open(path)?.map(|opened| bounded(opened.stream, path, limit)).transpose()
    }

    /// Whether a file is there.
    pub(super) fn has(&self, path: &str) -> bool {
        match self {
            Self::Archive(archive) => archive.has(path),
            Self::Folder(folder) => folder.join(path).is_file(),
        }
    }
}

/// Opens a file that is one: opening a pipe would wait for its writer.
pub(super) fn regular_file(path: &Path) -> Result<(File, u64), Fault> {
    let wrong = || Fault::WrongKind { path: path.display().to_string(), expected: "file" };
    if !fs::metadata(path).map_err(|error| not_there(path, &error))?.is_file() {
        return Err(wrong());
    }
    let file = File::open(path).map_err(|error| not_there(path, &error))?;
    let found = file.metadata().map_err(|error| Fault::io(path.display().to_string(), &error))?;
    if found.is_file() { Ok((file, found.len())) } else { Err(wrong()) }
}

fn not_there(path: &Path, error: &io::Error) -> Fault {
    if error.kind() == io::ErrorKind::NotFound {
        Fault::NotThere { path: path.display().to_string() }
    } else {
        Fault::io(path.display().to_string(), error)
    }
}
