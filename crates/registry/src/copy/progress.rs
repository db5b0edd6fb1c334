//! How far a copy is, for whoever waits for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counted while a copy runs.
#[derive(Debug, Default)]
pub struct CopyProgress {
    manifests: AtomicU64,
    manifests_done: AtomicU64,
    blobs: AtomicU64,
    blobs_done: AtomicU64,
    bytes: AtomicU64,
    bytes_done: AtomicU64,
    sent_bytes: AtomicU64,
    is_verifying: AtomicBool,
}

/// How far a copy was at one moment. All is 0 while the source is still being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyState {
    /// Manifests in all.
    pub manifests: u64,
    /// Those that are there.
    pub manifests_done: u64,
    /// Blobs in all.
    pub blobs: u64,
    /// Those that are there.
    pub blobs_done: u64,
    /// Bytes of all blobs.
    pub bytes: u64,
    /// Bytes of those that are there.
    pub bytes_done: u64,
    /// Bytes that had to be sent so far, those of tries that failed too.
    pub sent_bytes: u64,
    /// Everything was sent, and is looked at.
    pub is_verifying: bool,
}

impl CopyProgress {
    /// How far it is.
    pub fn state(&self) -> CopyState {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        CopyState {
            manifests: get(&self.manifests),
            manifests_done: get(&self.manifests_done),
            blobs: get(&self.blobs),
            blobs_done: get(&self.blobs_done),
            bytes: get(&self.bytes),
            bytes_done: get(&self.bytes_done),
            sent_bytes: get(&self.sent_bytes),
            is_verifying: self.is_verifying.load(Ordering::Relaxed),
        }
    }

    pub(super) fn begin(&self, manifests: usize, blobs: impl Iterator<Item = u64>) {
        self.manifests.store(manifests as u64, Ordering::Relaxed);
        for size in blobs {
            self.blobs.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(size, Ordering::Relaxed);
        }
    }

    pub(super) fn manifest(&self) {
        self.manifests_done.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn blob(&self, size: u64) {
        self.blobs_done.fetch_add(1, Ordering::Relaxed);
        self.bytes_done.fetch_add(size, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn verifying(&self) {
        self.is_verifying.store(true, Ordering::Relaxed);
    }
}
