//! A blob as a stream: never more bytes than were announced, and no end of the stream before size and digest were right.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use tokio::io::{AsyncRead, ReadBuf};

use crate::Descriptor;
use crate::client::mismatch;
use crate::digest::Verifier;
use crate::error::{Asked, Error};
use crate::transport::words;

/// A blob being read. It gives at most the bytes that the descriptor announces; after the last one stands either the end
/// of the stream, and then size and digest were right, or an error ([`Error::of_io`]). Whoever acts on the bytes before
/// the end was reached acts on unchecked bytes.
pub struct BlobReader {
    chunks: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    chunk: Bytes,
    size: u64,
    left: u64,
    state: State,
    asked: Asked,
}

enum State {
    Reading(Verifier),
    Whole,
    Failed(Error),
}

impl BlobReader {
    pub(crate) fn new(response: reqwest::Response, blob: &Descriptor, asked: Asked) -> Result<Self, Error> {
        if let Some(length) = response.content_length()
            && length != blob.size
        {
            return Err(Error::Malformed {
                asked,
                why: format!("it has {length} bytes, and its descriptor says {}", blob.size),
            });
        }
        Ok(Self {
            chunks: Box::pin(response.bytes_stream()),
            chunk: Bytes::new(),
            size: blob.size,
            left: blob.size,
            state: State::Reading(Verifier::new(&blob.digest)),
            asked,
        })
    }

    /// The next bytes, none at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Bytes, Error> {
        std::future::poll_fn(|context| self.poll_chunk(context)).await
    }

    /// The next bytes, none at the end.
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Error>> {
        let verifier = match &mut self.state {
            State::Reading(verifier) => verifier,
            State::Whole => return Poll::Ready(Ok(Bytes::new())),
            State::Failed(error) => return Poll::Ready(Err(error.clone())),
        };
        let malformed = |why: String| Error::Malformed { asked: self.asked.clone(), why };
        let outcome = loop {
            match ready!(self.chunks.as_mut().poll_next(context)) {
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(bytes)) => match self.left.checked_sub(bytes.len() as u64) {
                    Some(left) => {
                        self.left = left;
                        verifier.update(&bytes);
                        break Ok(bytes);
                    }
                    None => {
                        break Err(malformed(format!("it has more than the {} bytes of its descriptor", self.size)));
                    }
                },
                Some(Err(error)) => {
                    let cause = format!("after {} of {} bytes: {}", self.size - self.left, self.size, words(error));
                    break Err(Error::Unavailable { asked: self.asked.clone(), cause });
                }
                None if self.left > 0 => {
                    let cause = format!("it ended after {} of {} bytes", self.size - self.left, self.size);
                    break Err(Error::Unavailable { asked: self.asked.clone(), cause });
                }
                None => {
                    let State::Reading(verifier) = std::mem::replace(&mut self.state, State::Whole) else {
                        break Ok(Bytes::new());
                    };
                    break match verifier.finish() {
                        Ok(_) => Ok(Bytes::new()),
                        Err(found) => Err(mismatch(&self.asked, *found)),
                    };
                }
            }
        };
        if let Err(error) = &outcome {
            self.state = State::Failed(error.clone());
        }
        Poll::Ready(outcome)
    }
}

impl AsyncRead for BlobReader {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if into.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.chunk.is_empty() {
            self.chunk = ready!(self.poll_chunk(context)).map_err(Error::into_io)?;
        }
        let part = self.chunk.len().min(into.remaining());
        into.put_slice(&self.chunk.split_to(part));
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} of {} bytes to come", self.asked, self.left, self.size)
    }
}
