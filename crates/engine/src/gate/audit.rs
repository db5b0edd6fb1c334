//! The audit log as the service shows it: what happened to an image, proofs, and exports that are verified without the service.

use std::sync::Arc;

use model::{Digest, Timestamp};
use store::{LeafQuery, LeafRow, LogHead, LogNode};
use trust::log::{ProofPlan, consistency_nodes, export, inclusion_nodes};

use super::actor::Actor;
use super::log::frontier;
use super::{GateError, Inner, scope};

/// Something that happened to an image.
#[derive(Debug, Clone)]
pub struct HistoryEntry {
    /// UUIDv7.
    pub id: String,
    /// `decision`, `signal`, `promotion`, …
    pub kind: String,
    /// `host/repository`
    pub repository: Option<String>,
    /// The image.
    pub subject: Option<Digest>,
    /// When.
    pub at: Timestamp,
    /// The entry as JSON; `None` if retention dropped it.
    pub entry: Option<String>,
}

/// That an entry is in the log.
#[derive(Debug, Clone)]
pub struct AuditProof {
    /// The entry's bytes.
    pub entry: String,
    /// Its place.
    pub index: u64,
    /// The hashes beside the way from it to the root, lowest first.
    pub hashes: Vec<[u8; 32]>,
    /// The checkpoint whose root that is.
    pub checkpoint: String,
}

impl HistoryEntry {
    fn of(row: LeafRow) -> Self {
        let entry = text(&row.bytes);
        Self { id: row.id, kind: row.kind, repository: row.repository, subject: row.subject, at: row.at, entry }
    }
}

impl Inner {
    pub(super) async fn history(self: &Arc<Self>, query: &LeafQuery) -> Result<Vec<HistoryEntry>, GateError> {
        Ok(self.store.leaves(query).await?.into_iter().map(HistoryEntry::of).collect())
    }

    async fn head(&self) -> Result<LogHead, GateError> {
        let none = || GateError::NotFound { what: "checkpoint: nothing was logged yet".to_owned() };
        self.store.log_head().await?.filter(|head| head.size > 0).ok_or_else(none)
    }

    pub(super) async fn inclusion(&self, entry: &str, actor: &Actor) -> Result<AuditProof, GateError> {
        let none = || scope::no_entry(entry);
        let mut leaf = self.store.leaf(entry).await?.filter(|leaf| actor.sees_leaf(leaf)).ok_or_else(none)?;
        if leaf.index.is_none() {
            // It was acknowledged a moment ago and has no place yet.
            self.log.extend(&self.store).await?;
            leaf = self.store.leaf(entry).await?.ok_or_else(none)?;
        }
        let head = self.head().await?;
        let index = leaf.index.filter(|index| *index < head.size).ok_or_else(|| GateError::Conflict {
            what: format!("the audit log, in which entry {entry} has no place yet,"),
        })?;
        let plan = inclusion_nodes(index, head.size).map_err(|error| GateError::invalid(error.to_string()))?;
        let hashes = self.proof(&plan).await?;
        let entry = text(&leaf.bytes)
            .ok_or_else(|| GateError::NotFound { what: format!("text of entry {entry}: retention dropped it") })?;
        Ok(AuditProof { entry, index, hashes, checkpoint: head.checkpoint })
    }

    pub(super) async fn consistency(&self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, GateError> {
        let size = self.head().await?.size;
        if to > size {
            return Err(GateError::invalid(format!("the log has {size} entries, not {to}")));
        }
        let plan = consistency_nodes(from, to).map_err(|error| GateError::invalid(error.to_string()))?;
        self.proof(&plan).await
    }

    async fn proof(&self, plan: &ProofPlan) -> Result<Vec<[u8; 32]>, GateError> {
        let nodes: Vec<LogNode> = self.store.log_nodes(&plan.nodes()).await?;
        let find =
            |level, index| nodes.iter().find(|node| (node.level, node.index) == (level, index)).map(|node| node.hash);
        plan.proof(find).map_err(|error| GateError::invalid(error.to_string()))
    }

    /// Lines of the export: the first one where it begins, entries, and the checkpoint where it reaches the end.
    pub(super) async fn export(&self, from: u64, limit: u32) -> Result<String, GateError> {
        let head = self.head().await?;
        if from > head.size {
            return Err(GateError::invalid(format!("the log has {} entries; {from} is beyond its end", head.size)));
        }
        let mut lines = export::header(self.log.verifier().name(), &frontier(&self.store, from).await?);
        let left = u32::try_from(head.size - from).unwrap_or(u32::MAX);
        let leaves = self.store.leaves_from(from, limit.min(left)).await?;
        for (index, leaf) in (from..).zip(&leaves) {
            if leaf.index != Some(index) {
                return Err(GateError::invalid(format!("the audit log lacks its entry {index}")));
            }
            lines.push_str(&export::entry(index, &leaf.hash, text(&leaf.bytes).as_deref()));
        }
        if from + leaves.len() as u64 == head.size {
            lines.push_str(&export::checkpoint(&head.checkpoint));
        }
        Ok(lines)
    }
}

/// The bytes of an entry, which are text; `None` where they were dropped.
fn text(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() { None } else { Some(String::from_utf8_lossy(bytes).into_owned()) }
}
