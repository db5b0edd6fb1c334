//! Scan results of Amazon ECR: the answer of `DescribeImageScanFindings`, from the wire (times as epoch seconds) or
//! saved by `aws ecr describe-image-scan-findings` (times in ISO 8601). One parser for both.
//! Source: Amazon ECR API reference, `DescribeImageScanFindings`, `ImageScanFindings`, `EnhancedImageScanFinding`.
//!
//! The proof of completeness (S16): status `COMPLETE` (or `ACTIVE` for enhanced scanning), a findings object with its
//! list, `imageScanCompletedAt` not before the push, and all pages read; an empty enhanced list needs two readings.

mod finding;
mod reading;
mod report;
mod status;
mod time;
mod wire;

pub use reading::{PageState, Reading};
pub use report::{Report, report};
pub use status::ScanStatus;
pub use wire::{Findings, Kind, Page, Subject, page};

#[cfg(test)]
mod tests;
