//! Idempotency keys on decide. A request that is sent again gets the answer it got, as long as that is still the answer: a retry never brings an
//! old leave back (S42), so the gate is asked each time. Kept for a day; the same key with another request is refused.

use axum::body::Bytes;
use axum::http::HeaderMap;
use engine::{Answered, Idempotency};
use model::{Digest, SignedDuration, Verdict};

use crate::app::App;
use crate::auth::Caller;
use crate::errors::Fail;
use crate::text::sound;

/// The longest key.
const LONGEST: usize = 255;
/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// The key of a request, if it has one.
pub(crate) struct Key(Option<Given>);

struct Given {
    /// Whose, and which.
    key: String,
    /// The digest of the request.
    request: String,
}

impl Key {
    pub(crate) fn of(headers: &HeaderMap, caller: &Caller, body: &[u8], later: bool) -> Result<Self, Fail> {
        let mut given = headers.get_all("idempotency-key").iter();
        let Some(value) = given.next() else { return Ok(Self(None)) };
        if given.next().is_some() {
            return Err(Fail::invalid("Idempotency-Key is there twice"));
        }
        let key = value.to_str().map_err(|_| Fail::invalid("Idempotency-Key is no ASCII text"))?;
        sound("Idempotency-Key", key, LONGEST)?;
        let request = format!("{}{}", if later { "later " } else { "" }, Digest::of(body));
        Ok(Self(Some(Given { key: of(caller.by(), key), request })))
    }

    /// What was answered to this request.
    pub(crate) async fn kept(&self, app: &App) -> Result<Option<Bytes>, Fail> {
        let Some(Given { key, request }) = &self.0 else { return Ok(None) };
        let kept = app.gate().kept_answer(key, request, (app.shared.now)()).await?;
        Ok(kept.map(Bytes::from))
    }

    /// The answer to give: the one that was given if nothing changed, else this one. What is pending is not kept, nor what was only tried.
    pub(crate) async fn settle(
        &self,
        app: &App,
        kept: Option<Bytes>,
        answered: &Answered,
        dry_run: bool,
        body: Bytes,
    ) -> Result<Bytes, Fail> {
        if let Some(kept) = kept {
            return Ok(if same(&kept, &body) { kept } else { body });
        }
        if !dry_run && answered.decision.verdict != Verdict::Pending {
            self.keep(app, body.to_vec()).await?;
        }
        Ok(body)
    }

    pub(crate) async fn keep(&self, app: &App, response: Vec<u8>) -> Result<(), Fail> {
        let Some(Given { key, request }) = &self.0 else { return Ok(()) };
        let until = (app.shared.now)().saturating_add(KEPT).map_err(|error| Fail::internal(error.to_string()))?;
        let kept = Idempotency { key: key.clone(), request: request.clone(), response, until };
        Ok(app.gate().keep_answer(kept).await?)
    }
}

/// Whose key it is, and which: names and keys may hold spaces, so that the length says where one ends.
fn of(whose: &str, key: &str) -> String {
    format!("{} {whose} {key}", whose.len())
}

/// The same decision, and the same leave by it.
fn same(kept: &[u8], now: &[u8]) -> bool {
    let of = |body: &[u8]| serde_json::from_slice::<api::Decided>(body).map_err(|_| ());
    match (of(kept), of(now)) {
        (Ok(kept), Ok(now)) => kept.permit == now.permit && kept.decision.get() == now.decision.get(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s35_nobody_names_the_key_of_somebody_else() {
        for (one, other) in [(("a b", "c"), ("a", "b c")), (("a", "1 b c"), ("a 1 b", "c")), (("a", "b"), ("b", "a"))] {
            assert_ne!(of(one.0, one.1), of(other.0, other.1), "{one:?} {other:?}");
        }
    }

    #[test]
    fn s42_an_answer_is_given_again_only_while_it_is_the_answer() {
        let body = |permit: &str, answer: &str, decision: &str| {
            format!(
                r#"{{"verdict":"allow","permit":"{permit}","answerId":"{answer}","via":"recorded","inForceAt":"1970-01-01T00:00:00Z","decision":{decision}}}"#
            )
        };
        let kept = body("allowed", "a", r#"{"id":"1"}"#);
        assert!(same(kept.as_bytes(), body("allowed", "b", r#"{"id":"1"}"#).as_bytes()));
        assert!(!same(kept.as_bytes(), body("denied", "b", r#"{"id":"1"}"#).as_bytes()));
        assert!(!same(kept.as_bytes(), body("allowed", "b", r#"{"id":"2"}"#).as_bytes()));
        assert!(!same(b"{}", b"{}"));
    }
}
