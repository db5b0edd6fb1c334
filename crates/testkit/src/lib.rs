//! For tests only: a scripted loopback ECR endpoint, and fixtures with the shapes ECR really answers.
//!
//! [`Ecr`] is for the states no stand-in can be put into: paging, bursts of throttling, a scan that turns from PENDING
//! to ACTIVE, expired credentials, cut connections, half a JSON document, slow bodies and hangs. What it answers is a
//! [`Script`] of [`Answer`]s; what it was asked is a list of [`Request`]s. [`fixtures`] builds the answers,
//! [`mutate`] spoils them one place at a time. [`oci`] is a registry of images, and makes images to put in it.
//! [`authority`] is a small Sigstore that signs, rightly or wrongly. Nothing here is linked into the gate.
//!
//! ```
//! use testkit::{Answer, Ecr, Script, fixtures::{self, Scan}};
//!
//! let digest = fixtures::digest(1);
//! let scan = Scan::basic(&digest, fixtures::now()).finding("CVE-2024-0001", "HIGH");
//! let ecr = Ecr::start(
//!     Script::new()
//!         .on("DescribeImageScanFindings", Answer::error("ThrottlingException", "Rate exceeded"))
//!         .on("DescribeImageScanFindings", Answer::json(scan.value())),
//! );
//! // … run the gate with `ecr.env()` …
//! assert_eq!(ecr.count("DescribeImageScanFindings"), 0);
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "linked into tests only: a panic here is a failed test"
)]

mod answer;
pub mod authority;
mod ecr;
mod escapes;
pub mod fixtures;
mod listener;
pub mod mutate;
pub mod oci;
mod request;
mod script;

pub use answer::Answer;
pub use ecr::{Ecr, FOREIGN_ENV};
pub use request::Request;
pub use script::Script;
