//! A batch with everything that can be worked out before it is its turn to be written.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::batch::Batch;

/// A batch, ready to be written as often as it takes.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) batch: Batch,
    /// Per decision: its children as JSON.
    pub(super) children: Vec<String>,
    /// Per policy: its names as JSON.
    pub(super) names: Vec<String>,
    /// Per row of packages: the id of its set.
    pub(super) sets: Vec<[u8; 32]>,
    /// Per row of packages: the id of each package.
    pub(super) packages: Vec<Vec<[u8; 16]>>,
    /// Per job: its id, if it is not waiting already.
    pub(super) jobs: Vec<String>,
    /// Per job that is done: the id it gets if it has to run once more.
    pub(super) once_more: Vec<String>,
    /// The newest time in the batch: what is new in it was stored then.
    pub(super) at: i64,
}

impl From<Batch> for Prepared {
    fn from(batch: Batch) -> Self {
        let id = || Uuid::now_v7().to_string();
        Self {
            children: batch.decisions.iter().map(|row| list(row.children.iter().map(model::Digest::as_str))).collect(),
            names: batch.policies.iter().map(|row| list(row.names.iter().map(String::as_str))).collect(),
            sets: batch.packages.iter().map(|row| set_id(row.set.as_str())).collect(),
            packages: batch
                .packages
                .iter()
                .map(|row| row.packages.iter().map(|(purl, version)| package_id(purl, version)).collect())
                .collect(),
            jobs: batch.jobs.iter().map(|_| id()).collect(),
            once_more: batch.done.iter().map(|_| id()).collect(),
            at: newest(&batch),
            batch,
        }
    }
}

impl Prepared {
    /// True if it may be refused for what others wrote meanwhile: then it is a transaction of its own.
    pub(super) fn is_alone(&self) -> bool {
        self.batch.activation.is_some() || !self.batch.items.is_empty()
    }

    /// Roughly how many bytes it keeps in memory.
    pub(crate) fn size(&self) -> usize {
        let batch = &self.batch;
        let rows = batch.decisions.len()
            + batch.answers.len()
            + batch.signals.len()
            + batch.withdrawn.len()
            + batch.workloads.len()
            + batch.promotions.len()
            + batch.jobs.len()
            + batch.uses.len()
            + batch.changes.len();
        rows * 512
            + batch.items.iter().map(|row| row.body.len() + 512).sum::<usize>()
            + batch.decisions.iter().map(|row| row.record.len() + 160 * row.children.len()).sum::<usize>()
            + batch.evidence.iter().map(|row| row.bytes.len() + 256).sum::<usize>()
            + batch.policies.iter().map(|row| row.bundle.len() + 256).sum::<usize>()
            + batch.packages.iter().map(|row| row.packages.len() * 160).sum::<usize>()
            + batch.leaves.iter().map(|row| row.bytes.len() + 512).sum::<usize>()
            + batch.idempotency.iter().map(|row| row.response.len() + 256).sum::<usize>()
    }
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.collect::<serde_json::Value>().to_string()
}

pub(crate) fn set_id(digest: &str) -> [u8; 32] {
    Sha256::digest(digest).into()
}

pub(crate) fn package_id(purl: &str, version: &str) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::new().chain_update(purl).chain_update([0]).chain_update(version).finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

fn newest(batch: &Batch) -> i64 {
    let times = (batch.decisions.iter().map(|row| row.recorded_at))
        .chain(batch.answers.iter().map(|row| row.at))
        .chain(batch.policies.iter().map(|row| row.uploaded_at))
        .chain(batch.signals.iter().map(|row| row.submitted_at))
        .chain(batch.promotions.iter().map(|row| row.at))
        .chain(batch.uses.iter().map(|(_, _, at)| *at))
        .chain(batch.leaves.iter().map(|row| row.at));
    // Evidence without anything beside it never looks old.
    times.max().map_or(i64::MAX / 2, model::Timestamp::as_millisecond)
}
