//! The client against a scripted registry on loopback, and against a real one where it is installed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: a helper may fail one, and skips are told"
)]

mod copy;
mod faults;
mod login;
mod push;
mod reach;
mod read;
mod real;
mod redirects;
mod referrers;
mod support;
