//! The wire types of the HTTP API, nothing else: server, command line and node share them.
//!
//! They are the types of `crates/server/openapi.json`. Requests refuse what they do not know; answers grow, so that whoever reads them has to
//! accept more than is here. Times are RFC 3339, digests `sha256:…`, ids UUIDv7.
#![warn(missing_docs)]

mod audit;
mod decide;
mod decisions;
mod inventory;
mod policies;
mod problem;
mod promotions;
mod service;
mod signals;

pub use audit::{ConsistencyProof, ConsistencyQuery, EntriesQuery, InclusionProof};
pub use decide::{Accepted, DecidePoint, DecideRequest, Decided, PermitWord, ViaWord};
pub use decisions::{
    DecisionEvidence, DecisionSummary, DecisionsPage, DecisionsQuery, Event, EventsPage, EventsQuery, EvidencePiece,
    ShortReason,
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
pub use promotions::{
    ImageRollbackRequest, PromoteRequest, PromotionOutcome, PromotionProgress, PromotionState, PromotionWord,
    RollbackTarget, RollbacksPage, RollbacksQuery,
};
pub use service::{Alive, Readiness};
pub use signals::{
    HandedInSignal, SignalKind, SignalQuery, SignalsPage, SignalsQuery, SubmittedSignal, WithdrawRequest,
};
