//! What goes wrong, and when: a fault fits requests by method and path, passes some by, and lasts for some.

use std::time::Duration;

use super::reply::{Manner, Reply};

/// Something that goes wrong with the requests it fits. Made with [`Fault::on`], then what happens, then how often.
#[derive(Debug, Clone)]
#[must_use]
pub struct Fault {
    method: String,
    path: String,
    skip: usize,
    times: Option<usize>,
    acts: Vec<Act>,
}

#[derive(Debug, Clone)]
enum Act {
    Status(u16, String),
    Header(String, String),
    WithoutHeader(String),
    Body(Vec<u8>),
    Flip,
    Grow(usize),
    Delay(Duration),
    Travel(Manner),
}

impl Fault {
    /// For requests of this method (`*` for any, `GET` is not `HEAD`) whose path contains this text: `/manifests/`, a
    /// digest, `/v2/app/referrers/`. The query does not count.
    pub fn on(method: &str, path_contains: &str) -> Self {
        Self { method: method.to_owned(), path: path_contains.to_owned(), skip: 0, times: None, acts: Vec::new() }
    }

    /// This status with an error body in the place of the real answer; the registry does nothing.
    pub fn status(self, status: u16) -> Self {
        let code = match status {
            401 => "UNAUTHORIZED",
            403 => "DENIED",
            404 => "NAME_UNKNOWN",
            429 => "TOOMANYREQUESTS",
            _ => "UNKNOWN",
        };
        self.status_code(status, code)
    }

    /// The same with this code in the error body.
    pub fn status_code(self, status: u16, code: &str) -> Self {
        self.act(Act::Status(status, code.to_owned()))
    }

    /// 429 with `Retry-After`.
    pub fn throttled(self, retry_after: &str) -> Self {
        self.status(429).header("Retry-After", retry_after)
    }

    /// A redirect (307) to this URL in the place of the real answer.
    pub fn redirect(self, url: &str) -> Self {
        self.status(307).header("Location", url)
    }

    /// One more header; one of the same name is replaced.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.act(Act::Header(name.to_owned(), value.to_owned()))
    }

    /// The real answer without this header.
    pub fn without_header(self, name: &str) -> Self {
        self.act(Act::WithoutHeader(name.to_owned()))
    }

    /// The real answer with this body in the place of its own: the headers still name the true digest.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        self.act(Act::Body(body.into()))
    }

    /// One bit of the body is another one: the length is right, the digest is not.
    pub fn wrong_bytes(self) -> Self {
        self.act(Act::Flip)
    }

    /// The body goes on for this many bytes more; the length says so.
    pub fn oversized(self, extra_bytes: usize) -> Self {
        self.act(Act::Grow(extra_bytes))
    }

    /// The body has no length and goes on, over and over, until this many bytes are sent.
    pub fn endless(self, total_bytes: usize) -> Self {
        self.act(Act::Travel(Manner::Chunked(total_bytes)))
    }

    /// The whole length is promised, this much is sent, then the connection is closed.
    pub fn truncated(self, keep_bytes: usize) -> Self {
        self.act(Act::Travel(Manner::Truncated(keep_bytes)))
    }

    /// The body drips.
    pub fn slow(self, piece_bytes: usize, pause: Duration) -> Self {
        self.act(Act::Travel(Manner::Drip(piece_bytes, pause)))
    }

    /// The real answer, this much later.
    pub fn delay(self, delay: Duration) -> Self {
        self.act(Act::Delay(delay))
    }

    /// The connection is closed without a byte.
    pub fn cut(self) -> Self {
        self.act(Act::Travel(Manner::Cut))
    }

    /// Silence, then the connection is closed.
    pub fn hang(self, silence: Duration) -> Self {
        self.act(Act::Travel(Manner::Hang(silence)))
    }

    /// Only for this many requests; after them the fault is over.
    pub fn times(self, times: usize) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Only after this many requests that fit have been answered well.
    pub fn after(self, requests: usize) -> Self {
        Self { skip: requests, ..self }
    }

    fn act(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }

    /// Whether the fault takes this request; its counters go on.
    pub(super) fn takes(&mut self, method: &str, path: &str) -> bool {
        let fits = (self.method == "*" || self.method == method) && path.contains(&self.path);
        if !fits || self.times == Some(0) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times = self.times.map(|times| times - 1);
        true
    }

    /// Whether the registry itself is not asked.
    pub(super) fn replaces(&self) -> bool {
        self.acts.iter().any(|act| matches!(act, Act::Status(..) | Act::Travel(Manner::Cut | Manner::Hang(_))))
    }

    /// The answer as it goes out.
    pub(super) fn apply(&self, mut reply: Reply) -> Reply {
        for act in &self.acts {
            match act {
                Act::Status(status, code) => reply = Reply::error(*status, code, "scripted by the test"),
                Act::Header(name, value) => reply = reply.without(name).header(name, value),
                Act::WithoutHeader(name) => reply = reply.without(name),
                Act::Body(body) => {
                    reply.body.clone_from(body);
                    reply = reply.without("content-length");
                }
                Act::Flip => {
                    let middle = reply.body.len() / 2;
                    if let Some(byte) = reply.body.get_mut(middle) {
                        *byte ^= 1;
                    }
                }
                Act::Grow(extra) => {
                    let length = reply.body.len() + extra;
                    reply.body.resize(length, b' ');
                    reply = reply.without("content-length");
                }
                Act::Delay(delay) => reply.delay = *delay,
                Act::Travel(manner) => {
                    if matches!(manner, Manner::Chunked(_)) {
                        reply = reply.without("content-length");
                    }
                    reply.manner = *manner;
                }
            }
        }
        reply
    }
}
