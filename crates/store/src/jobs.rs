//! Jobs: taken by one, for a time.

use std::time::Duration;

use model::Timestamp;

use crate::value::Reader;
use crate::{Job, Result, Store};

/// The longest text that is kept of what was wrong with a job.
const WHY: usize = 1000;

/// The row is checked again after its lock was waited for: of two that take at once, one gets it.
const TAKE: &str = "UPDATE jobs SET due_at = $2, taken = 1, attempts = attempts + 1, again_at = NULL \
     WHERE id IN (SELECT id FROM jobs WHERE due_at <= $1 ORDER BY due_at, id LIMIT $3) AND due_at <= $1 \
     RETURNING id, kind, key, payload, attempts, due_at, run_at";

impl Store {
    /// Takes jobs that are due, each for this long.
    pub async fn take_jobs(&self, now: Timestamp, lease: Duration, limit: u32) -> Result<Vec<Job>> {
        let from = now.as_millisecond();
        let until = from.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX)).max(from + 1);
        let rows = self
            .transact("taking jobs", None, move |connection| {
                let query = sqlx::query(TAKE).bind(from).bind(until).bind(i64::from(limit));
                Box::pin(async move { Ok(query.fetch_all(connection).await?) })
            })
            .await?;
        let mut jobs = Vec::with_capacity(rows.len());
        for row in &rows {
            let row = Reader { row, what: "job" };
            let job = Job {
                id: row.get("id")?,
                kind: row.get("kind")?,
                key: row.get("key")?,
                payload: row.get("payload")?,
                attempts: row.get("attempts")?,
                lease_until: row.at("due_at")?,
            };
            jobs.push((row.get::<i64>("run_at")?, job));
        }
        jobs.sort_by(|(a, one), (b, other)| (a, &one.id).cmp(&(b, &other.id)));
        Ok(jobs.into_iter().map(|(_, job)| job).collect())
    }

    /// Gives a job back, to be tried at that time; or, without one, never again: it is kept as dead, with what was wrong. A job that was asked for
    /// once more while it was taken does not die.
    pub async fn fail_job(&self, id: &str, again_at: Option<Timestamp>, why: &str) -> Result<()> {
        let id = id.to_owned();
        let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WHY).collect();
        let again_at = again_at.map(Timestamp::as_millisecond);
        self.transact("giving a job back", None, move |connection| {
            let query = sqlx::query(
                "UPDATE jobs SET due_at = COALESCE($2, again_at), run_at = COALESCE($2, again_at, run_at), taken = 0, \
                 again_at = NULL, error = $3 WHERE id = $1",
            );
            let query = query.bind(id.clone()).bind(again_at).bind(why.clone());
            Box::pin(async move { Ok(query.execute(connection).await.map(|_| ())?) })
        })
        .await
    }
}
