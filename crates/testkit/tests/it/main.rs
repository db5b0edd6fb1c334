//! The testkit proves itself: what the endpoint sends on the wire, and that its documents are what they claim to be.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test: helpers may fail it, skips are told"
)]

mod client;
mod delivery;
mod documents;
mod mutations;
mod oci;
mod protocol;
mod scripts;
