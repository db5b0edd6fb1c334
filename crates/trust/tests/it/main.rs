//! Signatures, statements and signing, against what the tools of others made: cosign's and Notation's in data/ (with keys that
//! were thrown away), and, where they are at hand, the conformance suite's bundles and images that were signed in public.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests: a helper may fail one, skips are told, and what is tested lies in files"
)]

mod authority;
mod common;
mod cosign_keys;
mod cosign_logged;
mod notation;
mod reasons;
mod sign;
mod sigstore_conformance;
mod sigstore_images;
mod sigstore_keyless;
mod sigstore_messages;
mod sigstore_timestamps;
