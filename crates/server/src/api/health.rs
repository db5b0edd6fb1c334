//! Whether the process lives, whether it can answer, and what it counted.

use api::{Alive, Readiness};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;

pub(crate) async fn alive() -> Json<Alive> {
    Json(Alive { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}

pub(crate) async fn ready(State(app): State<App>) -> impl IntoResponse {
    let mut reasons = app.gate().unready().await;
    if app.draining() {
        reasons.insert(0, "the process is ending".to_owned());
    }
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready: reasons.is_empty(), reasons }))
}

pub(crate) async fn metrics(State(app): State<App>, caller: Caller) -> Result<impl IntoResponse, Fail> {
    let metrics = app.gate().metrics(caller.actor())?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics))
}
