//! Judging a saved scan report instead of asking ECR.

use std::time::Duration;

use model::{
    Ask, CompleteScan, Digest, Facts, FirstSeen, ImageReference, ManifestFacts, Observed, Origin, Reason, ReasonCode,
    Signal, Timestamp,
};
use policy::{Exceptions, PolicySet, evaluate};
use signals::Limits;
use signals::ecr::{Report, report};

use crate::check::{Checked, Refused, Timing};

/// Judges the saved answer of `aws ecr describe-image-scan-findings` in `bytes`, read from `file`.
///
/// # Errors
/// Neither reference nor report names a digest: there is nothing to judge.
pub fn judge_report(
    image: &ImageReference,
    account: Option<&str>,
    environment: &str,
    (file, bytes): (&str, &[u8]),
    policies: &PolicySet,
    exceptions: &Exceptions,
    now: Timestamp,
    request: impl FnOnce() -> Duration,
) -> Result<Checked, Refused> {
    let (digest, scan) = match report(bytes, &Limits::STANDARD) {
        Ok(report) => match about(image, account, &report) {
            Ok(()) => (report.digest.clone(), observed(report, file, bytes, now)),
            Err(reason) => (image.digest.clone().unwrap_or(report.digest), Signal::Failed(reason)),
        },
        Err(reason) => match &image.digest {
            Some(digest) => (digest.clone(), Signal::Failed(reason)),
            None => return Err(Refused { reason }),
        },
    };
    let ask = Ask { image: image.clone(), digest: digest.clone(), environment: environment.to_owned() };
    let root = ManifestFacts { digest, pushed_at: None, scan };
    let facts = Facts { root, platforms: None, first_seen: FirstSeen::new() };
    let judgement = evaluate(policies, &ask, &facts, exceptions, now);
    let scan_completed_at = judgement.inputs.signals.iter().map(|signal| signal.completed_at).max();
    let timing = Timing { decided_at: now, pushed_at: None, scan_completed_at, request: request() };
    Ok(Checked { ask, facts, judgement, timing })
}

fn observed(report: Report, file: &str, bytes: &[u8], now: Timestamp) -> Signal<CompleteScan> {
    match report.scan {
        Ok(value) => Signal::Present(Observed {
            value,
            origin: Origin::File(file.to_owned()),
            at: now,
            evidence: Digest::of(bytes),
        }),
        Err(signal) => signal,
    }
}

/// S1: the report has to be about the image that is asked about, in its repository.
fn about(image: &ImageReference, account: Option<&str>, report: &Report) -> Result<(), Reason> {
    let other = |what: &str, theirs: &str, ours: &str| {
        Err(Reason::new(ReasonCode::ScanOtherImage, format!("the report is about {what} {theirs}, not {ours}")))
    };
    if let Some(digest) = &image.digest
        && *digest != report.digest
    {
        return other("image", report.digest.as_str(), digest.as_str());
    }
    if let Some(repository) = &report.subject.repository
        && repository != image.repository.as_str()
    {
        return other("repository", repository, image.repository.as_str());
    }
    if let (Some(theirs), Some(ours)) = (&report.subject.account, account)
        && theirs != ours
    {
        return other("account", theirs, ours);
    }
    // A tag that the report names has to be the tag that was asked for; by digest alone nothing is claimed about tags.
    if let (Some(theirs), Some(ours), None) = (&report.subject.tag, &image.tag, &image.digest)
        && theirs != ours.as_str()
    {
        return other("tag", theirs, ours.as_str());
    }
    Ok(())
}
