//! Finding test files: those that are named, and in folders every `*.test.yaml` and `*_test.yaml`. None at all is an error:
//! tests that nobody found are no tests that passed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// How many files and folders are looked at, and how deep.
const MOST: usize = 100_000;
const DEEPEST: usize = 64;

/// The test files at these paths, in the order of their names in each; `.` if there is none.
pub(super) fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here } else { paths };
    let mut found: Vec<PathBuf> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut looked_at = 0;
    for path in paths {
        let mut below = Vec::new();
        if path.is_dir() {
            walk(path, 0, &mut looked_at, &mut below)?;
            if below.is_empty() {
                return Err(none(path));
            }
        } else {
            below.push(path.clone());
        }
        // One that is named twice, or named and in a folder, is run once.
        found
            .extend(below.into_iter().filter(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone()))));
    }
    Ok(found)
}

fn none(folder: &Path) -> Failure {
    Failure::configuration(format!("there is no test in {}", folder.display()))
        .hint("tests are files named *.test.yaml or *_test.yaml; docs/guides/policy.md says how to write one")
}

fn walk(folder: &Path, depth: usize, looked_at: &mut usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::configuration(format!("the folder {} cannot be read: {error}", folder.display()))
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        *looked_at += 1;
        if *looked_at > MOST {
            return Err(Failure::configuration(format!("there are more than {MOST} files to look at"))
                .hint("name the folder of the policies, or the test files"));
        }
        entries.push((entry.path(), entry.file_type().map_err(failed)?));
    }
    entries.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    for (path, kind) in entries {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.as_deref().unwrap_or("");
        // Hidden folders hold what tools keep. A link to a folder may lead round in a circle.
        if kind.is_dir() {
            if !name.starts_with('.') && depth < DEEPEST {
                walk(&path, depth + 1, looked_at, found)?;
            }
        } else if name.ends_with(".test.yaml") || name.ends_with("_test.yaml") {
            // `./` in front says nothing.
            found.push(path.strip_prefix(".").map_or_else(|_| path.clone(), Path::to_owned));
        }
    }
    Ok(())
}
