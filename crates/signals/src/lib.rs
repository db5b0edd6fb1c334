//! Bytes from scanners and registries to the vocabulary of `model`. Pure: bytes and times in, facts or a reason out.
//!
//! Each parser is bounded by [`Limits`] and refuses what it does not understand: a half-read answer is never an empty
//! one. A complete scan is only built where the source proves that it is complete.

pub mod ecr;
mod error;
pub mod image;
mod layer;
pub mod manifest;
pub mod measurement;
pub mod predicate;
pub mod provenance;
pub mod report;
pub mod sbom;
pub mod vex;

pub use error::ParseError;
pub use report::event;

/// How much of an input is read. Past a limit the input is refused, never cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one document.
    pub bytes: usize,
    /// Findings of one scan, over all its pages.
    pub findings: usize,
    /// Pages of one scan.
    pub pages: u32,
    /// Manifests in one index.
    pub manifests: usize,
    /// Components of one bill of materials, packages of one image, statements of one VEX document.
    pub entries: usize,
}

impl Limits {
    /// 64 MiB a document (an ECR page of 1,000 enhanced findings has about 6 MB), 200,000 findings on at most 2,000
    /// pages, 1,000 manifests in an index, 200,000 entries of a list.
    pub const STANDARD: Self =
        Self { bytes: 64 << 20, findings: 200_000, pages: 2_000, manifests: 1_000, entries: 200_000 };
}
