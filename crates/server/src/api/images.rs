//! The life of an image: everything that happened to it, in order.

use api::{Event, EventsPage, EventsQuery};
use axum::Json;
use axum::extract::State;
use engine::HistoryEntry;
use serde_json::value::RawValue;

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{DigestInPath, Parameters};
use crate::text::{NAME, limit, sound_if_given};

pub(crate) async fn events(
    State(app): State<App>,
    caller: Caller,
    DigestInPath(digest): DigestInPath,
    Parameters(query): Parameters<EventsQuery>,
) -> Result<Json<EventsPage>, Fail> {
    sound_if_given("image", query.image.as_deref(), NAME)?;
    sound_if_given("cursor", query.cursor.as_deref(), NAME)?;
    let limit = limit(query.limit, 50, 200)?;
    // One more than asked for tells whether there is a next page.
    let after = query.cursor.as_deref();
    let mut entries = app.gate().history(&digest, query.image.as_deref(), after, limit + 1, caller.actor()).await?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = if more { entries.last().map(|entry| entry.id.clone()) } else { None };
    let events: Result<Vec<_>, Fail> = entries.into_iter().map(event).collect();
    Ok(Json(EventsPage { events: events?, next }))
}

fn event(entry: HistoryEntry) -> Result<Event, Fail> {
    let HistoryEntry { id, kind, repository, subject, at, entry } = entry;
    let entry = entry.map(RawValue::from_string).transpose();
    let entry = entry.map_err(|error| Fail::internal(format!("the entry {id} of the log is no JSON: {error}")))?;
    Ok(Event { id, kind, repository, digest: subject, at, entry })
}
