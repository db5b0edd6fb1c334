//! One answer of the endpoint: what is said, and how badly it is delivered.

use std::time::Duration;

use serde_json::{Value, json};

/// The content type of the AWS JSON 1.1 protocol.
pub(crate) const JSON: &str = "application/x-amz-json-1.1";
/// Error codes that are the service's fault, with the status AWS gives them; every other code is a 400.
const SERVER_FAULTS: &[(&str, u16)] = &[
    ("ServerException", 500),
    ("InternalFailure", 500),
    ("InternalServerError", 500),
    ("InternalServerException", 500),
    ("ServiceUnavailable", 503),
    ("ServiceUnavailableException", 503),
];

/// An answer, made with one of the constructors and shaped with [`after`](Answer::after),
/// [`header`](Answer::header) and [`closing`](Answer::closing).
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) delivery: Delivery,
    pub(crate) delay: Duration,
    pub(crate) close: bool,
}

/// How the answer travels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Delivery {
    /// Head and body, at once.
    Whole,
    /// The length of the whole body is promised, this many bytes are sent, then the connection is closed.
    Truncated(usize),
    /// The body in pieces of this many bytes, with a pause before each.
    Drip(usize, Duration),
    /// The connection is closed without a byte.
    Cut,
    /// Silence for this long, then the connection is closed.
    Hang(Duration),
}

impl Answer {
    /// 200 with this document.
    pub fn json(value: impl Into<Value>) -> Self {
        Self::raw(200, JSON, value.into().to_string())
    }

    /// 200 with this text under the JSON content type: for bodies that are not JSON, or that a [`Value`] can't hold.
    pub fn text(body: impl Into<String>) -> Self {
        Self::raw(200, JSON, body.into())
    }

    /// 200 with this XML, as the query protocol (STS) answers.
    pub fn xml(body: impl Into<String>) -> Self {
        Self::raw(200, "text/xml", body.into())
    }

    /// Exactly this.
    pub fn raw(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            body: body.into(),
            delivery: Delivery::Whole,
            delay: Duration::ZERO,
            close: false,
        }
    }

    /// An error as ECR answers it: 400, or 5xx for the codes that are the service's fault (`ServerException`, …).
    pub fn error(code: &str, message: &str) -> Self {
        let status = SERVER_FAULTS.iter().find(|(fault, _)| *fault == code).map_or(400, |(_, status)| *status);
        Self::error_status(status, code, message)
    }

    /// An error as ECR answers it, with a status of its own.
    pub fn error_status(status: u16, code: &str, message: &str) -> Self {
        Self::raw(status, JSON, json!({ "__type": code, "message": message }).to_string())
            .header("x-amzn-ErrorType", code)
    }

    /// An error as STS answers it (query protocol).
    pub fn error_xml(status: u16, code: &str, message: &str) -> Self {
        let (code, message) = (escape(code), escape(message));
        let body = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
        );
        Self::raw(status, "text/xml", body)
    }

    /// A refusal as moto answers it, whatever the protocol: 403, XML under an HTML content type, no error header.
    pub fn denied_xml(message: &str) -> Self {
        let message = escape(message);
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<ErrorResponse><Errors><Error><Code>AccessDenied</Code>\
             <Message>{message}</Message><Type>Sender</Type></Error></Errors></ErrorResponse>"
        );
        Self::raw(403, "text/html; charset=utf-8", body)
    }

    /// 200 that promises the whole document, sends `keep_bytes` of it and closes the connection.
    pub fn truncated(value: impl Into<Value>, keep_bytes: usize) -> Self {
        Self { delivery: Delivery::Truncated(keep_bytes), ..Self::json(value) }
    }

    /// Closes the connection without a byte.
    pub fn cut() -> Self {
        Self { delivery: Delivery::Cut, ..Self::text("") }
    }

    /// 200 whose body drips: `chunk_bytes` at a time, with `pause` before each.
    pub fn slow(value: impl Into<Value>, chunk_bytes: usize, pause: Duration) -> Self {
        Self { delivery: Delivery::Drip(chunk_bytes.max(1), pause), ..Self::json(value) }
    }

    /// Accepts the request, answers nothing for this long, then closes the connection.
    pub fn hang(silence: Duration) -> Self {
        Self { delivery: Delivery::Hang(silence), ..Self::text("") }
    }

    /// The same answer, this much later.
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// The same answer with one more header, for example `Retry-After`.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same answer, and the connection is closed behind it.
    pub fn closing(self) -> Self {
        Self { close: true, ..self }
    }
}

/// The request id of every answer.
pub(crate) const REQUEST_ID: &str = "7a62c49f-347e-4fc4-9331-6e8e00000000";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
