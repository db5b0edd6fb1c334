//! What was decided.

use api::{DecisionSummary, DecisionsPage, DecisionsQuery, ShortReason};
use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::{DecisionQuery, DecisionRow};
use model::Digest;

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{NameInPath, Parameters};
use crate::text::{NAME, limit, sound_if_given};

/// A decision never changes.
const FOR_EVER: &str = "private, max-age=31536000, immutable";

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<DecisionsQuery>,
) -> Result<Json<DecisionsPage>, Fail> {
    let texts = [&query.image, &query.team, &query.environment, &query.pipeline, &query.commit, &query.cursor];
    for (what, text) in ["image", "team", "environment", "pipeline", "commit", "cursor"].into_iter().zip(texts) {
        sound_if_given(what, text.as_deref(), NAME)?;
    }
    let team = query.team;
    let query = DecisionQuery {
        limit: limit(query.limit, 50, 200)?,
        digest: query.digest,
        repository: query.image,
        environment: query.environment,
        verdict: query.verdict,
        since: query.since,
        until: query.until,
        pipeline: query.pipeline,
        commit: query.commit,
        before: query.cursor,
    };
    let (rows, next) = app.gate().decisions(&query, team.as_deref(), caller.actor()).await?;
    Ok(Json(DecisionsPage { decisions: rows.into_iter().map(summary).collect(), next }))
}

fn summary(row: DecisionRow) -> DecisionSummary {
    let DecisionRow {
        id,
        repository,
        digest,
        environment,
        verdict,
        policy,
        recorded_at,
        valid_until,
        children,
        record,
        ..
    } = row;
    let (reasons, more_reasons) = reasons(&record);
    DecisionSummary {
        id,
        repository,
        digest,
        environment,
        verdict,
        policy,
        recorded_at,
        valid_until,
        children,
        reasons,
        more_reasons,
    }
}

/// The most reasons of a decision in a list, and how much of each.
const REASONS: usize = 5;
const REASON: usize = 300;

/// The first reasons of a record, and how many more there are. Of a record that cannot be read there are none to show: the decision itself says it.
pub(super) fn reasons(record: &[u8]) -> (Vec<ShortReason>, u64) {
    #[derive(serde::Deserialize)]
    struct Reasons {
        reasons: Vec<ShortReason>,
    }
    let Ok(Reasons { mut reasons }) = serde_json::from_slice::<Reasons>(record) else { return (Vec::new(), 0) };
    let more = reasons.len().saturating_sub(REASONS) as u64;
    reasons.truncate(REASONS);
    for reason in &mut reasons {
        if let Some((end, _)) = reason.message.char_indices().nth(REASON) {
            reason.message.truncate(end);
            reason.message.push('…');
        }
    }
    (reasons, more)
}

/// The record as it is stored, byte for byte.
pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    NameInPath(id): NameInPath,
) -> Result<Response, Fail> {
    let row = app.gate().decision(&id, caller.actor()).await?;
    let tag = format!("\"{}\"", Digest::of(&row.record));
    let constant = [(ETAG, tag.clone()), (CACHE_CONTROL, FOR_EVER.to_owned())];
    if known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, constant).into_response());
    }
    Ok((constant, [(CONTENT_TYPE, "application/json")], row.record).into_response())
}

/// `If-None-Match` names this tag, or any (RFC 9110, 13.1.2).
fn known(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_tag_is_known_by_its_name_or_by_any() {
        let known = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(value));
            super::known(&headers, "\"a\"")
        };
        assert!(known("\"a\"") && known("\"b\", \"a\"") && known("*") && known("W/\"a\""));
        assert!(!known("\"b\"") && !known("a") && !known(""));
        assert!(!super::known(&HeaderMap::new(), "\"a\""));
    }
}
