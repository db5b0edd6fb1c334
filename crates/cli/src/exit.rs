//! Exit codes: the one place where an outcome becomes a number (A1, S10).

use engine::{CheckState, Examination, Record};
use model::{ReasonCode, UnknownClass, Verdict};

/// The exit codes of every command. Stable: scripts and pipelines rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Allowed, or the command did what was asked.
    Allowed = 0,
    /// Blocked by policy; for `lint`, `doctor` and `iam-policy --lint`: something to mend was found; for `audit verify`: it does not verify.
    Blocked = 1,
    /// The scanner ended without a usable result.
    NoResult = 2,
    /// Access or configuration error.
    Configuration = 3,
    /// Not decided in time.
    Undecided = 4,
    /// The service cannot be reached, or an internal error.
    Unavailable = 5,
    /// The command line is wrong.
    Usage = 64,
    /// Ended by Ctrl-C (128 + SIGINT).
    Interrupted = 130,
}

impl Exit {
    /// Every code with its meaning, for the reference documentation.
    pub(crate) const ALL: [(Self, &'static str); 8] = [
        (Self::Allowed, "Allowed by policy; a soft-fail (warn) too, and it says so. Any other command: done."),
        (
            Self::Blocked,
            "Blocked by policy. `lint`, `doctor`, `kubernetes doctor`, `iam-policy --lint`: something to mend was found. `audit verify`: it does not verify.",
        ),
        (
            Self::NoResult,
            "The scanner ended without a usable result: failed, unsupported image, an answer that cannot be read or believed.",
        ),
        (
            Self::Configuration,
            "Access or configuration error: access denied, credentials, repository or image not found, no scan and none may be started, a bad policy file.",
        ),
        (Self::Undecided, "Not decided in time: the scan is pending, missing or too old, or AWS throttled the calls."),
        (Self::Unavailable, "ECR cannot be reached or fails, or an internal error."),
        (Self::Usage, "The command line is wrong."),
        (Self::Interrupted, "Ended by Ctrl-C or SIGTERM before an answer."),
    ];

    /// The code of a number; one that is none of ours is a fault.
    pub(crate) fn of_number(number: u8) -> Self {
        Self::ALL.iter().map(|(exit, _)| *exit).find(|exit| *exit as u8 == number).unwrap_or(Self::Unavailable)
    }

    /// The code of a reason that left the gate without an answer. The class decides (S10), but for three reasons that
    /// A1 calls configuration errors whatever their class.
    pub(crate) fn of_reason(code: ReasonCode) -> Self {
        match code {
            ReasonCode::ScanNotStartable | ReasonCode::AwsInvalidRequest | ReasonCode::ImageTagMoved => {
                return Self::Configuration;
            }
            _ => {}
        }
        code.class().map_or(Self::Blocked, Self::of_class)
    }

    /// The code of a way not to know.
    pub(crate) fn of_class(class: UnknownClass) -> Self {
        match class {
            UnknownClass::AccessDenied | UnknownClass::NotFound => Self::Configuration,
            UnknownClass::ScanFailed | UnknownClass::ScanUnsupported | UnknownClass::EvidenceInvalid => Self::NoResult,
            UnknownClass::ScanPending
            | UnknownClass::ScanMissing
            | UnknownClass::ScanStale
            | UnknownClass::Throttled
            | UnknownClass::Deadline => Self::Undecided,
            UnknownClass::RegistryUnavailable
            | UnknownClass::TrustUnavailable
            | UnknownClass::EvidenceRemoved
            | UnknownClass::StoreUnavailable
            | UnknownClass::Internal => Self::Unavailable,
        }
    }

    /// The code of a record. A rule that is really broken and denies is 1; otherwise the worst of the unknowns, where
    /// an error that a person has to mend (3) outweighs a scanner without a result (2), that a service that is away
    /// (5), and that one that more patience may solve (4).
    pub(crate) fn of_record(record: &Record, warn_exit_code: u8) -> u8 {
        match record.verdict {
            Verdict::Allow => return Self::Allowed as u8,
            Verdict::Warn => return warn_exit_code,
            Verdict::Pending | Verdict::Deny => {}
        }
        if record.rules.iter().any(|rule| rule.outcome == "fail" && rule.verdict == Verdict::Deny) {
            return Self::Blocked as u8;
        }
        let heavy = record.rules.iter().filter(|rule| rule.verdict >= Verdict::Pending);
        let unknowns = heavy.flat_map(|rule| rule.reasons.iter().map(|reason| reason.code));
        // A refused question has reasons and no rules.
        let refused = record.reasons.iter().filter(|_| record.rules.is_empty()).map(|reason| reason.reason.code);
        let rank = |exit: &Self| match exit {
            Self::Configuration => 4,
            Self::NoResult => 3,
            Self::Unavailable => 2,
            Self::Undecided => 1,
            _ => 0,
        };
        // Nothing known to blame is a fault of ours, never a pass.
        let worst = unknowns.chain(refused).map(Self::of_reason).max_by_key(rank).filter(|exit| rank(exit) > 0);
        worst.unwrap_or(Self::Unavailable) as u8
    }

    /// The code of an examination, and of changes that were refused. What `check` would end with for want of a
    /// permission, of the repository or of the image (3) outweighs what is to be mended (1), and that what could not be
    /// looked at for another reason.
    pub(crate) fn of_examination(examination: &Examination, refused: impl Iterator<Item = ReasonCode>) -> Self {
        let rank = |exit: &Self| match exit {
            Self::Configuration => 5,
            Self::Blocked => 4,
            Self::NoResult => 3,
            Self::Unavailable => 2,
            Self::Undecided => 1,
            _ => 0,
        };
        let codes = examination.checks.iter().filter_map(|check| match (check.state, check.reason) {
            (CheckState::Ok | CheckState::Warning, _) | (CheckState::Unknown, None) => None,
            (CheckState::Unknown, Some(code)) => Some(Self::of_reason(code)),
            (CheckState::Problem, Some(code)) if Self::of_reason(code) == Self::Configuration => {
                Some(Self::Configuration)
            }
            (CheckState::Problem, _) => Some(Self::Blocked),
        });
        codes.chain(refused.map(Self::of_reason)).max_by_key(rank).unwrap_or(Self::Allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_every_reason_has_a_code_and_none_is_zero() {
        for code in ReasonCode::ALL {
            let exit = Exit::of_reason(*code);
            assert!(exit >= Exit::Blocked && exit <= Exit::Unavailable, "{code}: {exit:?}");
            assert_eq!(exit == Exit::Blocked, code.class().is_none(), "{code}");
        }
    }
}
