//! Forgetting, table by table, and never more than is asked for. A piece at a time, so that writes go on in between.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use model::Timestamp;
use sqlx::Row as _;

use crate::packed::unpack;
use crate::place::Backend;
use crate::trouble::Trouble;
use crate::value::{Value, arguments, places, statement};
use crate::{Batch, LeafRow, Result, SCHEMA, Store, StoreError, schema};

const DOING: &str = "forgetting";
/// How many rows one transaction looks at.
const PIECE: i64 = 1000;
/// How many pieces of evidence one statement deletes.
const EVIDENCE: usize = 200;
/// How many entries of the audit log one transaction looks at: their bytes are rewritten.
const LEAVES: i64 = 500;

/// What can be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgettable {
    /// Decisions, but the newest about each image in each environment, the newest that covers a manifest, and those that promoted something.
    Decisions,
    /// Answers.
    Answers,
    /// Evidence that no decision names (itself, or in its facts) and that was not submitted.
    Evidence,
    /// Submitted documents: what they said no longer counts.
    Signals,
    /// Idempotency keys that are over.
    Idempotency,
    /// Jobs that were given up.
    Jobs,
}

impl Forgettable {
    /// Every one, in an order in which the next finds what the one before no longer needs.
    pub const ALL: [Self; 6] =
        [Self::Idempotency, Self::Jobs, Self::Answers, Self::Signals, Self::Decisions, Self::Evidence];

    /// The table's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decisions => "decisions",
            Self::Answers => "answers",
            Self::Evidence => "evidence",
            Self::Signals => "signals",
            Self::Idempotency => "idempotency",
            Self::Jobs => "jobs",
        }
    }

    /// The key, when a row happened, and what else has to hold.
    fn rule(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Decisions => (
                "id",
                "recorded_at",
                "NOT EXISTS (SELECT 1 FROM latest_decisions l WHERE l.repository = decisions.repository \
                     AND l.digest = decisions.digest AND l.environment = decisions.environment AND l.decision = decisions.id) \
                 AND NOT EXISTS (SELECT 1 FROM latest_parents p WHERE p.decision = decisions.id) \
                 AND NOT EXISTS (SELECT 1 FROM promotions m WHERE m.decision = decisions.id)",
            ),
            Self::Answers => ("id", "at", "1 = 1"),
            Self::Evidence => ("digest", "stored_at", UNNAMED),
            Self::Signals => ("id", "submitted_at", "1 = 1"),
            Self::Idempotency => ("key", "until", "1 = 1"),
            Self::Jobs => ("id", "run_at", "due_at IS NULL"),
        }
    }
}

const UNNAMED: &str = "NOT EXISTS (SELECT 1 FROM decisions d WHERE d.facts = evidence.digest) \
     AND NOT EXISTS (SELECT 1 FROM signals s WHERE s.evidence = evidence.digest)";

impl Store {
    /// Forgets what is older than this, and gives how many rows that were. May be stopped at any time, and run again.
    pub async fn prune(&self, what: Forgettable, before: Timestamp) -> Result<u64> {
        if what == Forgettable::Evidence {
            return self.prune_evidence(before.as_millisecond()).await;
        }
        let (key, time, and) = what.rule();
        let table = what.as_str();
        let window = format!(
            "SELECT MAX(w.k) FROM (SELECT {key} AS k FROM {table} WHERE {key} > $1 AND {time} < $2 ORDER BY {key} LIMIT $3) w"
        );
        let delete = format!("DELETE FROM {table} WHERE {key} > $1 AND {key} <= $2 AND {time} < $3 AND {and}");
        let (mut from, before, mut forgotten) = (String::new(), before.as_millisecond(), 0);
        loop {
            let step = Arc::new((window.clone(), delete.clone(), from.clone()));
            let (up_to, rows) = self
                .transact(DOING, None, move |connection| {
                    let step = Arc::clone(&step);
                    Box::pin(async move {
                        let (window, delete, from) = &*step;
                        let values = [Value::Text(from), Value::Int(before), Value::Int(PIECE)];
                        let row = statement(window.clone(), arguments(&values)?).fetch_one(&mut *connection).await?;
                        let Some(up_to) = row.try_get::<Option<String>, _>(0)? else { return Ok((None, 0)) };
                        let values = [Value::Text(from), Value::Text(&up_to), Value::Int(before)];
                        let gone = statement(delete.clone(), arguments(&values)?).execute(&mut *connection).await?;
                        Ok((Some(up_to), gone.rows_affected()))
                    })
                })
                .await?;
            forgotten += rows;
            match up_to {
                Some(up_to) => from = up_to,
                None => return Ok(forgotten),
            }
        }
    }

    /// Evidence is also named inside other evidence: facts name what they were read from. Whatever is written as a digest there counts as named. A batch
    /// brings the evidence that its decision names along, so what is stored again meanwhile is no longer old, and stays.
    async fn prune_evidence(&self, before: i64) -> Result<u64> {
        let old = self.unnamed_evidence(before).await?;
        let mut old: Vec<String> = old.iter().map(|digest| format!("sha256:{}", hex::encode(digest))).collect();
        old.sort_unstable();
        let backend = self.inner.place.backend;
        let mut forgotten = 0;
        for some in old.chunks(EVIDENCE) {
            let some: Arc<[String]> = some.into();
            forgotten += self
                .transact(DOING, None, move |connection| {
                    let some = Arc::clone(&some);
                    Box::pin(async move {
                        if backend == Backend::Postgres {
                            // Nobody may store evidence, and then name it, between the look and the deletion.
                            let lock = sqlx::query("LOCK TABLE evidence IN SHARE ROW EXCLUSIVE MODE");
                            lock.execute(&mut *connection).await?;
                        }
                        let sql = format!(
                            "DELETE FROM evidence WHERE digest IN ({}) AND stored_at < $1 AND {UNNAMED}",
                            places(2, some.len())
                        );
                        let mut values = vec![Value::Int(before)];
                        values.extend(some.iter().map(|digest| Value::Text(digest)));
                        Ok(statement(sql, arguments(&values)?).execute(&mut *connection).await?.rows_affected())
                    })
                })
                .await?;
        }
        Ok(forgotten)
    }

    /// How many rows [`Self::prune`] would forget as things are. Changes nothing, and can be asked of a database that another process serves from.
    pub async fn prunable(&self, what: Forgettable, before: Timestamp) -> Result<u64> {
        let before = before.as_millisecond();
        let place = &self.inner.place;
        let mut connection = place.connect().await.map_err(|trouble| trouble.while_doing("connecting"))?;
        let found = schema::found(place, &mut connection).await?;
        if found != SCHEMA {
            return Err(StoreError::Schema { found, known: SCHEMA });
        }
        if what == Forgettable::Evidence {
            return Ok(self.unnamed_evidence(before).await?.len() as u64);
        }
        let (_, time, and) = what.rule();
        let sql = format!("SELECT COUNT(*) AS n FROM {} WHERE {time} < $1 AND {and}", what.as_str());
        // Without a bound: it may look at every row.
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(before).fetch_one(&mut connection).await;
        let count = row.and_then(|row| row.try_get::<i64, _>(0));
        count.map(i64::unsigned_abs).map_err(|error| Trouble::from(error).while_doing(DOING))
    }

    /// Old evidence that nothing names.
    async fn unnamed_evidence(&self, before: i64) -> Result<HashSet<[u8; 32]>> {
        let failed = |error: sqlx::Error| Trouble::from(error).while_doing(DOING);
        let mut old = HashSet::new();
        {
            let sql = format!("SELECT digest FROM evidence WHERE stored_at < $1 AND {UNNAMED}");
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(before);
            let mut rows = query.fetch(&self.inner.readers);
            while let Some(row) = rows.try_next().await.map_err(failed)? {
                let digest: String = row.try_get(0).map_err(failed)?;
                old.extend(digest.strip_prefix("sha256:").and_then(bytes_of));
            }
        }
        for sql in [
            "SELECT e.bytes AS b, e.media_type AS m FROM evidence e WHERE EXISTS (SELECT 1 FROM decisions d WHERE d.facts = e.digest)",
            "SELECT record AS b, '' AS m FROM decisions WHERE facts IS NULL",
            // What was read in pages is named by a list of them, which the facts name.
            "SELECT e.bytes AS b, e.media_type AS m FROM evidence e WHERE e.media_type LIKE 'application/vnd.ecr-gate.pages%'",
        ] {
            if old.is_empty() {
                return Ok(old);
            }
            let mut rows = sqlx::query(sql).fetch(&self.inner.readers);
            while let Some(row) = rows.try_next().await.map_err(failed)? {
                let (bytes, media_type): (Vec<u8>, String) =
                    (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
                // What cannot be unpacked might name anything: then nothing is forgotten.
                let bytes = if media_type.ends_with("gzip") { unpack(&bytes)? } else { bytes };
                for named in digests_in(&bytes) {
                    old.remove(&named);
                }
            }
        }
        Ok(old)
    }

    /// Writes `trace`, which says so, and then empties the bytes of what is older than this in the audit log and has its place there: a piece at a time, so that
    /// decisions go on being recorded. Hashes stay, so that the tree can still be verified; entries of the kind of `trace` stay whole. Gives the number of
    /// entries. May be stopped at any time, and run again: nothing is emptied before its trace is on record.
    pub async fn drop_leaf_bytes(&self, before: Timestamp, trace: LeafRow) -> Result<u64> {
        let kind = trace.kind.clone();
        let before = before.as_millisecond();
        self.write(Batch { leaves: vec![trace], ..Batch::default() }).await?;
        let (mut from, mut dropped) = (-1, 0);
        loop {
            let kind = kind.clone();
            let (up_to, rows) = self
                .transact("dropping bytes of the audit log", None, move |connection| {
                    let kind = kind.clone();
                    Box::pin(async move {
                        let window = "SELECT MAX(w.place) FROM \
                             (SELECT place FROM leaves WHERE place > $1 ORDER BY place LIMIT $2) w";
                        let window = sqlx::query(window).bind(from).bind(LEAVES).fetch_one(&mut *connection).await?;
                        let Some(up_to) = window.try_get::<Option<i64>, _>(0)? else { return Ok((None, 0)) };
                        let empty: &[u8] = &[];
                        let emptied = sqlx::query(
                            "UPDATE leaves SET bytes = $1 \
                             WHERE place > $2 AND place <= $3 AND at < $4 AND kind <> $5 AND length(bytes) > 0",
                        );
                        let emptied = emptied.bind(empty).bind(from).bind(up_to).bind(before).bind(kind);
                        Ok((Some(up_to), emptied.execute(&mut *connection).await?.rows_affected()))
                    })
                })
                .await?;
            dropped += rows;
            match up_to {
                Some(up_to) => from = up_to,
                None => return Ok(dropped),
            }
        }
    }
}

/// Every `sha256:…` in there.
fn digests_in(bytes: &[u8]) -> impl Iterator<Item = [u8; 32]> {
    const MARK: &[u8] = b"sha256:";
    (0..bytes.len().saturating_sub(MARK.len() + 63))
        .filter(|at| bytes[*at..].starts_with(MARK))
        .filter_map(|at| bytes_of(std::str::from_utf8(bytes.get(at + MARK.len()..at + MARK.len() + 64)?).ok()?))
}

fn bytes_of(digits: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(digits, &mut digest).ok().map(|()| digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_found_wherever_it_stands() {
        let (one, two) = (model::Digest::of(b"1"), model::Digest::of(b"2"));
        let text = format!("{one} sha256:short \u{fffd}sha256:{} [\"{two}\"", "g".repeat(64));
        let found: Vec<_> =
            digests_in(text.as_bytes()).map(|digest| format!("sha256:{}", hex::encode(digest))).collect();
        assert_eq!(found, [one.as_str(), two.as_str()]);
        assert_eq!(digests_in(b"sha256:").count() + digests_in(b"").count(), 0);
        assert_eq!(digests_in(two.as_str().as_bytes()).count(), 1);
    }
}
