//! What happens to every request of the port: until when it has to be answered, how many at once, and one line in the log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;

use super::deadline;
use super::handlers::Deadline;
use super::port::{Admission, PATHS};
use crate::errors::Fail;
use crate::guard::{Line, UNMATCHED, finish, log, words};
use crate::tls::Peer;
use crate::trace::Trace;

/// What a request may take beyond its deadline before it is given up.
const BEYOND: Duration = Duration::from_secs(1);
/// How long a request may take that is no review.
const OTHERS: Duration = Duration::from_secs(10);

pub(super) async fn guard(State(admission): State<Admission>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let trace = Trace::of(request.headers());
    let matched = request.extensions().get::<MatchedPath>();
    let template = matched.and_then(|path| PATHS.into_iter().find(|one| *one == path.as_str())).unwrap_or(UNMATCHED);
    let answer = AssertUnwindSafe(passed(&admission, template, &trace, request, next, began)).catch_unwind().await;
    let response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(fail)) => fail.into_response(),
        Err(panic) => Fail::internal(format!("a handler panicked: {}", words(&*panic))).into_response(),
    };
    let took = began.elapsed();
    admission.inner.app.shared.metrics.http_request(template, response.status().as_u16(), took);
    let fail = response.extensions().get::<Fail>().cloned();
    log(&Line { method: method.as_str(), template, took, trace: &trace, who: None, fail: fail.as_ref() }, &response);
    finish(response, fail, &trace.request)
}

async fn passed(
    admission: &Admission,
    template: &'static str,
    trace: &Trace,
    mut request: Request,
    next: Next,
    began: Instant,
) -> Result<Response, Fail> {
    request.extensions_mut().insert(trace.clone());
    if !template.starts_with("/admission/") {
        return tokio::time::timeout(OTHERS, next.run(request)).await.map_err(|_| Fail::took_too_long());
    }
    let shown = request.extensions().get::<Peer>().is_some_and(|peer| peer.0.is_some());
    if admission.inner.settings.certificates_only && !shown {
        return Err(Fail::certificate());
    }
    let time = deadline::of(request.uri().query()).map_err(Fail::invalid)?;
    let until = began + time;
    let slot = tokio::time::timeout_at(until.into(), Arc::clone(&admission.inner.working).acquire_owned()).await;
    let _slot = slot.map_err(|_| Fail::busy())?.map_err(|_| Fail::busy())?;
    request.extensions_mut().insert(Deadline(until));
    tokio::time::timeout_at((until + BEYOND).into(), next.run(request)).await.map_err(|_| Fail::took_too_long())
}
