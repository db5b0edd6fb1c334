//! A scanner's report from a file or a referrer: the format is found by content, the findings are read into `model`, and a
//! complete scan is built only by naming the field that proves it (S16, S19). What is not understood is refused.

use model::{
    CompleteScan, Completeness, Digest, Finding, Incomplete, Reason, ReasonCode, Scanner, SeverityCounts, Signal,
    Timestamp,
};

use crate::{Limits, ParseError};

mod collect;
mod cvss;
mod cyclonedx;
#[cfg(test)]
mod damage;
mod detect;
mod ecr;
pub mod event;
mod grype;
mod harbor;
pub(crate) mod in_toto;
mod inspector;
pub(crate) mod json;
mod list;
mod osv;
#[cfg(test)]
mod outside;
mod package;
mod sarif;
mod severity;
mod snyk;
mod strict;
mod trivy;

/// A report that was read.
#[derive(Debug)]
pub struct Document {
    /// The scanner or format.
    pub scanner: Scanner,
    /// The tool as it names itself, with its version.
    pub tool: Option<String>,
    /// Which image it says that it is about.
    pub subject: Subject,
    /// The scan, or why the report proves none. The error side of [`Signal`] only.
    pub scan: Result<CompleteScan, Signal<CompleteScan>>,
    /// The findings of a report that proves no complete scan (S19); empty if `scan` is `Ok`.
    pub unproven: Vec<Finding>,
}

/// Which image a report says that it is about. Empty lists: it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Digests of manifests or indexes.
    pub manifests: Vec<Digest>,
    /// Digest of the image configuration (`ImageID`).
    pub config: Option<Digest>,
    /// The repository, if the report names one that must be the same (ECR).
    pub repository: Option<String>,
    /// The account of an ECR registry.
    pub account: Option<String>,
    /// The tag.
    pub tag: Option<String>,
    /// The image or target as the report names it, for people.
    pub name: Option<String>,
}

impl Document {
    /// A report whose findings count but which proves no scan, with the reason.
    pub fn unproven(
        scanner: Scanner,
        tool: Option<String>,
        subject: Subject,
        findings: Vec<Finding>,
        why: Reason,
    ) -> Self {
        Self { scanner, tool, subject, scan: Err(Signal::Absent(why)), unproven: findings }
    }
}

/// What proves that a report stands for a whole scan.
#[derive(Debug)]
struct Proof {
    /// The fields that say so.
    by: &'static str,
    targets: Vec<String>,
    completed_at: Timestamp,
    /// The time of the vulnerability data, if the report gives one; if not, `completed_at` stands for it.
    database_at: Option<Timestamp>,
}

impl Document {
    /// A report that was read to its end, with the proof of a complete scan or the reason why it proves none.
    fn concluded(
        scanner: Scanner,
        tool: Option<String>,
        subject: Subject,
        findings: Vec<Finding>,
        proof: Result<Proof, Reason>,
    ) -> Self {
        let proof = match proof {
            Ok(proof) if !proof.targets.is_empty() => proof,
            Ok(_) => {
                let why = proves_nothing("report", &Incomplete::NoTargets.to_string());
                return Self::unproven(scanner, tool, subject, findings, why);
            }
            Err(why) if why.code == ReasonCode::ScanUnsupported => {
                return Self { scanner, tool, subject, scan: Err(Signal::Unsupported(why)), unproven: findings };
            }
            Err(why) => return Self::unproven(scanner, tool, subject, findings, why),
        };
        let database_at = proof.database_at.unwrap_or(proof.completed_at);
        let completeness = Completeness::Report {
            proven_by: proof.by.to_owned(),
            targets: proof.targets,
            completed_at: proof.completed_at,
            database_dated: proof.database_at.is_some(),
        };
        let scan = CompleteScan::new(findings, SeverityCounts::new(), completeness, database_at)
            .map_err(|incomplete| Signal::Failed(Reason::new(ReasonCode::Internal, incomplete.to_string())));
        Self { scanner, tool, subject, scan, unproven: Vec::new() }
    }
}

/// The usual reason of [`Document::unproven`].
pub(crate) fn proves_nothing(format: &str, because: &str) -> Reason {
    Reason::new(
        ReasonCode::ScanUnproven,
        format!("{format}: {because}; its findings count, but it is no proof of a scan"),
    )
}

/// Reads a report of any known format.
///
/// # Errors
/// Not JSON, larger or deeper than the limits, in no known format, or broken inside the format it is in.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    use detect::Format;
    match detect::format(bytes, limits)? {
        Format::Trivy => trivy::read(bytes, limits),
        Format::Grype => grype::read(bytes, limits),
        Format::Snyk => snyk::read(bytes, limits),
        Format::Harbor => harbor::read(bytes, limits),
        Format::Sarif => sarif::read(bytes, limits),
        Format::CycloneDx => cyclonedx::read(bytes, limits),
        Format::Osv => osv::read(bytes, limits),
        Format::Inspector => inspector::read(bytes, limits),
        Format::Event => event::read(bytes, limits),
        Format::Ecr => ecr::read(bytes, limits),
    }
}

#[cfg(test)]
mod tests;
