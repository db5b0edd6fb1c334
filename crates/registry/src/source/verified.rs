//! Streams that end well only if their size and digest are right.

use std::io::{self, Read};

use model::Digest;

use super::error::Fault;
use crate::digest::Verifier;

/// Content being read. The bytes that complete it come only if they are right.
pub(super) struct Verified<R> {
    stream: R,
    what: String,
    verifier: Option<Verifier>,
    length: Length,
    read: u64,
}

/// How long the content may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Length {
    /// Exactly this.
    Exactly(u64),
    /// At most this.
    AtMost(u64),
}

impl<R: Read> Verified<R> {
    pub(super) fn new(stream: R, what: impl Into<String>, digest: &Digest, length: Length) -> Self {
        Self { stream, what: what.into(), verifier: Some(Verifier::new(digest)), length, read: 0 }
    }

    fn settle(&mut self) -> io::Result<()> {
        let Some(verifier) = self.verifier.take() else { return Ok(()) };
        verifier.finish().map(drop).map_err(|mismatch| {
            let what = self.what.clone();
            Fault::DigestMismatch { what, expected: mismatch.expected, found: mismatch.found }.into_io()
        })
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.verifier.is_none() || buffer.is_empty() {
            return Ok(0);
        }
        let (Length::Exactly(longest) | Length::AtMost(longest)) = self.length;
        let length = self.stream.read(buffer)?;
        self.read = self.read.saturating_add(length as u64);
        if let Some(verifier) = &mut self.verifier {
            verifier.update(&buffer[..length]);
        }
        let what = || self.what.clone();
        match self.length {
            _ if self.read > longest => {
                self.verifier = None;
                Err(match self.length {
                    Length::AtMost(limit) => Fault::TooLarge { what: what(), limit }.into_io(),
                    Length::Exactly(expected) => {
                        Fault::SizeMismatch { what: what(), expected, found: self.read }.into_io()
                    }
                })
            }
            Length::Exactly(expected) if length == 0 && self.read < expected => {
                self.verifier = None;
                Err(Fault::SizeMismatch { what: what(), expected, found: self.read }.into_io())
            }
            Length::Exactly(expected) if self.read == expected => self.settle().map(|()| length),
            _ if length == 0 => self.settle().map(|()| 0),
            _ => Ok(length),
        }
    }
}

/// Reads a stream whole, at most `limit` bytes of it.
pub(super) fn bounded(stream: impl Read, what: &str, limit: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    stream.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| Fault::io(what, &error))?;
    if bytes.len() as u64 > limit {
        return Err(Fault::TooLarge { what: what.to_owned(), limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &'static [u8], digest: &[u8], length: Length) -> (Vec<u8>, Option<Fault>) {
        // One byte at a time, so that what comes before the error is seen.
        let mut stream = Verified::new(bytes, "it", &Digest::of(digest), length);
        let mut all = Vec::new();
        let mut byte = [0];
        loop {
            match stream.read(&mut byte) {
                Ok(0) => return (all, None),
                Ok(_) => all.push(byte[0]),
                Err(error) => {
                    assert_eq!(stream.read(&mut byte).unwrap(), 0, "after an error there is nothing");
                    return (all, Some(Fault::io("", &error)));
                }
            }
        }
    }

    #[test]
    fn s25_the_last_byte_comes_only_if_all_is_right() {
        assert_eq!(read(b"abc", b"abc", Length::Exactly(3)), (b"abc".to_vec(), None));
        assert_eq!(read(b"abc", b"abc", Length::AtMost(9)), (b"abc".to_vec(), None));
        assert_eq!(read(b"", b"", Length::Exactly(0)), (vec![], None));
        let (seen, fault) = read(b"abd", b"abc", Length::Exactly(3));
        assert!(seen == b"ab" && matches!(fault, Some(Fault::DigestMismatch { .. })), "{fault:?}");
        let (seen, fault) = read(b"ab", b"ab", Length::Exactly(3));
        assert!(seen == b"ab" && matches!(fault, Some(Fault::SizeMismatch { expected: 3, found: 2, .. })), "{fault:?}");
        let (_, fault) = read(b"", b"a", Length::AtMost(9));
        assert!(matches!(fault, Some(Fault::DigestMismatch { .. })), "{fault:?}");
        let (seen, fault) = read(b"abcd", b"abcd", Length::AtMost(3));
        assert!(seen == b"abc" && matches!(fault, Some(Fault::TooLarge { limit: 3, .. })), "{fault:?}");
        assert!(bounded(b"abcd".as_slice(), "it", 3).is_err() && bounded(b"abc".as_slice(), "it", 3).is_ok());
    }
}
