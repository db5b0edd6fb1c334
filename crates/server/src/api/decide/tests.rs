//! The body of an answer, and what an ask is read as.

use std::sync::Arc;

use api::Decided;
use engine::RecordedDecision;

use super::*;

fn answered(refusal: Refusal, retry_after: Option<Duration>) -> Answered {
    Answered {
        decision: Arc::new(RecordedDecision {
            id: "0193a3f0-0000-7000-8000-000000000001".to_owned(),
            repository: "registry.example/team/app".to_owned(),
            digest: model::Digest::of(b"image"),
            environment: "production".to_owned(),
            verdict: refusal.verdict(),
            recorded_at: Timestamp::UNIX_EPOCH,
            valid_until: None,
            record: Bytes::from_static(br#"{"schema":"ecr-gate.dev/decision/v1", "odd" : [1.50]}"#),
            brief: std::sync::OnceLock::new(),
        }),
        permit: Err(refusal),
        id: "0193a3f0-0000-7000-8000-000000000002".to_owned(),
        via: Via::Collected,
        in_force_at: Timestamp::UNIX_EPOCH,
        retry_after,
        confirmed: std::time::Instant::now(),
    }
}

#[test]
fn b20_an_answer_is_what_clients_read_and_carries_the_record_byte_for_byte() {
    let body = body(&answered(Refusal::Denied, None)).unwrap();
    let read: Decided = serde_json::from_slice(&body).unwrap();
    assert_eq!((read.verdict, read.permit, read.via), (Verdict::Deny, PermitWord::Denied, ViaWord::Collected));
    assert_eq!(read.answer_id, "0193a3f0-0000-7000-8000-000000000002");
    assert_eq!(read.decision.get(), r#"{"schema":"ecr-gate.dev/decision/v1", "odd" : [1.50]}"#);
    assert_eq!(read.retry_after_seconds, None);
}

#[test]
fn s11_what_is_pending_is_a_200_that_says_when_to_ask_again() {
    let pending = answered(Refusal::Pending, Some(Duration::from_millis(1500)));
    let body = body(&pending).unwrap();
    assert_eq!(serde_json::from_slice::<Decided>(&body).unwrap().retry_after_seconds, Some(2));
    let response = answer(&pending, body, nobody());
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[RETRY_AFTER], "2");
    assert_eq!(response.extensions().get::<DecidedForLog>().unwrap().verdict, "pending");
}

#[test]
fn an_answer_later_is_asked_for_by_name() {
    let wants = |values: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("prefer", HeaderValue::from_static(value));
        }
        wants_later(&headers)
    };
    assert!(wants(&["respond-async"]) && wants(&["wait=10, Respond-Async"]) && wants(&["x", "respond-async"]));
    assert!(!wants(&[]) && !wants(&["respond-asynchronously"]) && !wants(&["wait=10"]));
}
