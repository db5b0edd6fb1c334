//! Answers: who was told what. Where it has to be on record before it is told (a pipeline, a promotion) it is written at once; of the others
//! those of one moment that are alike are one row, written within a second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::Timestamp;
use store::{AnswerRow, Batch, Store, StoreError};

use super::asking::{Asker, Point};

/// How long answers are put together.
const TOGETHER: Duration = Duration::from_millis(200);
/// Answers of different kinds that wait; beyond that each is written at once.
const WAITING: usize = 20_000;

const NOBODY: Asker =
    Asker { identity: None, point: Point::Gate, pipeline: None, commit: None, trace_id: None, seat: None };

/// What answers have to have in common to be one row: the decision, what was answered, and who asked.
type Alike = (String, &'static str, Asker);

/// Answers that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Answers {
    waiting: Mutex<HashMap<Alike, AnswerRow>>,
}

/// True where an answer has to be durable before it is given.
pub(super) fn is_durable(point: Point) -> bool {
    matches!(point, Point::Ci | Point::Promotion)
}

/// An answer given now.
pub(super) fn row(decision: &str, by: &Asker, basis: &str, at: Timestamp) -> AnswerRow {
    AnswerRow {
        id: uuid::Uuid::now_v7().to_string(),
        decision: decision.to_owned(),
        point: by.point.as_str().to_owned(),
        basis: basis.to_owned(),
        asked_by: by.identity.clone(),
        pipeline: by.pipeline.clone(),
        commit: by.commit.clone(),
        trace_id: by.trace_id.clone(),
        at,
        times: 1,
    }
}

impl Answers {
    /// Notes an answer, to be written soon; its id.
    pub(super) fn note(
        &self,
        store: &Store,
        decision: &str,
        by: &Asker,
        basis: &'static str,
        at: Timestamp,
    ) -> Result<String, StoreError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let alike = (decision.to_owned(), basis, by.clone());
        if let Some(known) = waiting.get_mut(&alike) {
            known.times += 1;
            return Ok(known.id.clone());
        }
        let row = row(decision, by, basis, at);
        let id = row.id.clone();
        if waiting.len() >= WAITING {
            drop(waiting);
            store.write_soon(Batch { answers: vec![row], ..Batch::default() })?;
            return Ok(id);
        }
        waiting.insert(alike, row);
        Ok(id)
    }

    /// Writes what waits.
    pub(super) async fn flush(&self, store: &Store) {
        let rows: Vec<AnswerRow> =
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, row)| row).collect();
        if rows.is_empty() {
            return;
        }
        let Err(error) = store.write(Batch { answers: rows.clone(), ..Batch::default() }).await else { return };
        tracing::error!(%error, answers = rows.len(), "answers that were given are not on record yet");
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows.into_iter().take(WAITING.saturating_sub(waiting.len())) {
            // Under a key of its own, so that those of this moment are not counted with it.
            let by = Asker { identity: Some(row.id.clone()), ..NOBODY };
            waiting.insert((row.decision.clone(), "", by), row);
        }
    }

    /// Writes what waits, again and again.
    pub(super) async fn keep_flushing(&self, store: &Store) {
        loop {
            tokio::time::sleep(TOGETHER).await;
            self.flush(store).await;
        }
    }
}
