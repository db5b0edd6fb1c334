//! The API over a real port: a gate on a SQLite file in a temporary folder, and a real client.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: a helper may fail one, and how much was tried is told"
)]

mod admission;
mod auth;
mod ending;
mod identities;
mod issuer;
mod mutual;
mod openapi;
mod proposals;
mod requests;
mod signals;
mod stage;
mod teams;
mod tls;
mod tokens;
