//! Preflight of a repository and, if one is named, of an image (A9): what ECR would do with a push, and what the caller
//! may ask, found by trying.
//!
//! Nothing is changed by [`examine`]: permissions are tried on a digest that no manifest can have. [`apply`] makes one
//! change, and only after somebody was shown it. A call that fails is a check of its own with its reason and stops
//! no other; only without credentials, without the repository or without a network there is nothing to ask.

mod image;
mod permissions;
mod report;
mod scanning;
mod tags;

use std::time::Duration;

use aws::{Ecr, Failure, FailureKind, Target};
use model::{ImageReference, Reason, Timestamp};
use tokio::time::{sleep, timeout};

pub use report::{CheckState, DoctorCheck, Examination, Fix};

use self::report::About;
use self::scanning::Settings;
use crate::check::Refused;

/// The longest a single call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Before the one retry of a call that failed for a while only.
const RETRY_AFTER: Duration = Duration::from_secs(1);

const IDENTITY: About = About {
    id: "doctor.identity",
    title: "Identity",
    why: "Every permission below is this identity's: a pipeline that runs as another one gets other answers.",
};
const REPOSITORY: About = About {
    id: "doctor.repository",
    title: "Repository",
    why: "Its settings say whether a push is scanned and whether a tag can be moved.",
};

/// Looks at a repository, and at an image of it if one with a tag or digest is named.
///
/// # Errors
/// Nothing can be asked: there are no valid credentials, the repository is not there, or ECR cannot be reached.
pub async fn examine(target: &Target, image: Option<&ImageReference>, now: Timestamp) -> Result<Examination, Refused> {
    let ecr = Ecr::connect(target.clone()).await;
    let patient = Patient { ecr: &ecr };
    let caller = patient.ask("GetCallerIdentity", || ecr.caller()).await?;
    let identity = caller.as_ref().ok().cloned();
    let mut checks = vec![of_caller(&caller)];

    let repository = patient.ask("DescribeRepositories", || ecr.repository_settings()).await?;
    match &repository {
        Ok(_) => checks.push(REPOSITORY.ok(format!("{} is there", target.arn()))),
        Err(failure) if failure.kind == FailureKind::Network => return Err(Refused { reason: failure.reason() }),
        Err(failure) => checks.push(REPOSITORY.missed(failure)),
    }
    let scanning = patient.scanning(identity.as_deref()).await?;
    let settings = Settings { repository, scanning };
    checks.extend(settings.checks(target));
    checks.push(tags::check(&settings.repository));
    checks.extend(permissions::checks(&patient, &settings, identity.as_deref()).await?);
    checks.extend(image::checks(&patient, image, settings.scanner(), now).await?);
    let examination = Examination { examined_at: now, repository: target.arn(), identity, checks };
    Ok(match (&target.account, account(examination.identity.as_deref())) {
        // Without an account it is the caller's own registry that was asked.
        (None, Some(account)) => {
            let arn = Target { account: Some(account.to_owned()), ..target.clone() }.arn();
            examination.naming(&arn)
        }
        _ => examination,
    })
}

/// Makes one change.
///
/// # Errors
/// ECR refused it, or could not be asked.
pub async fn apply(target: &Target, fix: Fix) -> Result<(), Reason> {
    let ecr = Ecr::connect(target.clone()).await;
    let patient = Patient { ecr: &ecr };
    let (operation, done) = match fix {
        Fix::ScanOnPush => {
            let operation = "PutImageScanningConfiguration";
            (operation, patient.tried(operation, || ecr.turn_on_scan_on_push()).await)
        }
        Fix::Immutability => {
            let operation = "PutImageTagMutability";
            (operation, patient.tried(operation, || ecr.make_tags_immutable()).await)
        }
    };
    done.map_err(|failure| {
        let reason = failure.reason();
        if failure.kind == FailureKind::AccessDenied {
            let arn = target.arn();
            return reason.remedy(format!(
                "Let somebody run this who has ecr:{operation} on {arn}; `ecr-gate iam-policy --for doctor --fix --repository \
                 {arn}` prints the whole policy."
            ));
        }
        reason
    })
}

/// The account of a caller's ARN.
fn account(caller: Option<&str>) -> Option<&str> {
    caller.and_then(|arn| arn.split(':').nth(4)).filter(|account| !account.is_empty())
}

/// The identity is told, never demanded: a private subnet may have no way to STS, and the answer decides nothing.
fn of_caller(caller: &Result<String, Failure>) -> DoctorCheck {
    match caller {
        Ok(arn) => IDENTITY.ok(arn.clone()),
        Err(failure) => IDENTITY.warning(
            format!("STS does not say who asks: GetCallerIdentity: {}", failure.message),
            "The checks below do not need it; it takes no permission but a way to the STS endpoint.",
        ),
    }
}

/// The repository under examination.
struct Patient<'a> {
    ecr: &'a Ecr,
}

impl Patient<'_> {
    /// One call within its bounds; the outer error ends the examination.
    async fn ask<T, F>(&self, operation: &'static str, call: impl FnMut() -> F) -> Result<Result<T, Failure>, Refused>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        match self.tried(operation, call).await {
            Err(failure) if is_the_end(failure.kind) => Err(Refused { reason: failure.reason() }),
            answer => Ok(answer),
        }
    }

    /// One call within its bounds, repeated once if it failed for a while only.
    async fn tried<T, F>(&self, operation: &'static str, mut call: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        match self.once(operation, call()).await {
            Err(failure) if failure.is_transient() => {
                sleep(RETRY_AFTER).await;
                self.once(operation, call()).await
            }
            answer => answer,
        }
    }

    async fn once<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        timeout(CALL_TIMEOUT, call).await.unwrap_or_else(|_| {
            Err(Failure {
                kind: FailureKind::Network,
                operation,
                code: None,
                message: format!("no answer within {} seconds", CALL_TIMEOUT.as_secs()),
                arn: self.ecr.target().arn(),
            })
        })
    }
}

/// Failures after which every other call would end the same way.
fn is_the_end(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::CredentialsMissing
            | FailureKind::CredentialsExpired
            | FailureKind::CredentialsInvalid
            | FailureKind::RepositoryNotFound
    )
}

#[cfg(test)]
mod tests;
