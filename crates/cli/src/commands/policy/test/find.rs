//! Finding test files: those that are named, and in folders every `*.test.yaml` and `*_test.yaml`. None at all is an error:
//! tests that nobody found are no tests that passed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::files::below;

/// The test files at these paths, those of a folder in the order of their names; of `.`, if there is no path.
pub(super) fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here } else { paths };
    let mut found: Vec<PathBuf> = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        let files = if path.is_dir() { in_folder(path)? } else { vec![path.clone()] };
        // One that is named twice, or named and in a folder, is run once.
        found
            .extend(files.into_iter().filter(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone()))));
    }
    Ok(found)
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let is_test = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        let is_named = name.is_some_and(|name| name.ends_with(".test.yaml") || name.ends_with("_test.yaml"));
        // Hidden folders hold what tools keep.
        let inside = path.strip_prefix(folder).unwrap_or(path);
        is_named && !inside.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."))
    };
    let files = below(folder, &is_test)?;
    if files.is_empty() {
        return Err(Failure::configuration(format!("there is no test in {}", folder.display()))
            .hint("tests are files named *.test.yaml or *_test.yaml; docs/guides/policy.md says how to write one"));
    }
    // `./` in front says nothing.
    Ok(files.into_iter().map(|path| path.strip_prefix(".").map_or_else(|_| path.clone(), Path::to_owned)).collect())
}
