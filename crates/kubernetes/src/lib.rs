//! A cluster as a client sees it: what is wrong with how admission is set up there, and what runs there; and the certificates
//! that the gate makes for itself. Nothing here decides about images.
//!
//! What is judged is judged by pure functions over objects that were fetched; the only input and output is in `client`.

pub mod certificates;
mod client;
pub mod doctor;
mod places;
mod running;
mod selector;
mod x509;

// Its version is chosen in one place; objects are read as JSON.
use k8s_openapi as _;

pub use client::{Cluster, ClusterError};
pub use places::Places;
pub use running::{Pull, Running, containers, running};
