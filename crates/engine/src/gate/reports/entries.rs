//! The entries of the audit log of a time, one after the other.

use std::sync::Arc;
use std::time::Duration;

use model::{Digest, Timestamp};
use serde_json::{Map, Value};
use store::{LeafQuery, LeafRow};
use tokio::time::Instant;

use super::super::actor::Actor;
use super::super::{GateError, Inner};

/// An entry's id tells when it was made, which may be a little before or after what it says, in milliseconds.
pub(in crate::gate) const AROUND: i64 = 10 * 60 * 1000;
/// Entries that are read at once.
const PAGE: u32 = 500;
/// Entries that one report reads.
const MOST: u64 = 200_000;
/// The longest that one report reads.
const LONGEST: Duration = Duration::from_secs(20);

/// An entry of the audit log.
#[derive(Debug, Clone)]
pub(in crate::gate) struct Entry {
    pub(in crate::gate) id: String,
    pub(in crate::gate) kind: String,
    pub(in crate::gate) repository: Option<String>,
    pub(in crate::gate) digest: Option<Digest>,
    pub(in crate::gate) at: Timestamp,
    pub(in crate::gate) body: Map<String, Value>,
}

impl Entry {
    pub(in crate::gate) fn of(row: LeafRow) -> Option<Self> {
        let Ok(Value::Object(mut whole)) = serde_json::from_slice(&row.bytes) else { return None };
        let Some(Value::Object(body)) = whole.remove("body") else { return None };
        Some(Self { id: row.id, kind: row.kind, repository: row.repository, digest: row.subject, at: row.at, body })
    }

    /// The text at the first of these places that has one.
    pub(in crate::gate) fn text(&self, places: &[&[&str]]) -> Option<&str> {
        places.iter().find_map(|path| {
            let (first, rest) = path.split_first()?;
            let value = rest.iter().try_fold(self.body.get(*first)?, |value, key| value.get(*key))?;
            value.as_str()
        })
    }

    /// The environment that it is about; `None`: every one.
    pub(in crate::gate) fn environment(&self) -> Option<&str> {
        self.text(&[&["environment"], &["scope", "environment"]])
    }
}

/// What was read.
#[derive(Debug, Clone, Copy)]
pub(in crate::gate) struct Read {
    /// Entries that were handed on.
    pub(in crate::gate) entries: u64,
    /// Entries whose text retention dropped.
    pub(in crate::gate) dropped: u64,
    /// Entries that are none.
    pub(in crate::gate) unreadable: u64,
    /// Everything before then was read.
    pub(in crate::gate) until: Timestamp,
    /// There is more before the end.
    pub(in crate::gate) cut: bool,
}

impl Inner {
    /// Hands on each entry of a time that the actor sees, in order.
    pub(in crate::gate) async fn each_entry(
        self: &Arc<Self>,
        since: Timestamp,
        until: Timestamp,
        actor: &Actor,
        mut each: impl FnMut(&Entry) + Send,
    ) -> Result<Read, GateError> {
        let began = Instant::now();
        let mut read = Read { entries: 0, dropped: 0, unreadable: 0, until, cut: false };
        let end = first_id(until, AROUND);
        let (mut after, mut looked) = (first_id(since, -AROUND), 0);
        loop {
            let query = LeafQuery { after: Some(after), limit: PAGE, ..LeafQuery::default() };
            let rows = self.store.leaves(&query).await?;
            let (count, last) = (rows.len(), rows.last().map(|row| (row.id.clone(), row.at)));
            looked += count as u64;
            for row in rows.into_iter().filter(|row| (since..until).contains(&row.at) && actor.sees_leaf(row)) {
                if row.bytes.is_empty() {
                    read.dropped += 1;
                } else if let Some(entry) = Entry::of(row) {
                    read.entries += 1;
                    each(&entry);
                } else {
                    read.unreadable += 1;
                }
            }
            let Some((last, at)) = last.filter(|(last, _)| count == PAGE as usize && *last < end) else {
                return Ok(read);
            };
            if looked >= MOST || began.elapsed() >= LONGEST {
                return Ok(Read { until: at.clamp(since, until), cut: at < until, ..read });
            }
            after = last;
        }
    }
}

/// Before every id that is made so many milliseconds after this time: a UUIDv7 begins with its time.
pub(in crate::gate) fn first_id(at: Timestamp, milliseconds: i64) -> String {
    let time = at.as_millisecond().saturating_add(milliseconds).clamp(0, (1 << 48) - 1);
    format!("{:08x}-{:04x}-7000-8000-000000000000", time >> 16, time & 0xffff)
}
