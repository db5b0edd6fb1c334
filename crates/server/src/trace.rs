//! Ids of a request: its own, and the trace it belongs to (W3C Trace Context). What a client says is taken only if it is well formed.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::errors::Fail;

/// The longest id of a request that is taken over.
const LONGEST: usize = 128;

/// The ids of a request.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    /// `X-Request-Id`: the client's, or a UUIDv7.
    pub request: Arc<str>,
    /// The trace id of `traceparent`.
    pub trace: Option<Arc<str>>,
}

impl Trace {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get("x-request-id").and_then(|value| value.to_str().ok()).filter(|id| is_id(id));
        let request = given.map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned);
        let trace = headers.get("traceparent").and_then(|value| trace_id(value.to_str().ok()?));
        Self { request: request.into(), trace: trace.map(Into::into) }
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= LONGEST
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// `00-<32 digits>-<16 digits>-<2 digits>`; later versions may have more behind.
fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let sound = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let alone = version != "00" || parts.next().is_none();
    (sound && alone && !zero(trace) && !zero(parent)).then_some(trace)
}

impl<S: Sync> FromRequestParts<S> for Trace {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fail> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Fail::internal("a request came past the guard"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_taken_only_from_a_sound_traceparent() {
        let sound = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace_id(sound), Some("0af7651916cd43dd8448eb211c80319c"));
        assert!(trace_id(&sound.replace("00-0af", "01-0af").replace("-01", "-01-more")).is_some());
        for wrong in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(trace_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_id_of_a_client_is_taken_if_it_can_do_no_harm() {
        assert!(is_id("a-1_b.c:d"));
        for wrong in ["", "a b", "a\"b", "ä", &"a".repeat(129)] {
            assert!(!is_id(wrong), "{wrong}");
        }
    }
}
