//! The body of a review: bounded, whether it is compressed or not, and never more of them at once than fit into memory.

use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use flate2::read::GzDecoder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::review::LARGEST;
use crate::errors::Fail;
use crate::extract;

/// Bodies that are in memory at the same time, in KiB.
pub(super) const MEMORY: usize = 256 << 10;

/// How long a body may take to come.
const LONGEST: Duration = Duration::from_secs(3);

/// A body, and its place in memory.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

/// Reads the body of a review.
pub(super) async fn read(request: Request, memory: &Arc<Semaphore>, until: Instant) -> Result<Body, Fail> {
    let kind = extract::media_type(request.headers());
    if kind.as_deref() != Some("application/json") {
        return Err(Fail::media_type(kind.as_deref(), "application/json"));
    }
    let encoding =
        request.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase());
    let gzip = match encoding.as_deref() {
        None | Some("identity") => false,
        Some("gzip") => true,
        Some(_) => return Err(Fail::invalid("Content-Encoding: gzip is read, and no other")),
    };
    let size = if gzip { LARGEST } else { declared(request.headers()).unwrap_or(LARGEST).min(LARGEST) };
    let kib = u32::try_from(size.div_ceil(1024).max(1)).unwrap_or(u32::MAX);
    let left = || until.saturating_duration_since(Instant::now());
    let place = tokio::time::timeout(left(), Arc::clone(memory).acquire_many_owned(kib)).await;
    let place = place.map_err(|_| Fail::busy())?.map_err(|_| Fail::busy())?;
    // An API server sends a review in one go: whoever is slower holds memory that others wait for.
    let bytes = extract::body(request, LARGEST, left().clamp(Duration::from_millis(1), LONGEST)).await?;
    let bytes = if gzip { inflated(&bytes)? } else { bytes };
    Ok(Body { bytes, _place: place })
}

fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn inflated(bytes: &[u8]) -> Result<Bytes, Fail> {
    let mut out = Vec::new();
    let most = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    let mut reader = GzDecoder::new(bytes).take(most.saturating_add(1));
    reader.read_to_end(&mut out).map_err(|error| Fail::malformed(format!("it is no gzip: {error}")))?;
    if out.len() > LARGEST { Err(Fail::too_large(LARGEST)) } else { Ok(out.into()) }
}
