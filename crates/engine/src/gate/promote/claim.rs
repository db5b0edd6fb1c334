//! The claim on a tag: of all processes on one store, one at a time looks whether it is there and writes it.

use std::time::{Duration, Instant};

use model::SignedDuration;
use serde_json::json;
use store::{Batch, ItemRow, StoreError};

use super::super::Inner;
use super::super::asking::AskError;
use super::PromoteError;
use super::tracking::Run;

const KIND: &str = "promotionClaim";
const HELD: &str = "held";
const FREE: &str = "free";
/// How long a claim counts that nobody gives back, such as one of a process that was killed.
const LASTS: SignedDuration = SignedDuration::from_mins(5);
/// How long a tag may be written under it: clocks differ, and a registry may take its time to answer.
const WRITES: Duration = Duration::from_mins(2);
/// How long somebody else's is waited for, and how often it is looked at.
const PATIENCE: Duration = Duration::from_mins(6);
const LOOK: Duration = Duration::from_millis(500);

/// Nobody else writes the tag meanwhile.
#[derive(Debug)]
pub(super) struct Claim {
    row: ItemRow,
    writes_until: Instant,
}

impl Claim {
    /// Whether the tag may still be written.
    pub(super) fn holds(&self) -> bool {
        Instant::now() < self.writes_until
    }
}

impl Inner {
    /// Claims the tag of a promotion, after whoever has it.
    pub(super) async fn claim(&self, run: &Run) -> Result<Claim, PromoteError> {
        let begun = Instant::now();
        loop {
            if let Some(claim) = self.try_to_claim(run).await? {
                return Ok(claim);
            }
            if begun.elapsed() > PATIENCE {
                let what = format!("another promotion to {} is on its way", run.plan.destination);
                return Err(AskError::Overloaded(what).into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn try_to_claim(&self, run: &Run) -> Result<Option<Claim>, PromoteError> {
        let (plan, id) = (&run.plan, run.plan.destination.to_string());
        let (begun, now) = (Instant::now(), (self.settings.now)());
        let known = self.store.item(KIND, &id).await?;
        if known.as_ref().is_some_and(|row| row.state == HELD && row.until.is_none_or(|until| now < until)) {
            return Ok(None);
        }
        let row = ItemRow {
            kind: KIND.to_owned(),
            id,
            revision: known.map_or(1, |row| row.revision.saturating_add(1)),
            state: HELD.to_owned(),
            repository: Some(plan.to()),
            digest: run.status().digest,
            environment: Some(plan.environment.clone()),
            created_at: now,
            until: now.checked_add(LASTS).ok(),
            // Of two that write the same revision, this tells whose it is.
            body: json!({ "promotion": run.id }).to_string().into_bytes(),
        };
        match self.store.write(Batch { items: vec![row.clone()], ..Batch::default() }).await {
            Ok(_) => Ok(Some(Claim { row, writes_until: begun + WRITES })),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives it back. If that fails it ends by itself.
    pub(super) async fn give_back(&self, claim: Claim) {
        let row = ItemRow { state: FREE.to_owned(), revision: claim.row.revision.saturating_add(1), ..claim.row };
        let destination = row.id.clone();
        if let Err(error) = self.store.write(Batch { items: vec![row], ..Batch::default() }).await {
            tracing::warn!(destination, %error, "nobody else may write this tag for some minutes");
        }
    }
}
