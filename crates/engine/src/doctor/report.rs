//! What an examination says: checks, each with what was found, why it matters and what to do.

use aws::{Failure, FailureKind};
use model::{Reason, ReasonCode, Timestamp};
use serde::Serialize;

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// When.
    pub examined_at: Timestamp,
    /// The ARN of the repository.
    pub repository: String,
    /// The ARN of the caller, if STS tells it.
    pub identity: Option<String>,
    /// Each check, in the order of the examination.
    pub checks: Vec<DoctorCheck>,
}

impl Examination {
    /// The changes that would mend something, each once.
    pub fn fixes(&self) -> Vec<Fix> {
        let wanted = |fix: &Fix| self.checks.iter().any(|check| check.fixable == Some(*fix));
        Fix::ALL.into_iter().filter(wanted).collect()
    }

    /// The same with this ARN wherever it named the repository without its account.
    pub(super) fn naming(mut self, arn: &str) -> Self {
        for check in &mut self.checks {
            check.found = check.found.replace(&self.repository, arn);
            check.remedy = check.remedy.as_ref().map(|remedy| remedy.replace(&self.repository, arn));
        }
        Self { repository: arn.to_owned(), ..self }
    }

    /// How many checks ended like this.
    pub fn count(&self, state: CheckState) -> usize {
        self.checks.iter().filter(|check| check.state == state).count()
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DoctorCheck {
    /// A stable name, such as `doctor.scanOnPush`.
    pub id: &'static str,
    /// Which of several things of this kind: a platform of an index. `None` where there is one only.
    pub subject: Option<String>,
    /// What was looked at, in a few words.
    pub title: &'static str,
    /// How it is.
    pub state: CheckState,
    /// What was found.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do; `None` if there is nothing to do.
    pub remedy: Option<String>,
    /// What [`apply`](crate::apply) can change about it.
    pub fixable: Option<Fix>,
    /// The code of the reason, where the state comes from a refusal or an answer of AWS.
    pub reason: Option<ReasonCode>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warning,
    /// It will fail, or pass what it should not.
    Problem,
    /// It could not be looked at.
    Unknown,
}

/// A change that is safe to make when somebody has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fix {
    /// Turn on scan on push for the repository.
    ScanOnPush,
    /// Make the tags of the repository immutable.
    Immutability,
}

impl Fix {
    /// Every change.
    pub const ALL: [Self; 2] = [Self::ScanOnPush, Self::Immutability];
}

/// What a check looks at.
pub(super) struct About {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) why: &'static str,
}

impl About {
    pub(super) fn ok(&self, found: impl Into<String>) -> DoctorCheck {
        self.check(CheckState::Ok, found.into(), None)
    }

    pub(super) fn warning(&self, found: impl Into<String>, remedy: impl Into<String>) -> DoctorCheck {
        self.check(CheckState::Warning, found.into(), Some(remedy.into()))
    }

    pub(super) fn problem(&self, found: impl Into<String>, remedy: impl Into<String>) -> DoctorCheck {
        self.check(CheckState::Problem, found.into(), Some(remedy.into()))
    }

    /// Nothing failed, but it cannot be told.
    pub(super) fn untold(&self, found: impl Into<String>, remedy: impl Into<String>) -> DoctorCheck {
        self.check(CheckState::Unknown, found.into(), Some(remedy.into()))
    }

    /// It could not be looked at, for this reason.
    pub(super) fn unknown(&self, reason: Reason) -> DoctorCheck {
        self.check(CheckState::Unknown, reason.message, Some(reason.remedy)).because(reason.code)
    }

    /// It could not be looked at, because a call failed. A refusal names the permission that the look takes.
    pub(super) fn missed(&self, failure: &Failure) -> DoctorCheck {
        let mut reason = failure.reason();
        if failure.kind == FailureKind::AccessDenied {
            let Failure { operation, arn, .. } = failure;
            // This one action knows no resource.
            let on = if *operation == "GetRegistryScanningConfiguration" { "*" } else { arn };
            reason.remedy = format!(
                "Allow ecr:{operation} on {on} for the role that runs doctor; `ecr-gate iam-policy --for doctor --repository \
                 {arn}` prints the whole policy."
            );
        }
        self.unknown(reason)
    }

    fn check(&self, state: CheckState, found: String, remedy: Option<String>) -> DoctorCheck {
        let Self { id, title, why } = *self;
        DoctorCheck { id, subject: None, title, state, found, why, remedy, fixable: None, reason: None }
    }
}

impl DoctorCheck {
    pub(super) fn because(self, code: ReasonCode) -> Self {
        Self { reason: Some(code), ..self }
    }

    pub(super) fn fix(self, fix: Fix) -> Self {
        Self { fixable: Some(fix), ..self }
    }

    pub(super) fn of(self, subject: Option<String>) -> Self {
        Self { subject, ..self }
    }
}
