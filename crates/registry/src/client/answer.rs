//! What a refusal means: HTTP status and the OCI error body (distribution-spec, "Error Codes") as one [`Error`], and
//! whether it may pass. Bodies are read up to a limit; what is shown of them is one line without control characters and
//! without the query of any address.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;

use crate::error::{Asked, Error};
use crate::transport::patience::{Patience, retry_after};
use crate::transport::{SendError, Transport};

const BODY: u64 = 64 << 10;
const SHOWN: usize = 200;

/// A failed try.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Box<Error>,
    /// Whether another try may end otherwise.
    passing: bool,
    retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Body {
    errors: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    code: String,
    message: Option<String>,
}

impl Failure {
    pub(crate) fn lasting(error: Error) -> Self {
        Self { error: Box::new(error), passing: false, retry_after: None }
    }

    fn passing(error: Error, retry_after: Option<Duration>) -> Self {
        Self { error: Box::new(error), passing: true, retry_after }
    }

    /// What was to be sent on could not be read.
    pub(crate) fn reading(error: Error) -> Self {
        let passing = matches!(error, Error::Unavailable { .. });
        Self { error: Box::new(error), passing, retry_after: None }
    }

    /// Nothing, or not everything, came back.
    pub(crate) fn sending(asked: &Asked, error: SendError) -> Self {
        let asked = asked.clone();
        match error {
            SendError::Network(cause) => Self::passing(Error::Unavailable { asked, cause }, None),
            SendError::TooLarge(limit) => Self::lasting(Error::TooLarge { asked, limit }),
            SendError::Setup(why) => Self::lasting(Error::Setup(why)),
            SendError::Forbidden(why) => Self::lasting(Error::OutOfReach { asked, why }),
        }
    }

    /// A refusal.
    pub(crate) async fn of(asked: &Asked, response: Response, transport: &Transport) -> Self {
        let status = response.status();
        let retry_after = retry_after(response.headers());
        // A refusal whose reason cannot be read is still that refusal.
        let body = transport.body(response, BODY).await.unwrap_or_else(|_| bytes::Bytes::new());
        let first = serde_json::from_slice::<Body>(&body).ok().and_then(|body| body.errors.into_iter().next());
        let (code, message) = match first {
            Some(item) => (Some(line(&item.code)), item.message.map_or_else(String::new, |message| line(&message))),
            None => (None, String::new()),
        };
        let said = match (code.as_deref().unwrap_or(""), message.as_str()) {
            ("", "") => String::new(),
            ("", text) | (text, "") => format!(": {text}"),
            (code, message) => format!(": {code}: {message}"),
        };
        Self::classify(asked.clone(), status, code, said, retry_after)
    }

    fn classify(
        asked: Asked,
        status: StatusCode,
        code: Option<String>,
        message: String,
        retry_after: Option<Duration>,
    ) -> Self {
        let number = status.as_u16();
        let throttled = matches!(code.as_deref(), Some("TOOMANYREQUESTS" | "TOO_MANY_REQUESTS"));
        let denied = matches!(code.as_deref(), Some("DENIED" | "UNAUTHORIZED"));
        if status == StatusCode::TOO_MANY_REQUESTS || throttled {
            return Self::passing(Error::Throttled { asked, retry_after, message }, retry_after);
        }
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Self::lasting(Error::Denied { asked, status: number, message })
            }
            _ if status.is_client_error() && denied => Self::lasting(Error::Denied { asked, status: number, message }),
            StatusCode::NOT_FOUND => Self::lasting(Error::NotFound { asked, code, message }),
            StatusCode::NOT_IMPLEMENTED => Self::lasting(Error::Refused { asked, status: number, code, message }),
            StatusCode::REQUEST_TIMEOUT => Self::unavailable(asked, number, &message, retry_after),
            _ if status.is_server_error() => Self::unavailable(asked, number, &message, retry_after),
            _ => Self::lasting(Error::Refused { asked, status: number, code, message }),
        }
    }

    fn unavailable(asked: Asked, status: u16, message: &str, retry_after: Option<Duration>) -> Self {
        let cause = format!("the registry failed with {status}{message}");
        Self::passing(Error::Unavailable { asked, cause }, retry_after)
    }

    /// The same, said of the storage behind the registry: its 403 is a signature that ran out, its 404 a blob that the
    /// registry promised; neither says what the registry would.
    pub(super) fn of_storage(self) -> Self {
        match *self.error {
            Error::Denied { asked, status, .. } => Self::unavailable(asked, status, ", from its storage", None),
            Error::NotFound { asked, .. } => Self::unavailable(asked, 404, ", from its storage", None),
            error => Self { error: Box::new(error), ..self },
        }
    }

    /// The same, said of a token service: its 404 does not say that anything is missing in the registry.
    pub(crate) fn of_token_service(self) -> Self {
        match *self.error {
            Error::NotFound { asked, code, message } => {
                Self::lasting(Error::Refused { asked, status: 404, code, message })
            }
            error => Self { error: Box::new(error), ..self },
        }
    }

    /// The same with the machine that answered, where it was another than the registry.
    pub(crate) fn at(mut self, place: &str) -> Self {
        if let Some(asked) = self.error.asked_mut() {
            asked.what = format!("{} at {place}", asked.what);
        }
        self
    }

    /// Waits if there is sense in another try; else gives the error.
    pub(crate) async fn or_wait(self, patience: &mut Patience) -> Result<(), Error> {
        if self.passing && patience.another(self.retry_after).await { Ok(()) } else { Err(*self.error) }
    }
}

/// One short line: no control characters, no queries of addresses.
pub(crate) fn line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let shown: Vec<&str> = words.map(|word| if word.contains("://") { before_query(word) } else { word }).collect();
    let shown = shown.join(" ");
    if shown.chars().count() <= SHOWN { shown } else { shown.chars().take(SHOWN).chain(['…']).collect() }
}

fn before_query(word: &str) -> &str {
    word.split_once(['?', '#']).map_or(word, |(before, _)| before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify(status: u16, code: Option<&str>) -> Failure {
        let asked = Asked { host: "h".into(), repository: None, what: "w".into() };
        let status = StatusCode::from_u16(status).unwrap();
        Failure::classify(asked, status, code.map(str::to_owned), String::new(), None)
    }

    #[test]
    fn a_refusal_is_named_by_status_and_code_together() {
        use model::ReasonCode as Code;
        for (status, code, expected, passing) in [
            (404, Some("MANIFEST_UNKNOWN"), Code::RegistryNotFound, false),
            (404, None, Code::RegistryNotFound, false),
            (404, Some("TOOMANYREQUESTS"), Code::RegistryThrottled, true),
            (404, Some("DENIED"), Code::RegistryAccessDenied, false),
            (403, None, Code::RegistryAccessDenied, false),
            (403, Some("TOOMANYREQUESTS"), Code::RegistryThrottled, true),
            (400, Some("TOOMANYREQUESTS"), Code::RegistryThrottled, true),
            (429, None, Code::RegistryThrottled, true),
            (500, None, Code::RegistryUnavailable, true),
            (503, None, Code::RegistryUnavailable, true),
            (501, None, Code::RegistryUnavailable, false),
            (400, Some("NAME_INVALID"), Code::RegistryUnavailable, false),
        ] {
            let failure = classify(status, code);
            assert_eq!((failure.error.code(), failure.passing), (expected, passing), "{status} {code:?}");
        }
    }

    #[test]
    fn s37_what_is_shown_of_a_body_holds_no_signature_and_no_control_characters() {
        assert_eq!(
            line("see\r\n\u{1b}[31m https://s3.example/b?X-Amz-Signature=abc now"),
            "see [31m https://s3.example/b now"
        );
        assert!(line(&"x".repeat(10_000)).chars().count() <= SHOWN + 1);
    }
}
