//! The wire types of the HTTP API, nothing else: server, command line and node share them.
//!
//! They are the types of `crates/server/openapi.json`. Requests refuse what they do not know; answers grow, so that whoever reads them has to
//! accept more than is here. Times are RFC 3339, digests `sha256:…`, ids UUIDv7.
#![warn(missing_docs)]

mod audit;
mod decide;
mod decisions;
mod exceptions;
mod inventory;
mod policies;
mod problem;
mod service;
mod signals;

pub use audit::{ConsistencyProof, ConsistencyQuery, EntriesQuery, InclusionProof};
pub use decide::{Accepted, DecidePoint, DecideRequest, Decided, PermitWord, ViaWord};
pub use decisions::{DecisionSummary, DecisionsPage, DecisionsQuery, Event, EventsPage, EventsQuery};
pub use exceptions::{
    EditExceptionRequest, Exception, ExceptionChange, ExceptionHand, ExceptionPreview, ExceptionRequest,
    ExceptionScope, ExceptionStateWord, ExceptionUsed, ExceptionUsesPage, ExceptionUsesQuery, ExceptionsPage,
    ExceptionsQuery, SettleExceptionRequest,
};
pub use inventory::{
    ImageWithPackage, PackagesPage, PackagesQuery, PromotedImage, PromotionsPage, PromotionsQuery, RunningImage,
    WorkloadsPage,
};
pub use policies::{
    ActivateRequest, Activated, Flip, PolicyBundle, PolicyVersion, ReplayPage, ReplayRequest, RollbackRequest,
    VersionWithBundle, VersionsPage, VersionsQuery,
};
pub use problem::{PROBLEM_JSON, Problem};
pub use service::{Alive, Readiness};
pub use signals::{SignalKind, SignalQuery, SubmittedSignal};
