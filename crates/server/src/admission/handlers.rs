//! The two webhooks: read the review, ask about its images, answer. Whatever happens in between, a review that has a uid gets its response, and a fault
//! is no leave.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use telemetry::Point;

use super::asking::Call;
use super::body;
use super::port::{Admission, Inner};
use super::refusal::{Class, Refusal};
use super::respond::{Outcome, respond, respond_to_error};
use super::review::{Review, parse};
use crate::errors::Fail;
use crate::text::{NAME, sound_if_given};
use crate::trace::Trace;

/// Until when a request has to be answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Instant);

pub(super) async fn validate(
    State(admission): State<Admission>,
    environment: Option<Path<String>>,
    trace: Trace,
    request: Request,
) -> Result<Response, Fail> {
    answered(&admission.inner, environment, &trace, request, Webhook::Validate).await
}

pub(super) async fn mutate(
    State(admission): State<Admission>,
    environment: Option<Path<String>>,
    trace: Trace,
    request: Request,
) -> Result<Response, Fail> {
    answered(&admission.inner, environment, &trace, request, Webhook::Mutate).await
}

#[derive(Clone, Copy)]
enum Webhook {
    Validate,
    Mutate,
}

async fn answered(
    inner: &Inner,
    environment: Option<Path<String>>,
    trace: &Trace,
    request: Request,
    webhook: Webhook,
) -> Result<Response, Fail> {
    let environment = environment.map(|Path(name)| name);
    sound_if_given("the environment in the path", environment.as_deref(), NAME)?;
    let Some(Deadline(deadline)) = request.extensions().get().copied() else {
        return Err(Fail::internal("a review without a deadline"));
    };
    let body = body::read(request, &inner.memory, deadline).await?;
    let review = match parse(&body.bytes) {
        Ok(review) => review,
        Err(error) => {
            let Some(uid) = &error.uid else { return Err(Fail::malformed(error.what)) };
            inner.app.shared.metrics.refused(Point::Admission, Class::Request.counted());
            return Ok(json(respond_to_error(uid, &error.what)));
        }
    };
    let of = inner.settings.environments.of(environment.as_deref(), &review.namespace).to_owned();
    let call = Call { review: &review, environment: of, deadline, trace: trace.trace.clone() };
    let outcome = outcome(inner, &call, webhook).await;
    note(inner, &review, &call.environment, &outcome);
    if outcome.is_left_open() {
        return Err(Fail::left_open());
    }
    Ok(json(respond(&review, &outcome)))
}

/// A fault on the way is a refusal; at mutation nothing is changed then, and validation judges.
async fn outcome(inner: &Inner, call: &Call<'_>, webhook: Webhook) -> Outcome {
    let ended = match webhook {
        Webhook::Validate => AssertUnwindSafe(inner.validate(call)).catch_unwind().await,
        Webhook::Mutate => AssertUnwindSafe(inner.mutate(call)).catch_unwind().await,
    };
    ended.unwrap_or_else(|panic| {
        tracing::error!(cause = crate::guard::words(&*panic), "a review could not be answered");
        match webhook {
            Webhook::Validate => Outcome::refused(Refusal::of_object(
                Class::Internal,
                "internal",
                "a fault of the gate",
                "Tell those who run the gate the time and the object.",
            )),
            Webhook::Mutate => Outcome {
                warnings: vec!["ecr-gate: nothing is changed: a fault of the gate".to_owned()],
                ..Outcome::default()
            },
        }
    })
}

/// Counts and logs what was refused.
fn note(inner: &Inner, review: &Review<'_>, environment: &str, outcome: &Outcome) {
    for refusal in &outcome.refusals {
        inner.app.shared.metrics.refused(Point::Admission, refusal.class.counted());
        tracing::info!(
            target: "ecr_gate::admission",
            class = refusal.class.as_str(),
            namespace = review.namespace,
            workload = review.workload(),
            field = refusal.field,
            environment,
            decision = refusal.decision.as_deref(),
            reason = refusal.causes.first().map(|cause| cause.reason.as_str()),
            left_open = refusal.left_open,
            "denied"
        );
    }
}

fn json(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
