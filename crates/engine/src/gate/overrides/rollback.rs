//! The override that a rollback goes by (S33).

use model::{Digest, Timestamp};
use store::ItemRow;

use super::super::GateError;
use super::{KIND, OverrideBody, ROLLBACK};

/// As it is listed. It is over with that rollback.
pub(in crate::gate) fn of_rollback(
    id: &str,
    (repository, digest, environment): (&str, &Digest, &str),
    (by, person): (&str, Option<&str>),
    reason: &str,
    (now, until): (Timestamp, Timestamp),
) -> Result<ItemRow, GateError> {
    let body = OverrideBody {
        reason: reason.to_owned(),
        ticket: None,
        by: by.to_owned(),
        person: person.map(str::to_owned),
        owner: None,
        revoked: None,
    };
    Ok(ItemRow {
        kind: KIND.to_owned(),
        id: id.to_owned(),
        revision: 1,
        state: ROLLBACK.to_owned(),
        repository: Some(repository.to_owned()),
        digest: Some(digest.clone()),
        environment: Some(environment.to_owned()),
        created_at: now,
        until: Some(until),
        body: serde_json::to_vec(&body).map_err(|error| GateError::invalid(error.to_string()))?,
    })
}
