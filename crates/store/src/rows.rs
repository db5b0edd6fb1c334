//! What is kept, as it goes in and comes out. Times are milliseconds in the database and [`Timestamp`]s here; ids are UUIDv7, so that their order
//! is that of time.

use model::{Digest, Timestamp, Verdict};

/// A decision (B3): pure, so it says nothing about who asked (S2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRow {
    /// UUIDv7.
    pub id: String,
    /// `host/repository`
    pub repository: String,
    /// What was judged.
    pub digest: Digest,
    /// For which environment.
    pub environment: String,
    /// What follows.
    pub verdict: Verdict,
    /// Digest over everything the policy says: the version that was in force.
    pub policy: Digest,
    /// The facts document in the evidence, if it was kept.
    pub facts: Option<Digest>,
    /// When it was made.
    pub recorded_at: Timestamp,
    /// The earliest moment at which time alone could change it (S8).
    pub valid_until: Option<Timestamp>,
    /// Manifests of an index that it covers (S1).
    pub children: Vec<Digest>,
    /// The record as JSON, whole.
    pub record: Vec<u8>,
}

/// An answer that was given (S2): who asked, where, and what for. Equal answers of one second may be one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRow {
    /// UUIDv7.
    pub id: String,
    /// The decision that was answered with.
    pub decision: String,
    /// The point that asked: `ci`, `api`, `admission`, …
    pub point: String,
    /// What the answer rests on: `allowed`, `warned`, `refused`, `pending`, …
    pub basis: String,
    /// Who asked, if that is known.
    pub asked_by: Option<String>,
    /// The pipeline's id.
    pub pipeline: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// The W3C trace id.
    pub trace_id: Option<String>,
    /// When it was first given.
    pub at: Timestamp,
    /// How often it was given.
    pub times: i64,
}

/// What people settled beside the policy: an exception, an override, a token, … Only who has seen its last revision replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRow {
    /// What it is: `exception`, `override`, …
    pub kind: String,
    /// UUIDv7, or another name of its own among its kind.
    pub id: String,
    /// 1 for a new one; each change is one more.
    pub revision: i64,
    /// `requested`, `active`, `ended`, …: what lists are taken by.
    pub state: String,
    /// The repository or pattern of repositories that it is about.
    pub repository: Option<String>,
    /// The image that it is about.
    pub digest: Option<Digest>,
    /// The environment that it is for.
    pub environment: Option<String>,
    /// When its first revision was written.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// All of it, as JSON.
    pub body: Vec<u8>,
}

/// Content-addressed bytes: facts documents and raw evidence. Kept once, however many decisions name it. Read, they are as they were before they were
/// packed ([`EvidenceRow::packed`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceRow {
    /// The digest of the bytes.
    pub digest: Digest,
    /// What it is, as a media type.
    pub media_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A policy version: every document and every file it names, as one JSON bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    /// The digest of the bundle.
    pub digest: Digest,
    /// The names of its policies.
    pub names: Vec<String>,
    /// The bundle.
    pub bundle: Vec<u8>,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// By whom.
    pub uploaded_by: String,
}

/// That a policy version came into force. The latest one is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationRow {
    /// UUIDv7.
    pub id: String,
    /// The version.
    pub policy: Digest,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why, in words.
    pub reason: Option<String>,
}

/// A document about an image that somebody submitted: a report, an SBOM, a VEX document, a measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalRow {
    /// UUIDv7.
    pub id: String,
    /// `host/repository`
    pub repository: String,
    /// What it is about.
    pub digest: Digest,
    /// `report`, `sbom`, `vex`, `measurement`
    pub kind: String,
    /// Its bytes in the evidence.
    pub evidence: Digest,
    /// When.
    pub submitted_at: Timestamp,
    /// By whom.
    pub submitted_by: String,
}

/// The packages of one bill of materials, kept once under its digest, and an image that holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagesRow {
    /// `host/repository`
    pub repository: String,
    /// The image.
    pub digest: Digest,
    /// The digest of the set: of the bill of materials that lists them.
    pub set: Digest,
    /// Package URLs, each without and with its version: `pkg:npm/left-pad` and `1.3.0`.
    pub packages: Vec<(String, String)>,
}

/// A container that runs, as something saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadRow {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// What owns it: for what Kubernetes admission saw, the UID of the object that controls it.
    pub owner: String,
    /// The container's name.
    pub container: String,
    /// `host/repository`
    pub repository: String,
    /// What runs.
    pub digest: Digest,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
}

/// That an image was promoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionRow {
    /// UUIDv7.
    pub id: String,
    /// The decision that allowed it.
    pub decision: String,
    /// What was promoted.
    pub digest: Digest,
    /// From `host/repository`
    pub source: String,
    /// To `host/repository:tag`
    pub destination: String,
    /// For which environment.
    pub environment: String,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

/// Work to be done later, by whichever replica takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What kind of work: `reevaluate`, `collect`, …
    pub kind: String,
    /// Of two jobs of one kind with one key there is one: a job that waits is not queued again.
    pub key: String,
    /// What it is about, as JSON.
    pub payload: String,
    /// Not before.
    pub run_at: Timestamp,
}

/// A job that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// UUIDv7.
    pub id: String,
    /// What kind of work.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// What it is about, as JSON.
    pub payload: String,
    /// How often it was taken, this time included.
    pub attempts: i64,
    /// Until when it is ours.
    pub lease_until: Timestamp,
}

/// What changed, so that caches learn of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything that was judged: a policy, an exception, trust material, a denylist.
    Global,
    /// What is known about one image, in whichever repository.
    Image(Digest),
}

/// One change with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Without gaps and in order of commit.
    pub seq: i64,
    /// What changed.
    pub scope: Scope,
}

/// An entry of the audit log that waits for its place, or has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafRow {
    /// UUIDv7.
    pub id: String,
    /// `decision`, `policy.activated`, …
    pub kind: String,
    /// The image it is about, if it is about one: what the image's life is read from.
    pub subject: Option<Digest>,
    /// `host/repository` of that image.
    pub repository: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    /// The canonical bytes. Empty once retention dropped them; the hash stays.
    pub bytes: Vec<u8>,
    /// RFC 6962 leaf hash of the bytes: SHA-256 of a zero byte and them.
    pub hash: [u8; 32],
    /// Its place in the tree, once it has one.
    pub index: Option<u64>,
}

/// The head of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// The number of leaves in the tree.
    pub size: u64,
    /// The signed note (C2SP tlog-checkpoint); empty while the tree is.
    pub checkpoint: String,
    /// When it was signed.
    pub at: Timestamp,
    /// The public key of the log, as a verifier key of C2SP signed notes; empty until a key signed first.
    pub key: String,
}

/// A node of the tree that is complete: all leaves below it are there. Level 0 are the leaves' hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogNode {
    /// Its level.
    pub level: u8,
    /// Its place in the level, from the left.
    pub index: u64,
    /// Its hash.
    pub hash: [u8; 32],
}
