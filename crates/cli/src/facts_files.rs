//! Recorded facts in files and folders: one document per `.json` file, one per line in a `.jsonl` file.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::files::below;

/// The largest document that is read.
const DOCUMENT: usize = 256 << 20;
/// One document that may be facts.
pub(crate) struct Document {
    /// The file, and the line of a `.jsonl` file.
    pub(crate) name: String,
    /// Its bytes, or why they cannot be read.
    pub(crate) bytes: Result<Vec<u8>, String>,
}

/// The files of a folder and its folders, in order of their names; a file is itself.
pub(crate) fn list(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let files = below(path, &|name| matches!(name.extension().and_then(|end| end.to_str()), Some("json" | "jsonl")))?;
    if files.is_empty() {
        return Err(Failure::configuration(format!("{} holds no .json and no .jsonl file", path.display()))
            .hint("record facts with `ecr-gate check IMAGE --output facts=FILE.json`"));
    }
    Ok(files)
}

/// Gives every document of a file to `take`, until it says `false`.
pub(crate) fn documents(path: &Path, take: &mut dyn FnMut(Document) -> bool) {
    let name = path.display().to_string();
    let wrong = |name: String, why: String| Document { name, bytes: Err(why) };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            take(wrong(name, format!("it cannot be read: {error}")));
            return;
        }
    };
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        let mut reader = BufReader::with_capacity(1 << 16, file);
        for line in 1_u64.. {
            let mut bytes = Vec::new();
            let read = (&mut reader).take(DOCUMENT as u64 + 1).read_until(b'\n', &mut bytes);
            let place = format!("{name}:{line}");
            match read {
                Ok(0) => return,
                Ok(_) if bytes.len() > DOCUMENT => {
                    take(wrong(place, format!("the line is longer than {DOCUMENT} bytes")));
                    return;
                }
                Ok(_) if bytes.iter().all(u8::is_ascii_whitespace) => {}
                Ok(_) => {
                    if !take(Document { name: place, bytes: Ok(bytes) }) {
                        return;
                    }
                }
                Err(error) => {
                    take(wrong(place, format!("it cannot be read: {error}")));
                    return;
                }
            }
        }
        return;
    }
    let mut bytes = Vec::new();
    let read = file.take(DOCUMENT as u64 + 1).read_to_end(&mut bytes);
    let document = match read {
        Ok(_) if bytes.len() > DOCUMENT => wrong(name, format!("it is larger than {DOCUMENT} bytes")),
        Ok(_) => Document { name, bytes: Ok(bytes) },
        Err(error) => wrong(name, format!("it cannot be read: {error}")),
    };
    take(document);
}
