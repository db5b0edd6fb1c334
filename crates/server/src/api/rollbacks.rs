//! What was promoted somewhere before, and bringing it back (B8).

use api::{ImageRollbackRequest, RollbackTarget, RollbacksPage, RollbacksQuery};
use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;
use engine::{Rollback, RollbackCandidate};

use super::promotions::{accepted, asker, wait};
use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{Json, Parameters, SMALL};
use crate::text::{NAME, WORDS, limit, sound, sound_if_given};
use crate::trace::Trace;

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<RollbacksQuery>,
) -> Result<Answer<RollbacksPage>, Fail> {
    sound("repository", &query.repository, NAME)?;
    sound_if_given("environment", query.environment.as_deref(), NAME)?;
    let limit = limit(query.limit, 10, 100)?;
    let actor = caller.actor();
    let found = app.gate().rollback_candidates(&query.repository, query.environment.as_deref(), limit, &actor);
    Ok(Answer(RollbacksPage { candidates: found.await?.into_iter().map(target).collect() }))
}

pub(crate) async fn begin(
    State(app): State<App>,
    caller: Caller,
    trace: Trace,
    Json { value, .. }: Json<ImageRollbackRequest, SMALL>,
) -> Result<Response, Fail> {
    let ImageRollbackRequest { repository, environment, to, tag, reason, wait_seconds, pipeline, commit } = value;
    sound("repository", &repository, NAME)?;
    sound_if_given("environment", environment.as_deref(), NAME)?;
    sound_if_given("reason", reason.as_deref(), WORDS)?;
    let tag = tag.map(|tag| tag.parse().map_err(|error| Fail::invalid(format!("tag: {error}")))).transpose()?;
    let by = asker(&caller, &trace, pipeline, commit)?;
    let wanted = Rollback { repository, environment, to, tag, reason, wait: wait(&app, wait_seconds) };
    Ok(accepted(app.gate().roll_back_to(&wanted, &by, caller.actor()).await?))
}

fn target(candidate: RollbackCandidate) -> RollbackTarget {
    let RollbackCandidate { digest, is_current, at, by, destination, decision, verdict } = candidate;
    RollbackTarget { digest, current: is_current, at, by, destination, decision, verdict }
}
