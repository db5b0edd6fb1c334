//! What people settled beside the policy.

use std::collections::BTreeMap;

use model::Timestamp;

use crate::error::StoreError;
use crate::query::ItemQuery;
use crate::value::{Filter, Reader, Value, places};
use crate::{ItemRow, Result, Store};

const COLUMNS: &str = "kind, id, revision, state, repository, digest, environment, created_at, until, body";
/// How many ids one statement takes.
const CHUNK: usize = 256;

impl Store {
    /// The last revision of an item.
    pub async fn item(&self, kind: &'static str, id: &str) -> Result<Option<ItemRow>> {
        let sql = format!("SELECT {COLUMNS} FROM items WHERE kind = $1 AND id = $2");
        let row = self.row("reading an item", &sql, &[Value::Text(kind), Value::Text(id)]).await?;
        row.as_ref().map(|row| item(&Reader { row, what: "item" })).transpose()
    }

    /// The last revisions of these items; those that are not there are left out.
    pub async fn items_of(&self, kind: &'static str, ids: &[&str]) -> Result<Vec<ItemRow>> {
        let mut items = Vec::new();
        for some in ids.chunks(CHUNK) {
            let sql = format!("SELECT {COLUMNS} FROM items WHERE kind = $1 AND id IN ({})", places(2, some.len()));
            let values: Vec<Value<'_>> = std::iter::once(&kind).chain(some).map(|text| Value::Text(text)).collect();
            for row in &self.rows("reading items", &sql, &values).await? {
                items.push(item(&Reader { row, what: "item" })?);
            }
        }
        Ok(items)
    }

    /// Items, the newest first.
    pub async fn items(&self, query: &ItemQuery) -> Result<Vec<ItemRow>> {
        let mut filter = Filter::default();
        filter.and("kind =", Some(Value::Text(query.kind)));
        filter.and("state =", query.state.as_deref().map(Value::Text));
        filter.and("repository =", query.repository.as_deref().map(Value::Text));
        filter.and("digest =", query.digest.as_ref().map(|digest| Value::Text(digest.as_str())));
        filter.and("environment =", query.environment.as_deref().map(Value::Text));
        filter.and("id <", query.before.as_deref().map(Value::Text));
        let limit = filter.place(Value::Int(query.limit.into()));
        let sql = format!("SELECT {COLUMNS} FROM items{} ORDER BY id DESC LIMIT {limit}", filter.text());
        let rows = self.rows("reading items", &sql, &filter.values).await?;
        rows.iter().map(|row| item(&Reader { row, what: "item" })).collect()
    }

    /// Which decisions an item changed, the newest first: their ids, and when.
    pub async fn uses(&self, item: &str, before: Option<&str>, limit: u32) -> Result<Vec<(String, Timestamp)>> {
        let mut filter = Filter::default();
        filter.and("item =", Some(Value::Text(item)));
        filter.and("decision <", before.map(Value::Text));
        let limit = filter.place(Value::Int(limit.into()));
        let sql = format!("SELECT decision, at FROM uses{} ORDER BY decision DESC LIMIT {limit}", filter.text());
        let rows = self.rows("reading uses", &sql, &filter.values).await?;
        let read = |row| {
            let row = Reader { row, what: "use" };
            Ok((row.get("decision")?, row.at("at")?))
        };
        rows.iter().map(read).collect()
    }

    /// How many decisions each of these items changed; those without one are left out.
    pub async fn use_counts(&self, items: &[String]) -> Result<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        for some in items.chunks(CHUNK) {
            let values: Vec<Value<'_>> = some.iter().map(|item| Value::Text(item)).collect();
            let places = places(1, some.len());
            let sql = format!("SELECT item, COUNT(*) AS n FROM uses WHERE item IN ({places}) GROUP BY item");
            for row in self.rows("counting uses", &sql, &values).await? {
                let row = Reader { row: &row, what: "use" };
                counts.insert(row.get("item")?, row.count("n")?);
            }
        }
        Ok(counts)
    }
}

fn item(row: &Reader<'_>) -> std::result::Result<ItemRow, StoreError> {
    Ok(ItemRow {
        kind: row.get("kind")?,
        id: row.get("id")?,
        revision: row.get("revision")?,
        state: row.get("state")?,
        repository: row.get("repository")?,
        digest: row.digest_or_none("digest")?,
        environment: row.get("environment")?,
        created_at: row.at("created_at")?,
        until: row.at_or_none("until")?,
        body: row.get("body")?,
    })
}
