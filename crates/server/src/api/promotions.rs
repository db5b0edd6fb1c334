//! Copying what is allowed to where it runs, and what was promoted, when, by which decision (B7, O4).

use std::time::Duration;

use api::{
    Accepted, PromoteRequest, PromotedImage, PromotionOutcome, PromotionProgress, PromotionState, PromotionWord,
    PromotionsPage, PromotionsQuery,
};
use axum::Json as Answer;
use axum::extract::State;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::{Asker, Point, PromoteError, Promoted, Promotion, PromotionPhase, PromotionRow, PromotionStatus, Refusal};

use super::decisions::reasons;
use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::extract::{Json, NameInPath, Parameters, SMALL};
use crate::text::{NAME, limit, sound, sound_if_given};
use crate::trace::Trace;

/// When to look how far it is.
const POLL: HeaderValue = HeaderValue::from_static("1");

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<PromotionsQuery>,
) -> Result<Answer<PromotionsPage>, Fail> {
    sound_if_given("environment", query.environment.as_deref(), NAME)?;
    let limit = limit(query.limit, 50, 200)?;
    // One more than asked for tells whether there are more.
    let asked =
        app.gate().promotions(query.environment.as_deref(), query.since, query.until, limit + 1, caller.actor());
    let mut rows = asked.await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok(Answer(PromotionsPage { promotions: rows.into_iter().map(promoted).collect(), more }))
}

pub(crate) async fn begin(
    State(app): State<App>,
    caller: Caller,
    trace: Trace,
    Json { value, .. }: Json<PromoteRequest, SMALL>,
) -> Result<Response, Fail> {
    let PromoteRequest { source, destination, environment, wait_seconds, .. } = value;
    sound("source", &source, NAME)?;
    sound("destination", &destination, NAME)?;
    sound_if_given("environment", environment.as_deref(), NAME)?;
    let by = asker(&caller, &trace, value.pipeline, value.commit)?;
    let wait = wait(&app, wait_seconds);
    let allow_mutable = value.allow_mutable_destination == Some(true);
    let wanted = Promotion { source, destination, environment, wait, allow_mutable };
    Ok(accepted(app.gate().promote(&wanted, &by, caller.actor())?))
}

pub(crate) async fn one(State(app): State<App>, caller: Caller, NameInPath(id): NameInPath) -> Result<Response, Fail> {
    let status = app.gate().promotion(&id, caller.actor()).await?;
    let is_over = status.phase == PromotionPhase::Ended;
    let mut response = Answer(state(status)).into_response();
    if !is_over {
        response.headers_mut().insert(RETRY_AFTER, POLL);
    }
    Ok(response)
}

/// Who asks, for the record.
pub(super) fn asker(
    caller: &Caller,
    trace: &Trace,
    pipeline: Option<String>,
    commit: Option<String>,
) -> Result<Asker, Fail> {
    sound_if_given("pipeline", pipeline.as_deref(), NAME)?;
    sound_if_given("commit", commit.as_deref(), NAME)?;
    let identity = caller.name.as_deref().map(str::to_owned);
    let trace_id = trace.trace.as_deref().map(str::to_owned);
    Ok(Asker { identity, point: Point::Promotion, pipeline, commit, trace_id, seat: None })
}

/// How long to wait for what is pending: nobody waits for the answer meanwhile.
pub(super) fn wait(app: &App, seconds: Option<u32>) -> Duration {
    let longest = app.shared.limits.longest_wait;
    seconds.map_or(longest, |seconds| Duration::from_secs(seconds.into()).min(longest))
}

pub(super) fn accepted(id: String) -> Response {
    let accepted = Accepted { location: format!("/api/v1/promotions/{id}"), id };
    let mut response = (StatusCode::ACCEPTED, Answer(&accepted)).into_response();
    response.headers_mut().insert(RETRY_AFTER, POLL);
    if let Ok(location) = HeaderValue::from_str(&accepted.location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn state(status: PromotionStatus) -> PromotionState {
    let PromotionStatus { copy, ended, .. } = status;
    let progress = PromotionProgress {
        manifests: copy.manifests,
        manifests_done: copy.manifests_done,
        blobs: copy.blobs,
        blobs_done: copy.blobs_done,
        bytes: copy.bytes,
        bytes_done: copy.bytes_done,
    };
    let mut state = PromotionState {
        id: status.id,
        state: match status.phase {
            PromotionPhase::Deciding => PromotionWord::Deciding,
            PromotionPhase::Copying => PromotionWord::Copying,
            PromotionPhase::Verifying => PromotionWord::Verifying,
            PromotionPhase::Ended => PromotionWord::Failed,
        },
        source: status.source,
        destination: status.destination,
        environment: status.environment,
        rollback: status.is_rollback,
        digest: status.digest,
        progress,
        warnings: status.warnings,
        promotion: None,
        outcome: None,
        decision: None,
        reasons: Vec::new(),
        problem: None,
    };
    match ended {
        None => {}
        Some(Ok(promoted)) => {
            state.state = PromotionWord::Promoted;
            let (promotion, outcome) = settled(promoted);
            (state.promotion, state.outcome) = (Some(promotion), Some(outcome));
        }
        Some(Err(error)) => {
            if let PromoteError::Refused { refusal, decision, .. } = &error {
                let denied = *refusal == Refusal::Denied;
                state.state = if denied { PromotionWord::Denied } else { PromotionWord::Pending };
                state.decision = Some(decision.id.clone());
                state.reasons = reasons(&decision.record).0;
            }
            state.problem = Some(Fail::from(error).problem());
        }
    }
    state
}

fn settled(promoted: Promoted) -> (PromotedImage, PromotionOutcome) {
    let Promoted { basis, was_there, manifests, attached, sent_bytes, .. } = promoted;
    let Promoted { id, decision, digest, source, destination, environment, at, by, .. } = promoted;
    (
        PromotedImage { id, decision, digest, source, destination, environment, at, by },
        PromotionOutcome { basis, was_there, manifests, attached, sent_bytes },
    )
}

fn promoted(row: PromotionRow) -> PromotedImage {
    let PromotionRow { id, decision, digest, source, destination, environment, at, by } = row;
    PromotedImage { id, decision, digest, source, destination, environment, at, by }
}
