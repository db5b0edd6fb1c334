//! Collecting for asks: one collection for one image at a time, however many ask, and none that ends because one of them went away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use model::{Digest, ImageReference, Reason, ReasonCode, Signal, UnknownClass};
use store::{EvidenceRow, SignalRow};
use tokio::sync::watch;

use super::Inner;
use super::asking::AskError;
use super::documents::Places;
use super::force::InForce;
use super::last_good;
use super::memory::{Known, Look};
use super::room::{Place, Room};
use super::settings::GateSettings;
use crate::check::{Found, Question, look};
use crate::collect::{Event, Progress};
use crate::evidence::{HandedFile, HandedOver};
use crate::pace::Pace;
use crate::place::place_of;

/// A collection that is under way.
type Flight = Shared<BoxFuture<'static, Result<Arc<Known>, AskError>>>;

/// What is collected at the moment, and what waits for it.
pub(super) struct Flights {
    flying: Mutex<HashMap<Wanted, (Flight, Arc<Waiting>)>>,
    /// For all of them.
    room: Arc<Room>,
    /// For those that are looked at.
    looking: Arc<Room>,
    /// How long what nobody waits for stays in line.
    lingers: Duration,
}

impl Flights {
    pub(super) fn new(settings: &GateSettings) -> Self {
        Self {
            flying: Mutex::default(),
            room: Room::new(settings.flights),
            looking: Room::new(settings.collecting),
            lingers: settings.lingers,
        }
    }

    fn flying(&self) -> MutexGuard<'_, HashMap<Wanted, (Flight, Arc<Waiting>)>> {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place to look from, once there is one.
    ///
    /// # Errors
    /// There was none for long, or nobody waits for it any more. Then it is no flight any more.
    async fn place(
        &self,
        registry: &Arc<str>,
        wanted: &Wanted,
        waiting: &Waiting,
        longest: Duration,
    ) -> Result<Place, AskError> {
        let busy = || AskError::Overloaded("as many images are being looked at as the gate is set up for".to_owned());
        let mut taking = std::pin::pin!(tokio::time::timeout(longest, self.looking.take(registry)));
        loop {
            tokio::select! {
                biased;
                taken = &mut taking => {
                    let place = taken.ok().flatten();
                    if place.is_none() {
                        self.flying().remove(wanted);
                    }
                    return place.ok_or_else(busy);
                }
                () = abandoned(waiting, self.lingers) => {
                    let mut flying = self.flying();
                    // Nobody comes while this is held.
                    if waiting.0.receiver_count() == 0 {
                        flying.remove(wanted);
                        return Err(busy());
                    }
                }
            }
        }
    }
}

impl std::fmt::Debug for Flights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

/// What is collected, for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    /// The image, with the classic host name of ECR.
    pub(super) image: String,
    pub(super) environment: String,
    /// For whoever asks what would be said of it elsewhere: where.
    pub(super) as_if: Option<ImageReference>,
    /// S15: nothing is started.
    pub(super) dry_run: bool,
    /// One look: what is pending is not waited for.
    pub(super) brief: bool,
}

/// What a collection waits for at the moment. Whoever waits for the collection holds a receiver of it.
#[derive(Debug)]
pub(super) struct Waiting(watch::Sender<Option<Reason>>);

impl Progress for Waiting {
    fn event(&self, event: &Event<'_>) {
        if let Event::Waiting { why, .. } = event {
            self.0.send_replace(Some((*why).clone()));
        }
    }
}

/// Returns once nobody has waited for a while: whoever asks again and again without patience, as controllers do, gets its turn.
async fn abandoned(waiting: &Waiting, lingers: Duration) {
    loop {
        waiting.0.closed().await;
        tokio::time::sleep(lingers).await;
        if waiting.0.receiver_count() == 0 {
            return;
        }
    }
}

/// Returns at this moment or later, once a scan is waited for.
async fn for_a_scan(mut waiting: watch::Receiver<Option<Reason>>, from: Instant) {
    tokio::time::sleep_until(from.into()).await;
    let is_scan =
        |why: &Option<Reason>| why.as_ref().is_some_and(|why| why.code.class() == Some(UnknownClass::ScanPending));
    if waiting.wait_for(is_scan).await.is_err() {
        // It has ended: what it says is there.
        std::future::pending::<()>().await;
    }
}

impl Inner {
    /// What is known about an image, collected now: with whoever else wants the same.
    ///
    /// # Errors
    /// There is no digest to judge; or it was not collected before `deadline`: with what it waits for.
    pub(super) async fn collected(
        self: &Arc<Self>,
        image: &ImageReference,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<Arc<Known>, AskError> {
        // Who does not want to wait gets what can be had at once, which still takes the time of a few requests.
        let at_least = || Instant::now() + self.settings.shortest_look;
        let (flight, waiting) = self.flight(image, wanted.clone())?;
        let late = || {
            let why = waiting.borrow().clone();
            AskError::Refused(why.unwrap_or_else(|| crate::pace::out_of_time("the registry")))
        };
        let known = tokio::time::timeout_at(deadline.max(at_least()).into(), flight);
        if wanted.brief {
            return known.await.unwrap_or_else(|_| Err(late()));
        }
        tokio::select! {
            biased;
            known = known => return known.unwrap_or_else(|_| Err(late())),
            () = for_a_scan(waiting.clone(), deadline) => {}
        }
        // S11: that a scan is pending is an answer too. The collection goes on for whoever asks next.
        let (flight, _waits) = self.flight(image, Wanted { brief: true, ..wanted })?;
        tokio::time::timeout_at(at_least().into(), flight).await.unwrap_or_else(|_| Err(late()))
    }

    fn flight(
        self: &Arc<Self>,
        image: &ImageReference,
        wanted: Wanted,
    ) -> Result<(Flight, watch::Receiver<Option<Reason>>), AskError> {
        let mut flying = self.flights.flying();
        if let Some((flight, waiting)) = flying.get(&wanted) {
            return Ok((flight.clone(), waiting.0.subscribe()));
        }
        // By its name: a registry has as many ports as it likes.
        let registry: Arc<str> = registry::without_port(image.host.as_deref().unwrap_or("")).into();
        // They go on without whoever asked, so that a bound on requests is none on them.
        let Some(room) = self.flights.room.try_take(&registry) else {
            let what = format!("as many images of {registry} wait to be looked at as there is room for");
            return Err(AskError::Overloaded(what));
        };
        let (why, waits) = watch::channel(None);
        let waiting = Arc::new(Waiting(why));
        let (inner, image, told, key) = (Arc::clone(self), image.clone(), Arc::clone(&waiting), wanted.clone());
        // A task of its own: it goes on when whoever asked first no longer waits.
        let task = tokio::spawn(async move {
            let _room = room;
            let _place = inner.flights.place(&registry, &key, &told, inner.settings.longest_wait).await?;
            let collected = inner.collect(&image, &key, &told).await;
            // Whoever asked may have gone meanwhile.
            if let (Ok(known), None, false, false) = (&collected, &key.as_if, key.dry_run, key.brief) {
                inner.remember(known);
            }
            inner.flights.flying().remove(&key);
            collected
        });
        let inner = Arc::clone(self);
        let key = wanted.clone();
        let flight = async move {
            task.await.unwrap_or_else(|error| {
                inner.flights.flying().remove(&key);
                Err(AskError::Internal(format!("collecting ended without an answer: {error}")))
            })
        };
        let flight = flight.boxed().shared();
        flying.insert(wanted, (flight.clone(), waiting));
        Ok((flight, waits))
    }

    async fn collect(&self, image: &ImageReference, wanted: &Wanted, told: &Waiting) -> Result<Arc<Known>, AskError> {
        // What was submitted is known by digest: with a tag, once it is known what the tag stands for; about the platforms of an index, once it is
        // known which those are.
        let mut about = image.digest.as_ref().map_or_else(Vec::new, |digest| self.parts(digest));
        // What changes while it is collected may be missing in it: then once more.
        for _ in 0..3 {
            // The ticket first: what is submitted from here on is seen as a change.
            let (force, ticket) = (self.follower.force(), self.follower.ticket());
            let repository = repository(image);
            let rows = self.store.signals_about(&repository, &about).await?;
            let handed = self.submitted(&rows, &wanted.environment).await?;
            let looked = self.look(image, wanted, &handed, &force, told).await?;
            let Found { ask, facts, .. } = &looked.found;
            let manifests = manifests(facts);
            // A platform that could not be found again says nothing new.
            let is_known = manifests.first() == about.first() && manifests.iter().all(|one| about.contains(one));
            if !is_known {
                if facts.platforms.is_some() {
                    self.memory.parts.insert(ask.digest.clone(), manifests.clone());
                }
                let theirs = self.store.signals_about(&repository, &manifests).await?;
                about = manifests;
                if theirs != rows {
                    continue;
                }
            }
            let known = self.known(looked, wanted, &force, ticket).await?;
            if self.follower.unchanged(&known.manifests, ticket) {
                return Ok(Arc::new(known));
            }
        }
        Err(AskError::Overloaded("what is known about the image changes faster than it can be collected".to_owned()))
    }

    async fn look(
        &self,
        image: &ImageReference,
        wanted: &Wanted,
        handed: &HandedOver,
        force: &InForce,
        told: &Waiting,
    ) -> Result<Looked, AskError> {
        let started = Instant::now();
        let access = self.access.keeping();
        let place = place_of(image).map_err(|what| AskError::Usage { what, hint: None })?;
        let question = Question {
            image: image.clone(),
            place,
            account: None,
            environment: wanted.environment.clone(),
            as_if: wanted.as_if.clone(),
            name: None,
            handed,
            access: &access,
            trust: &force.trust,
            start_scan: self.settings.start_scans && !wanted.dry_run,
            pace: Pace { seed: uuid::Uuid::now_v7().as_u64_pair().1, ..self.pace(wanted.brief) },
            now: self.settings.now,
        };
        let looked = look(&question, &force.policies, &force.exceptions, None, told);
        let found = Box::pin(looked).await.map_err(|refused| AskError::Refused(refused.reason))?;
        let raw = access.kept.behind(&found.facts);
        Ok(Looked { found, raw, took: started.elapsed() })
    }

    /// With a floor as long as there is time, there is no second look.
    fn pace(&self, brief: bool) -> Pace {
        let once = self.settings.shortest_look;
        let pace = self.settings.pace;
        if brief { Pace { timeout: once, poll_interval: once, floor: once, ..pace } } else { pace }
    }

    async fn known(&self, looked: Looked, wanted: &Wanted, force: &InForce, ticket: i64) -> Result<Known, AskError> {
        let Looked { found: Found { ask, mut facts, warnings, .. }, raw, took } = looked;
        let now = (self.settings.now)();
        // What was known elsewhere stands in for nothing.
        let degraded =
            wanted.as_if.is_none() && last_good::stand_in(&self.store, &ask, &force.version, &mut facts).await?;
        let manifests = manifests(&facts);
        let passes = passes(&facts);
        let look = Look {
            wants: force.wants(&ask),
            collected: Instant::now(),
            // What could not be asked is asked again soon, and so is what is on its way.
            fresh_until: Instant::now() + if passes { self.settings.pace.floor.max(SOON) } else { self.settings.fresh },
            whole: !passes && !degraded,
            size: size(&facts) + raw.iter().map(|row| row.bytes.len() + 256).sum::<usize>(),
            ask,
            name: None,
            ticket,
            manifests,
            at: now,
            took,
            degraded,
        };
        Ok(Known { look: Arc::new(look), facts: Arc::new(facts), raw, warnings })
    }

    /// The manifests that a digest stands for, as far as that is known: of an index, whose digest says for good what it holds, from an earlier look.
    /// No more than where to look first: what was found says it.
    pub(super) fn parts(&self, digest: &Digest) -> Vec<Digest> {
        self.memory.parts.get(digest).unwrap_or_else(|| vec![digest.clone()])
    }

    /// What was submitted, as files: what counts in this environment, and the reports of others, which may add findings.
    async fn submitted(&self, rows: &[SignalRow], environment: &str) -> Result<HandedOver, AskError> {
        let places = Places::of(&self.store, rows).await?;
        let mut handed = HandedOver { adds: true, ..HandedOver::default() };
        let mut left = LARGEST;
        let (mine, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| places.counts(&row.id, environment));
        for &row in &mine {
            let file = self.file(row).await?;
            left =
                left.checked_sub(file.bytes.len()).ok_or_else(|| {
                    let what = format!("the documents that were handed in about it are larger than {LARGEST} bytes");
                    let reason = Reason::new(ReasonCode::Internal, what);
                    AskError::Refused(reason.remedy(
                        "Withdraw what is no longer of use: `ecr-gate signals list`, `ecr-gate signals withdraw`.",
                    ))
                })?;
            match row.kind.as_str() {
                "report" => handed.reports.push(file),
                "sbom" => handed.sboms.push(file),
                "vex" => handed.vex.push(file),
                "measurement" => handed.measurements.push(file),
                other => return Err(AskError::StoreUnavailable(format!("a submitted {other:?} is of no known kind"))),
            }
        }
        // The newest first: however much somebody hands in where it does not count, it takes no room from what counts.
        let mut left = LARGEST_BESIDE;
        for row in others.into_iter().rev().filter(|row| row.kind == "report") {
            let is_same = |mine: &&SignalRow| mine.evidence == row.evidence && mine.digest == row.digest;
            if mine.iter().any(|mine| mine.kind == "report" && is_same(mine)) {
                continue;
            }
            let file = self.file(row).await?;
            let Some(rest) = left.checked_sub(file.bytes.len()) else {
                tracing::warn!(
                    repository = row.repository, digest = %row.digest, environment,
                    "reports that were handed in for other environments are too large together: the older ones add nothing"
                );
                break;
            };
            left = rest;
            let what = format!("whoever handed it in may do so for {}, not for {environment}", places.words(&row.id));
            handed.beside.push((file, Reason::new(ReasonCode::ScanNotAccepted, what)));
        }
        Ok(handed)
    }

    async fn file(&self, row: &SignalRow) -> Result<HandedFile, AskError> {
        let Some(evidence) = self.store.evidence(&row.evidence).await? else {
            let what = format!("the document {} that was submitted is not there", row.evidence);
            return Err(AskError::StoreUnavailable(what));
        };
        let name = format!("submitted by {} ({})", row.submitted_by, row.id);
        Ok(HandedFile { name, scanner: None, bytes: evidence.bytes, about: Some(row.digest.clone()) })
    }
}

/// Whether something in it could not be known at the moment, and may be a moment later.
fn passes(facts: &model::Facts) -> bool {
    let mut manifests = std::iter::once(&facts.root).chain(facts.platforms.iter().flatten().map(|(_, child)| child));
    let passes = manifests.any(|manifest| {
        manifest.reports.iter().any(|report| will_pass(&report.scan))
            || will_pass(&manifest.config)
            || will_pass(&manifest.contents)
            || will_pass(&manifest.sboms)
            || will_pass(&manifest.measurements)
            || will_pass(&manifest.signed)
    });
    passes || facts.bases.iter().any(|(_, base)| will_pass(base))
}

/// True for what could not be known at the moment, and may be a moment later.
fn will_pass<T>(signal: &Signal<T>) -> bool {
    match signal {
        Signal::Pending(_) | Signal::Unavailable { .. } => true,
        Signal::Failed(why) => {
            use UnknownClass as Class;
            let passing = [Class::TrustUnavailable, Class::StoreUnavailable, Class::Internal, Class::AccessDenied];
            why.code.class().is_some_and(|class| passing.contains(&class))
        }
        Signal::Present(_) | Signal::Absent(_) | Signal::Unsupported(_) | Signal::NotCollected(_) => false,
    }
}

/// How soon what could not be known is asked for again.
const SOON: Duration = Duration::from_secs(3);

/// What one look found.
struct Looked {
    found: Found,
    /// The bytes that it was read from.
    raw: Vec<EvidenceRow>,
    took: Duration,
}

/// The most bytes of documents that were handed in and are read for one image.
const LARGEST: usize = 256 << 20;
/// And of those that do not count in the environment.
const LARGEST_BESIDE: usize = 32 << 20;

/// The image, and the platforms of an index.
fn manifests(facts: &model::Facts) -> Vec<Digest> {
    let children = facts.platforms.iter().flatten().map(|(_, child)| child);
    std::iter::once(&facts.root).chain(children).map(|manifest| manifest.digest.clone()).collect()
}

/// `host/repository`
pub(super) fn repository(image: &ImageReference) -> String {
    image.host.as_ref().map_or_else(|| image.repository.to_string(), |host| format!("{host}/{}", image.repository))
}

/// Roughly, in bytes: findings, components and packages are most of it.
fn size(facts: &model::Facts) -> usize {
    let manifests = std::iter::once(&facts.root).chain(facts.platforms.iter().flatten().map(|(_, child)| child));
    let parts = manifests.map(|manifest| {
        let findings: usize = manifest
            .reports
            .iter()
            .map(|report| match &report.scan {
                Signal::Present(scan) => scan.value.findings().len(),
                _ => report.unproven.len(),
            })
            .sum();
        let components: usize = match &manifest.sboms {
            Signal::Present(list) => list.value.iter().map(|sbom| sbom.value.components.len()).sum(),
            _ => 0,
        };
        let packages = match &manifest.contents {
            Signal::Present(contents) => contents.value.packages.len(),
            _ => 0,
        };
        let signed = match &manifest.signed {
            Signal::Present(list) => list.value.len(),
            _ => 0,
        };
        2048 + findings * 1024 + components * 512 + packages * 256 + signed * 4096
    });
    parts.sum()
}
