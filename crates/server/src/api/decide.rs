//! May this image be used there? (B20)

use std::time::Duration;

use api::{Accepted, DecidePoint, DecideRequest, PermitWord, ViaWord};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::{Answered, AskError, Asked, Asker, Basis, Point, Refusal, Via};
use model::{Timestamp, Verdict};
use serde::Serialize;

use super::idempotency::Key;
use crate::app::App;
use crate::auth::Caller;
use crate::errors::{Fail, seconds, whole_seconds};
use crate::extract::{Json, NameInPath, SMALL};
use crate::guard::DecidedForLog;
use crate::text::{NAME, sound, sound_if_given};
use crate::trace::Trace;

/// How long an ask waits that does not say.
const WAIT: Duration = Duration::from_secs(20);
/// When to look for an answer that is still looked for.
const POLL: HeaderValue = HeaderValue::from_static("1");

pub(crate) async fn decide(
    State(app): State<App>,
    caller: Caller,
    trace: Trace,
    headers: HeaderMap,
    Json { value, bytes }: Json<DecideRequest, SMALL>,
) -> Result<Response, Fail> {
    let later = wants_later(&headers);
    let key = Key::of(&headers, &caller, &bytes, later)?;
    let (asked, by) = ask(value, &caller, &trace, app.shared.limits.longest_wait)?;
    let kept = key.kept(&app).await?;
    if later {
        return accept(&app, &key, kept, asked, &by, &caller).await;
    }
    let dry_run = asked.dry_run;
    let answered = app.gate().ask(asked, &by, caller.actor()).await?;
    let body = key.settle(&app, kept, &answered, dry_run, body(&answered)?).await?;
    if !app.gate().may_answer(&answered) {
        let late = "putting the answer on record took longer than answers may rest on what was read; ask again";
        return Err(AskError::StoreUnavailable(late.to_owned()).into());
    }
    Ok(answer(&answered, body, by))
}

/// Starts to look, or finds that the same request did.
async fn accept(
    app: &App,
    key: &Key,
    kept: Option<Bytes>,
    asked: Asked,
    by: &Asker,
    caller: &Caller,
) -> Result<Response, Fail> {
    if let Some(accepted) = kept.as_ref().and_then(|kept| serde_json::from_slice::<Accepted>(kept).ok())
        && app.gate().knows(&accepted.id)
    {
        return Ok(accepted_response(&accepted));
    }
    let id = app.gate().ask_later(asked, by, caller.actor())?;
    let accepted = Accepted { location: format!("/api/v1/decide/{id}"), id };
    key.keep(app, serde_json::to_vec(&accepted).map_err(|error| Fail::internal(error.to_string()))?).await?;
    Ok(accepted_response(&accepted))
}

fn accepted_response(accepted: &Accepted) -> Response {
    let mut response = (StatusCode::ACCEPTED, axum::Json(accepted)).into_response();
    let headers = response.headers_mut();
    headers.insert("preference-applied", HeaderValue::from_static("respond-async"));
    headers.insert(RETRY_AFTER, POLL);
    if let Ok(location) = HeaderValue::from_str(&accepted.location) {
        headers.insert(LOCATION, location);
    }
    response
}

pub(crate) async fn later(
    State(app): State<App>,
    caller: Caller,
    NameInPath(id): NameInPath,
) -> Result<Response, Fail> {
    match app.gate().later(&id, caller.actor()).await {
        Some(Ok(Some(answered))) => {
            let body = body(&answered)?;
            Ok(answer(&answered, body, nobody()))
        }
        Some(Ok(None)) => {
            let accepted = Accepted { location: format!("/api/v1/decide/{id}"), id };
            Ok((StatusCode::ACCEPTED, [(RETRY_AFTER, POLL)], axum::Json(accepted)).into_response())
        }
        Some(Err(error)) => Err(error.into()),
        None => Err(Fail::not_found("such ask, or no longer")),
    }
}

/// Who asked is in the log line of the ask itself.
fn nobody() -> Asker {
    Asker { identity: None, point: Point::Api, pipeline: None, commit: None, trace_id: None, seat: None }
}

fn wants_later(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("respond-async"))
}

fn ask(request: DecideRequest, caller: &Caller, trace: &Trace, longest: Duration) -> Result<(Asked, Asker), Fail> {
    let DecideRequest { image, name, environment, wait_seconds, dry_run, point, pipeline, commit } = request;
    sound("image", &image, NAME)?;
    sound_if_given("name", name.as_deref(), NAME)?;
    sound_if_given("environment", environment.as_deref(), NAME)?;
    sound_if_given("pipeline", pipeline.as_deref(), NAME)?;
    sound_if_given("commit", commit.as_deref(), NAME)?;
    let name =
        name.map(|name| name.parse().map_err(|error| Fail::invalid(format!("name is no tag: {error}")))).transpose()?;
    let wait = wait_seconds.map_or(WAIT, |wait| Duration::from_secs(wait.into())).min(longest);
    let point = match point {
        None | Some(DecidePoint::Api) => Point::Api,
        Some(DecidePoint::Ci) => Point::Ci,
        Some(DecidePoint::Promotion) => Point::Promotion,
    };
    let by = Asker {
        identity: caller.name.as_deref().map(str::to_owned),
        point,
        pipeline,
        commit,
        trace_id: trace.trace.as_deref().map(str::to_owned),
        seat: None,
    };
    Ok((Asked { image, name, environment, wait, dry_run: dry_run == Some(true) }, by))
}

/// Everything of [`api::Decided`] before the decision, which is written as it is stored.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    verdict: Verdict,
    permit: PermitWord,
    answer_id: &'a str,
    via: ViaWord,
    in_force_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
}

fn body(answered: &Answered) -> Result<Bytes, Fail> {
    let head = Head {
        verdict: answered.decision.verdict,
        permit: permit(answered),
        answer_id: &answered.id,
        via: match answered.via {
            Via::Recorded => ViaWord::Recorded,
            Via::Evaluated => ViaWord::Evaluated,
            Via::Collected => ViaWord::Collected,
        },
        in_force_at: answered.in_force_at,
        retry_after_seconds: answered.retry_after.map(whole_seconds),
    };
    let record = &answered.decision.record;
    let mut body = Vec::with_capacity(record.len() + 256);
    serde_json::to_writer(&mut body, &head).map_err(|error| Fail::internal(error.to_string()))?;
    body.pop();
    body.extend_from_slice(br#","decision":"#);
    body.extend_from_slice(record);
    body.push(b'}');
    Ok(body.into())
}

fn permit(answered: &Answered) -> PermitWord {
    match &answered.permit {
        Ok(permit) => match permit.basis() {
            Basis::Allowed => PermitWord::Allowed,
            Basis::Warned => PermitWord::Warned,
            Basis::Inherited(_) => PermitWord::Inherited,
            Basis::Overridden(_) => PermitWord::Overridden,
            Basis::FailOpen(_) => PermitWord::FailOpen,
            Basis::Grandfathered(_) => PermitWord::Grandfathered,
        },
        Err(Refusal::Denied) => PermitWord::Denied,
        Err(Refusal::Pending) => PermitWord::Pending,
    }
}

/// A refusal and what is pending are answers (S11): 200.
fn answer(answered: &Answered, body: Bytes, by: Asker) -> Response {
    let mut response = ([(CONTENT_TYPE, "application/json")], Body::from(body)).into_response();
    if let Some(after) = answered.retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds(after));
    }
    let decision = &answered.decision;
    response.extensions_mut().insert(DecidedForLog {
        digest: decision.digest.to_string(),
        environment: decision.environment.clone(),
        verdict: decision.verdict.as_str(),
        decision: decision.id.clone(),
        pipeline: by.pipeline,
        commit: by.commit,
    });
    response
}

#[cfg(test)]
mod tests;
