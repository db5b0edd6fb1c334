//! The image: is it there, what is it, and could the scanner read it. Findings are not judged here; that is a check.

use aws::{FailureKind, Image, ImageId, Scanner, endpoint_override};
use model::{Digest, ImageReference, Reason, ReasonCode, SignedDuration, Timestamp};
use signals::Limits;
use signals::ecr::{PageState, page};
use signals::manifest::{Manifest, is_index, manifest};

use super::Patient;
use super::report::{About, CheckState, DoctorCheck};
use crate::check::Refused;

const IMAGE: About = About {
    id: "doctor.image",
    title: "Image",
    why: "Only what is in the repository can be checked, and an index is never scanned itself: its platforms are.",
};
const SCAN: About = About {
    id: "doctor.imageScan",
    title: "Scan of the image",
    why: "Without a scan that ended with a result, `check` cannot allow the image.",
};
const BASE: About = About {
    id: "doctor.baseImage",
    title: "Distroless and scratch images",
    why: "A scanner that does not know the image's base ends with UNSUPPORTED_IMAGE, and there is no result to judge.",
};

/// How many platforms of an index are looked at.
const MOST_PLATFORMS: usize = 16;

const SECOND_SOURCE: &str = "give `check` a scanner's report as a second source";

pub(super) async fn checks(
    patient: &Patient<'_>,
    reference: Option<&ImageReference>,
    scanner: Option<&Scanner>,
    now: Timestamp,
) -> Result<Vec<DoctorCheck>, Refused> {
    let id = match reference.map(|reference| (&reference.tag, &reference.digest)) {
        Some((Some(tag), _)) => ImageId::Tag(tag.clone()),
        Some((None, Some(digest))) => ImageId::Digest(digest.clone()),
        Some((None, None)) | None => return Ok(vec![base(scanner, "no image was named")]),
    };
    let wanted = reference.and_then(|reference| reference.digest.as_ref());
    let mut checks = Vec::new();
    let image = match patient.ask("DescribeImages", || patient.ecr.image(&id)).await? {
        Ok(image) => image,
        Err(failure) => {
            let reason = failure.reason();
            let check = match failure.kind {
                FailureKind::ImageNotFound => IMAGE.problem(reason.message, reason.remedy).because(reason.code),
                _ => IMAGE.missed(&failure),
            };
            return Ok(vec![check, base(scanner, "the image could not be looked at")]);
        }
    };
    if let Some(wanted) = wanted
        && image.digest != *wanted
    {
        let message = format!("the reference names {wanted}, ECR describes {}", image.digest);
        let reason = Reason::new(ReasonCode::ImageTagMoved, message);
        return Ok(vec![IMAGE.problem(reason.message, reason.remedy).because(reason.code)]);
    }
    if let Some(other) = image.artifact_media_type.as_deref().filter(|media_type| !is_image_config(media_type)) {
        let reason = Reason::new(ReasonCode::ImageNotAnImage, format!("{} is no image but {other}", image.digest));
        return Ok(vec![IMAGE.problem(reason.message, reason.remedy).because(reason.code)]);
    }
    let pushed = image.pushed_at.map_or_else(String::new, |at| format!(", pushed {}", ago(at, now)));
    let subjects = match platforms(patient, &image).await? {
        Err(check) => {
            checks.push(IMAGE.ok(format!("{}{pushed}", image.digest)));
            checks.push(*check);
            return Ok(checks);
        }
        Ok(None) => {
            checks.push(IMAGE.ok(format!("{}{pushed}", image.digest)));
            vec![(None, image.digest.clone())]
        }
        Ok(Some(platforms)) => {
            let count = platforms.len();
            let left = count.saturating_sub(MOST_PLATFORMS);
            let more = if left > 0 { format!(" ({left} of them are not looked at here)") } else { String::new() };
            checks.push(IMAGE.ok(format!(
                "{}{pushed}: an index, which is never scanned itself; its {count} platform{} are{more}",
                image.digest,
                if count == 1 { "" } else { "s" },
            )));
            platforms.into_iter().take(MOST_PLATFORMS).collect()
        }
    };
    let mut scans = Vec::new();
    for (platform, digest) in subjects {
        // A platform was pushed before its index, and may have been scanned before it.
        let pushed_at = image.pushed_at.filter(|_| platform.is_none());
        scans.push(scan(patient, &digest, pushed_at, scanner, now).await?.of(platform));
    }
    if scans.iter().all(|scan| scan.state == CheckState::Ok) {
        checks.push(BASE.ok("the scanner could read the image"));
    } else if !scans.iter().any(|scan| scan.reason == Some(ReasonCode::ScanUnsupported)) {
        checks.push(base(scanner, "no scan has shown yet whether the scanner can read the image"));
    }
    checks.extend(scans);
    Ok(checks)
}

type Platforms = Option<Vec<(Option<String>, Digest)>>;

/// The platforms of an index; `None` for an image of one platform.
async fn platforms(patient: &Patient<'_>, image: &Image) -> Result<Result<Platforms, Box<DoctorCheck>>, Refused> {
    if image.media_type.as_deref().is_some_and(|media_type| !is_index(media_type)) {
        return Ok(Ok(None));
    }
    let bytes = match patient.ask("BatchGetImage", || patient.ecr.manifest(&image.digest)).await? {
        Ok(bytes) => bytes,
        Err(failure) => return Ok(Err(Box::new(SCAN.missed(&failure)))),
    };
    // A stand-in for ECR may name manifests as it likes.
    if endpoint_override().is_none() && Digest::of(&bytes) != image.digest {
        let message = format!("the manifest ECR gave has the digest {}, not {}", Digest::of(&bytes), image.digest);
        return Ok(Err(Box::new(SCAN.unknown(Reason::new(ReasonCode::ImageManifestInvalid, message)))));
    }
    Ok(match manifest(&bytes, &Limits::STANDARD) {
        Ok(Manifest::Image) => Ok(None),
        Ok(Manifest::Index(platforms)) => {
            let named = platforms.into_vec().into_iter().map(|(platform, digest)| (Some(platform.to_string()), digest));
            Ok(Some(named.collect()))
        }
        Err(reason) => Err(Box::new(SCAN.problem(reason.message, reason.remedy).because(reason.code))),
    })
}

/// What ECR says about the scan of one manifest. Nothing is started, and nothing is waited for.
async fn scan(
    patient: &Patient<'_>,
    digest: &Digest,
    pushed_at: Option<Timestamp>,
    scanner: Option<&Scanner>,
    now: Timestamp,
) -> Result<DoctorCheck, Refused> {
    let answer = patient.ask("DescribeImageScanFindings", || patient.ecr.scan_findings(digest, None)).await?;
    let page = match answer.map(|bytes| page(&bytes, &Limits::STANDARD)) {
        Ok(Ok(page)) => page,
        Ok(Err(reason)) => return Ok(SCAN.unknown(reason)),
        Err(failure) if failure.kind == FailureKind::ScanNotFound => {
            let remedy = if scanner == Some(&Scanner::Enhanced) {
                "Wait: a first result of Amazon Inspector takes minutes. If none comes, look at the rules of the registry above."
            } else {
                "`ecr-gate check` starts a scan if it may; so does a push with scan on push."
            };
            return Ok(SCAN
                .warning(format!("{} has no scan yet", digest.short()), remedy)
                .because(ReasonCode::ScanMissing));
        }
        Err(failure) => return Ok(SCAN.missed(&failure)),
    };
    if let Some(other) = page.subject.digest.as_ref().filter(|other| *other != digest) {
        let message = format!("the answer is about {other}, not {digest}");
        return Ok(SCAN.unknown(Reason::new(ReasonCode::ScanOtherImage, message)));
    }
    let completed_at = page.findings.as_ref().and_then(|findings| findings.completed_at);
    Ok(match page.state() {
        PageState::Result => match (completed_at, pushed_at) {
            (Some(completed), Some(pushed)) if completed < pushed => {
                let reason =
                    Reason::new(ReasonCode::ScanOlderThanPush, "the last scan ended before the image was pushed");
                SCAN.warning(reason.message, reason.remedy).because(reason.code)
            }
            _ => {
                let when = completed_at.map_or_else(String::new, |at| format!(", ended {}", ago(at, now)));
                SCAN.ok(format!("{}{when}; `ecr-gate check` judges the findings", page.status.as_str()))
            }
        },
        PageState::Wait(reason) => SCAN.warning(reason.message, reason.remedy).because(reason.code),
        PageState::NoResult(reason) => SCAN.problem(reason.message, reason.remedy).because(reason.code),
        PageState::Unsupported(reason) => {
            let remedy = match (reason.code, scanner) {
                (ReasonCode::ScanUnsupported, Some(Scanner::Enhanced)) => format!(
                    "Amazon Inspector does not know this base either: build on one that it knows, or {SECOND_SOURCE}."
                ),
                (ReasonCode::ScanUnsupported, _) => format!(
                    "Basic scanning cannot read distroless and scratch images, nor systems it does not know: turn on enhanced \
                     scanning (Amazon Inspector) for the registry, or {SECOND_SOURCE}."
                ),
                _ => reason.remedy,
            };
            SCAN.problem(reason.message, remedy).because(reason.code)
        }
    })
}

/// What holds for distroless and scratch images in general, as long as no scan has shown it.
fn base(scanner: Option<&Scanner>, why_not: &str) -> DoctorCheck {
    match scanner {
        Some(Scanner::Enhanced) => BASE.ok(
            "enhanced scanning reads language packages too, and minimal images such as distroless and scratch as far as it \
             finds packages in them",
        ),
        _ => BASE.untold(
            format!(
                "{why_not}; basic scanning reads the package databases of the Linux distributions it knows (Alpine, Amazon \
                 Linux, Debian, RHEL, Ubuntu and others), and can read neither distroless nor scratch"
            ),
            format!("For such images turn on enhanced scanning (Amazon Inspector), or {SECOND_SOURCE}."),
        ),
    }
}

/// The configs of images, by OCI image-spec and Docker.
fn is_image_config(media_type: &str) -> bool {
    media_type == "application/vnd.oci.image.config.v1+json"
        || media_type == "application/vnd.docker.container.image.v1+json"
}

/// How long ago, in its largest unit.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let age = now.duration_since(at);
    let (number, unit) = match age {
        age if age < SignedDuration::from_secs(120) => (age.as_secs().max(0), "s"),
        age if age < SignedDuration::from_mins(120) => (age.as_mins(), "min"),
        age if age < SignedDuration::from_hours(48) => (age.as_hours(), "h"),
        age => (age.as_hours() / 24, "d"),
    };
    format!("{number} {unit} ago")
}
