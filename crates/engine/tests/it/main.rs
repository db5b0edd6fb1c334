//! The engine proves its one promise: nothing but a scan that is finished, whole and clean is ever let through.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test: helpers may fail it, and how much was tried is told"
)]

mod gate;
mod never_green;
