//! The OCI distribution 1.1 client and the local sources of images.
//!
//! [`Client`] reads manifests, blobs, referrers and tags, and pushes referrers. What it hands out was checked against its
//! digest; what could not be read to its end is an error, never a shorter answer (S25). Credentials come from a
//! [`Credentials`] source, go to the registry and its own token service only, and never follow a redirect (S37).
//! It judges nothing: what a manifest means is the engine's business.
#![warn(missing_docs)]

mod auth;
mod blob;
mod client;
mod copy;
mod credentials;
mod descriptor;
mod digest;
pub mod docker_config;
mod error;
mod fetch;
mod location;
mod manifest;
mod options;
mod push;
mod reach;
mod referrers;
pub mod source;
mod transport;

pub use blob::BlobReader;
pub use client::Client;
pub use copy::{Copied, CopyLimits, CopyProgress, CopyState, Plan as CopyPlan};
pub use credentials::{Anonymous, BoxFuture, Credential, CredentialError, Credentials, Secret};
pub use descriptor::{Descriptor, Manifest, media_type};
pub use error::{Asked, Error};
pub use fetch::{Fetch, same_host};
pub use location::{DOCKER_HUB, Location, Reference};
pub use options::{Limits, Options};
pub use reach::{Listed, Reach, without_port};
pub use referrers::{Referrers, ReferrersBy};
