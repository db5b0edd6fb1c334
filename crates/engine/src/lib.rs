//! The conductor: resolve the image, collect its signals, evaluate the policy.
//!
//! Every wait of a check is one call of `Pacer::pause`; what to do next is decided by the pure state machine in
//! [`scan`]. Nothing here prints: what happens is told to a [`Progress`].

mod attached;
mod attest;
mod authenticate;
mod check;
mod collect;
mod doctor;
mod ecr;
mod evidence;
mod gate;
mod gather;
mod inspect;
mod kept;
mod kms;
mod material;
mod measure;
mod offer;
mod pace;
mod parts;
mod place;
mod record;
pub mod scan;
mod signed;
mod source;
mod summary;
mod verify;
pub mod words;

pub use attached::AttachedKind;
pub use attest::{AttachedBundle, BUNDLE, StatementKey, attach_bundle};
pub use authenticate::{Trust, TrustInputs};
pub use aws::{Target, endpoint_override};
pub use check::{Checked, Question, Refused, Timing, check, check_handed};
pub use collect::{Event, Progress};
pub use doctor::{CheckState, DoctorCheck, Examination, Fix, apply, examine};
pub use evidence::{HandedFile, HandedOver};
pub use gate::{
    Actor, Answered, AskError, Asked, Asker, AttachSettings, AuditProof, AuthenticationError, Basis, BreakGlass,
    Bundle, ClaimPattern, DenialBody, DenialEntry, Exception, ExceptionChange, ExceptionPreview, ExceptionQuery,
    ExceptionRequest, ExceptionScope, ExceptionState, ExceptionUsed, Flip, Gate, GateError, GateSettings, Grant, Hand,
    HistoryEntry, IdentityRule, IdentitySettings, IssuerKind, IssuerSettings, Label, Labelled, Lifted, NewDenial,
    NewOverride, NewToken, NoticeEvent, NoticeKind, NoticeTarget, OverrideBody, OverrideEntry, OverrideOwner, Permit,
    PersonClaim, Piece, Point, PolicyVersion, PromoteError, Promoted, Promotion, PromotionPhase, PromotionStatus,
    Proposal, ProposalState, RecordedDecision, Refusal, Replayed, Repositories, Right, Role, Rollback,
    RollbackCandidate, Seat, Settling, Submission, Submitted, Team, Teams, TokenMade, TokenSeen, Via, bootstrap,
    drop_audit_entries, may_leave_open, person,
};
pub use inspect::{ConfigSummary, InspectedAttachment, InspectedManifest, InspectedSignal, Inspection, inspect};
pub use kms::{kms_key_name, kms_public_key, kms_sign};
pub use material::{MaterialFile, MaterialProblem, MaterialReader, trust_files, trust_inputs};
pub use measure::{AttachedMeasurement, attach, document, resolve};
pub use offer::offer_exceptions;
pub use pace::Pace;
pub use place::{Place, RegistryAccess, RegistrySettings};
pub use record::{
    Answer, EnvironmentRecord, FindingsRecord, ImageRecord, PlatformRecord, ReasonRecord, Record, RuleRecord,
    SignalRecord, TimingRecord, distinct,
};
pub use registry::{CopyState, Reach, Secret};
pub use store::{
    AnswerRow, Backend, DecisionQuery, DecisionRow, Forgettable, Idempotency, LeafQuery, LeafRow, LogHead, LogNode,
    Options as StoreOptions, PromotionRow, SignalRow, Status as StoreStatus, Store, StoreError, WorkloadRow,
    migrate as migrate_store, restore as restore_store,
};
pub use summary::{AttachedDecision, Decided, attach_decision};
pub use telemetry::Metrics;
pub use verify::{FoundArtifact, FoundContent, FoundProof, FoundProvenance, Unlisted, Verification, VerifiedImage};
