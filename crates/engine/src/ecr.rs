//! What ECR's own API says: the image, its platforms, and the scan of each.

use aws::{ImageId, Target, endpoint_override};
use model::{
    Ask, CompleteScan, Digest, Facts, ImageReference, ManifestFacts, NonEmpty, Outcome, Platform, Reason, ReasonCode,
    RuleResult, Signal, Timestamp, Verdict,
};
use policy::{Exceptions, Needs, PolicySet, evaluate};

use crate::check::{Found, Question, Refused, bind, enrich, more_is_needed};
use crate::collect::{Collector, Event, Progress, facts};
use crate::evidence::Evidence;
use crate::pace::Pacer;
use crate::scan::{Subject, signal};

/// Asks ECR, and its registry for what only that holds. Without a wish for scans only what the image is and when it was
/// pushed is asked for.
pub(crate) async fn check(
    question: &Question<'_>,
    target: &Target,
    (policies, exceptions, needs): (&PolicySet, &Exceptions, &Needs),
    wants_scans: bool,
    mut evidence: Evidence,
    progress: &dyn Progress,
) -> Result<Found, Refused> {
    let ecr = question.access.ecr(target).await;
    let mut collector = Collector {
        ecr: &ecr,
        pacer: Pacer::start(question.pace),
        progress,
        poll_interval: question.pace.poll_interval,
        now: question.now,
        kept: question.access.kept.clone(),
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
        (Err(reason), Some(digest)) if target.account.is_some() => (digest.clone(), Err(reason)),
        (Err(reason), _) => return Err(Refused { reason }),
    };
    progress.event(&Event::Resolved { digest: &digest });
    let account = target.account.clone().or_else(|| image.as_ref().ok().and_then(|image| image.account.clone()));
    let ask = question.ask(digest.clone(), account.as_deref());
    let ours = account.clone();
    let image = match image {
        Err(reason) => return Ok(Found::new(ask, unknown(digest, None, &target.region, reason), false)),
        Ok(image) => image,
    };
    let mut collected =
        collect(&mut collector, question, target, (policies, exceptions, wants_scans), &ask, &image, account).await;
    evidence.contradicts(&question.image, ours.as_deref());
    let found = if more_is_needed(needs, &evidence) {
        let within = collector.pacer.left();
        enrich(question, policies, needs, &ask, &mut evidence, collected, within).await
    } else {
        bind(&mut collected, &mut evidence, (question.now)());
        Found::new(ask, collected, false)
    };
    // Only where there is something to allow does it matter whether the tag still means it.
    let allows = || evaluate(policies, &found.ask, &found.facts, exceptions, (question.now)()).verdict <= Verdict::Warn;
    let matters = found.facts.has_scan() || allows();
    let confirmed = if matters { confirm(&mut collector, reference, &image.digest).await } else { Ok(()) };
    match confirmed {
        // A tag that could not be looked at again, for want of time for one, does not hide why there was nothing to allow.
        Err(reason) if reason.code == ReasonCode::ImageTagMoved || allows() => {
            let facts = unknown(digest, image.pushed_at, &target.region, reason);
            Ok(Found::new(found.ask, facts, false))
        }
        _ => Ok(found),
    }
}

/// Facts that say why nothing is known.
fn unknown(digest: Digest, pushed_at: Option<Timestamp>, region: &str, reason: Reason) -> Facts {
    Facts::of(facts(digest, pushed_at, region, signal(reason)))
}

async fn collect(
    collector: &mut Collector<'_>,
    question: &Question<'_>,
    target: &Target,
    (policies, exceptions, wants_scans): (&PolicySet, &Exceptions, bool),
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
        Err(reason) => return unknown(image.digest.clone(), image.pushed_at, &target.region, reason),
    };
    let subject = |digest: &Digest, pushed_at| Subject {
        account: account.clone(),
        repository: target.repository.clone(),
        digest: digest.clone(),
        pushed_at,
        region: target.region.clone(),
        start_scan: question.start_scan,
        poll_interval: question.pace.poll_interval,
        max_scan_age: needs.max_scan_age,
    };
    let Some(children) = platforms else {
        let scan = match pushed_at(image) {
            Ok(_) if !wants_scans => return Facts::of(ManifestFacts::bare(image.digest.clone(), image.pushed_at)),
            Ok(pushed_at) => collector.scans(vec![subject(&image.digest, pushed_at)], |_| false).await.pop(),
            Err(reason) => Some(signal(reason)),
        };
        let scan = scan.unwrap_or_else(|| signal(Reason::new(ReasonCode::Internal, "no scan was looked at")));
        return Facts::of(facts(image.digest.clone(), image.pushed_at, &target.region, scan));
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
    if wants_scans {
        collector.progress.event(&Event::Index { platforms: subjects.len() });
    } else {
        subjects.clear();
    }
    let assemble = |scans: Vec<Signal<CompleteScan>>| {
        let mut scans = scans.into_iter();
        let platforms = parts.iter().map(|(platform, digest, state)| {
            let (pushed_at, scan) = match state {
                Ok(Some(pushed)) => (Some(*pushed), scans.next()),
                Ok(None) => (None, None),
                Err(reason) => (None, Some(signal(reason.clone()))),
            };
            // Platforms that no policy names are facts nobody asked for.
            let child = match scan {
                Some(scan) => facts(digest.clone(), pushed_at, &target.region, scan),
                None => ManifestFacts::bare(digest.clone(), pushed_at),
            };
            (platform.clone(), child)
        });
        // An index is never scanned, its platforms are.
        let root = ManifestFacts::bare(image.digest.clone(), image.pushed_at);
        Facts { platforms: NonEmpty::new(platforms.collect()), ..Facts::of(root) }
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
