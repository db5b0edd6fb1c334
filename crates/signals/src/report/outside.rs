//! Reports that real scanners wrote, for the tests that compare counts with a counter of their own. They are no part of the
//! project: without `ECR_GATE_TESTDATA` those tests say so and end.

#![allow(clippy::disallowed_methods)] // tests alone: the crate itself reads no files and no surroundings

/// One file of the outside data; `None` if there is none here.
pub(super) fn data(path: &str) -> Option<Vec<u8>> {
    let Ok(folder) = std::env::var("ECR_GATE_TESTDATA") else {
        println!("skipped: ECR_GATE_TESTDATA is not set, so {path} is not read");
        return None;
    };
    let path = std::path::Path::new(&folder).join(path);
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}
