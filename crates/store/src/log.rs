//! The audit log's tree, as it is kept: who computes it is not here.

use sqlx::AnyConnection;

use crate::error::StoreError;
use crate::trouble::Trouble;
use crate::value::{Filter, Reader, Value, arguments, places, statement};
use crate::{LeafQuery, LeafRow, LogHead, LogNode, Result, Store};

const DOING: &str = "extending the audit log";
/// How many leaves or nodes one statement takes.
const CHUNK: usize = 256;
const LEAF: &str = "SELECT id, kind, subject, repository, at, hash, place, bytes FROM leaves";

impl Store {
    /// Entries of the audit log as they happened, in the tree or not yet.
    pub async fn leaves(&self, query: &LeafQuery) -> Result<Vec<LeafRow>> {
        let mut filter = Filter::default();
        filter.and("subject =", query.subject.as_ref().map(|subject| Value::Text(subject.as_str())));
        filter.and("repository =", query.repository.as_deref().map(Value::Text));
        filter.and("id >", query.after.as_deref().map(Value::Text));
        let limit = filter.place(Value::Int(query.limit.into()));
        self.leaf_rows(&format!("{LEAF}{} ORDER BY id LIMIT {limit}", filter.text()), &filter.values).await
    }

    /// The leaf of a decision, or of anything else, by its id.
    pub async fn leaf(&self, id: &str) -> Result<Option<LeafRow>> {
        Ok(self.leaf_rows(&format!("{LEAF} WHERE id = $1"), &[Value::Text(id)]).await?.pop())
    }

    /// Leaves of the tree from this index on, in order.
    pub async fn leaves_from(&self, index: u64, limit: u32) -> Result<Vec<LeafRow>> {
        let values = [Value::Int(number(index)), Value::Int(limit.into())];
        self.leaf_rows(&format!("{LEAF} WHERE place >= $1 ORDER BY place LIMIT $2"), &values).await
    }

    /// Leaves without a place, the oldest first.
    pub async fn unsequenced(&self, limit: u32) -> Result<Vec<LeafRow>> {
        let sql = format!("{LEAF} WHERE place IS NULL ORDER BY id LIMIT $1");
        self.leaf_rows(&sql, &[Value::Int(limit.into())]).await
    }

    /// The newest head; `None` until the first one is written.
    pub async fn log_head(&self) -> Result<Option<LogHead>> {
        let sql = "SELECT size, checkpoint, at, key FROM log_head WHERE id = 1";
        let Some(row) = self.row("reading the audit log's head", sql, &[]).await? else { return Ok(None) };
        let row = Reader { row: &row, what: "audit log head" };
        let (size, checkpoint) = (row.count("size")?, row.get("checkpoint")?);
        Ok(Some(LogHead { size, checkpoint, at: row.at("at")?, key: row.get("key")? }))
    }

    /// These nodes of the tree, as far as they are there, in the order in which they are wanted.
    pub async fn log_nodes(&self, wanted: &[(u8, u64)]) -> Result<Vec<LogNode>> {
        let mut found = std::collections::HashMap::new();
        for some in wanted.chunks(CHUNK) {
            let pairs: Vec<String> = (0..some.len()).map(|n| format!("({})", places(2 * n + 1, 2))).collect();
            let sql = format!(
                "SELECT level, place, hash FROM log_nodes WHERE (level, place) IN (VALUES {})",
                pairs.join(", ")
            );
            let values: Vec<Value> = (some.iter())
                .flat_map(|(level, index)| [Value::Int(i64::from(*level)), Value::Int(number(*index))])
                .collect();
            for row in &self.rows("reading nodes of the audit log", &sql, &values).await? {
                let row = Reader { row, what: "node of the audit log" };
                found.insert((row.count("level")?, row.count("place")?), row.hash("hash")?);
            }
        }
        let node = |(level, index): &(u8, u64)| {
            let hash = *found.get(&(u64::from(*level), *index))?;
            Some(LogNode { level: *level, index: *index, hash })
        };
        Ok(wanted.iter().filter_map(node).collect())
    }

    /// Gives leaves their places, `head.size` being the new size: done only if the tree still has `from` leaves. False if another
    /// sequencer was first, which is harmless.
    pub async fn extend_log(&self, from: u64, leaves: &[String], nodes: &[LogNode], head: &LogHead) -> Result<bool> {
        if from.checked_add(leaves.len() as u64) != Some(head.size) {
            let why = format!("{from} leaves and {} more are not {}", leaves.len(), head.size);
            return Err(StoreError::Database { doing: DOING, why });
        }
        let extension = std::sync::Arc::new((from, leaves.to_vec(), nodes.to_vec(), head.clone()));
        self.transact(DOING, None, move |connection| {
            let extension = std::sync::Arc::clone(&extension);
            Box::pin(async move {
                let (from, leaves, nodes, head) = &*extension;
                extend(connection, *from, leaves, nodes, head).await
            })
        })
        .await
    }

    async fn leaf_rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<LeafRow>> {
        let rows = self.rows("reading the audit log", sql, values).await?;
        rows.iter().map(|row| leaf(&Reader { row, what: "audit log entry" })).collect()
    }
}

async fn extend(
    connection: &mut AnyConnection,
    from: u64,
    leaves: &[String],
    nodes: &[LogNode],
    head: &LogHead,
) -> std::result::Result<bool, Trouble> {
    sqlx::query(
        "INSERT INTO log_head (id, size, checkpoint, at, key) VALUES (1, 0, '', 0, '') ON CONFLICT (id) DO NOTHING",
    )
    .execute(&mut *connection)
    .await?;
    // Whoever else extends waits here, and then finds another size.
    let swapped =
        sqlx::query("UPDATE log_head SET size = $2, checkpoint = $3, at = $4, key = $5 WHERE id = 1 AND size = $1")
            .bind(number(from))
            .bind(number(head.size))
            .bind(head.checkpoint.as_str())
            .bind(head.at.as_millisecond())
            .bind(head.key.as_str())
            .execute(&mut *connection)
            .await?;
    if swapped.rows_affected() == 0 {
        // It may be ours: a commit that nobody heard of.
        let same = sqlx::query("SELECT 1 AS n FROM log_head WHERE size = $1 AND checkpoint = $2 AND $1 > $3")
            .bind(number(head.size))
            .bind(head.checkpoint.as_str())
            .bind(number(from));
        return Ok(same.fetch_optional(&mut *connection).await?.is_some());
    }
    let mut place = number(from);
    for some in leaves.chunks(CHUNK) {
        let pairs: Vec<String> = (0..some.len()).map(|n| format!("({})", places(2 * n + 1, 2))).collect();
        let sql = format!(
            "UPDATE leaves SET place = given.column2 FROM (VALUES {}) AS given \
             WHERE leaves.id = given.column1 AND leaves.place IS NULL",
            pairs.join(", ")
        );
        let mut values = Vec::with_capacity(some.len() * 2);
        for id in some {
            values.extend([Value::Text(id), Value::Int(place)]);
            place += 1;
        }
        let placed = statement(sql, arguments(&values)?).execute(&mut *connection).await?;
        if placed.rows_affected() != some.len() as u64 {
            return Err(StoreError::Conflict { what: "an entry of the audit log" }.into());
        }
    }
    for some in nodes.chunks(CHUNK) {
        let rows: Vec<String> = (0..some.len()).map(|n| format!("({})", places(3 * n + 1, 3))).collect();
        let sql = format!(
            "INSERT INTO log_nodes (level, place, hash) VALUES {} ON CONFLICT (level, place) DO NOTHING",
            rows.join(", ")
        );
        let values: Vec<Value> = (some.iter())
            .flat_map(|node| {
                [Value::Int(i64::from(node.level)), Value::Int(number(node.index)), Value::Blob(&node.hash)]
            })
            .collect();
        statement(sql, arguments(&values)?).execute(&mut *connection).await?;
    }
    Ok(true)
}

fn leaf(row: &Reader<'_>) -> Result<LeafRow> {
    let place: Option<i64> = row.get("place")?;
    Ok(LeafRow {
        id: row.get("id")?,
        kind: row.get("kind")?,
        subject: row.digest_or_none("subject")?,
        repository: row.get("repository")?,
        at: row.at("at")?,
        bytes: row.get("bytes")?,
        hash: row.hash("hash")?,
        index: place.map(u64::try_from).transpose().map_err(|error| row.wrong("place", &error))?,
    })
}

/// As a column holds it. A tree of 2^63 leaves is further away than any number that is really meant.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
