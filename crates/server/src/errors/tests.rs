//! Which status and code each error has.

use axum::body::to_bytes;
use model::ReasonCode;

use super::*;

async fn read(fail: Fail) -> (u16, Problem, Option<String>) {
    let response = fail.write("0193a3f0-0000-7000-8000-000000000000", None);
    let status = response.status().as_u16();
    assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
    let again = response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap(), again)
}

#[tokio::test]
async fn s11_an_image_that_could_not_be_judged_is_no_403_and_says_what_the_command_line_would() {
    for (code, status, verdict, again) in [
        (ReasonCode::RegistryNotFound, 404, Verdict::Deny, false),
        (ReasonCode::RegistryMalformed, 422, Verdict::Deny, false),
        (ReasonCode::ImageTagMoved, 422, Verdict::Deny, false),
        (ReasonCode::Internal, 500, Verdict::Deny, false),
    ] {
        let (found, problem, retry) = read(AskError::Refused(Reason::new(code, "what")).into()).await;
        assert_eq!((found, problem.status, problem.verdict), (status, status, Some(verdict)), "{code:?}");
        assert_eq!((problem.code.as_str(), problem.class), (code.as_str(), code.class()));
        assert_eq!(problem.detail.as_deref(), Some("what"));
        assert_eq!(problem.hint.as_deref(), Some(code.remedy()));
        assert_eq!(retry.is_some(), again, "{code:?}");
    }
    for class in [UnknownClass::Throttled, UnknownClass::Deadline, UnknownClass::RegistryUnavailable] {
        let code = ReasonCode::ALL.iter().find(|code| code.class() == Some(class)).unwrap();
        let (status, problem, retry) = read(AskError::Refused(Reason::new(*code, "what")).into()).await;
        assert_eq!((status, retry.is_some()), (503, true), "{class}");
        let waiting = class != UnknownClass::RegistryUnavailable;
        assert_eq!(problem.verdict, Some(if waiting { Verdict::Pending } else { Verdict::Deny }), "{class}");
    }
    for code in ReasonCode::ALL {
        let (status, ..) = read(AskError::Refused(Reason::new(*code, "what")).into()).await;
        assert!([404, 422, 500, 503].contains(&status), "{code:?}: {status}");
    }
}

#[tokio::test]
async fn every_error_of_the_gate_has_its_status() {
    let invalid = || GateError::Invalid { what: "it".to_owned(), hint: Some("do".to_owned()) };
    for (fail, status, code) in [
        (AskError::Usage { what: "it".to_owned(), hint: None }.into(), 400, "request.invalid"),
        (AskError::StoreUnavailable("it".to_owned()).into(), 503, "store.unavailable"),
        (AskError::Overloaded("it".to_owned()).into(), 429, "limit.overloaded"),
        (AskError::Internal("it".to_owned()).into(), 500, "internal"),
        (invalid().into(), 422, "document.invalid"),
        (GateError::NotFound { what: "it".to_owned() }.into(), 404, "notFound"),
        (GateError::Conflict { what: "it".to_owned() }.into(), 409, "conflict"),
        (GateError::Setup { what: "it".to_owned(), hint: "do".to_owned() }.into(), 500, "internal"),
        (GateError::Store(StoreError::KeyReused).into(), 422, "idempotency.keyReused"),
        (GateError::Store(StoreError::Conflict { what: "it" }).into(), 409, "conflict"),
        (GateError::Store(StoreError::Overloaded { waiting: 3 }).into(), 429, "limit.overloaded"),
        (GateError::Store(StoreError::Closed).into(), 503, "store.unavailable"),
    ] {
        let fail: Fail = fail;
        let (found, problem, again) = read(fail).await;
        assert_eq!((found, problem.code.as_str()), (status, code));
        assert_eq!(problem.kind, format!("urn:ecr-gate:problem:{code}"));
        assert_eq!(problem.instance.as_deref(), Some("urn:uuid:0193a3f0-0000-7000-8000-000000000000"));
        assert_eq!(again.is_some(), [429, 503].contains(&status), "{code}");
    }
}

#[tokio::test]
async fn what_is_our_own_fault_is_for_the_log_alone() {
    for fail in [
        Fail::from(AskError::Internal("the secret place".to_owned())),
        Fail::from(AskError::StoreUnavailable("the secret place".to_owned())),
    ] {
        assert_eq!(fail.for_the_log().1, Some("the secret place"));
        let (_, problem, _) = read(fail).await;
        assert!(!format!("{problem:?}").contains("secret"));
    }
}
