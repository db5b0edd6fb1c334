//! The end of a scan as an event tells it, and why that is no scan: it names counts and lists nothing (S16).
//! Who needs the findings asks ECR for them.

use std::fmt::Write as _;

use model::{CompleteScan, Reason, ReasonCode, Scanner, SeverityCounts, Signal};

use super::EventImage;
use crate::ecr::ScanStatus;
use crate::report::{Document, Subject};

/// The end of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanEnd {
    /// The image.
    pub image: EventImage,
    /// [`Scanner::Ecr`] for basic scanning, [`Scanner::Inspector`] for the first scan of enhanced scanning.
    pub scanner: Scanner,
    /// The status in the scanner's own word: `COMPLETE`, `FAILED`, `INITIAL_SCAN_COMPLETE`.
    pub status: String,
    /// Findings per severity; empty if the event does not count them.
    pub counts: SeverityCounts,
}

impl ScanEnd {
    /// True if the scanner has a result, which is to be had from ECR.
    pub fn has_result(&self) -> bool {
        self.status == INITIAL || matches!(ScanStatus::parse(&self.status), ScanStatus::Complete | ScanStatus::Active)
    }

    /// The event as a report: which image, and why it is no scan.
    pub(super) fn into_document(self) -> Document {
        let scan = Err(self.why_no_scan());
        let subject = Subject {
            manifests: vec![self.image.digest],
            config: None,
            name: Some(self.image.repository.clone()),
            repository: Some(self.image.repository),
            account: Some(self.image.account),
            tag: if self.image.tags.len() == 1 { self.image.tags.into_iter().next() } else { None },
        };
        Document { scanner: self.scanner, tool: None, subject, scan, unproven: Vec::new() }
    }

    fn why_no_scan(&self) -> Signal<CompleteScan> {
        let reason = |code: ReasonCode| {
            Reason::new(code, format!("the event says that the scan has the status {}", self.status))
        };
        if self.has_result() {
            let why = Reason::new(
                ReasonCode::ScanPartial,
                format!("the event says that the scan has ended{}, but it lists no findings", self.counted()),
            );
            return Signal::Absent(why.remedy(format!(
                "Ask ECR for the scan: `aws ecr describe-image-scan-findings --repository-name {} --image-id \
                 imageDigest={}`, or let the gate ask.",
                self.image.repository, self.image.digest
            )));
        }
        match ScanStatus::parse(&self.status) {
            ScanStatus::InProgress | ScanStatus::Pending => Signal::Pending(reason(ReasonCode::ScanPending)),
            ScanStatus::UnsupportedImage => Signal::Unsupported(reason(ReasonCode::ScanUnsupported)),
            ScanStatus::ImageArchived => Signal::Unsupported(reason(ReasonCode::ScanImageArchived)),
            ScanStatus::FindingsUnavailable => Signal::Failed(reason(ReasonCode::ScanFindingsUnavailable)),
            ScanStatus::ScanEligibilityExpired => Signal::Failed(reason(ReasonCode::ScanEligibilityExpired)),
            ScanStatus::LimitExceeded => Signal::Failed(reason(ReasonCode::ScanLimitExceeded)),
            ScanStatus::Failed => Signal::Failed(reason(ReasonCode::ScanFailed)),
            ScanStatus::Complete | ScanStatus::Active | ScanStatus::Unknown(_) => {
                Signal::Failed(reason(ReasonCode::ScanUnknownStatus))
            }
        }
    }

    /// ` with 10 CRITICAL, 2 HIGH`, or nothing if nothing is counted.
    fn counted(&self) -> String {
        let mut text = String::new();
        for (severity, count) in self.counts.iter().filter(|(_, count)| **count > 0) {
            let _ = write!(text, "{}{count} {severity}", if text.is_empty() { " with " } else { ", " });
        }
        text
    }
}

const INITIAL: &str = "INITIAL_SCAN_COMPLETE";
