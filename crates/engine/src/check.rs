//! A check from the reference to the judgement: find the image, collect what the policies ask for, judge.

use std::sync::Arc;
use std::time::Duration;

use aws::Target;
use model::{
    Ask, Digest, EcrHost, Facts, ImageReference, Judgement, ManifestFacts, Reason, ReasonCode, Tag, Timestamp,
};
use policy::{Exceptions, Needs, PolicySet, TrustScore, evaluate, trust_score};
use registry::Reference;

use crate::attached::Attached;
use crate::authenticate::Trust;
use crate::collect::{Event, Progress};
use crate::ecr;
use crate::evidence::{Evidence, Exact, HandedOver};
use crate::gather::{Gathered, Gatherer, or_none, unreadable};
use crate::pace::{Pace, out_of_time};
use crate::place::{Opened, Place, RegistryAccess, confirm, open_local, open_registry, registry};
use crate::source::Source;

/// What is asked, and how patiently.
#[derive(Debug)]
pub struct Question<'a> {
    /// The image as the caller named it.
    pub image: ImageReference,
    /// Where to look for it.
    pub place: Place,
    /// The account of an ECR registry, if known.
    pub account: Option<String>,
    /// The environment, which a policy declares.
    pub environment: String,
    /// It is asked as if the image were this one, with the host that policies match on: `None`, as the one that it is. What is known about it is looked
    /// up where it is.
    pub as_if: Option<ImageReference>,
    /// The tag that was written beside the digest, where nothing but the digest counts for what runs: rules on names see it, and nobody looks whether it
    /// stands for the digest.
    pub name: Option<Tag>,
    /// What the caller hands over.
    pub handed: &'a HandedOver,
    /// How registries are spoken to.
    pub access: &'a RegistryAccess,
    /// What signatures are verified with.
    pub trust: &'a Trust,
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
    pub facts: Arc<Facts>,
    /// What follows.
    pub judgement: Judgement,
    /// The image is known by its image id alone, as one of `docker save` is: the judgement is of no image in a registry.
    pub by_image_id: bool,
    /// How far the image can be trusted by what is known about it.
    pub trust_score: TrustScore,
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

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self { reason }
    }
}

/// What was found out about an image, ready to be judged.
pub(crate) struct Found {
    pub(crate) ask: Ask,
    pub(crate) facts: Facts,
    pub(crate) by_image_id: bool,
    /// What a reader should know although it changed nothing.
    pub(crate) warnings: Vec<String>,
    /// What is attached, with the manifest it is attached to.
    pub(crate) attached: Vec<(Digest, Vec<Attached>)>,
    /// Why what is attached could not be listed.
    pub(crate) unlisted: Vec<(Digest, Reason)>,
    /// HTTP requests to the registry.
    pub(crate) requests: u64,
}

impl Found {
    /// Without anything attached.
    pub(crate) fn new(ask: Ask, facts: Facts, by_image_id: bool) -> Self {
        Self { ask, facts, by_image_id, warnings: Vec::new(), attached: Vec::new(), unlisted: Vec::new(), requests: 0 }
    }
}

/// Judges an image from everything the policies ask about it.
///
/// # Errors
/// There is no digest to judge, or something handed over cannot be read at all. Everything later is a judgement.
pub async fn check(
    question: &Question<'_>,
    policies: &PolicySet,
    exceptions: &Exceptions,
    progress: &dyn Progress,
) -> Result<Checked, Refused> {
    let started = tokio::time::Instant::now();
    let found = Box::pin(look(question, policies, exceptions, None, progress)).await?;
    Ok(judge(question, policies, exceptions, found, started.elapsed()))
}

/// What was handed over and no rule looks at: whoever gave it believes that it was looked at.
fn unread(needs: &Needs, handed: &HandedOver) -> Vec<String> {
    let kinds = [
        ("bill of materials", "sbom", &handed.sboms, needs.sboms),
        ("VEX document", "vex", &handed.vex, needs.vex),
        ("measurement", "measurements", &handed.measurements, needs.measurements),
        ("report", "vulnerabilities", &handed.reports, needs.vulnerabilities),
    ];
    let unread = kinds.into_iter().filter(|(.., files, asked)| !files.is_empty() && !asked);
    unread
        .map(|(what, key, ..)| format!("a {what} was given, and no rule looks at it: no policy has `{key}`"))
        .collect()
}

/// Judges what was handed over and nothing else; `None` if that does not say enough, so that somebody has to be asked.
pub fn check_handed(
    question: &Question<'_>,
    policies: &PolicySet,
    exceptions: &Exceptions,
) -> Option<Result<Checked, Refused>> {
    let started = std::time::Instant::now();
    let evidence = match Evidence::read(question.handed) {
        Ok(evidence) => evidence,
        Err(reason) => return Some(Err(reason.into())),
    };
    let needs = question.needs(policies);
    let found = question.alone(&needs, &evidence)?.and_then(|exact| offline(question, exact, evidence));
    Some(found.map(|found| judge(question, policies, exceptions, found, started.elapsed())))
}

/// Finds the image and collects what the policies ask for, or all of `needs`.
pub(crate) async fn look(
    question: &Question<'_>,
    policies: &PolicySet,
    exceptions: &Exceptions,
    needs: Option<Needs>,
    progress: &dyn Progress,
) -> Result<Found, Refused> {
    let evidence = Evidence::read(question.handed)?;
    let needs = needs.unwrap_or_else(|| question.needs(policies));
    if !question.handed.adds
        && let Some(exact) = question.alone(&needs, &evidence)
    {
        return offline(question, exact?, evidence);
    }
    // Where no policy matches, ECR is asked all the same: the answer names the digest that nobody judged.
    let adds = question.handed.adds && needs.ecr;
    let wants_scans =
        needs.ecr_required || adds || (!evidence.has_reports() && (needs.vulnerabilities || needs.is_nothing()));
    // Only its API knows when an image was pushed; and what a tag stands for, it knows without more permissions.
    let only_the_reference = needs.reference && !needs.vulnerabilities && !more_is_needed(&needs, &evidence);
    match &question.place {
        Place::Ecr(target) if wants_scans || needs.pushed || only_the_reference => {
            let policies = (policies, exceptions, &needs);
            Box::pin(ecr::check(question, target, policies, wants_scans, evidence, progress)).await
        }
        Place::Nowhere => Err(question.nowhere().into()),
        Place::Ecr(_) | Place::Registry | Place::Local(_) => {
            let looked = online(question, policies, &needs, evidence, progress);
            let timeout = || Refused { reason: out_of_time("the registry") };
            tokio::time::timeout(question.pace.timeout, looked).await.map_err(|_| timeout())?
        }
    }
}

fn judge(
    question: &Question<'_>,
    policies: &PolicySet,
    exceptions: &Exceptions,
    found: Found,
    request: Duration,
) -> Checked {
    let Found { ask, facts, by_image_id, mut warnings, .. } = found;
    warnings.extend(unread(&policies.needs(&ask), question.handed));
    let decided_at = (question.now)();
    let mut judgement = evaluate(policies, &ask, &facts, exceptions, decided_at);
    judgement.warnings.extend(warnings);
    let trust_score = trust_score(policies, &ask, &facts, decided_at);
    let timing = Timing {
        decided_at,
        pushed_at: facts.root.pushed_at,
        scan_completed_at: judgement.inputs.signals.iter().map(|signal| signal.completed_at).max(),
        request,
    };
    Checked { ask, facts: Arc::new(facts), judgement, by_image_id, trust_score, timing }
}

impl Question<'_> {
    /// What is asked of the policies.
    pub(crate) fn ask(&self, digest: Digest, account: Option<&str>) -> Ask {
        let mut image = self.as_if.clone().unwrap_or_else(|| self.at(account));
        if self.name.is_some() {
            image.tag.clone_from(&self.name);
        }
        Ask { image, digest, environment: self.environment.clone() }
    }

    /// Where the image is. Policies match on the classic host name, however the reference spells the registry.
    fn at(&self, account: Option<&str>) -> ImageReference {
        let mut image = self.image.clone();
        if let Place::Ecr(Target { region, account: ours, .. }) = &self.place {
            let account = ours.clone().or_else(|| self.account.clone()).or_else(|| account.map(str::to_owned));
            image.host = account
                .map(|account| EcrHost { account, region: region.clone(), fips: false, dual_stack: false }.to_string());
        }
        image
    }

    /// What the policies ask for; which digest it is about does not matter for that.
    pub(crate) fn needs(&self, policies: &PolicySet) -> Needs {
        let digest = self.image.digest.clone().unwrap_or_else(|| Digest::of(b""));
        policies.needs(&self.ask(digest, None))
    }

    /// What is judged if nothing has to be asked of anybody: the files say exactly what they are about, and hold all that
    /// the policies ask for.
    fn alone(&self, needs: &Needs, evidence: &Evidence) -> Option<Result<Exact, Refused>> {
        if matches!(self.place, Place::Local(_)) {
            return None;
        }
        let nowhere = matches!(self.place, Place::Nowhere);
        // Only its registry knows what a tag stands for today (A16), and whether a digest is one image or an index. A saved
        // answer of ECR, which names the manifest that was scanned and its tag, is taken as it is, with a warning.
        if !(nowhere || evidence.is_saved_from_ecr()) {
            return None;
        }
        let ecr = (needs.ecr_required || needs.pushed) && !nowhere;
        let scan = needs.vulnerabilities && !evidence.has_reports();
        let attached = needs.attached || needs.signed_root || needs.signed_platforms;
        if ecr || needs.config || needs.contents || scan || (attached && !nowhere) {
            return None;
        }
        match (evidence.speaks_for_itself(nowhere), &self.image.digest) {
            // Only a registry knows which image id a digest has.
            (Some(Exact::ImageId(_)), Some(_)) | (None, _) => None,
            (Some(Exact::ImageId(_)), None) if !nowhere => None,
            (Some(Exact::Nothing), None) => evidence.broken().map(|reason| Err(reason.into())),
            (Some(Exact::Manifest(_) | Exact::Nothing), Some(digest)) => Some(Ok(Exact::Manifest(digest.clone()))),
            (Some(exact), None) => Some(Ok(exact)),
        }
    }

    fn nowhere(&self) -> Reason {
        let message =
            format!("{} names no registry, and what was handed over does not say enough by itself", self.image);
        Reason::new(ReasonCode::RegistryNotFound, message).remedy(
            "Write the whole reference with the registry's host, or judge a local image: `oci:DIR`, `docker-archive:FILE`.",
        )
    }
}

/// Judges what the files say, and nothing else.
fn offline(question: &Question<'_>, exact: Exact, mut evidence: Evidence) -> Result<Found, Refused> {
    let now = (question.now)();
    let (digest, by_image_id) = match exact {
        Exact::Manifest(digest) => (digest, false),
        Exact::ImageId(id) => (id, true),
        Exact::Nothing => return Err(question.nowhere().into()),
    };
    let mut warnings = Vec::new();
    if by_image_id {
        let name = &question.image;
        warnings.push(format!(
            "{name} was not looked up anywhere: the verdict is about the image id {digest}, which the report names"
        ));
    } else if let (tag, None) = (&question.image.tag, &question.image.digest) {
        // Nothing was asked of the registry: the report alone says which image this is about.
        let tag = tag.as_ref().map_or_else(|| question.image.to_string(), |tag| format!("the tag {tag}"));
        warnings.push(format!(
            "{tag} was not looked up: the verdict is about {digest}, which the report names; deploy by that digest"
        ));
    }
    let mut facts = ManifestFacts::bare(digest.clone(), None);
    facts.sboms = or_none(evidence.sboms(&digest, &facts, now));
    facts.measurements = or_none(evidence.measurements(&digest, &digest, now));
    evidence.contradicts(&question.image, question.account.as_deref());
    facts.reports = evidence.bind(&digest, &digest, by_image_id.then_some(&digest), now);
    evidence.settle(&digest, std::iter::once(&mut facts), now);
    let vex = evidence.vex(&digest, std::iter::once(&facts), now);
    let ask = question.ask(digest, None);
    let facts = Facts { vex, ..Facts::of(facts) };
    Ok(Found { warnings, ..Found::new(ask, facts, by_image_id) })
}

/// Looks in a registry, or in a layout or archive.
async fn online(
    question: &Question<'_>,
    policies: &PolicySet,
    needs: &Needs,
    mut evidence: Evidence,
    progress: &dyn Progress,
) -> Result<Found, Refused> {
    let opened = match &question.place {
        Place::Local(reference) => open_local(reference).await,
        _ => open_registry(&question.image, question.access).await,
    };
    let opened = match (opened, &question.image.digest) {
        (Ok(opened), _) => opened,
        (Err(reason), Some(digest)) if !matches!(question.place, Place::Local(_)) => {
            return Ok(unknown(question, digest.clone(), &reason));
        }
        (Err(reason), _) => return Err(reason.into()),
    };
    let Opened { source, digest, bytes, by_image_id } = opened;
    progress.event(&Event::Resolved { digest: &digest });
    let ask = question.ask(digest.clone(), None);
    evidence.contradicts(&question.image, question.account.as_deref());
    let place = Gatherer { source: &source, policies, ask: &ask, needs, trust: question.trust, now: (question.now)() };
    let mut warnings = Vec::new();
    if by_image_id {
        warnings.push(format!(
            "an archive of `docker save` has no digest of any registry: the verdict is about the image id {digest} alone"
        ));
    }
    let found = match place.image(&digest, &bytes, &mut evidence).await {
        Ok(found) => found,
        Err(reason) => return Ok(unknown(question, digest, &reason)),
    };
    // A16: the tag still stands for the digest that is judged.
    if let (Some(tag), Source::Registry { client, location, .. }) = (&question.image.tag, &source)
        && let Err(reason) = confirm(client, location, tag, &digest).await
    {
        return Ok(unknown(question, digest, &reason));
    }
    let Gathered { facts, attached, unlisted } = found;
    let requests = source.requests();
    Ok(Found { warnings, attached, unlisted, requests, ..Found::new(ask, facts, by_image_id) })
}

/// Adds what the registry and the files hold to what ECR says, as far as the policies ask for it.
pub(crate) async fn enrich(
    question: &Question<'_>,
    policies: &PolicySet,
    needs: &Needs,
    ask: &Ask,
    evidence: &mut Evidence,
    ecr: Facts,
    within: Duration,
) -> Found {
    let digest = ask.digest.clone();
    let gathered = async {
        let at = if question.as_if.is_some() { question.at(None) } else { ask.image.clone() };
        let (source, client, location) = registry(&at, question.access)?;
        let found =
            client.manifest(&location, &Reference::Digest(digest.clone())).await.map_err(|error| error.reason())?;
        let place = Gatherer { source: &source, policies, ask, needs, trust: question.trust, now: (question.now)() };
        let image = place.image(&digest, &found.bytes, evidence).await?;
        Ok((image, client.requests()))
    };
    let gathered = tokio::time::timeout(within, gathered).await;
    match gathered.unwrap_or_else(|_| Err(out_of_time("the registry"))) {
        Ok((Gathered { facts, attached, unlisted }, requests)) => {
            Found { attached, unlisted, requests, ..Found::new(ask.clone(), merge(facts, ecr), false) }
        }
        Err(reason) => {
            let mut facts = ecr;
            bind(&mut facts, evidence, (question.now)());
            let children = facts.platforms.iter_mut().flatten().map(|(_, child)| child);
            for manifest in std::iter::once(&mut facts.root).chain(children) {
                *manifest = unreadable(manifest.clone(), &reason);
            }
            Found::new(ask.clone(), facts, false)
        }
    }
}

/// Adds what was handed over, bound by digest alone.
pub(crate) fn bind(facts: &mut Facts, evidence: &mut Evidence, now: Timestamp) {
    let root = facts.root.digest.clone();
    let mut manifests: Vec<&mut ManifestFacts> = match &mut facts.platforms {
        Some(children) => children.iter_mut().map(|(_, child)| child).collect(),
        None => vec![&mut facts.root],
    };
    for manifest in &mut manifests {
        manifest.sboms = or_none(evidence.sboms(&root, manifest, now));
        manifest.measurements = or_none(evidence.measurements(&root, &manifest.digest, now));
        let bound = evidence.bind(&root, &manifest.digest, None, now);
        manifest.reports.extend(bound);
    }
    evidence.settle(&root, manifests.iter_mut().map(|manifest| &mut **manifest), now);
    let vex = evidence.vex(&root, manifests.iter().map(|manifest| &**manifest), now);
    facts.vex = vex;
}

/// What ECR says goes to the manifest it is about.
fn merge(mut facts: Facts, ecr: Facts) -> Facts {
    let said = std::iter::once(ecr.root).chain(ecr.platforms.into_iter().flatten().map(|(_, child)| child));
    for mut manifest in said {
        let children = facts.platforms.iter_mut().flatten().map(|(_, child)| child);
        if let Some(ours) = std::iter::once(&mut facts.root).chain(children).find(|ours| ours.digest == manifest.digest)
        {
            ours.pushed_at = manifest.pushed_at;
            manifest.reports.append(&mut ours.reports);
            ours.reports = manifest.reports;
        }
    }
    facts
}

/// True if something is asked for that ECR's API does not hold.
pub(crate) fn more_is_needed(needs: &Needs, evidence: &Evidence) -> bool {
    let attached = needs.attached || needs.signed_root || needs.signed_platforms;
    needs.config || needs.contents || attached || evidence.wants_config()
}

/// Nothing is known of the image but its digest, and why.
fn unknown(question: &Question<'_>, digest: Digest, reason: &Reason) -> Found {
    let root = unreadable(ManifestFacts::bare(digest.clone(), None), reason);
    Found::new(question.ask(digest, None), Facts::of(root), false)
}
