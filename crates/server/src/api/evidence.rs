//! What decisions rest on, byte for byte: for auditors.

use api::{DecisionEvidence, EvidencePiece};
use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use engine::Piece;

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{DigestInPath, NameInPath};

pub(crate) async fn of_decision(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
) -> Result<Json<DecisionEvidence>, Fail> {
    let pieces = app.gate().pieces(&id, caller.actor()).await?;
    let piece = |Piece { digest, is_facts, kept }| EvidencePiece { digest, is_facts, kept };
    Ok(Json(DecisionEvidence { evidence: pieces.into_iter().map(piece).collect() }))
}

/// Others wrote it: a browser saves it, whatever it is.
pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    DigestInPath(digest): DigestInPath,
) -> Result<Response, Fail> {
    let row = app.gate().evidence(&digest, caller.actor()).await?;
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (CONTENT_DISPOSITION, "attachment"),
        (CACHE_CONTROL, "private, max-age=31536000, immutable"),
    ];
    Ok((headers, row.bytes).into_response())
}
