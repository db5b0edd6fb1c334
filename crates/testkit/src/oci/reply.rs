//! One answer of the registry, and how it is sent: whole, cut short, slowly, without a length, or not at all.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::server::Shared;

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) delay: Duration,
    pub(super) manner: Manner,
}

/// How the answer travels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Manner {
    /// Head and body, at once.
    Whole,
    /// The length of the whole body is promised, this many bytes are sent, then the connection is closed.
    Truncated(usize),
    /// In pieces of this many bytes, with a pause before each.
    Drip(usize, Duration),
    /// In chunks and without a length; the body is repeated until this many bytes are sent.
    Chunked(usize),
    /// The connection is closed without a byte.
    Cut,
    /// Silence for this long, then the connection is closed.
    Hang(Duration),
}

impl Reply {
    pub(super) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: Duration::ZERO, manner: Manner::Whole }
    }

    /// An error as the distribution specification writes it.
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({ "errors": [{ "code": code, "message": message, "detail": null }] });
        Self::new(status).json("application/json", &body)
    }

    pub(super) fn json(self, media_type: &str, value: &Value) -> Self {
        self.body(media_type, value.to_string())
    }

    pub(super) fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", media_type)
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same without this header.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Sends the answer; whether the connection may go on.
    pub(super) fn deliver(&self, head_only: bool, mut stream: &TcpStream, shared: &Shared) -> io::Result<bool> {
        if !shared.pause(self.delay) {
            return Ok(false);
        }
        let head = self.head();
        if head_only && !matches!(self.manner, Manner::Cut | Manner::Hang(_)) {
            stream.write_all(head.as_bytes())?;
            return Ok(shared.pause(Duration::ZERO));
        }
        match self.manner {
            Manner::Cut => return Ok(false),
            Manner::Hang(silence) => {
                shared.pause(silence);
                return Ok(false);
            }
            Manner::Whole => stream.write_all(&[head.as_bytes(), &self.body].concat())?,
            Manner::Truncated(keep) => {
                let keep = keep.min(self.body.len().saturating_sub(1));
                stream.write_all(&[head.as_bytes(), &self.body[..keep]].concat())?;
                return Ok(false);
            }
            Manner::Drip(size, pause) => {
                stream.write_all(head.as_bytes())?;
                for piece in self.body.chunks(size.max(1)) {
                    if !shared.pause(pause) {
                        return Ok(false);
                    }
                    stream.write_all(piece)?;
                }
            }
            Manner::Chunked(total) => {
                stream.write_all(head.as_bytes())?;
                let body = if self.body.is_empty() { b"\0".as_slice() } else { self.body.as_slice() };
                let mut sent = 0;
                for piece in body.chunks(64 * 1024).cycle() {
                    if sent >= total || !shared.pause(Duration::ZERO) {
                        break;
                    }
                    let piece = &piece[..piece.len().min(total - sent)];
                    let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
                    stream.write_all(&chunk)?;
                    sent += piece.len();
                }
                stream.write_all(b"0\r\n\r\n")?;
            }
        }
        Ok(shared.pause(Duration::ZERO))
    }

    fn head(&self) -> String {
        let mut lines = vec![format!("HTTP/1.1 {} {}", self.status, phrase(self.status))];
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        match self.manner {
            Manner::Chunked(_) => lines.push("Transfer-Encoding: chunked".to_owned()),
            _ if self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) => {}
            _ if self.status == 204 => {}
            _ => lines.push(format!("Content-Length: {}", self.body.len())),
        }
        lines.join("\r\n") + "\r\n\r\n"
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Scripted",
    }
}
