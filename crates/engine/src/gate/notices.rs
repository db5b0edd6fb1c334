//! Notices (O5): others are told of blocks, flips, exceptions, overrides, policies and denials. What is told of is read from the audit log, in the order
//! of its tree and from where the last reading ended, so that nothing is left out by a crash and nothing is told of that did not happen. Each event is a
//! job for each target, tried again until it is taken.

mod message;
mod target;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{SignedDuration, Timestamp};
use registry::Fetch;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Batch, ItemRow, Job, LeafQuery, NewJob, Store, StoreError};
use tokio::time::Instant;

use super::reports::entries::{Entry, first_id};
use super::settings::GateSettings;
use super::{GateError, Inner};

pub use target::{NoticeEvent, NoticeKind, NoticeTarget};

/// The kind of job.
pub(super) const KIND: &str = "notice";
/// The item that says where the next reading begins.
const PLACE: &str = "notice-place";
const ID: &str = "log";
/// Entries that are read at once.
const PAGE: u32 = 200;
/// How often new entries are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// What is older is not told of: nobody was to be told then.
const OLD: SignedDuration = SignedDuration::from_hours(24);
/// How long blocks of one pipeline and image are one message.
const TOGETHER: SignedDuration = SignedDuration::from_hours(1);
/// The same where no pipeline asked.
const SHORT: SignedDuration = SignedDuration::from_mins(10);
/// Entries about one image that are looked through for blocks of that time.
const EARLIER: u32 = 100;
/// How long a target may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// After so many tries a notice is given up: about half a day.
const ATTEMPTS: i64 = 20;
/// Targets.
const TARGETS: usize = 50;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Place {
    next: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct About {
    target: String,
    entry: String,
}

/// How others are told.
#[derive(Debug)]
pub(super) struct Sender {
    fetch: Fetch,
    /// Targets that failed: how often in a row, and until when they are left alone. Whoever waits for one that is silent does no other job.
    resting: Mutex<HashMap<String, (u32, Instant)>>,
}

impl Sender {
    pub(super) fn new(settings: &GateSettings) -> Result<Self, GateError> {
        let wrong =
            |what: String| GateError::Setup { what, hint: "docs/guides/notifications.md has an example".to_owned() };
        if settings.notifications.len() > TARGETS {
            return Err(wrong(format!("notifications: at most {TARGETS} are told")));
        }
        let mut names = std::collections::BTreeSet::new();
        for target in &settings.notifications {
            target.check(&settings.teams).map_err(|why| wrong(format!("notifications: {}: {why}", target.name)))?;
            if !names.insert(&target.name) {
                return Err(wrong(format!("notifications: {} is there twice", target.name)));
            }
        }
        let fetch = Fetch::to_others(settings.registries.authorities.clone(), TIMEOUT);
        let fetch = fetch.map_err(|error| wrong(format!("notifications: {error}")))?;
        Ok(Self { fetch, resting: Mutex::default() })
    }

    async fn send(
        &self,
        target: &NoticeTarget,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<(), String> {
        let rests = || self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if rests().get(&target.name).is_some_and(|(_, until)| Instant::now() < *until) {
            return Err("it failed a moment ago and is left alone for a while".to_owned());
        }
        let sent = self.fetch.post(&target.url, headers, body).await;
        if sent.is_ok() {
            rests().remove(&target.name);
        } else {
            let mut resting = rests();
            let (times, until) = resting.entry(target.name.clone()).or_insert((0, Instant::now()));
            *times = times.saturating_add(1);
            *until = Instant::now() + Duration::from_secs(2_u64.pow((*times).min(6))).min(Duration::from_mins(1));
        }
        sent
    }
}

/// When a notice that failed is tried again; `None`: never.
pub(super) fn again(attempts: i64, now: Timestamp) -> Option<Timestamp> {
    let doublings = u32::try_from(attempts.clamp(1, 11) - 1).unwrap_or(0);
    let wait = SignedDuration::from_secs(5 * 2_i64.pow(doublings)).min(SignedDuration::from_hours(1));
    (attempts < ATTEMPTS).then(|| now.checked_add(wait).unwrap_or(now))
}

/// The first time that anybody is to be told, it is of what comes from now on.
pub(super) async fn begin(settings: &GateSettings, store: &Store) -> Result<(), GateError> {
    if settings.notifications.is_empty() || store.item(PLACE, ID).await?.is_some() {
        return Ok(());
    }
    let next = store.log_head().await?.map_or(0, |head| head.size);
    let row = place(Place { next }, 1, (settings.now)())?;
    match store.write(Batch { items: vec![row], ..Batch::default() }).await {
        // Another replica began.
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn place(place: Place, revision: i64, now: Timestamp) -> Result<ItemRow, GateError> {
    let body = serde_json::to_vec(&place).map_err(|error| GateError::invalid(error.to_string()))?;
    Ok(ItemRow {
        kind: PLACE.to_owned(),
        id: ID.to_owned(),
        revision,
        state: "active".to_owned(),
        repository: None,
        digest: None,
        environment: None,
        created_at: now,
        until: None,
        body,
    })
}

impl Inner {
    /// Reads what is new in the audit log, for as long as the gate runs.
    pub(super) async fn watch_for_notices(self: &Arc<Self>) {
        loop {
            match self.queue_notices().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "nobody can be told of what is new in the audit log"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Queues what others are to be told of, from where it was read last. True if there may be more.
    async fn queue_notices(self: &Arc<Self>) -> Result<bool, GateError> {
        let Some(row) = self.store.item(PLACE, ID).await? else {
            begin(&self.settings, &self.store).await?;
            return Ok(true);
        };
        let wrong = |why: String| StoreError::Unreadable { what: "place in the audit log", why };
        let Place { next } = serde_json::from_slice(&row.body).map_err(|error| wrong(error.to_string()))?;
        let leaves = self.store.leaves_from(next, PAGE).await?;
        let Some(last) = leaves.last().and_then(|leaf| leaf.index) else { return Ok(false) };
        let is_full = leaves.len() == PAGE as usize;
        let now = (self.settings.now)();
        let (mut jobs, teams) = (Vec::new(), &self.settings.teams);
        for entry in leaves.into_iter().filter_map(Entry::of) {
            if now.duration_since(entry.at) > OLD {
                continue;
            }
            let Some(event) = NoticeEvent::of(&entry) else { continue };
            let earlier = if event == NoticeEvent::Block { self.earlier_blocks(&entry).await? } else { Vec::new() };
            for target in self.settings.notifications.iter().filter(|target| target.wants(event, &entry, teams)) {
                // O5: one message for each pipeline and image.
                if earlier.iter().any(|other| target.wants(event, other, teams)) {
                    continue;
                }
                let about = About { target: target.name.clone(), entry: entry.id.clone() };
                jobs.push(NewJob {
                    kind: KIND.to_owned(),
                    key: format!("{} {}", about.entry, about.target),
                    payload: json!(about).to_string(),
                    run_at: now,
                });
            }
        }
        let item = place(Place { next: last + 1 }, row.revision + 1, row.created_at)?;
        match self.store.write(Batch { items: vec![item], jobs, ..Batch::default() }).await {
            Ok(_) => Ok(is_full),
            // Another replica read the same, and queued it.
            Err(StoreError::Conflict { .. }) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Blocks of the same image and pipeline a short time before.
    async fn earlier_blocks(&self, entry: &Entry) -> Result<Vec<Entry>, GateError> {
        let pipeline = entry.text(&[&["answer", "pipeline"]]);
        let together = if pipeline.is_some() { TOGETHER } else { SHORT };
        let since = entry.at.checked_sub(together).unwrap_or(entry.at);
        let query = LeafQuery {
            subject: entry.digest.clone(),
            repository: entry.repository.clone(),
            after: Some(first_id(since, 0)),
            limit: EARLIER,
        };
        let found = self.store.leaves(&query).await?.into_iter().filter(|leaf| leaf.id < entry.id);
        let same = |other: &Entry| {
            NoticeEvent::of(other) == Some(NoticeEvent::Block) && other.text(&[&["answer", "pipeline"]]) == pipeline
        };
        Ok(found.filter_map(Entry::of).filter(same).collect())
    }

    /// Tells one target of one event.
    pub(super) async fn notice_job(self: &Arc<Self>, job: &Job) -> Result<Batch, GateError> {
        let About { target, entry } = serde_json::from_str(&job.payload)
            .map_err(|error| GateError::invalid(format!("the job's payload cannot be read: {error}")))?;
        // Nobody is told any more, or nobody knows any more of what.
        let Some(target) = self.settings.notifications.iter().find(|one| one.name == target) else {
            return Ok(Batch::default());
        };
        let entry = self.store.leaf(&entry).await?.and_then(Entry::of);
        let Some((entry, event)) = entry.and_then(|entry| NoticeEvent::of(&entry).map(|event| (entry, event))) else {
            return Ok(Batch::default());
        };
        let rollback = match (event, &entry.repository, entry.environment()) {
            (NoticeEvent::Block | NoticeEvent::Flip, Some(repository), Some(environment)) => {
                let to = self.before(repository, environment, entry.at).await?;
                // What is blocked is no way back from itself.
                Some(to).filter(|to| to.digest.is_none() || to.digest != entry.digest)
            }
            _ => None,
        };
        let now = (self.settings.now)();
        let message = message::of(target, event, &entry, rollback.as_ref(), &self.settings.teams, now)?;
        let sent = self.notices.send(target, &message.headers, message.body).await;
        sent.map_err(|why| GateError::invalid(format!("{} was not told of {}: {why}", target.name, event.as_str())))?;
        Ok(Batch::default())
    }
}
