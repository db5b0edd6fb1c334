//! A saved answer of `aws ecr describe-image-scan-findings`, judged by the same rules as an answer from the wire.

use model::{CompleteScan, Digest, Incomplete, Reason, ReasonCode, Signal};

use super::reading::{PageState, Reading};
use super::wire::{Subject, page};
use crate::Limits;

/// A saved report: which image it is about and what it says.
#[derive(Debug)]
pub struct Report {
    /// Which image.
    pub subject: Subject,
    /// The digest it names, the one thing a report must say about its subject.
    pub digest: Digest,
    /// The scan, or why the report holds none. The error side of [`Signal`] only.
    pub scan: Result<CompleteScan, Signal<CompleteScan>>,
}

/// Reads a saved answer.
///
/// # Errors
/// The file is not such an answer, or does not say which image it is about.
pub fn report(bytes: &[u8], limits: &Limits) -> Result<Report, Reason> {
    // Editors and PowerShell put a byte order mark in front.
    let page = page(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), limits)?;
    let subject = page.subject.clone();
    let Some(digest) = subject.digest.clone() else {
        return Err(Reason::new(ReasonCode::ScanOtherImage, "the report has no imageId.imageDigest")
            .remedy("Save the answer for a digest: `aws ecr describe-image-scan-findings --image-id imageDigest=…`."));
    };
    if page.next_token.is_some() {
        return Err(Reason::new(ReasonCode::ScanPartial, "the report ends with a nextToken: there are more pages"));
    }
    let scan = match Reading::start(page) {
        Err(PageState::Wait(reason)) => Err(Signal::Pending(reason)),
        Err(PageState::NoResult(reason)) => Err(Signal::Failed(reason)),
        Err(PageState::Unsupported(reason)) => Err(Signal::Unsupported(reason)),
        Err(PageState::Result) => Err(Signal::Failed(Reason::new(ReasonCode::Internal, "a result was refused"))),
        Ok(reading) => reading.into_complete(None, 1).map_err(|incomplete| {
            let reason = |code| Reason::new(code, incomplete.to_string());
            match incomplete {
                Incomplete::EmptyOnce => Signal::Pending(reason(ReasonCode::ScanUnconfirmed)),
                Incomplete::OlderThanPush => Signal::Failed(reason(ReasonCode::ScanOlderThanPush)),
                Incomplete::NoPages | Incomplete::NoTargets => Signal::Failed(reason(ReasonCode::ScanPartial)),
            }
        }),
    };
    Ok(Report { subject, digest, scan })
}
