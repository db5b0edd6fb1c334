//! HTTP/1.1 as a registry's clients speak it: any method, bodies with a length or in chunks, kept-alive connections.
//! Bounds are generous: whoever calls is a test.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::escapes::{pairs, unescaped};

/// The largest body that is read.
const BODY_LIMIT_BYTES: usize = 1 << 30;
/// The largest head that is read.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;

/// A request, whole.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: String,
    /// As it was sent, with the query.
    pub(super) target: String,
    /// Escapes undone, without the query.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) keep_alive: bool,
}

impl Call {
    /// The first value of a header; the name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no request.
pub(super) enum Refusal {
    /// The other side has closed, or the socket failed.
    Gone,
    /// It is not a request that is understood here.
    Bad(&'static str),
}

/// What a socket has sent and nobody has read yet.
pub(super) struct Inbox<'a> {
    stream: &'a TcpStream,
    unread: Vec<u8>,
}

impl<'a> Inbox<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// Waits for the next request.
    pub(super) fn read(&mut self) -> Result<Call, Refusal> {
        if self.unread.is_empty() {
            self.more()?;
        }
        // A client that tries TLS first would wait for its answer, and this for the end of a line.
        if !self.unread[0].is_ascii_uppercase() {
            return Err(Refusal::Bad("this is a plain HTTP server"));
        }
        let head = self.until(b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.split("\r\n");
        let start: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let [method, target, version] = start.as_slice() else {
            return Err(Refusal::Bad("the first line is not `METHOD target HTTP/1.1`"));
        };
        if !version.starts_with("HTTP/1.") {
            return Err(Refusal::Bad("the version is not HTTP/1.1"));
        }
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut call = Call {
            method: (*method).to_owned(),
            target: (*target).to_owned(),
            path: unescaped(path, false),
            query: pairs(query),
            headers,
            body: Vec::new(),
            keep_alive: true,
        };
        call.keep_alive = match call.header("connection") {
            Some(value) => !value.eq_ignore_ascii_case("close"),
            None => *version != "HTTP/1.0",
        };
        if call.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            let mut stream = self.stream;
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").map_err(|_| Refusal::Gone)?;
        }
        let chunked = call.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        call.body = if chunked {
            self.chunks()?
        } else {
            let length = call.header("content-length").unwrap_or("0").parse();
            self.exactly(length.map_err(|_| Refusal::Bad("the Content-Length is no number"))?)?
        };
        Ok(call)
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Refusal> {
        let mut body = Vec::new();
        loop {
            let size = self.until(b"\r\n")?;
            let size = std::str::from_utf8(&size).ok().and_then(|text| text.split(';').next()).unwrap_or("");
            let size = usize::from_str_radix(size.trim(), 16).map_err(|_| Refusal::Bad("a chunk has no size"))?;
            if size == 0 {
                while !self.until(b"\r\n")?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.exactly(size)?);
            self.until(b"\r\n")?;
            if body.len() > BODY_LIMIT_BYTES {
                return Err(Refusal::Bad("the body is too large"));
            }
        }
    }

    /// What comes before the mark; the mark is taken away.
    fn until(&mut self, mark: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut searched = 0_usize;
        loop {
            if let Some(at) = self.unread[searched..].windows(mark.len()).position(|window| window == mark) {
                let before = self.unread.drain(..searched + at).collect();
                self.unread.drain(..mark.len());
                return Ok(before);
            }
            if self.unread.len() > HEAD_LIMIT_BYTES {
                return Err(Refusal::Bad("the head is too large"));
            }
            searched = self.unread.len().saturating_sub(mark.len());
            self.more()?;
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Refusal> {
        if length > BODY_LIMIT_BYTES {
            return Err(Refusal::Bad("the body is too large"));
        }
        while self.unread.len() < length {
            self.more()?;
        }
        Ok(self.unread.drain(..length).collect())
    }

    fn more(&mut self) -> Result<(), Refusal> {
        let mut stream = self.stream;
        let mut chunk = [0_u8; 16 * 1024];
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => Err(Refusal::Gone),
            Ok(length) => {
                self.unread.extend_from_slice(&chunk[..length]);
                Ok(())
            }
        }
    }
}
