//! Which permissions each use of ecr-gate needs: the whole answer of `iam-policy --for …`. Nothing here is a wildcard
//! action, and `"Resource": "*"` stands only where AWS accepts nothing narrower.

use clap::ValueEnum;
use serde::Serialize;

/// What the identity will be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Use {
    /// `ecr-gate check`: read the scan of an image, start it when there is none
    Check,
    /// `ecr-gate doctor`: what check needs, and the settings of repository and registry
    Doctor,
    /// `ecr-gate attach`: push a decision as a referrer
    Attach,
    /// `ecr-gate promote`: copy an allowed image to the release repository
    Promote,
    /// `ecr-gate rescan`: list images and scan them again
    Rescan,
    /// `ecr-gate proxy`: pull on behalf of others
    Proxy,
}

/// Which scanner stands behind the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Scanning {
    /// ECR's own scanner
    #[default]
    Basic,
    /// Amazon Inspector; scans start by themselves
    Enhanced,
    /// Either, e.g. while moving from one to the other
    Both,
}

/// An IAM policy document, in the key order people are used to.
#[derive(Debug, Serialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Policy {
    pub version: &'static str,
    pub statement: Vec<Statement>,
}

/// One statement that allows `action` on `resource`.
#[derive(Debug, Serialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Statement {
    pub sid: &'static str,
    pub effect: &'static str,
    pub action: Vec<&'static str>,
    pub resource: String,
}

/// What a policy is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub r#use: Use,
    pub arn: &'a str,
    /// Where `promote` copies to; the same repository if not said.
    pub destination: Option<&'a str>,
    pub scanning: Scanning,
    pub start_scan: bool,
    pub fix: bool,
}

const READ_SCAN: [&str; 3] = ["ecr:DescribeImages", "ecr:DescribeImageScanFindings", "ecr:BatchGetImage"];
const PULL: [&str; 2] = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
const PUSH: [&str; 5] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
];

/// The least that `wanted` needs.
pub(crate) fn policy(wanted: Wanted<'_>) -> Policy {
    let on = |sid, action: &[&'static str], resource: &str| Statement {
        sid,
        effect: "Allow",
        action: action.to_vec(),
        resource: resource.to_owned(),
    };
    let repository = |sid, action: &[&'static str]| on(sid, action, wanted.arn);
    // AWS knows no narrower resource for these.
    let registry = |sid, action: &[&'static str]| on(sid, action, "*");
    let log_in = || registry("LogInToTheRegistry", &["ecr:GetAuthorizationToken"]);
    let mut statement = Vec::new();
    match wanted.r#use {
        Use::Check => statement.push(repository("ReadScanOfThisRepository", &READ_SCAN)),
        Use::Doctor => {
            statement.push(repository("ReadScanOfThisRepository", &READ_SCAN));
            statement.push(repository(
                "ReadSettingsOfThisRepository",
                &["ecr:DescribeRepositories", "ecr:BatchGetRepositoryScanningConfiguration"],
            ));
            statement.push(registry("ReadScanSettingsOfTheRegistry", &["ecr:GetRegistryScanningConfiguration"]));
            if wanted.fix {
                statement.push(repository(
                    "MendScanOnPushAndTagImmutability",
                    &["ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability"],
                ));
            }
        }
        Use::Attach => {
            statement.push(log_in());
            statement.push(repository("ReadReferrersOfThisRepository", &PULL));
            statement.push(repository("PushReferrersToThisRepository", &PUSH));
        }
        Use::Promote => {
            let destination = wanted.destination.unwrap_or(wanted.arn);
            statement.push(log_in());
            statement.push(repository("ReadScanOfTheSource", &READ_SCAN));
            statement.push(repository("PullFromTheSource", &["ecr:GetDownloadUrlForLayer"]));
            statement.push(on(
                "LookBeforeOverwritingInTheDestination",
                &["ecr:DescribeRepositories", "ecr:DescribeImages", "ecr:BatchGetImage"],
                destination,
            ));
            statement.push(on("PushToTheDestination", &PUSH, destination));
        }
        Use::Rescan => statement.push(repository("ListImagesAndReadTheirScans", &READ_SCAN)),
        Use::Proxy => {
            statement.push(log_in());
            statement.push(repository("PullFromThisRepository", &PULL));
        }
    }
    let reads_scans = matches!(wanted.r#use, Use::Check | Use::Doctor | Use::Rescan | Use::Promote);
    let starts_scans = matches!(wanted.r#use, Use::Check | Use::Doctor | Use::Rescan);
    if starts_scans && wanted.start_scan && wanted.scanning != Scanning::Enhanced {
        statement.push(repository("StartAMissingScan", &["ecr:StartImageScan"]));
    }
    if reads_scans && wanted.scanning != Scanning::Basic {
        statement.push(registry("ReadInspectorBehindEcr", &["inspector2:ListCoverage", "inspector2:ListFindings"]));
    }
    Policy { version: "2012-10-17", statement }
}
