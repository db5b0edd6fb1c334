//! From an ask to an answer: what is remembered and still holds, else known facts judged anew, else facts collected now. Nothing is answered
//! that is not on record, and nothing remembered is acted on unless all changes up to a moment ago are known (S42).

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{ImageReference, Timestamp, UnknownClass, Verdict};
use store::{Batch, NewJob};
use telemetry::Cache;

use super::answers::{self, is_durable};
use super::asking::{Answered, AskError, Asked, Asker, Point, RecordedDecision, Via};
use super::collecting::{Wanted, repository};
use super::force::InForce;
use super::grandfathering::{only_old_news, only_unknown};
use super::memory::{Good, Judged, Key, Known, Look};
use super::overrides::may_be_overridden;
use super::permit::{Basis, Permit};
use super::recording::{self, Draft};
use super::understanding::Understood;
use super::without_registry::{is_away, may_stand_in};
use super::{Inner, counting, exceptions, packages};

impl Inner {
    /// Answers within `asked.wait`.
    pub(super) async fn ask(self: &Arc<Self>, asked: Asked, by: &Asker) -> Result<Answered, AskError> {
        let started = Instant::now();
        let ended = self.waiting(asked, by).await;
        counting::asked(&self.settings.metrics, &ended, started.elapsed());
        ended.map(|(answered, _)| answered)
    }

    /// The answer, and whether a last known good fact stood in for it.
    async fn waiting(self: &Arc<Self>, asked: Asked, by: &Asker) -> Result<(Answered, bool), AskError> {
        let deadline = Instant::now() + asked.wait.min(self.settings.longest_wait);
        let understood = self.understand(&asked)?;
        let mut first = true;
        loop {
            let (answered, degraded) = match self.once(&understood, asked.dry_run, by, deadline, first).await {
                Err(away @ AskError::StoreUnavailable(_)) if !asked.dry_run => {
                    self.without_store(&understood, by, away)?
                }
                Err(error) if by.point.repeats() => {
                    let class = match &error {
                        AskError::Refused(why) => why.code.class().filter(|class| is_away(*class)),
                        // Nobody looks at it now, whoever is the cause of that.
                        AskError::Overloaded(_) => Some(UnknownClass::Throttled),
                        _ => None,
                    };
                    let Some(class) = class else { return Err(error) };
                    let stand_in = Box::pin(self.without_registry(&understood, asked.dry_run, by, class)).await?;
                    (stand_in.ok_or(error)?, true)
                }
                ended => ended?,
            };
            let next = Instant::now() + self.settings.pace.poll_interval;
            // S11: what is pending is waited for, as long as there is time; a refusal is not.
            if answered.retry_after.is_none() || asked.dry_run || next > deadline {
                return Ok((answered, degraded));
            }
            tokio::time::sleep_until(next.into()).await;
            first = false;
        }
    }

    /// S9: a clock that went back would let the past count as now.
    pub(super) fn now(&self) -> Result<Timestamp, AskError> {
        let now = (self.settings.now)();
        let signed = self.log.signed_at();
        if signed.is_some_and(|signed| signed.duration_since(now) > model::SignedDuration::from_mins(1)) {
            return Err(AskError::StoreUnavailable(
                "the clock of this machine is more than a minute behind the audit log's last checkpoint".to_owned(),
            ));
        }
        Ok(now)
    }

    /// One answer, whatever it is. What takes longer than looking up what is remembered is boxed: the future of an answer that is known stays small, and
    /// there are many of them.
    async fn once(
        self: &Arc<Self>,
        understood: &Understood,
        dry_run: bool,
        by: &Asker,
        deadline: Instant,
        may_remember: bool,
    ) -> Result<(Answered, bool), AskError> {
        let confirmed = self.confirmed().await?;
        let now = self.now()?;
        let force = self.follower.force();
        let metrics = &self.settings.metrics;
        let key = self.key(understood, by.point, &force);
        if let Some(key) = &key
            && !dry_run
        {
            if let Some(judged) = self.remembered(key, &force, now)
                && may_say(&judged, by.point)
                && (may_remember || judged.decision.verdict != Verdict::Pending)
            {
                metrics.cache_hit(Cache::Judgements);
                let answered = self.answer(&judged, Via::Recorded, None, false, by, now, confirmed).await?;
                return Ok((answered, judged.look.degraded));
            }
            metrics.cache_miss(Cache::Judgements);
        }
        Box::pin(self.newly(understood, dry_run, by, deadline, key, &force, now)).await
    }

    /// One answer that is not remembered.
    #[expect(clippy::too_many_arguments, reason = "what `once` found out")]
    async fn newly(
        self: &Arc<Self>,
        understood: &Understood,
        dry_run: bool,
        by: &Asker,
        deadline: Instant,
        key: Option<Key>,
        force: &InForce,
        now: Timestamp,
    ) -> Result<(Answered, bool), AskError> {
        let metrics = &self.settings.metrics;
        if let Some(key) = &key
            && !dry_run
            && let Some(answered) = self.inherited(key, understood, by, deadline).await?
        {
            return Ok(answered);
        }
        let remembered = key.as_ref().and_then(|key| self.facts(key, force)).filter(|_| !dry_run);
        let remembered = match remembered {
            Some(known) if !is_news(&known) && !by.point.repeats() => {
                let named = understood.named(Arc::clone(&known), force);
                let verdict = recording::judge(force, &named, now, by)?.judgement.verdict;
                allows(verdict).then_some(known)
            }
            remembered => remembered,
        };
        let via = if remembered.is_some() { Via::Evaluated } else { Via::Collected };
        let known = if let Some(known) = remembered {
            metrics.cache_hit(Cache::Facts);
            known
        } else {
            metrics.cache_miss(Cache::Facts);
            self.wanted(understood, dry_run, deadline).await?
        };
        if !dry_run {
            self.deny_platforms(&known).await?;
        }
        // What came into force while it was collected counts.
        let confirmed = self.confirmed().await?;
        let force = self.follower.force();
        let now = self.now()?;
        // Another policy may want to know more.
        let known = if force.wants(&known.ask) == known.wants {
            known
        } else {
            self.wanted(understood, dry_run, deadline).await?
        };
        if force.wants(&known.ask) != known.wants {
            return Err(AskError::Overloaded("policies change faster than the image can be looked at".to_owned()));
        }
        if !dry_run {
            self.remember(&known);
        }
        let known = understood.named(known, &force);
        let (judged, id) = if dry_run {
            (Arc::new(self.judged(&known, &force, by, now, true).await?.0), None)
        } else {
            self.decide(&known, &force, by, now).await?
        };
        if let Some(class) = judged.unknown.filter(|class| by.point.repeats() && is_away(*class))
            && let Some(answered) = self.without_registry(understood, dry_run, by, class).await?
        {
            return Ok((answered, true));
        }
        let answered = self.answer(&judged, via, id, dry_run, by, now, confirmed).await?;
        Ok((answered, known.degraded))
    }

    pub(super) async fn confirmed(&self) -> Result<Instant, AskError> {
        self.follower.confirmed().await.map_err(|error| AskError::StoreUnavailable(error.to_string()))
    }

    /// S42: to put an answer on record may take longer than the lease, and meanwhile something else may have come into force. Then it is not given.
    pub(super) async fn still_in_force(&self, judged: &Judged, confirmed: Instant) -> Result<Instant, AskError> {
        let confirmed = if self.follower.is_within_lease(confirmed) { confirmed } else { self.confirmed().await? };
        if judged.global == self.follower.force().global
            && self.follower.unchanged(&judged.look.manifests, judged.look.ticket)
        {
            return Ok(confirmed);
        }
        let what = "something changed while the answer was put on record; ask again".to_owned();
        Err(AskError::Overloaded(what))
    }

    /// What is known about the image now.
    async fn wanted(
        self: &Arc<Self>,
        understood: &Understood,
        dry_run: bool,
        deadline: Instant,
    ) -> Result<Arc<Known>, AskError> {
        let Understood { image, environment, .. } = understood;
        let (image_name, environment) = (image.to_string(), environment.clone());
        let wanted = Wanted { image: image_name, environment, as_if: None, dry_run, brief: false };
        self.collected(image, wanted, deadline).await
    }

    /// Judges and records, one at a time for one image: of many that ask at once, one decides for all. Where the answer has to be on record too, it goes
    /// with a new decision, in one transaction: then its id is there.
    pub(super) async fn decide(
        &self,
        known: &Arc<Known>,
        force: &InForce,
        by: &Asker,
        now: Timestamp,
    ) -> Result<(Arc<Judged>, Option<String>), AskError> {
        let key = Key::of(known);
        let _one = self.deciding.of(&key).lock().await;
        if let Some(judged) = self.remembered(&key, force, now).filter(|judged| judged.look.is_of(known)) {
            return Ok((judged, None));
        }
        let (judged, batch) = self.judged(known, force, by, now, false).await?;
        let mut id = None;
        if let Some(mut batch) = batch {
            if is_durable(by.point) {
                let leave = self.leave(&judged, None, now);
                let row = answers::row(&judged.decision.id, by, leave.word(), now);
                id = Some(row.id.clone());
                batch.answers.push(row);
                batch.uses.extend(leave.uses(&judged.decision.id, now));
            }
            self.store.write(batch).await?;
        }
        let judged = Arc::new(judged);
        if known.whole && allows(judged.decision.verdict) && may_stand_in(force, &known.ask) {
            let good = Good { judged: Arc::clone(&judged), known: Arc::clone(known), version: force.version.clone() };
            self.memory.good.insert(key.print(), Arc::new(good));
        }
        self.memory.judged.insert(key.print(), Arc::clone(&judged));
        Ok((judged, id))
    }

    /// Under what the image is remembered; `None` if nobody knows what its tag stands for. Where what runs is the digest that was decided about, a tag
    /// may have been looked up a moment ago; whoever pushes and then asks means what was pushed.
    pub(super) fn key(&self, understood: &Understood, point: Point, force: &InForce) -> Option<Key> {
        let image = &understood.image;
        let repository = repository(image);
        let digest = match (&image.digest, &image.tag) {
            (Some(digest), None) => digest.clone(),
            // A16: with a tag, the tag has to stand for the digest.
            (expected, Some(tag)) => {
                if !point.repeats() {
                    return None;
                }
                let digest = self.memory.tags.get(&format!("{repository}:{tag}"))?;
                if expected.as_ref().is_some_and(|expected| *expected != digest) {
                    return None;
                }
                digest
            }
            (None, None) => return None,
        };
        Some(Key {
            repository,
            digest,
            tag: image.tag.as_ref().map(ToString::to_string),
            name: understood.name(force).map(ToString::to_string),
            pinned: image.digest.is_some(),
            environment: understood.environment.clone(),
        })
    }

    pub(super) fn remember(&self, known: &Arc<Known>) {
        let key = Key::of(known);
        if let Some(tag) = &key.tag {
            self.memory.tags.insert(format!("{}:{tag}", key.repository), key.digest.clone());
        }
        self.memory.known.insert(key.print_of_facts(), Arc::clone(known));
    }

    fn remembered(&self, key: &Key, force: &InForce, now: Timestamp) -> Option<Arc<Judged>> {
        let judged = self.memory.judged.get(&key.print())?;
        let holds = judged.global == force.global
            && judged.valid_until.is_none_or(|until| now < until)
            && self.is_fresh(&judged.look);
        holds.then_some(judged)
    }

    fn facts(&self, key: &Key, force: &InForce) -> Option<Arc<Known>> {
        let known = self.memory.known.get(&key.print_of_facts())?;
        (self.is_fresh(&known) && force.wants(&known.ask) == known.wants).then_some(known)
    }

    pub(super) fn is_fresh(&self, look: &Look) -> bool {
        Instant::now() < look.fresh_until && self.follower.unchanged(&look.manifests, look.ticket)
    }

    /// Judges facts. What says the same as the last decision is that decision; else there is something to record.
    pub(super) async fn judged(
        &self,
        known: &Arc<Known>,
        force: &InForce,
        by: &Asker,
        now: Timestamp,
        dry_run: bool,
    ) -> Result<(Judged, Option<Batch>), AskError> {
        let draft = recording::judge(force, known, now, by)?;
        let valid_until = draft.judgement.valid_until;
        let overridable = may_be_overridden(draft.judgement.reasons());
        let runs_on = only_old_news(&draft.judgement).then(|| force.policies.grandfathering(&known.ask)).flatten();
        let unknown = only_unknown(&draft.judgement);
        let (decision, batch) = match self.the_same(known, &draft, force, now).await? {
            Some(decision) if !dry_run => (decision, None),
            _ => {
                if !dry_run {
                    counting::decided(&self.settings.metrics, &draft, known, by, now);
                }
                let pending = draft.judgement.verdict == Verdict::Pending;
                let (decision, mut batch) = recording::record(draft, known, force, dry_run)?;
                batch.packages = packages::of(known);
                batch.jobs.extend(exceptions::on_fix(force, known, now));
                if pending {
                    batch.jobs.push(self.look_again(known, now)?);
                }
                batch.jobs.extend(self.attach_later(&decision, now));
                (Arc::new(decision), Some(batch))
            }
        };
        let children = recording::covered(known, force);
        let (look, global) = (Arc::clone(&known.look), force.global);
        let judged = Judged { decision, look, overridable, runs_on, unknown, children, global, valid_until };
        Ok((judged, batch))
    }

    async fn the_same(
        &self,
        known: &Known,
        draft: &Draft,
        force: &InForce,
        now: Timestamp,
    ) -> Result<Option<Arc<RecordedDecision>>, AskError> {
        let ask = &known.ask;
        let Some(row) = self.store.latest_decision(&ask.name(), &ask.digest, &ask.environment).await? else {
            return Ok(None);
        };
        // Facts that may have to stand in one day are of when they were last seen, not of when they were first so.
        let is_old = now.duration_since(row.recorded_at) > SEEN_AGAIN;
        if is_old && !known.degraded && force.policies.keeps_last_known_good(ask) {
            return Ok(None);
        }
        let same = recording::essence_of(&row).is_some_and(|essence| essence == draft.essence);
        Ok(same.then(|| Arc::new(recording::recorded(row))))
    }

    /// What is pending is looked at again although nobody asks, so that its decision is there when somebody does (F5).
    fn look_again(&self, known: &Known, now: Timestamp) -> Result<NewJob, AskError> {
        let image = &known.ask.image;
        let name = image.digest.as_ref().and(image.tag.as_ref());
        let asked = ImageReference { tag: image.tag.clone().filter(|_| name.is_none()), ..image.clone() };
        let environment = &known.ask.environment;
        let payload = serde_json::json!({ "image": asked.to_string(), "name": name, "environment": environment });
        let wait = model::SignedDuration::try_from(self.settings.pace.poll_interval)
            .map_err(|error| AskError::Internal(error.to_string()))?;
        Ok(NewJob {
            kind: "collect".to_owned(),
            key: format!("{image} {}", known.ask.environment),
            payload: payload.to_string(),
            run_at: now.checked_add(wait).unwrap_or(now),
        })
    }

    /// S1: a manifest of an index that is allowed in this repository and environment.
    async fn inherited(
        self: &Arc<Self>,
        key: &Key,
        understood: &Understood,
        by: &Asker,
        deadline: Instant,
    ) -> Result<Option<(Answered, bool)>, AskError> {
        if understood.image.tag.is_some() {
            return Ok(None);
        }
        // What somebody handed in about the child itself counts for it.
        if !self.store.signals(&key.repository, &key.digest).await?.is_empty() {
            return Ok(None);
        }
        let parent = self.store.parent_decision(&key.repository, &key.digest, &key.environment).await?;
        let Some(parent) = parent.filter(|parent| parent.digest != key.digest) else { return Ok(None) };
        let image = ImageReference { digest: Some(parent.digest), tag: None, ..understood.image.clone() };
        let parent = Understood { image, name: understood.name.clone(), environment: understood.environment.clone() };
        let (answered, degraded) = match Box::pin(self.once(&parent, false, by, deadline, true)).await {
            Ok(answered) => answered,
            // What its index is cannot be told: then it is judged by itself.
            Err(AskError::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(match answered.permit {
            Ok(permit) if permit.children.contains(&key.digest) => {
                // That an index is let through although it is denied is said of its platforms too.
                let basis = match permit.basis {
                    basis @ (Basis::Overridden(_) | Basis::Grandfathered(_) | Basis::FailOpen(_)) => basis,
                    _ => Basis::Inherited(answered.decision.id.clone()),
                };
                let permit = Permit { subject: key.digest.clone(), children: Vec::new(), basis, ..permit };
                Some((Answered { permit: Ok(permit), ..answered }, degraded))
            }
            _ => None,
        })
    }
}

/// The moment at which a judgement ends, by time or because what it rests on has to be looked at again.
pub(super) fn holds_until(judged: &Judged, now: Timestamp) -> Instant {
    let fresh_until = judged.look.fresh_until;
    let left = judged.valid_until.map(|until| Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO));
    left.map_or(fresh_until, |left| fresh_until.min(Instant::now() + left))
}

/// How old recorded facts become before the same facts are recorded again, where a policy may fall back on them.
const SEEN_AGAIN: model::SignedDuration = model::SignedDuration::from_mins(30);

/// Facts that were collected so long ago are news still.
const NEWS: Duration = Duration::from_secs(2);

fn is_news(look: &Look) -> bool {
    look.collected.elapsed() < NEWS
}

/// Whether a remembered judgement is answered with. Who signs an image, or attaches what was missing, and then asks, is not told no from what was seen
/// before. Where the same is asked again and again by machines, it is.
fn may_say(judged: &Judged, point: Point) -> bool {
    allows(judged.decision.verdict) || is_news(&judged.look) || point.repeats()
}

pub(super) fn allows(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Allow | Verdict::Warn)
}

pub(super) fn ago(now: Timestamp, elapsed: Duration) -> Timestamp {
    model::SignedDuration::try_from(elapsed).ok().and_then(|ago| now.checked_sub(ago).ok()).unwrap_or(now)
}

#[cfg(test)]
mod tests;
