//! The one place where what went wrong becomes a status and problem details (RFC 9457).
//!
//! A handler answers with a [`Fail`]; the guard writes it, because only the guard knows the request's id. What is our own fault is logged, and
//! told to the client as no more than that.

use std::collections::BTreeSet;
use std::time::Duration;

use api::{PROBLEM_JSON, Problem};
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::{Actor, AskError, AuthenticationError, GateError, PromoteError, Refusal, StoreError};
use model::{Reason, UnknownClass, Verdict};

/// A problem of this API: its code, its status, and what it is.
#[derive(Debug, Clone, Copy)]
struct Kind(&'static str, StatusCode, &'static str);

const INVALID: Kind = Kind("request.invalid", StatusCode::BAD_REQUEST, "The request is not as the API describes it");
const MALFORMED: Kind = Kind("request.malformed", StatusCode::BAD_REQUEST, "The body cannot be read");
const NO_ROUTE: Kind = Kind("route.unknown", StatusCode::NOT_FOUND, "There is no such path");
const NO_METHOD: Kind = Kind("route.method", StatusCode::METHOD_NOT_ALLOWED, "The path has no such method");
const NOT_FOUND: Kind = Kind("notFound", StatusCode::NOT_FOUND, "There is no such thing");
const MEDIA_TYPE: Kind =
    Kind("request.mediaType", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is of a media type that is not read");
const TOO_LARGE: Kind = Kind("request.tooLarge", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large");
const TOO_SLOW: Kind = Kind("request.tooSlow", StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time");
const WHO: Kind = Kind("auth.required", StatusCode::UNAUTHORIZED, "A token is needed");
const UNKNOWN_TOKEN: Kind = Kind("auth.unknownToken", StatusCode::UNAUTHORIZED, "The token is not known");
const CERTIFICATE: Kind = Kind("auth.certificate", StatusCode::UNAUTHORIZED, "A certificate of a client is needed");
const FORBIDDEN: Kind = Kind("auth.forbidden", StatusCode::FORBIDDEN, "This is not allowed");
const ISSUER: Kind = Kind("auth.issuerUnavailable", StatusCode::SERVICE_UNAVAILABLE, "The issuer's keys cannot be had");
const RATE: Kind = Kind("limit.rate", StatusCode::TOO_MANY_REQUESTS, "The client asks too often");
const OVERLOADED: Kind =
    Kind("limit.overloaded", StatusCode::TOO_MANY_REQUESTS, "More is asked than can be looked for");
const BUSY: Kind = Kind("limit.busy", StatusCode::SERVICE_UNAVAILABLE, "Too many requests are being worked on");
const TIMEOUT: Kind = Kind("limit.time", StatusCode::SERVICE_UNAVAILABLE, "The request took too long");
const LEFT_OPEN: Kind = Kind(
    "admission.leftOpen",
    StatusCode::SERVICE_UNAVAILABLE,
    "The gate cannot tell; the webhook's failurePolicy says what follows",
);
const STORE: Kind = Kind("store.unavailable", StatusCode::SERVICE_UNAVAILABLE, "The store is not available");
const CONFLICT: Kind = Kind("conflict", StatusCode::CONFLICT, "It is no longer as the request says");
const DOCUMENT: Kind = Kind("document.invalid", StatusCode::UNPROCESSABLE_ENTITY, "What was handed in cannot be used");
const NOT_SET_UP: Kind =
    Kind("registry.notSetUp", StatusCode::UNPROCESSABLE_ENTITY, "The gate is not set up for this registry");
const KEY_REUSED: Kind =
    Kind("idempotency.keyReused", StatusCode::UNPROCESSABLE_ENTITY, "The idempotency key was used for another request");
const INTERNAL: Kind = Kind("internal", StatusCode::INTERNAL_SERVER_ERROR, "A fault of the gate");

const DENIED: Kind = Kind("promotion.denied", StatusCode::CONFLICT, "Policy denies it");
const PENDING: Kind = Kind("promotion.pending", StatusCode::CONFLICT, "It is not decided yet");
const DESTINATION: Kind =
    Kind("promotion.destination", StatusCode::CONFLICT, "The destination is not as a destination has to be");

/// When to come back, where nothing better is known.
const SOON: Duration = Duration::from_secs(1);
/// When to ask again about an image whose registry did not answer.
const LATER: Duration = Duration::from_secs(10);

/// What went wrong.
#[derive(Debug, Clone)]
pub(crate) struct Fail(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    problem: Problem,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
    cause: Option<String>,
}

impl Fail {
    fn new(kind: Kind, detail: impl Into<Option<String>>) -> Self {
        let Kind(code, status, title) = kind;
        let problem = Problem {
            kind: format!("urn:ecr-gate:problem:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
            code: code.to_owned(),
            hint: None,
            class: None,
            verdict: None,
        };
        Self(Box::new(Inner { problem, retry_after: None, challenge: None, cause: None }))
    }

    fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.0.problem.hint = hint.into();
        self
    }

    fn again(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    fn class(mut self, class: UnknownClass) -> Self {
        self.0.problem.class = Some(class);
        self
    }

    /// A parameter, header or member is wrong.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(INVALID, detail.into())
    }

    /// The body is no JSON, or no text.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(MALFORMED, detail.into())
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(NOT_FOUND, format!("there is no {what}"))
    }

    pub(crate) fn media_type(found: Option<&str>, read: &str) -> Self {
        let found = found.map_or_else(|| "none is given".to_owned(), |found| format!("it is {found:?}"));
        Self::new(MEDIA_TYPE, found).hint(format!("send it with `Content-Type: {read}`"))
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(TOO_LARGE, format!("at most {limit} bytes are read"))
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(TOO_SLOW, None)
    }

    /// Nobody, or somebody we do not know.
    pub(crate) fn unauthenticated(token_given: bool) -> Self {
        let mut fail = Self::new(if token_given { UNKNOWN_TOKEN } else { WHO }, None).hint(
            "send `Authorization: Bearer <token>`; without configuration it lies in admin.token of the data folder"
                .to_owned(),
        );
        fail.0.challenge = Some(if token_given {
            r#"Bearer realm="ecr-gate", error="invalid_token""#
        } else {
            r#"Bearer realm="ecr-gate""#
        });
        fail
    }

    /// Callers show a certificate here.
    pub(crate) fn certificate() -> Self {
        Self::new(CERTIFICATE, None).hint(
            "the API server shows one by `--admission-control-config-file`: docs/reference/admission.md".to_owned(),
        )
    }

    /// Somebody we know, who may nothing of this kind anywhere.
    pub(crate) fn forbidden(actor: &Actor) -> Self {
        let roles: BTreeSet<&str> = actor.grants.iter().map(|grant| grant.role.as_str()).collect();
        let roles = if roles.is_empty() { "none".to_owned() } else { roles.into_iter().collect::<Vec<_>>().join(", ") };
        Self::not_allowed(format!("{} has the roles: {roles}", actor.identity))
    }

    fn not_allowed(what: String) -> Self {
        let mut fail = Self::new(FORBIDDEN, what).hint("`ecr-gate whoami` says what you may".to_owned());
        fail.0.challenge = Some(r#"Bearer realm="ecr-gate", error="insufficient_scope""#);
        fail
    }

    /// What was sent says who it is, and is refused: why.
    fn refused_token(why: String) -> Self {
        let mut fail = Self::unauthenticated(true);
        fail.0.problem.detail = Some(why);
        fail.0.problem.hint = None;
        fail
    }

    pub(crate) fn too_often(again: Duration) -> Self {
        Self::new(RATE, None).again(again)
    }

    pub(crate) fn busy() -> Self {
        Self::new(BUSY, None).again(SOON)
    }

    pub(crate) fn took_too_long() -> Self {
        Self::new(TIMEOUT, None).again(LATER).class(UnknownClass::Deadline)
    }

    /// S40: about a part of the cluster itself, while the store or a registry is away.
    pub(crate) fn left_open() -> Self {
        Self::new(LEFT_OPEN, None).again(LATER)
    }

    /// Our own fault: what it was is for the log alone.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let mut fail = Self::new(INTERNAL, None)
            .hint("tell those who run the gate the id of this request".to_owned())
            .class(UnknownClass::Internal);
        fail.0.cause = Some(cause.into());
        fail
    }

    /// There is no digest to judge: never a 403, which would say that policy refused it.
    fn refused(reason: &Reason) -> Self {
        let class = reason.code.class();
        let status = match class {
            Some(UnknownClass::NotFound) => StatusCode::NOT_FOUND,
            Some(
                UnknownClass::Throttled
                | UnknownClass::Deadline
                | UnknownClass::RegistryUnavailable
                | UnknownClass::StoreUnavailable,
            ) => StatusCode::SERVICE_UNAVAILABLE,
            Some(UnknownClass::Internal) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let mut fail = Self::new(Kind(reason.code.as_str(), status, reason.code.meaning()), reason.message.clone())
            .hint(reason.remedy.clone());
        let waiting = matches!(class, Some(UnknownClass::Throttled | UnknownClass::Deadline));
        fail.0.problem.class = class;
        fail.0.problem.verdict = Some(if waiting { Verdict::Pending } else { Verdict::Deny });
        if status == StatusCode::SERVICE_UNAVAILABLE { fail.again(LATER) } else { fail }
    }

    /// It is no longer what whoever wants to change it has seen.
    fn changed(what: &str) -> Self {
        Self::new(CONFLICT, format!("{what} has changed meanwhile"))
            .hint("look at it again: what is done about it is done about what it says now".to_owned())
    }

    fn store(cause: String) -> Self {
        let mut fail = Self::new(STORE, None).again(SOON).class(UnknownClass::StoreUnavailable);
        fail.0.cause = Some(cause);
        fail
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> u16 {
        self.0.problem.status
    }

    /// The problem as a part of an answer.
    pub(crate) fn problem(self) -> Problem {
        if let Some(cause) = &self.0.cause {
            tracing::warn!(code = self.0.problem.code, cause, "a promotion failed");
        }
        self.0.problem
    }

    /// The code, and what is only for the log.
    pub(crate) fn for_the_log(&self) -> (&str, Option<&str>) {
        (&self.0.problem.code, self.0.cause.as_deref())
    }

    /// The answer, once the request's id is known.
    pub(crate) fn write(mut self, request_id: &str, allow: Option<HeaderValue>) -> Response {
        if uuid::Uuid::try_parse(request_id).is_ok() {
            self.0.problem.instance = Some(format!("urn:uuid:{request_id}"));
        }
        let status = StatusCode::from_u16(self.0.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Texts and numbers always become JSON.
        let body = serde_json::to_vec(&self.0.problem).unwrap_or_else(|_| b"{}".to_vec());
        let mut response = (status, Body::from(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(after) = self.0.retry_after {
            headers.insert(RETRY_AFTER, seconds(after));
        }
        if let Some(challenge) = self.0.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(allow) = allow {
            headers.insert(axum::http::header::ALLOW, allow);
        }
        response
    }
}

/// When to come back, in whole seconds: at least one.
pub(crate) fn whole_seconds(after: Duration) -> u64 {
    let begun = u64::from(after.subsec_nanos() > 0);
    after.as_secs().saturating_add(begun).clamp(1, 86_400)
}

/// The same for `Retry-After`.
pub(crate) fn seconds(after: Duration) -> HeaderValue {
    HeaderValue::from(whole_seconds(after))
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

pub(crate) async fn no_such_route() -> Fail {
    Fail::new(NO_ROUTE, None).hint("`/api/v1/openapi.json` describes every path".to_owned())
}

pub(crate) async fn no_such_method() -> Fail {
    Fail::new(NO_METHOD, None).hint("the header `Allow` lists the methods it has".to_owned())
}

impl From<AskError> for Fail {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Usage { what, hint } => Self::new(INVALID, what).hint(hint),
            AskError::NotSetUp { what, hint } => Self::new(NOT_SET_UP, what).hint(hint),
            AskError::Forbidden(what) => Self::not_allowed(what),
            AskError::Refused(reason) => Self::refused(&reason),
            AskError::StoreUnavailable(cause) => Self::store(cause),
            AskError::Overloaded(what) => Self::new(OVERLOADED, what).again(SOON),
            AskError::Internal(cause) => Self::internal(cause),
        }
    }
}

impl From<PromoteError> for Fail {
    fn from(error: PromoteError) -> Self {
        match error {
            PromoteError::Ask(error) => error.into(),
            PromoteError::Refused { refusal, what, hint, .. } => {
                let kind = if refusal == Refusal::Denied { DENIED } else { PENDING };
                let mut fail = Self::new(kind, what).hint(hint);
                fail.0.problem.verdict = Some(refusal.verdict());
                fail
            }
            PromoteError::Destination { what, hint } => Self::new(DESTINATION, what).hint(hint),
            PromoteError::Registry(reason) => {
                let mut fail = Self::refused(&reason);
                fail.0.problem.verdict = None;
                fail
            }
            PromoteError::Forbidden(what) => GateError::Forbidden { what }.into(),
            PromoteError::NotFound(what) => Self::not_found(&what),
            other => Self::internal(other.to_string()),
        }
    }
}

impl From<GateError> for Fail {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Store(error) => error.into(),
            GateError::Invalid { what, hint } => Self::new(DOCUMENT, what).hint(hint),
            GateError::Usage { what, hint } => Self::new(INVALID, what).hint(hint),
            GateError::Forbidden { what } => Self::not_allowed(what),
            GateError::NotFound { what } => Self::not_found(&what),
            GateError::Conflict { what } => Self::changed(&what),
            other => Self::internal(other.to_string()),
        }
    }
}

impl From<AuthenticationError> for Fail {
    fn from(error: AuthenticationError) -> Self {
        match error {
            error @ AuthenticationError::NoRights { .. } => Self::not_allowed(error.to_string()),
            AuthenticationError::Refused(why) => Self::refused_token(why),
            AuthenticationError::Store(cause) => Self::store(cause),
            AuthenticationError::Keys { issuer, why } => Self::new(ISSUER, format!("{issuer}: {why}")).again(LATER),
            _ => Self::unauthenticated(true),
        }
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { what } => Self::changed(what),
            StoreError::KeyReused => Self::new(KEY_REUSED, None).hint("take a new key for a new request".to_owned()),
            StoreError::Overloaded { .. } => Self::new(OVERLOADED, error.to_string()).again(SOON),
            StoreError::Unreadable { .. } => Self::internal(error.to_string()),
            _ => Self::store(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
