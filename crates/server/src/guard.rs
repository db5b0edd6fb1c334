//! What happens to every request, before and after its handler: who asks, how often, how many at once, for how long; and one line in the log.
//!
//! One layer for all of it, so that no route can be without.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::auth::{self, Caller, Credentials};
use crate::errors::Fail;
use crate::rate::Client;
use crate::routes::{Access, Time};
use crate::share::Share;
use crate::tls::Peer;
use crate::trace::Trace;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What a path that no route matches is counted as.
pub(crate) const UNMATCHED: &str = "unmatched";

/// What was decided, for the log.
#[derive(Debug, Clone)]
pub(crate) struct DecidedForLog {
    pub digest: String,
    pub environment: String,
    pub verdict: &'static str,
    pub decision: String,
    pub pipeline: Option<String>,
    pub commit: Option<String>,
}

pub(crate) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let trace = Trace::of(request.headers());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let template = matched.as_ref().and_then(|path| app.shared.routes.template(path.as_str())).unwrap_or(UNMATCHED);
    let mut who = None;
    let response = match admit(&app, Head::of(&request, matched.as_ref()), began, &mut who).await {
        Ok(Admitted { caller, time, slot }) => {
            request.extensions_mut().extend(caller.map(extension).unwrap_or_default());
            request.extensions_mut().insert(trace.clone());
            let answer = AssertUnwindSafe(tokio::time::timeout(time, next.run(request))).catch_unwind().await;
            drop(slot);
            match answer {
                Ok(Ok(response)) => response,
                Ok(Err(_)) => Fail::took_too_long().into_response(),
                Err(panic) => Fail::internal(format!("a handler panicked: {}", words(&*panic))).into_response(),
            }
        }
        Err(fail) => fail.into_response(),
    };
    let took = began.elapsed();
    app.shared.metrics.http_request(template, response.status().as_u16(), took);
    let fail = response.extensions().get::<Fail>().cloned();
    log(
        &Line { method: method.as_str(), template, took, trace: &trace, who: who.as_deref(), fail: fail.as_ref() },
        &response,
    );
    finish(response, fail, &trace.request)
}

/// What a request is admitted by. Its body is not looked at.
struct Head<'a> {
    method: &'a Method,
    matched: Option<&'a MatchedPath>,
    credentials: Credentials<'a>,
    address: Option<IpAddr>,
}

impl<'a> Head<'a> {
    fn of(request: &'a Request, matched: Option<&'a MatchedPath>) -> Self {
        let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let certificate = request.extensions().get::<Peer>().and_then(|peer| peer.0.as_deref());
        let credentials = Credentials { headers: request.headers(), uri: request.uri(), certificate };
        Self { method: request.method(), matched, credentials, address }
    }
}

/// A request that may be worked on.
struct Admitted {
    caller: Option<Caller>,
    time: Duration,
    slot: Option<(OwnedSemaphorePermit, Option<Share>)>,
}

/// `who` is told also where the request is refused: the log says whose it was.
async fn admit(app: &App, head: Head<'_>, now: Instant, who: &mut Option<Arc<str>>) -> Result<Admitted, Fail> {
    let shared = &app.shared;
    let limits = &shared.limits;
    let route = head.matched.and_then(|path| shared.routes.find(path.as_str(), head.method));
    let Some(route) = route.filter(|route| route.access != Access::Open) else {
        return Ok(Admitted { caller: None, time: limits.request, slot: None });
    };
    let caller = auth::caller(shared, head.credentials).await;
    *who = caller.as_ref().ok().and_then(|caller| caller.as_ref()?.name.clone());
    // Wrong tokens count for the address: they are guesses.
    let client = who.clone().map(Client::Named).or_else(|| head.address.map(Client::at)).unwrap_or(Client::Others);
    if let Some(rates) = &shared.rates {
        rates.take(client.clone(), now).map_err(Fail::too_often)?;
    }
    let caller = caller?.ok_or_else(|| Fail::unauthenticated(false))?;
    caller.may(route.access)?;
    let share = match route.time {
        Time::Usual => None,
        Time::Ask | Time::Long => Some(shared.waiting.take(client).ok_or_else(Fail::busy)?),
    };
    let slot = Arc::clone(&shared.working).try_acquire_owned().map_err(|_| Fail::busy())?;
    let time = match route.time {
        Time::Ask => limits.longest_wait.saturating_add(limits.margin),
        Time::Usual => limits.request,
        Time::Long => limits.long_request,
    };
    Ok(Admitted { caller: Some(caller), time, slot: Some((slot, share)) })
}

fn extension(caller: Caller) -> axum::http::Extensions {
    let mut extensions = axum::http::Extensions::new();
    extensions.insert(caller);
    extensions
}

pub(crate) fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without words")
}

pub(crate) fn finish(response: Response, fail: Option<Fail>, id: &str) -> Response {
    let mut response = match fail {
        Some(fail) => fail.write(id, response.headers().get(ALLOW).cloned()),
        None => response,
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What the log says of a request. Neither the path nor the query: they may hold what is not for logs.
pub(crate) struct Line<'a> {
    pub(crate) method: &'a str,
    pub(crate) template: &'static str,
    pub(crate) took: Duration,
    pub(crate) trace: &'a Trace,
    pub(crate) who: Option<&'a str>,
    pub(crate) fail: Option<&'a Fail>,
}

pub(crate) fn log(line: &Line<'_>, response: &Response) {
    let decided = response.extensions().get::<DecidedForLog>();
    let (code, cause) = line.fail.map(Fail::for_the_log).unzip();
    let status = response.status().as_u16();
    let duration_ms = (line.took.as_secs_f64() * 1e6).round() / 1e3;
    macro_rules! access {
        ($level:ident) => {
            tracing::$level!(
                target: "ecr_gate::access",
                method = line.method,
                route = line.template,
                status,
                duration_ms,
                request_id = &*line.trace.request,
                trace_id = line.trace.trace.as_deref(),
                caller = line.who,
                problem = code,
                cause = cause.flatten(),
                digest = decided.map(|decided| decided.digest.as_str()),
                environment = decided.map(|decided| decided.environment.as_str()),
                verdict = decided.map(|decided| decided.verdict),
                decision = decided.map(|decided| decided.decision.as_str()),
                pipeline = decided.and_then(|decided| decided.pipeline.as_deref()),
                commit = decided.and_then(|decided| decided.commit.as_deref()),
                "request"
            )
        };
    }
    match status {
        500 => access!(error),
        501.. => access!(warn),
        _ => access!(info),
    }
}

#[cfg(test)]
mod tests;
