//! A check from the reference to the judgement.

use std::time::Duration;

use aws::{Ecr, ImageId, Target, endpoint_override};
use model::{
    Ask, CompleteScan, Digest, EcrHost, Facts, FirstSeen, ImageReference, Judgement, NonEmpty, Outcome, Platform,
    Reason, ReasonCode, RuleResult, Signal, Timestamp, Verdict,
};
use policy::{Exceptions, PolicySet, evaluate};

use crate::collect::{Collector, Event, Progress, facts};
use crate::pace::{Pace, Pacer};
use crate::scan::{Subject, signal};

/// What is asked, and how patiently.
#[derive(Debug, Clone)]
pub struct Question {
    /// The image as the caller named it; it has a tag, a digest or both.
    pub image: ImageReference,
    /// The repository.
    pub target: Target,
    /// The environment, which a policy declares.
    pub environment: String,
    /// Whether the gate may start a scan.
    pub start_scan: bool,
    /// Bounds of all waiting.
    pub pace: Pace,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// A judgement and what it was made of.
#[derive(Debug)]
pub struct Checked {
    /// What was asked, with the digest.
    pub ask: Ask,
    /// What was known.
    pub facts: Facts,
    /// What follows.
    pub judgement: Judgement,
    /// How long it took.
    pub timing: Timing,
}

/// M2: latencies, each from a different start.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The time of the judgement.
    pub decided_at: Timestamp,
    /// From the push, if ECR says when that was.
    pub pushed_at: Option<Timestamp>,
    /// From the end of the last scan.
    pub scan_completed_at: Option<Timestamp>,
    /// From the question to the answer.
    pub request: Duration,
}

/// Nothing could be judged, because no digest could be had.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .reason.message)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
}

/// Judges an image from what ECR says about it now.
///
/// # Errors
/// The tag could not be resolved to a digest, so that there is nothing to judge. Everything later is a judgement.
pub async fn check(
    question: &Question,
    policies: &PolicySet,
    exceptions: &Exceptions,
    progress: &dyn Progress,
) -> Result<Checked, Refused> {
    let ecr = Ecr::connect(question.target.clone()).await;
    let mut collector = Collector {
        ecr: &ecr,
        pacer: Pacer::start(question.pace),
        progress,
        poll_interval: question.pace.poll_interval,
        now: question.now,
    };
    let reference = &question.image;
    // A16: with tag and digest, the digest is judged and the tag has to stand for it.
    let id = match (&reference.tag, &reference.digest) {
        (Some(tag), _) => ImageId::Tag(tag.clone()),
        (None, Some(digest)) => ImageId::Digest(digest.clone()),
        (None, None) => {
            let message = format!("{reference} has neither tag nor digest");
            return Err(Refused { reason: Reason::new(ReasonCode::AwsInvalidRequest, message) });
        }
    };
    let (digest, image) = match (collector.image(&id).await, &reference.digest) {
        (Ok(image), Some(digest)) if image.digest != *digest => {
            let tag = reference.tag.as_ref().map_or("", |tag| tag.as_str());
            let message = format!("the tag {tag} stands for {}, not for {digest}", image.digest);
            (digest.clone(), Err(Reason::new(ReasonCode::ImageTagMoved, message)))
        }
        (Ok(image), _) => (image.digest.clone(), Ok(image)),
        // Without an account nobody knows which policies are about the image.
        (Err(reason), Some(digest)) if question.target.account.is_some() => (digest.clone(), Err(reason)),
        (Err(reason), _) => return Err(Refused { reason }),
    };
    progress.event(&Event::Resolved { digest: &digest });
    let account =
        question.target.account.clone().or_else(|| image.as_ref().ok().and_then(|image| image.account.clone()));
    let ask = Ask {
        image: ImageReference { host: canonical_host(question, account.as_deref()), ..reference.clone() },
        digest: digest.clone(),
        environment: question.environment.clone(),
    };
    let facts = match image {
        Err(reason) => unknown(digest, None, reason),
        Ok(image) => {
            let collected = collect(&mut collector, question, (policies, exceptions), &ask, &image, account).await;
            // Only where there is something to allow does it matter whether the tag still means it.
            let allows = || evaluate(policies, &ask, &collected, exceptions, (question.now)()).verdict <= Verdict::Warn;
            let matters = collected.has_scan() || allows();
            let confirmed = if matters { confirm(&mut collector, reference, &image.digest).await } else { Ok(()) };
            match confirmed {
                // A tag that could not be looked at again, for want of time for one, does not hide why there was nothing to allow.
                Err(reason) if reason.code == ReasonCode::ImageTagMoved || allows() => {
                    unknown(digest, image.pushed_at, reason)
                }
                _ => collected,
            }
        }
    };
    let decided_at = (question.now)();
    let judgement = evaluate(policies, &ask, &facts, exceptions, decided_at);
    let timing = Timing {
        decided_at,
        pushed_at: facts.root.pushed_at,
        scan_completed_at: judgement.inputs.signals.iter().map(|signal| signal.completed_at).max(),
        request: collector.pacer.elapsed(),
    };
    Ok(Checked { ask, facts, judgement, timing })
}

/// Policies match on the classic host name, however the reference spells the registry.
fn canonical_host(question: &Question, account: Option<&str>) -> Option<String> {
    let account = account?.to_owned();
    let host = EcrHost { account, region: question.target.region.clone(), fips: false, dual_stack: false };
    Some(host.to_string())
}

/// Facts that say why nothing is known.
fn unknown(digest: Digest, pushed_at: Option<Timestamp>, reason: Reason) -> Facts {
    Facts { root: facts(digest, pushed_at, signal(reason)), platforms: None, first_seen: FirstSeen::new() }
}

async fn collect(
    collector: &mut Collector<'_>,
    question: &Question,
    (policies, exceptions): (&PolicySet, &Exceptions),
    ask: &Ask,
    image: &aws::Image,
    account: Option<String>,
) -> Facts {
    let needs = policies.needs(ask);
    // A stand-in without TLS may name manifests as it likes; ECR, also behind an endpoint of one's own network, has to
    // give the bytes the digest names.
    let verify = !endpoint_override().is_some_and(|url| url.starts_with("http://"));
    let platforms = match collector.platforms(image, verify).await {
        Ok(platforms) => platforms,
        Err(reason) => return unknown(image.digest.clone(), image.pushed_at, reason),
    };
    let subject = |digest: &Digest, pushed_at| Subject {
        account: account.clone(),
        repository: question.target.repository.clone(),
        digest: digest.clone(),
        pushed_at,
        region: question.target.region.clone(),
        start_scan: question.start_scan,
        poll_interval: question.pace.poll_interval,
        max_scan_age: needs.max_scan_age,
    };
    let Some(children) = platforms else {
        let scan = match pushed_at(image) {
            Ok(pushed_at) => collector.scans(vec![subject(&image.digest, pushed_at)], |_| false).await.pop(),
            Err(reason) => Some(signal(reason)),
        };
        let scan = scan.unwrap_or_else(|| signal(Reason::new(ReasonCode::Internal, "no scan was looked at")));
        return Facts {
            root: facts(image.digest.clone(), image.pushed_at, scan),
            platforms: None,
            first_seen: FirstSeen::new(),
        };
    };
    let wanted = |platform: &Platform| {
        needs.platforms.as_ref().is_none_or(|named| named.iter().any(|name| name.covers(platform)))
    };
    // A18: every platform that is judged is an image of its own, with its own push time and its own scan.
    let mut subjects = Vec::new();
    let mut parts = Vec::new();
    for (platform, digest) in children.into_vec() {
        let state = if wanted(&platform) {
            let pushed = collector.image(&ImageId::Digest(digest.clone())).await.and_then(|child| pushed_at(&child));
            pushed.inspect(|pushed| subjects.push(subject(&digest, *pushed))).map(Some)
        } else {
            Ok(None)
        };
        parts.push((platform, digest, state));
    }
    collector.progress.event(&Event::Index { platforms: subjects.len() });
    let assemble = |scans: Vec<Signal<CompleteScan>>| {
        let mut scans = scans.into_iter();
        let platforms = parts.iter().map(|(platform, digest, state)| {
            let (pushed_at, scan) = match state {
                Ok(Some(pushed)) => (Some(*pushed), scans.next()),
                Ok(None) => (None, None),
                Err(reason) => (None, Some(signal(reason.clone()))),
            };
            // Platforms that no policy names are facts nobody asked for.
            let not_asked =
                || Signal::NotCollected(Reason::new(ReasonCode::ScanMissing, "no policy names this platform"));
            (platform.clone(), facts(digest.clone(), pushed_at, scan.unwrap_or_else(not_asked)))
        });
        let index =
            Signal::NotCollected(Reason::new(ReasonCode::ScanMissing, "an index is never scanned, its platforms are"));
        Facts {
            root: facts(image.digest.clone(), image.pushed_at, index),
            platforms: NonEmpty::new(platforms.collect()),
            first_seen: FirstSeen::new(),
        }
    };
    // S11: one platform that breaks a rule is enough; the others are not waited for.
    let denied = |scans: Vec<Signal<CompleteScan>>| {
        let judgement = evaluate(policies, ask, &assemble(scans), exceptions, (question.now)());
        let breaks = |rule: &RuleResult| matches!(rule.outcome, Outcome::Fail(_)) && rule.verdict == Verdict::Deny;
        judgement.rules.iter().any(breaks)
    };
    let scans = collector.scans(subjects, denied).await;
    assemble(scans)
}

/// S16 compares the end of a scan with the push; without the time of the push nothing is proven.
fn pushed_at(image: &aws::Image) -> Result<Timestamp, Reason> {
    image.pushed_at.ok_or_else(|| {
        Reason::new(ReasonCode::AwsMalformed, format!("DescribeImages gave no imagePushedAt for {}", image.digest))
    })
}

/// A16: the tag still stands for the digest that was judged.
async fn confirm(collector: &mut Collector<'_>, reference: &ImageReference, digest: &Digest) -> Result<(), Reason> {
    let Some(tag) = &reference.tag else { return Ok(()) };
    let now = collector.image(&ImageId::Tag(tag.clone())).await?;
    if now.digest == *digest {
        return Ok(());
    }
    let message = format!("the tag {tag} stood for {digest} and now stands for {}", now.digest);
    Err(Reason::new(ReasonCode::ImageTagMoved, message))
}
