//! What is remembered between asks: facts about images, and what was judged of them. Bounded in bytes; everything is checked against
//! what changed before it is used.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Ask, Digest, Facts, SignedDuration, Tag, Timestamp, UnknownClass};
use moka::sync::Cache;
use store::EvidenceRow;
use tokio::sync::Mutex;

use super::asking::RecordedDecision;
use super::fingerprint::Fingerprint;

/// Facts together, in bytes, as far as that can be told: for policies that come into force while they are fresh. What was judged of them is kept for itself.
const FACTS: u64 = 4 << 20;
/// Judgements with their facts that may stand in while a registry is away, together, in bytes.
const GOOD: u64 = 128 << 20;
/// Judgements together, in bytes.
const JUDGED: u64 = 64 << 20;
/// The longest time that a cache knows.
const LONGEST: Duration = Duration::from_hours(24 * 365);
/// How long a tag is taken to stand for what it stood for.
const TAG: Duration = Duration::from_secs(10);
/// Indexes whose manifests are known.
const INDEXES: u64 = 10_000;
/// Tags.
const TAGS: u64 = 100_000;

/// An image as it was asked about: rules may look at how it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// `host/repository`
    pub(super) repository: String,
    pub(super) digest: Digest,
    /// What it was looked up by; with a digest beside it, it stood for that (A16).
    pub(super) tag: Option<String>,
    /// A tag beside the digest that nobody looked up: a name alone.
    pub(super) name: Option<String>,
    /// The caller named the digest.
    pub(super) pinned: bool,
    pub(super) environment: String,
}

impl Key {
    pub(super) fn of(look: &Look) -> Self {
        let Look { ask, name, .. } = look;
        let tag = ask.image.tag.as_ref().filter(|_| name.is_none());
        Self {
            repository: ask.name(),
            digest: ask.digest.clone(),
            tag: tag.map(ToString::to_string),
            name: name.as_ref().map(ToString::to_string),
            pinned: ask.image.digest.is_some(),
            environment: ask.environment.clone(),
        }
    }

    /// What the caches go by.
    pub(super) fn print(&self) -> Fingerprint {
        self.print_under(self.name.as_deref())
    }

    /// The same for facts, which are those of all its names.
    pub(super) fn print_of_facts(&self) -> Fingerprint {
        self.print_under(None)
    }

    fn print_under(&self, name: Option<&str>) -> Fingerprint {
        let Self { repository, digest, tag, pinned, environment, .. } = self;
        let (repository, digest, environment) = (repository.as_str(), digest.as_str(), environment.as_str());
        let pinned = pinned.then_some("");
        Fingerprint::of([Some(repository), Some(digest), tag.as_deref(), name, pinned, Some(environment)])
    }
}

/// What was collected about an image.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) look: Arc<Look>,
    pub(super) facts: Arc<Facts>,
    /// The bytes that they were read from, packed: kept with the first decision on them.
    pub(super) raw: Vec<EvidenceRow>,
    pub(super) warnings: Vec<String>,
}

impl Look {
    /// Whether this is of the same look, under whichever name.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        (self.collected, self.ticket, self.fresh_until) == (other.collected, other.ticket, other.fresh_until)
    }
}

impl Known {
    /// The same as it is judged under this name.
    pub(super) fn under(&self, name: &Tag) -> Self {
        let Self { look, facts, raw, warnings } = self;
        let mut look = Look::clone(look);
        look.ask.image.tag = Some(name.clone());
        look.name = Some(name.clone());
        Self { look: Arc::new(look), facts: Arc::clone(facts), raw: raw.clone(), warnings: warnings.clone() }
    }
}

impl std::ops::Deref for Known {
    type Target = Look;

    fn deref(&self) -> &Look {
        &self.look
    }
}

/// What an image was looked at for, and when: what a judgement keeps. The facts themselves, which are much larger, are judged anew only while they are fresh.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) ask: Ask,
    /// The tag in it, if that is a name alone.
    pub(super) name: Option<Tag>,
    /// What it was collected for: another policy may want more.
    pub(super) wants: Digest,
    /// Changes up to this number are in it.
    pub(super) ticket: i64,
    /// Every manifest in it: what changes about one of them changes this.
    pub(super) manifests: Vec<Digest>,
    /// When it was collected, and until when it is taken for what is so.
    pub(super) collected: Instant,
    pub(super) fresh_until: Instant,
    /// When it was collected.
    pub(super) at: Timestamp,
    /// How long that took.
    pub(super) took: Duration,
    /// A last known good fact stands in for what could not be asked.
    pub(super) degraded: bool,
    /// Nothing in it is on its way or could not be asked for, and nothing stands in for it.
    pub(super) whole: bool,
    /// With the facts, in bytes, roughly.
    pub(super) size: usize,
}

/// What was judged, and while which it holds.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) decision: Arc<RecordedDecision>,
    /// That of the facts that were judged.
    pub(super) look: Arc<Look>,
    /// Nothing in it stands above an override (S6).
    pub(super) overridable: bool,
    /// How long what ran before may run on, if nothing but vulnerabilities or the age of scans stands against it and the policy says so (S32).
    pub(super) runs_on: Option<SignedDuration>,
    /// The class, if nothing stands against it but that something is not known.
    pub(super) unknown: Option<UnknownClass>,
    /// The platforms of an index that an answer covers.
    pub(super) children: Vec<Digest>,
    /// The number of what was in force.
    pub(super) global: i64,
    pub(super) valid_until: Option<Timestamp>,
}

/// The last judgement that let an image through on facts that were whole (S5).
#[derive(Debug)]
pub(super) struct Good {
    pub(super) judged: Arc<Judged>,
    pub(super) known: Arc<Known>,
    /// The policies that judged.
    pub(super) version: Digest,
}

/// The caches.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) known: Cache<Fingerprint, Arc<Known>>,
    pub(super) judged: Cache<Fingerprint, Arc<Judged>>,
    pub(super) good: Cache<Fingerprint, Arc<Good>>,
    /// By `host/repository:tag`.
    pub(super) tags: Cache<String, Digest>,
    /// Indexes, each with itself and the manifests it holds.
    pub(super) parts: Cache<Digest, Vec<Digest>>,
}

impl Memory {
    /// Facts are of no use after `fresh`: then they are collected again.
    pub(super) fn new(fresh: Duration) -> Self {
        let bytes = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        Self {
            known: Cache::builder()
                .max_capacity(FACTS)
                .weigher(move |_, known: &Arc<Known>| bytes(known.size))
                .time_to_live(fresh.min(LONGEST))
                .build(),
            judged: Cache::builder()
                .max_capacity(JUDGED)
                .weigher(move |_, judged: &Arc<Judged>| bytes(judged.decision.record.len().saturating_add(1024)))
                .build(),
            good: Cache::builder()
                .max_capacity(GOOD)
                .weigher(move |_, good: &Arc<Good>| bytes(good.known.size.saturating_add(1024)))
                .build(),
            parts: Cache::builder().max_capacity(INDEXES).build(),
            tags: Cache::builder().max_capacity(TAGS).time_to_live(TAG).build(),
        }
    }
}

/// One lock for each of some groups of images.
#[derive(Debug)]
pub(super) struct Locks([Mutex<()>; 64]);

impl Locks {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }

    pub(super) fn of(&self, key: &Key) -> &Mutex<()> {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        (&key.repository, &key.digest, &key.environment).hash(&mut hasher);
        &self.0[usize::from(hasher.finish().to_le_bytes()[0]) % self.0.len()]
    }
}
