//! The audit log and proofs about it, for auditors (O3).

use api::{ConsistencyProof, ConsistencyQuery, EntriesQuery, InclusionProof};
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use engine::AuditProof;

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{NameInPath, Parameters};
use crate::text::limit;

const TEXT: [(axum::http::HeaderName, &str); 1] = [(CONTENT_TYPE, "text/plain; charset=utf-8")];

/// The newest checkpoint: a signed note.
pub(crate) async fn checkpoint(State(app): State<App>) -> Result<Response, Fail> {
    let head = app.gate().checkpoint().await?.filter(|head| !head.checkpoint.is_empty());
    let head = head.ok_or_else(|| Fail::not_found("checkpoint yet: nothing was logged"))?;
    Ok((TEXT, head.checkpoint).into_response())
}

/// The public key that checkpoints are verified with.
pub(crate) async fn key(State(app): State<App>) -> Response {
    (TEXT, format!("{}\n", app.gate().audit_key())).into_response()
}

/// Lines of the export.
pub(crate) async fn entries(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<EntriesQuery>,
) -> Result<Response, Fail> {
    let lines = app.gate().export(query.from.unwrap_or(0), limit(query.limit, 1000, 10_000)?, caller.actor()).await?;
    Ok(([(CONTENT_TYPE, "application/jsonl")], lines).into_response())
}

pub(crate) async fn inclusion(
    State(app): State<App>,
    caller: Caller,
    NameInPath(entry): NameInPath,
) -> Result<Json<InclusionProof>, Fail> {
    let AuditProof { entry, index, hashes, checkpoint } = app.gate().inclusion(&entry, caller.actor()).await?;
    Ok(Json(InclusionProof { entry, index, hashes: hashes.iter().map(hex::encode).collect(), checkpoint }))
}

pub(crate) async fn consistency(
    State(app): State<App>,
    Parameters(ConsistencyQuery { from, to }): Parameters<ConsistencyQuery>,
) -> Result<Json<ConsistencyProof>, Fail> {
    if from > to {
        return Err(Fail::invalid("from is larger than to"));
    }
    let hashes = app.gate().consistency(from, to).await?;
    Ok(Json(ConsistencyProof { from, to, hashes: hashes.iter().map(hex::encode).collect() }))
}
