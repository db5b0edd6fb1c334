//! The store on SQLite and on PostgreSQL: every test runs on both, except where one of them has no such thing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: a helper may fail one, and skips are told"
)]

mod changes;
mod crashes;
mod groups;
mod items;
mod jobs;
mod log;
mod moving;
mod opening;
mod queries;
mod retention;
mod round_trips;
mod support;
