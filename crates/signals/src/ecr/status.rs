//! `imageScanStatus.status`: every value of the API, and what each means for the gate.

use model::{Reason, ReasonCode};

/// The status of a scan. A word the API does not have today is kept and never passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanStatus {
    /// Basic: running.
    InProgress,
    /// Basic: done.
    Complete,
    /// Basic: ended without a result.
    Failed,
    /// The scanner cannot read this image.
    UnsupportedImage,
    /// Enhanced: scanned and watched continuously. Never becomes `COMPLETE`.
    Active,
    /// Enhanced: queued.
    Pending,
    /// Enhanced: no longer watched.
    ScanEligibilityExpired,
    /// Enhanced: no findings can be had.
    FindingsUnavailable,
    /// Enhanced: a quota was reached.
    LimitExceeded,
    /// The image is archived.
    ImageArchived,
    /// Any other word.
    Unknown(String),
}

/// What a status says about the findings in the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The findings, if they are there, are a result.
    Result,
    /// Wait.
    Wait(Reason),
    /// The scanner has ended and there will be no result.
    NoResult(Reason),
    /// The scanner cannot do this image.
    Unsupported(Reason),
}

impl ScanStatus {
    /// Every value of the service model.
    pub const KNOWN: [Self; 10] = [
        Self::InProgress,
        Self::Complete,
        Self::Failed,
        Self::UnsupportedImage,
        Self::Active,
        Self::Pending,
        Self::ScanEligibilityExpired,
        Self::FindingsUnavailable,
        Self::LimitExceeded,
        Self::ImageArchived,
    ];

    /// Reads the API's word, exactly.
    pub fn parse(word: &str) -> Self {
        Self::KNOWN
            .into_iter()
            .find(|known| known.as_str() == word)
            .unwrap_or_else(|| Self::Unknown(word.chars().take(64).collect()))
    }

    /// The API's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
            Self::UnsupportedImage => "UNSUPPORTED_IMAGE",
            Self::Active => "ACTIVE",
            Self::Pending => "PENDING",
            Self::ScanEligibilityExpired => "SCAN_ELIGIBILITY_EXPIRED",
            Self::FindingsUnavailable => "FINDINGS_UNAVAILABLE",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::ImageArchived => "IMAGE_ARCHIVED",
            Self::Unknown(word) => word,
        }
    }

    pub(crate) fn meaning(&self, description: &str) -> Meaning {
        let said = if description.is_empty() { String::new() } else { format!(": {description}") };
        let reason = |code: ReasonCode| Reason::new(code, format!("scan status {}{said}", self.as_str()));
        match self {
            Self::Complete | Self::Active => Meaning::Result,
            Self::InProgress | Self::Pending => Meaning::Wait(reason(ReasonCode::ScanPending)),
            Self::Failed => Meaning::NoResult(reason(ReasonCode::ScanFailed)),
            Self::FindingsUnavailable => Meaning::NoResult(reason(ReasonCode::ScanFindingsUnavailable)),
            Self::ScanEligibilityExpired => Meaning::NoResult(reason(ReasonCode::ScanEligibilityExpired)),
            Self::LimitExceeded => Meaning::NoResult(reason(ReasonCode::ScanLimitExceeded)),
            Self::UnsupportedImage => Meaning::Unsupported(reason(ReasonCode::ScanUnsupported)),
            Self::ImageArchived => Meaning::Unsupported(reason(ReasonCode::ScanImageArchived)),
            Self::Unknown(word) => Meaning::NoResult(Reason::new(
                ReasonCode::ScanUnknownStatus,
                format!("unknown scan status {word:?}{said}"),
            )),
        }
    }
}
