//! One connection: request after request until one side has had enough.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::Shared;
use super::wire::{Inbox, Refusal};
use crate::answer::{Answer, Delivery, REQUEST_ID};
use crate::request::Request;

/// Serves a connection to its end and closes it.
pub(super) fn serve(stream: &TcpStream, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let mut inbox = Inbox::new(stream);
    while let Some(keep) = exchange(&mut inbox, stream, shared) {
        if !keep {
            break;
        }
    }
    // The accepting thread holds another handle, so dropping this one would not close the connection.
    let _ = stream.shutdown(Shutdown::Both);
}

/// One request and its answer: whether the connection may go on, or nothing when it is gone.
fn exchange(inbox: &mut Inbox<'_>, stream: &TcpStream, shared: &Shared) -> Option<bool> {
    let message = match inbox.read() {
        Ok(message) => message,
        Err(Refusal::Gone) => return None,
        Err(Refusal::Bad(status, reason)) => {
            let answer = Answer::error_status(status, "SerializationException", reason).closing();
            return deliver(&answer, stream, shared).ok();
        }
    };
    let answer = shared.answer(&Request::understand(message.headers, &message.body));
    if !shared.pause(answer.delay) {
        return None;
    }
    deliver(&answer, stream, shared).ok().map(|keep| keep && message.keep_alive)
}

/// Sends the answer in its manner; whether the connection may go on.
fn deliver(answer: &Answer, mut stream: &TcpStream, shared: &Shared) -> io::Result<bool> {
    let head = head(answer);
    match answer.delivery {
        Delivery::Cut => return Ok(false),
        Delivery::Hang(silence) => {
            shared.pause(silence);
            return Ok(false);
        }
        Delivery::Whole => stream.write_all(&[head.as_bytes(), &answer.body].concat())?,
        Delivery::Truncated(keep) => {
            let keep = keep.min(answer.body.len().saturating_sub(1));
            stream.write_all(&[head.as_bytes(), &answer.body[..keep]].concat())?;
            return Ok(false);
        }
        Delivery::Drip(size, pause) => {
            stream.write_all(head.as_bytes())?;
            for chunk in answer.body.chunks(size) {
                if !shared.pause(pause) {
                    return Ok(false);
                }
                stream.write_all(chunk)?;
            }
        }
    }
    Ok(!answer.close && shared.pause(Duration::ZERO))
}

/// Status line and headers.
fn head(answer: &Answer) -> String {
    let mut head = format!(
        "HTTP/1.1 {} {}\r\nx-amzn-RequestId: {REQUEST_ID}\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
        answer.status,
        phrase(answer.status),
        answer.content_type,
        answer.body.len(),
    );
    for (name, value) in &answer.headers {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    }
    if answer.close {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    head
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Scripted",
    }
}
