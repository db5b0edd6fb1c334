//! Kubernetes admission (D1, D2): reviews as an API server sends them, on a port of their own.
//!
//! `parse`, `images` and `respond` are pure; the handlers ask the engine about each image in between and decide nothing: what runs although it is
//! denied (grandfathering, overrides, fail modes) comes out of the engine as what a permit rests on. No leave, no start.

mod annotate;
mod asking;
mod body;
mod custom;
mod deadline;
mod environments;
mod glass;
mod guard;
mod handlers;
mod images;
mod kinds;
mod list;
mod mutate;
mod offline;
mod patch;
mod pod;
mod port;
mod refusal;
mod respond;
mod review;
mod settings;
#[cfg(test)]
mod tests;

pub use environments::{Environments, NamespaceRule};
pub use images::{ImageUse, Images, Unread, as_nodes_read, images};
pub use kinds::{CustomKind, GroupKind, Kinds, Paths};
pub use offline::{not_understood, review_of, seems_to_hold_containers};
pub(crate) use port::router;
pub use port::{Admission, AdmissionPort};
pub use refusal::{Cause, Class, Refusal};
pub use respond::{Outcome, respond, respond_to_error};
pub use review::{BreakGlassAsked, LARGEST, Operation, Review, ReviewError, User, parse};
pub use settings::{AdmissionSettings, BreakGlassRights, OwnImages, Tags};
