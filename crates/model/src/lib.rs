//! The vocabulary of ecr-gate: references, digests, findings, signals, reasons, verdicts, judgements.
//!
//! Plain data. No I/O, no async, no clock: a time is always an argument. Two rules shape the types:
//! "nothing was found" can only be said by a [`CompleteScan`], which cannot be built without proof that the scan was
//! read to its end; and every other state of a [`Signal`] carries the [`Reason`] why there is no answer.
#![warn(missing_docs)]

mod digest;
mod document;
mod duration;
mod ecr;
mod either;
mod facts;
mod finding;
mod image;
mod judgement;
mod measurement;
mod nonempty;
mod provenance;
mod purl;
mod reason;
mod reference;
pub mod reports;
mod sbom;
mod sbom_match;
mod scan;
mod scanner;
mod signal;
mod signer;
mod text;
mod time;
mod tolerant;
mod trust;
mod vex;

pub use digest::{Digest, DigestError};
pub use document::{
    EnvironmentName, FactsDocument, FactsError, ImageName, ManifestDocument, RecordedDecision, RecordedFacts,
    SchemaName, facts_schema,
};
pub use duration::{format_duration, parse_duration};
pub use ecr::{EcrHost, EcrHostError, Partition};
pub use facts::{Ask, Facts, FirstSeen, ManifestFacts, Platform, PlatformError};
pub use finding::{Finding, Fix, Package, PackageLayer, Saying, Severity, VulnerabilityId};
pub use image::{BaseImage, Contents, Entrypoint, ImageConfig, KnownBase, Layer, OsPackage, OsRelease, Secret};
pub use judgement::{
    Disposition, EnvironmentClass, ExceptionUse, Inputs, Judged, Judgement, Outcome, OverLimit, PolicyId, RuleResult,
    SignalUsed, Verdict,
};
pub use measurement::{Dimension, Measurement, Quantity, QuantityError};
pub use nonempty::NonEmpty;
pub use provenance::{Material, Provenance, SourceRevision};
pub use purl::Purl;
pub use reason::{Reason, ReasonCode, UnknownClass};
pub use reference::{ImageReference, ReferenceError, Repository, Tag};
pub use sbom::{Component, Sbom};
pub use sbom_match::{Comparison, compare, os_packages};
pub use scan::{CompleteScan, Completeness, Incomplete, SeverityCounts};
pub use scanner::{ScanReport, Scanner};
pub use signal::{Gap, Observed, Origin, Signal};
pub use signer::{
    Authentic, CertificateIdentity, LogEntry, Proof, ProvenTime, Revocation, SignatureFormat, Signed, SignedImage,
    Signer, Statement, TimeSource, TrustName,
};
pub use time::Clock;
pub use tolerant::Tolerant;
pub use trust::{Attested, DocumentKind, SignedArtifact, SignedArtifacts, TrustMaterial, UnreadableDocument};
pub use vex::{LastWord, VexDocument, VexProduct, VexStatement, VexStatus, applies, last_word};

pub use jiff::{SignedDuration, Timestamp};
