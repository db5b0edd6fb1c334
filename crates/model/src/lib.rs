//! The vocabulary of ecr-gate: references, digests, findings, signals, reasons, verdicts, judgements.
//!
//! Plain data. No I/O, no async, no clock: a time is always an argument. Two rules shape the types:
//! "nothing was found" can only be said by a [`CompleteScan`], which cannot be built without proof that the scan was
//! read to its end; and every other state of a [`Signal`] carries the [`Reason`] why there is no answer.
#![warn(missing_docs)]

mod digest;
mod duration;
mod ecr;
mod facts;
mod finding;
mod judgement;
mod nonempty;
mod reason;
mod reference;
mod scan;
mod signal;
mod time;

pub use digest::{Digest, DigestError};
pub use duration::{format_duration, parse_duration};
pub use ecr::{EcrHost, EcrHostError, Partition};
pub use facts::{Ask, Facts, FirstSeen, ManifestFacts, Platform, PlatformError};
pub use finding::{Finding, Fix, Package, Severity, VulnerabilityId};
pub use judgement::{
    Disposition, EnvironmentClass, ExceptionUse, Inputs, Judged, Judgement, Outcome, PolicyId, RuleResult, SignalUsed,
    Verdict,
};
pub use nonempty::NonEmpty;
pub use reason::{Reason, ReasonCode, UnknownClass};
pub use reference::{ImageReference, ReferenceError, Repository, Tag};
pub use scan::{CompleteScan, Completeness, Incomplete, SeverityCounts};
pub use signal::{Gap, Observed, Origin, Signal};
pub use time::Clock;

pub use jiff::{SignedDuration, Timestamp};
