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
mod promotions;
mod reports;
mod rulings;
mod service;
mod signals;
mod tokens;

pub use audit::{ConsistencyProof, ConsistencyQuery, EntriesQuery, InclusionProof};
pub use decide::{Accepted, DecidePoint, DecideRequest, Decided, PermitWord, ViaWord};
pub use decisions::{
    DecisionEvidence, DecisionSummary, DecisionsPage, DecisionsQuery, Event, EventsPage, EventsQuery, EvidencePiece,
    ShortReason,
};
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
    ActivateRequest, Activated, Flip, PolicyBundle, PolicyVersion, Proposal, ProposalState, ReplayPage, ReplayRequest,
    RollbackRequest, VersionWithBundle, VersionsPage, VersionsQuery, WithdrawProposalRequest,
};
pub use problem::{PROBLEM_JSON, Problem};
pub use promotions::{
    ImageRollbackRequest, PromoteRequest, PromotionOutcome, PromotionProgress, PromotionState, PromotionWord,
    RollbackTarget, RollbacksPage, RollbacksQuery,
};
pub use reports::{IncidentReport, IncidentsQuery, PeriodReport, ReportsQuery};
pub use rulings::{
    BlockLabel, Denial, DenialsPage, DenialsQuery, DeniedKind, DenyRequest, EndRequest, EndedBy, LabelRequest,
    LabelledBlock, Override, OverrideOwner, OverrideRequest, OverridesPage, OverridesQuery,
};
pub use service::{Alive, Readiness};
pub use signals::{
    HandedInSignal, SignalKind, SignalQuery, SignalsPage, SignalsQuery, SubmittedSignal, WithdrawRequest,
};
pub use tokens::{Grant, NewToken, RevokeRequest, Token, TokenMade, TokensPage, TokensQuery, WhoAmI};
