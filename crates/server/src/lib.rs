//! Faces of the engine over HTTP. Nothing here decides: a handler reads a request, asks the engine once, and writes what it said.
//!
//! A request goes through `guard` (who asks, how often, how many at once, for how long; what is logged and counted), then to its handler
//! in `api/`, found by the one table in `routes`. What goes wrong becomes a status in `errors`, and nowhere else.

pub mod admission;
mod api;
mod app;
mod auth;
mod errors;
mod extract;
mod guard;
mod openapi;
mod rate;
mod routes;
mod run;
mod share;
mod text;
mod tls;
mod trace;

pub use app::{App, Limits, PerClient, Settings};
pub use auth::{AdminToken, Role, Token, admin_token};
pub use openapi::DOCUMENT as OPENAPI;
pub use routes::{Access, Route, listed, router};
pub use run::{Ended, Listening, RunSettings, run, run_until};
pub use tls::{Certificate, TlsError, TlsFiles};
