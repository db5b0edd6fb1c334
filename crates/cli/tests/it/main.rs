//! The command line from the outside: the built binary against a scripted ECR.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: a helper may fail one, and how much was tried is told"
)]

mod audit;
mod check;
mod doctor;
mod gate;
mod house;
mod library;
mod never_green;
mod output;
mod policy_commands;
mod policy_test;
mod service;
mod store;
