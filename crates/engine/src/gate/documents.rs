//! S22, S35: where a document that was handed in counts: in the environments that whoever handed it in may hand in for. In the others its findings
//! are added to those of others, and that is all. A document that nothing is kept of here counts everywhere: its submitter may hand in everywhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::{ItemRow, SignalRow, Store, StoreError};

use super::GateError;
use super::actor::{Actor, Right};

/// The kind of its items; their ids are those of the documents.
const KIND: &str = "signal";
/// All environments.
const ALL: &str = "*";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    environments: Vec<String>,
}

/// In which environments some documents count.
#[derive(Debug)]
pub(super) struct Places(BTreeMap<String, Vec<String>>);

impl Places {
    /// Of those documents.
    pub(super) async fn of(store: &Store, rows: &[SignalRow]) -> Result<Self, StoreError> {
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let read = |row: ItemRow| {
            let unreadable = |error: serde_json::Error| StoreError::Unreadable {
                what: "environments of a submitted document",
                why: error.to_string(),
            };
            let Body { environments } = serde_json::from_slice(&row.body).map_err(unreadable)?;
            Ok((row.id, environments))
        };
        store.items_of(KIND, &ids).await?.into_iter().map(read).collect::<Result<_, StoreError>>().map(Self)
    }

    /// Where a document counts; `*` alone is everywhere.
    pub(super) fn environments(&self, id: &str) -> Vec<String> {
        self.0.get(id).cloned().unwrap_or_else(|| vec![ALL.to_owned()])
    }

    /// The same in words.
    pub(super) fn words(&self, id: &str) -> String {
        let environments = self.environments(id);
        match environments.as_slice() {
            [] => "no environment".to_owned(),
            some if covers(some, ALL) => "every environment".to_owned(),
            some => some.join(", "),
        }
    }

    /// Whether a document counts in this environment.
    pub(super) fn counts(&self, id: &str, environment: &str) -> bool {
        self.0.get(id).is_none_or(|some| covers(some, environment))
    }

    /// Whether a document counts in all of these environments.
    pub(super) fn counts_in_all(&self, id: &str, environments: &[String]) -> bool {
        environments.iter().all(|environment| self.counts(id, environment))
    }

    /// One more, and where it counts.
    pub(super) fn add(&mut self, id: String, environments: Vec<String>) {
        self.0.insert(id, environments);
    }

    /// Whether somebody may hand in for every environment in which a document counts.
    pub(super) fn are_within(&self, row: &SignalRow, actor: &Actor) -> bool {
        let theirs = actor.environments(Right::Submit, &row.repository);
        self.environments(&row.id).iter().all(|place| covers(&theirs, place))
    }
}

fn covers(environments: &[String], one: &str) -> bool {
    environments.iter().any(|covered| covered == ALL || covered == one)
}

/// The environments that both cover.
pub(super) fn common(one: &[String], other: &[String]) -> Vec<String> {
    if covers(one, ALL) {
        return other.to_vec();
    }
    one.iter().filter(|name| covers(other, name)).cloned().collect()
}

/// What is kept of a document that does not count everywhere.
pub(super) fn kept(row: &SignalRow, environments: Vec<String>) -> Result<Option<ItemRow>, GateError> {
    if covers(&environments, ALL) {
        return Ok(None);
    }
    let body = serde_json::to_vec(&Body { environments });
    Ok(Some(ItemRow {
        kind: KIND.to_owned(),
        id: row.id.clone(),
        revision: 1,
        state: "counts".to_owned(),
        repository: Some(row.repository.clone()),
        digest: Some(row.digest.clone()),
        environment: None,
        created_at: row.submitted_at,
        until: None,
        body: body.map_err(|error| GateError::invalid(error.to_string()))?,
    }))
}
