//! What the caller decides about the client: plain http, certificates, mirrors, realms, time and size limits.
//! Every limit ends in an error that names it, never in a shorter answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::Reach;

/// How the client behaves. `Options::default()` is right for public registries.
#[derive(Debug, Clone)]
pub struct Options {
    /// Hosts (with port, as in image references) that are spoken to in plain http. Never guessed, not even for loopback.
    pub insecure_hosts: BTreeSet<String>,
    /// More certificate authorities, each a PEM file with one or more certificates.
    pub ca_pem: Vec<Vec<u8>>,
    /// For a host, the mirrors (`host[:port][/prefix]`) that are asked before it for manifests and blobs. Referrers, tags
    /// and pushes go to the host itself: a mirror cannot say that its list is whole.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Hosts that may hand out tokens, beside a registry's own host and its close relatives.
    pub token_realms: BTreeSet<String>,
    /// Where the client goes at all.
    pub reach: Reach,
    /// How long one request may take; for a streamed blob, how long nothing may arrive.
    pub timeout: Duration,
    /// How long one operation may take with all its repetitions and waits.
    pub deadline: Duration,
    /// How often a request that failed for a passing reason is repeated.
    pub retries: u32,
    /// How many requests to one host may wait for an answer at a time.
    pub concurrency: usize,
    /// What `User-Agent` says.
    pub user_agent: String,
    /// Sizes and counts.
    pub limits: Limits,
}

/// Sizes and counts beyond which an answer is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a manifest, an index, or one page of a list.
    pub manifest_bytes: u64,
    /// Bytes of a token answer.
    pub token_bytes: u64,
    /// Referrers of one image, before filtering.
    pub referrers: usize,
    /// Tags of a repository, or repositories of a registry.
    pub names: usize,
    /// Pages of one list.
    pub pages: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            insecure_hosts: BTreeSet::new(),
            ca_pem: Vec::new(),
            mirrors: BTreeMap::new(),
            token_realms: BTreeSet::new(),
            reach: Reach::Anywhere,
            timeout: Duration::from_secs(30),
            deadline: Duration::from_mins(2),
            retries: 4,
            concurrency: 6,
            user_agent: concat!("ecr-gate/", env!("CARGO_PKG_VERSION")).to_owned(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { manifest_bytes: 4 << 20, token_bytes: 64 << 10, referrers: 1_000, names: 100_000, pages: 1_000 }
    }
}
