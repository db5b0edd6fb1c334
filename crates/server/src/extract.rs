//! What handlers get out of a request. Every way in which a request can be wrong is a problem in words here; nothing is read without a bound.

use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use model::Digest;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::errors::Fail;
use crate::text::{NAME, sound};

/// The largest body of a question.
pub(crate) const SMALL: usize = 1 << 20;
/// The largest document, or bundle of policies.
pub(crate) const LARGE: usize = 64 << 20;

/// A body of JSON, at most `MOST` bytes.
pub(crate) struct Json<T, const MOST: usize> {
    pub value: T,
    pub bytes: Bytes,
}

impl<T: DeserializeOwned, const MOST: usize> FromRequest<App> for Json<T, MOST> {
    type Rejection = Fail;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fail> {
        let kind = media_type(request.headers());
        if kind.as_deref() != Some("application/json") {
            return Err(Fail::media_type(kind.as_deref(), "application/json"));
        }
        let bytes = body(request, MOST, app.shared.limits.receiving).await?;
        Ok(Self { value: parse(&bytes)?, bytes })
    }
}

/// A body of JSON that may be left out.
pub(crate) struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalJson<T> {
    type Rejection = Fail;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fail> {
        let kind = media_type(request.headers());
        let bytes = body(request, SMALL, app.shared.limits.receiving).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        if kind.as_deref() != Some("application/json") {
            return Err(Fail::media_type(kind.as_deref(), "application/json"));
        }
        Ok(Self(parse(&bytes)?))
    }
}

/// A document as it is. A form is a mistake: it is what `curl --data` says without a type, and that strips newlines.
pub(crate) struct Document(pub Bytes);

impl FromRequest<App> for Document {
    type Rejection = Fail;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fail> {
        let kind = media_type(request.headers());
        if !matches!(kind.as_deref(), Some("application/json" | "application/octet-stream")) {
            return Err(Fail::media_type(kind.as_deref(), "application/octet-stream"));
        }
        let bytes = body(request, LARGE, app.shared.limits.receiving).await?;
        if bytes.is_empty() {
            return Err(Fail::malformed("the document is empty"));
        }
        Ok(Self(bytes))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fail> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Fail::invalid(error.to_string()),
        _ => Fail::malformed(format!("it is no JSON: {error}")),
    })
}

/// The media type without its parameters, in lower case. Two headers are none.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let mut given = headers.get_all(CONTENT_TYPE).iter();
    let kind = given.next()?.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
    given.next().is_none().then_some(kind)
}

pub(crate) async fn body(request: Request, most: usize, receiving: Duration) -> Result<Bytes, Fail> {
    let declared =
        request.headers().get(CONTENT_LENGTH).and_then(|value: &HeaderValue| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|declared: u64| declared > most as u64) {
        return Err(Fail::too_large(most));
    }
    let read = tokio::time::timeout(receiving, to_bytes(request.into_body(), most));
    match read.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_large(&error) => Err(Fail::too_large(most)),
        Ok(Err(_)) => Err(Fail::malformed("it ended before its end")),
        Err(_) => Err(Fail::too_slow()),
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    matches!(std::error::Error::source(error), Some(source) if source.is::<http_body_util::LengthLimitError>())
}

/// The query. A parameter that is not known or there twice is refused.
pub(crate) struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fail> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|Query(query)| Self(query))
            .map_err(|error| Fail::invalid(format!("the query: {}", error.body_text())))
    }
}

/// A digest in the path.
pub(crate) struct DigestInPath(pub Digest);

impl<S: Send + Sync> FromRequestParts<S> for DigestInPath {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fail> {
        let NameInPath(text) = NameInPath::from_request_parts(parts, state).await?;
        let digest = text.parse().map_err(|error| Fail::invalid(format!("{text:?} in the path: {error}")))?;
        Ok(Self(digest))
    }
}

/// An id in the path.
pub(crate) struct NameInPath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for NameInPath {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fail> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|error| Fail::invalid(format!("the path: {}", error.body_text())))?;
        sound("the id in the path", &text, NAME)?;
        Ok(Self(text))
    }
}
