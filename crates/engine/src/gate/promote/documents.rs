//! Documents that were handed in about an image go with it: what counts where it comes from counts where it goes to, as handed in there by the promotion
//! (S22), for as many environments as both whoever handed it in and whoever promotes may hand in for. In the others it adds its findings, as everywhere.
//! Whoever handed it in first stays the one whose word it is. What was taken back does not go; what is taken back later is taken back at each place.

use std::collections::BTreeSet;

use model::{Digest, ImageReference, Timestamp};
use serde_json::{Value, json};
use store::{Batch, ItemRow, LeafRow, Scope, SignalRow};

use super::super::collecting::repository;
use super::super::documents::{Places, common, kept};
use super::super::permit::Permit;
use super::super::submitting::MOST;
use super::super::{Inner, recording};
use super::{Plan, PromoteError};

/// Documents that go along, as they are written.
#[derive(Debug, Default)]
pub(super) struct HandedOn {
    signals: Vec<SignalRow>,
    /// Where they count.
    items: Vec<ItemRow>,
    leaves: Vec<LeafRow>,
    /// How many count no longer: there is no room or no right.
    behind: usize,
}

impl HandedOn {
    pub(super) fn is_empty(&self) -> bool {
        self.signals.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.signals.len()
    }

    /// Adds them to what is written.
    pub(super) fn write(self, batch: &mut Batch) {
        let about: BTreeSet<Digest> = self.signals.iter().map(|row| row.digest.clone()).collect();
        batch.changes.extend(about.into_iter().map(Scope::Image));
        batch.signals.extend(self.signals);
        batch.items.extend(self.items);
        // First what it brings along, then that it is there.
        batch.leaves.splice(..0, self.leaves);
    }

    /// What whoever promotes should know.
    pub(super) fn warning(&self, plan: &Plan) -> Option<String> {
        let to = plan.to();
        let why = if plan.hands_on.is_empty() {
            format!("{} may not hand documents in at {to}", plan.identity)
        } else {
            format!(
                "as many as {to} may have about one image are there, or {} may not hand them in there",
                plan.identity
            )
        };
        (self.behind > 0).then(|| {
            let (n, from) = (self.behind, plan.from());
            format!("documents handed in about it at {from} that do not count at {to}: {n}; {why}")
        })
    }
}

impl Inner {
    /// What was handed in about the image and its platforms where it comes from, and is not where it goes to.
    pub(super) async fn documents_for(
        &self,
        plan: &Plan,
        source: &ImageReference,
        permit: &Permit,
        promotion: &str,
        now: Timestamp,
    ) -> Result<HandedOn, PromoteError> {
        let (from, to) = (repository(source), plan.to());
        let mut handed = HandedOn::default();
        if from == to {
            return Ok(handed);
        }
        let mut about = self.parts(permit.subject());
        about.extend(permit.children().iter().cloned());
        about.sort();
        about.dedup();
        let mut there = self.store.signals_about(&to, &about).await?;
        let mut places = Places::of(&self.store, &there).await?;
        let mut here = self.store.signals_about(&from, &about).await?;
        let counting = Places::of(&self.store, &here).await?;
        here.sort_by(|one, other| one.id.cmp(&other.id));
        for row in here {
            let before = counting.environments(&row.id);
            let environments = common(&before, &plan.hands_on);
            let counts = |one: &&SignalRow| one.digest == row.digest && places.counts_in_all(&one.id, &environments);
            let same = |one: &SignalRow| (&one.evidence, &one.kind) == (&row.evidence, &row.kind);
            if there.iter().filter(counts).any(same) {
                continue;
            }
            if there.iter().filter(counts).count() >= MOST {
                handed.behind += 1;
                continue;
            }
            if environments.is_empty() && !before.is_empty() {
                handed.behind += 1;
            }
            let id = uuid::Uuid::now_v7().to_string();
            let first = self.store.leaf(&row.id).await?;
            let first = first.and_then(|leaf| serde_json::from_slice::<Value>(&leaf.bytes).ok());
            let format = first.as_ref().and_then(|entry| entry.pointer("/body/format"));
            let body = json!({ "document": row.evidence, "documentKind": row.kind, "format": format,
                "by": row.submitted_by, "environments": environments, "pipeline": plan.by.pipeline, "commit": plan.by.commit,
                "handedOn": { "from": from, "signal": row.id, "promotion": promotion, "by": &*plan.identity } });
            handed.leaves.push(recording::leaf(id.clone(), "signal", Some((&to, &row.digest)), now, body)?);
            let row = SignalRow { id, repository: to.clone(), submitted_at: now, ..row };
            handed.items.extend(kept(&row, environments.clone())?);
            places.add(row.id.clone(), environments);
            there.push(row.clone());
            handed.signals.push(row);
        }
        Ok(handed)
    }
}
