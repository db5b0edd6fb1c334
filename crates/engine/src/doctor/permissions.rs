//! What the caller may do, found by trying, harmlessly: every call names a digest that no manifest can have. "Not
//! there" means that the call is permitted; IAM decides before ECR looks.

use aws::{Failure, FailureKind, Scanner};
use model::{Digest, ReasonCode};

use super::Patient;
use super::report::{About, DoctorCheck};
use super::scanning::Settings;
use crate::check::Refused;

const DESCRIBE_IMAGES: About = About {
    id: "doctor.permission.describeImages",
    title: "Permission ecr:DescribeImages",
    why: "`check` turns the tag into a digest with it, and reads when the image was pushed.",
};
const SCAN_FINDINGS: About = About {
    id: "doctor.permission.describeImageScanFindings",
    title: "Permission ecr:DescribeImageScanFindings",
    why: "`check` reads the scan with it; without it there is nothing to judge.",
};
const GET_IMAGE: About = About {
    id: "doctor.permission.batchGetImage",
    title: "Permission ecr:BatchGetImage",
    why: "`check` finds the platforms of a multi-platform image with it.",
};
const START_SCAN: About = About {
    id: "doctor.permission.startImageScan",
    title: "Permission ecr:StartImageScan",
    why: "`check` starts a scan with it when there is none, or when the last one is too old.",
};

/// The digest of no bytes at all: no manifest can have it.
fn nobody() -> Digest {
    Digest::of(b"")
}

pub(super) async fn checks(
    patient: &Patient<'_>,
    settings: &Settings,
    identity: Option<&str>,
) -> Result<[DoctorCheck; 4], Refused> {
    let (ecr, digest) = (patient.ecr, nobody());
    let by_digest = aws::ImageId::Digest(digest.clone());
    let describe = patient.ask("DescribeImages", || ecr.image(&by_digest)).await?.map(drop);
    let findings = patient.ask("DescribeImageScanFindings", || ecr.scan_findings(&digest, None)).await?.map(drop);
    let get = patient.ask("BatchGetImage", || ecr.try_manifest(&digest)).await?;
    let start = patient.ask("StartImageScan", || ecr.start_scan(&digest)).await?;
    let enhanced = settings.scanner() == Some(&Scanner::Enhanced);
    let of = |about: &About, answer| judge(about, answer, identity);

    let mut findings = of(&SCAN_FINDINGS, findings);
    if enhanced
        && findings.reason == Some(ReasonCode::AwsAccessDenied)
        && let Some(remedy) = &mut findings.remedy
    {
        remedy.push_str(" With enhanced scanning it takes inspector2:ListCoverage and inspector2:ListFindings too (`--scanning enhanced`).");
    }
    let start = match of(&START_SCAN, start) {
        denied if denied.reason != Some(ReasonCode::AwsAccessDenied) && !enhanced => denied,
        // What is not used need not be permitted.
        _ if enhanced => START_SCAN.ok("not used: enhanced scanning starts its scans itself"),
        denied if settings.scans_pushes() == Some(true) => START_SCAN.warning(
            format!("{}; pushes are scanned without it, but `check` cannot renew a scan that is too old", denied.found),
            denied.remedy.unwrap_or_else(String::new),
        ),
        denied => denied,
    };
    Ok([of(&DESCRIBE_IMAGES, describe), findings, of(&GET_IMAGE, get), start])
}

/// What the answer to a try says about the permission.
fn judge(about: &About, answer: Result<(), Failure>, identity: Option<&str>) -> DoctorCheck {
    let Err(failure) = answer else { return about.ok("permitted") };
    match failure.kind {
        FailureKind::ImageNotFound
        | FailureKind::ScanNotFound
        | FailureKind::ScanLimit
        | FailureKind::UnsupportedImage
        | FailureKind::ImageArchived => about.ok("permitted"),
        // So ECR says that enhanced scanning is on.
        FailureKind::InvalidRequest if failure.operation == "StartImageScan" => about.ok("permitted"),
        FailureKind::AccessDenied => {
            let arn = &failure.arn;
            let remedy = format!(
                "Allow ecr:{} on {arn} for {}; `ecr-gate iam-policy --for check --repository {arn}` prints the whole policy.",
                failure.operation,
                identity.unwrap_or("the role of the job"),
            );
            about.problem(failure.reason().message, remedy).because(ReasonCode::AwsAccessDenied)
        }
        _ => about.unknown(failure.reason()),
    }
}
