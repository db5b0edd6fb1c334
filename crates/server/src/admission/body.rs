//! The body of a review: bounded, whether it is compressed or not, and all of them together take no more memory than there is for them. What comes
//! takes its room as it comes; what is only promised takes none.

use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use flate2::read::GzDecoder;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::review::LARGEST;
use crate::errors::Fail;
use crate::extract;

/// Bodies that are in memory at the same time, in KiB: those of usual size, and large ones, which never keep the others waiting.
const USUAL: usize = 32 << 10;
const LARGE: usize = 96 << 10;
/// The largest body of usual size.
const SMALL: usize = 256 << 10;

/// How long a body may take to come.
const LONGEST: Duration = Duration::from_secs(3);
/// What is unpacked in one go.
const PIECE: usize = 64 << 10;

/// What there is for bodies.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    usual: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { usual: Arc::new(Semaphore::new(USUAL)), large: Arc::new(Semaphore::new(LARGE)) }
    }
}

/// A body, and its room in memory.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    _room: Room,
}

/// Reads the body of a review.
pub(super) async fn read(request: Request, memory: &Memory, until: Instant) -> Result<Body, Fail> {
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
    if declared(request.headers()).is_some_and(|size| size > LARGEST) {
        return Err(Fail::too_large(LARGEST));
    }
    let mut room = Room { memory: memory.clone(), until, held: Vec::new() };
    let mut bytes = received(request, &mut room).await?;
    if gzip {
        bytes = inflated(&bytes, &mut room).await?;
    }
    Ok(Body { bytes, _room: room })
}

fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn received(request: Request, room: &mut Room) -> Result<Vec<u8>, Fail> {
    let (mut body, mut bytes) = (request.into_body(), Vec::new());
    // An API server sends a review in one go: whoever is slower holds memory that others wait for. To wait for memory is not to be slow.
    let mut left = room.until.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), LONGEST);
    loop {
        let since = Instant::now();
        let frame = tokio::time::timeout(left, body.frame()).await.map_err(|_| Fail::too_slow())?;
        left = left.saturating_sub(since.elapsed());
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Fail::malformed("it ended before its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > LARGEST {
            return Err(Fail::too_large(LARGEST));
        }
        room.grow(bytes.len() + data.len()).await?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

async fn inflated(packed: &[u8], room: &mut Room) -> Result<Vec<u8>, Fail> {
    // Both are in memory.
    let (mut out, mut piece, mut reader) = (Vec::new(), vec![0; PIECE], GzDecoder::new(packed));
    loop {
        let read = reader.read(&mut piece).map_err(|error| Fail::malformed(format!("it is no gzip: {error}")))?;
        let Some(more) = piece.get(..read).filter(|more| !more.is_empty()) else { return Ok(out) };
        if out.len() + more.len() > LARGEST {
            return Err(Fail::too_large(LARGEST));
        }
        room.grow(packed.len() + out.len() + more.len()).await?;
        out.extend_from_slice(more);
    }
}

/// What a body takes of the memory that is for all of them, until it is dropped.
struct Room {
    memory: Memory,
    until: Instant,
    held: Vec<OwnedSemaphorePermit>,
}

impl Room {
    /// Room for so many bytes in all; waits for it as long as there is time.
    async fn grow(&mut self, bytes: usize) -> Result<(), Fail> {
        let held: usize = self.held.iter().map(OwnedSemaphorePermit::num_permits).sum();
        let more = u32::try_from(bytes.div_ceil(1024).saturating_sub(held)).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        let from = if bytes <= SMALL { &self.memory.usual } else { &self.memory.large };
        let place = tokio::time::timeout_at(self.until.into(), Arc::clone(from).acquire_many_owned(more)).await;
        let place = place.map_err(|_| Fail::busy())?.map_err(|_| Fail::busy())?;
        match self.held.iter_mut().find(|held| Arc::ptr_eq(held.semaphore(), from)) {
            Some(held) => held.merge(place),
            None => self.held.push(place),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_share_the_memory_and_give_it_back() {
        let memory = Memory { usual: Arc::new(Semaphore::new(300)), large: Arc::new(Semaphore::new(1000)) };
        let room = |within: u64| Room {
            memory: memory.clone(),
            until: Instant::now() + Duration::from_millis(within),
            held: Vec::new(),
        };
        let left = || (memory.usual.available_permits(), memory.large.available_permits());
        let mut first = room(10_000);
        first.grow(1).await.unwrap();
        first.grow(1024).await.unwrap();
        assert_eq!(left(), (299, 1000), "by the KiB");
        first.grow(900 << 10).await.unwrap();
        assert_eq!(left(), (299, 101), "a large one takes what is for large ones");
        let (mut late, mut waits, mut usual) = (room(20), room(10_000), room(20));
        assert!(late.grow(500 << 10).await.is_err(), "there is none in time");
        usual.grow(200 << 10).await.unwrap();
        assert_eq!(left(), (99, 101), "and keeps no other waiting");
        let (grown, ()) = tokio::join!(waits.grow(900 << 10), async { drop(first) });
        assert!(grown.is_ok(), "what is done makes room");
        drop((late, waits, usual));
        assert_eq!(left(), (300, 1000));
    }
}
