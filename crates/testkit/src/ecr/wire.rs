//! Reading HTTP/1.1 requests from a socket, within bounds. No chunked bodies: AWS clients send a length.

use std::io::{Read, Write};
use std::net::TcpStream;

/// The largest request that is read, head and body together.
const LIMIT_BYTES: usize = 1024 * 1024;
/// The largest head.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;

/// What a socket has sent and nobody has read yet.
pub(super) struct Inbox<'a> {
    stream: &'a TcpStream,
    unread: Vec<u8>,
}

/// A whole request.
pub(super) struct Message {
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) keep_alive: bool,
}

/// Why there is no request.
pub(super) enum Refusal {
    /// The other side has closed, or the socket failed.
    Gone,
    /// It is not a request this endpoint reads: the status and what is wrong.
    Bad(u16, &'static str),
}

impl<'a> Inbox<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// Waits for the next request.
    pub(super) fn read(&mut self) -> Result<Message, Refusal> {
        let head_end = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if self.unread.len() > HEAD_LIMIT_BYTES {
                return Err(Refusal::Bad(413, "the head of the request is too large"));
            }
            self.more()?;
        };
        let head = String::from_utf8_lossy(&self.unread[..head_end]).into_owned();
        self.unread.drain(..head_end + 4);

        let mut lines = head.split("\r\n");
        let mut start = lines.next().unwrap_or_default().split(' ');
        let (method, version) = (start.next().unwrap_or_default(), start.nth(1).unwrap_or_default());
        if !version.starts_with("HTTP/1.") {
            return Err(Refusal::Bad(400, "the start of the request is not HTTP/1.1"));
        }
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let find = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());

        if method != "POST" {
            return Err(Refusal::Bad(405, "only POST is understood"));
        }
        let Some(length) = find("content-length") else {
            return Err(Refusal::Bad(411, "the request has no Content-Length"));
        };
        let Ok(length) = length.parse::<usize>() else {
            return Err(Refusal::Bad(400, "the Content-Length is not a number"));
        };
        if length > LIMIT_BYTES {
            return Err(Refusal::Bad(413, "the request is too large"));
        }
        let keep_alive = match find("connection") {
            Some(value) => !value.eq_ignore_ascii_case("close"),
            None => version != "HTTP/1.0",
        };
        if find("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            let mut stream = self.stream;
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").map_err(|_| Refusal::Gone)?;
        }
        while self.unread.len() < length {
            self.more()?;
        }
        let body = self.unread.drain(..length).collect();
        Ok(Message { headers, body, keep_alive })
    }

    /// Reads what has come, or waits for something to come.
    fn more(&mut self) -> Result<(), Refusal> {
        let mut stream = self.stream;
        let mut chunk = [0_u8; 8192];
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => Err(Refusal::Gone),
            Ok(length) => {
                self.unread.extend_from_slice(&chunk[..length]);
                Ok(())
            }
        }
    }
}
