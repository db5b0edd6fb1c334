//! Reading and writing the caller's files: bounded, and with errors that say what to do.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(what: &str, path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        let failure = Failure::configuration(format!("{what} {} cannot be read: {error}", path.display()));
        if error.kind() == std::io::ErrorKind::NotFound {
            failure.hint("check the path; it is relative to the current folder")
        } else {
            failure
        }
    };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(limit) + 1);
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(Failure::configuration(format!("{what} {} is larger than {limit} bytes", path.display())));
    }
    Ok(bytes)
}

/// Reads a text file of at most `limit` bytes.
pub(crate) fn read_text(what: &str, path: &Path, limit: usize) -> Result<String, Failure> {
    String::from_utf8(read(what, path, limit)?)
        .map_err(|_| Failure::configuration(format!("{what} {} is not UTF-8 text", path.display())))
}

/// The most files that are looked for in a folder.
const MOST: usize = 10_000_000;

/// The files of a folder and its folders that are wanted, in order of their names.
pub(crate) fn below(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |error: std::io::Error| {
            Failure::configuration(format!("the folder {} cannot be read: {error}", folder.display()))
        };
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // A link is not followed: it may lead round in a circle.
            let kind = entry.file_type().map_err(failed)?;
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && wanted(&path) {
                files.push(path);
            }
            if files.len() > MOST {
                return Err(Failure::configuration(format!("{} holds more than {MOST} files", folder.display())));
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Takes away a regular file of that name, if there is one.
pub(crate) fn remove_stale(what: &str, path: &Path) -> Result<(), Failure> {
    if !path.is_file() {
        return Ok(());
    }
    std::fs::remove_file(path)
        .map_err(|error| Failure::configuration(format!("{what} {} cannot be replaced: {error}", path.display())))
}

/// Writes a file whole or not at all: a reader never sees half a report.
pub(crate) fn write(what: &str, path: &Path, text: &str) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::internal(format!("{what} {} cannot be written: {error}", path.display()));
    // A device or a pipe cannot be renamed onto.
    if path.exists() && !path.is_file() {
        return std::fs::write(path, text).map_err(failed);
    }
    let mut name = path.file_name().map_or_else(std::ffi::OsString::new, std::ffi::OsStr::to_os_string);
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = File::create(&part).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.flush()));
    written.and_then(|()| std::fs::rename(&part, path)).map_err(|error| {
        let _ = std::fs::remove_file(&part);
        failed(error)
    })
}

/// Writes a file that only its owner may read, and that nobody else has made: never through a link, never over a file
/// unless `replace` says so, and then whole or not at all.
pub(crate) fn write_private(what: &str, path: &Path, text: &str, replace: bool) -> Result<(), Failure> {
    write_new(what, path, text, 0o600, replace)
}

/// The same for a file that everybody may read.
pub(crate) fn write_public(what: &str, path: &Path, text: &str, replace: bool) -> Result<(), Failure> {
    write_new(what, path, text, 0o644, replace)
}

fn write_new(what: &str, path: &Path, text: &str, mode: u32, replace: bool) -> Result<(), Failure> {
    let mut name = path.file_name().map_or_else(std::ffi::OsString::new, std::ffi::OsStr::to_os_string);
    name.push(format!(".{}.part", std::process::id()));
    let target = if replace { path.with_file_name(name) } else { path.to_owned() };
    let write = |mut file: File| {
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let written = if replace { written.and_then(|()| std::fs::rename(&target, path)) } else { written };
        written.inspect_err(|_| drop(std::fs::remove_file(&target)))
    };
    File::options().write(true).create_new(true).mode(mode).open(&target).and_then(write).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            return Failure::configuration(format!("{what} {} is there already", target.display()))
                .hint("`--force` replaces it");
        }
        Failure::configuration(format!("{what} {} cannot be written: {error}", path.display()))
            .hint("check that the folder is there and may be written to")
    })
}

/// Appends to a file.
pub(crate) fn append(what: &str, path: &Path, text: &str) -> Result<(), Failure> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::internal(format!("{what} {} cannot be written: {error}", path.display())))
}
