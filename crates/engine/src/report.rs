//! Judging a saved scan report instead of asking ECR.

use std::time::Instant;

use model::{
    Ask, CompleteScan, Digest, Facts, FirstSeen, ImageReference, ManifestFacts, Observed, Origin, Reason, ReasonCode,
    Signal, Timestamp,
};
use policy::{Exceptions, PolicySet, evaluate};
use signals::Limits;
use signals::ecr::{Report, report};

use crate::check::{Checked, Refused, Timing};

/// From this size on, in bytes, a thread costs less than it saves.
const SIDE_BY_SIDE: usize = 1 << 20;

/// A saved answer of `aws ecr describe-image-scan-findings` and the image it is given for.
#[derive(Debug, Clone, Copy)]
pub struct SavedReport<'a> {
    /// The image as the caller named it.
    pub image: &'a ImageReference,
    /// Its account, if known.
    pub account: Option<&'a str>,
    /// The environment, which a policy declares.
    pub environment: &'a str,
    /// The file's name.
    pub file: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The time of the judgement.
    pub now: Timestamp,
    /// When the question was asked.
    pub started: Instant,
}

/// Judges a saved answer.
///
/// # Errors
/// Neither reference nor report names a digest: there is nothing to judge.
pub fn judge_report(
    saved: &SavedReport<'_>,
    policies: &PolicySet,
    exceptions: &Exceptions,
) -> Result<Checked, Refused> {
    let SavedReport { image, account, environment, file, bytes, now, started } = *saved;
    let (parsed, evidence) = read(bytes);
    let (digest, scan) = match parsed {
        Ok(report) => match about(image, account, &report) {
            Ok(()) => (report.digest.clone(), observed(report, file, evidence, now)),
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
    let mut judgement = evaluate(policies, &ask, &facts, exceptions, now);
    if let (Some(tag), None) = (&image.tag, &image.digest) {
        // Nothing was asked of the registry: the report alone says which digest this is about.
        let digest = &ask.digest;
        judgement.warnings.push(format!(
            "the tag {tag} was not looked up: the verdict is about {digest}, which the report names; deploy by that digest"
        ));
    }
    let scan_completed_at = judgement.inputs.signals.iter().map(|signal| signal.completed_at).max();
    let timing = Timing { decided_at: now, pushed_at: None, scan_completed_at, request: started.elapsed() };
    Ok(Checked { ask, facts, judgement, timing })
}

/// What the bytes say, and their digest. The digest of a large report takes half as long as reading it, so both are done
/// side by side.
fn read(bytes: &[u8]) -> (Result<Report, Reason>, Digest) {
    let parse = || report(bytes, &Limits::STANDARD);
    if bytes.len() < SIDE_BY_SIDE {
        return (parse(), Digest::of(bytes));
    }
    std::thread::scope(|scope| {
        let digest = std::thread::Builder::new().spawn_scoped(scope, || Digest::of(bytes));
        let parsed = parse();
        let digest = match digest {
            Ok(thread) => thread.join().unwrap_or_else(|_| Digest::of(bytes)),
            Err(_) => Digest::of(bytes),
        };
        (parsed, digest)
    })
}

fn observed(report: Report, file: &str, evidence: Digest, now: Timestamp) -> Signal<CompleteScan> {
    match report.scan {
        Ok(value) => Signal::Present(Observed { value, origin: Origin::File(file.to_owned()), at: now, evidence }),
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
