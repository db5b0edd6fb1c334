//! What is wrong with requests, in words; and what a policy version and an image go through.

use serde_json::json;
use server::{Limits, PerClient};

use crate::stage::{ADMIN, How, PIPELINE, served};

const NONE: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

#[tokio::test]
async fn what_is_wrong_with_a_request_is_a_problem_with_a_code() {
    let served = served(How::default()).await;
    for (path, status, code) in [
        ("/", 404, "route.unknown"),
        ("/api/v1", 404, "route.unknown"),
        ("/api/v1/decisions/", 404, "route.unknown"),
        ("/api/v1/decisions?limit=0", 400, "request.invalid"),
        ("/api/v1/decisions?limit=201", 400, "request.invalid"),
        ("/api/v1/decisions?limit=x", 400, "request.invalid"),
        ("/api/v1/decisions?digest=sha256:12", 400, "request.invalid"),
        ("/api/v1/decisions?verdict=maybe", 400, "request.invalid"),
        ("/api/v1/decisions?since=yesterday", 400, "request.invalid"),
        ("/api/v1/decisions?commit=", 400, "request.invalid"),
        ("/api/v1/decisions?commit=a%00b", 400, "request.invalid"),
        ("/api/v1/decisions?comit=abc", 400, "request.invalid"),
        ("/api/v1/decisions?limit=1&limit=2", 400, "request.invalid"),
        ("/api/v1/decisions/nothing", 404, "notFound"),
        ("/api/v1/decisions/%00", 400, "request.invalid"),
        ("/api/v1/decisions/%FF", 400, "request.invalid"),
        ("/api/v1/decide/nothing", 404, "notFound"),
        ("/api/v1/images/nothing/events", 400, "request.invalid"),
        (&format!("/api/v1/policies/{NONE}"), 404, "notFound"),
        ("/api/v1/packages", 400, "request.invalid"),
        ("/api/v1/packages?purl=pkg:npm/x&cursor=nonsense", 400, "request.invalid"),
        ("/api/v1/workloads", 400, "request.invalid"),
        ("/api/v1/workloads?digest=x", 400, "request.invalid"),
        ("/api/v1/audit/consistency?from=2&to=1", 400, "request.invalid"),
        ("/api/v1/audit/consistency?from=1&to=-1", 400, "request.invalid"),
        ("/api/v1/audit/proof/nothing", 404, "notFound"),
    ] {
        let answer = served.get(path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{path}: {}", answer.body);
    }
    let wrong = served.send(reqwest::Client::new().delete(served.url("/api/v1/policies"))).await;
    assert_eq!((wrong.status, wrong.problem().as_str()), (405, "route.method"));
    let mut allowed: Vec<&str> = wrong.headers["allow"].to_str().unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_a_problem_with_a_code() {
    let served = served(How::default()).await;
    let image = json!({ "image": "registry.example/team/app:1" });
    let mut unknown = image.clone();
    unknown["enviroment"] = json!("staging");
    for (body, status, code) in [
        ("", 400, "request.malformed"),
        ("{", 400, "request.malformed"),
        ("[]", 400, "request.invalid"),
        ("{}", 400, "request.invalid"),
        (&unknown.to_string(), 400, "request.invalid"),
        (r#"{"image":"registry.example/team/app:1","point":"node"}"#, 400, "request.invalid"),
        (r#"{"image":"registry.example/team/app:1","waitSeconds":-1}"#, 400, "request.invalid"),
        (r#"{"image":"registry.example/team/app:1","commit":"a\u0000b"}"#, 400, "request.invalid"),
        (r#"{"image":"  "}"#, 400, "request.invalid"),
        (r#"{"image":"registry.example/team/app:1","image":"registry.example/team/app:2"}"#, 400, "request.invalid"),
        (&format!(r#"{{"image":"{}"}}"#, "a".repeat(2 << 20)), 413, "request.tooLarge"),
    ] {
        let answer = served.post("/api/v1/decide", None, body).await;
        let shown: String = body.chars().take(100).collect();
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{shown}: {}", answer.body);
    }
    let client = reqwest::Client::new();
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let request = client.post(served.url("/api/v1/decide")).header("content-type", kind).body(image.to_string());
        let answer = served.send(request).await;
        assert_eq!((answer.status, answer.problem().as_str()), (415, "request.mediaType"), "{kind}");
    }
    let untyped = client.post(served.url("/api/v1/decide")).body(image.to_string());
    assert_eq!(served.send(untyped).await.status, 415);
    let document = format!("/api/v1/signals?image=registry.example/team/app@{NONE}&kind=report");
    let empty = served.post(&document, Some(PIPELINE), "").await;
    assert_eq!((empty.status, empty.problem().as_str()), (400, "request.malformed"));
    let none = served.post(&document, Some(PIPELINE), "{}").await;
    assert_eq!((none.status, none.problem().as_str()), (422, "document.invalid"), "{}", none.body);
}

#[tokio::test]
async fn b20_an_image_that_is_not_there_says_what_the_command_line_would() {
    // Nothing listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let served = served(How { insecure: vec![free.to_string()], ..How::default() }).await;
    let body = json!({ "image": format!("{free}/team/app:1"), "waitSeconds": 15 }).to_string();
    let answer = served.post("/api/v1/decide", None, &body).await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "registry.unavailable"), "{}", answer.body);
    assert_eq!(answer.json()["class"], "registryUnavailable");
    assert!(answer.headers.contains_key("retry-after"));
    let wrong = served.post("/api/v1/decide", None, r#"{"image":"NOT AN IMAGE"}"#).await;
    assert_eq!((wrong.status, wrong.problem().as_str()), (400, "request.invalid"), "{}", wrong.body);
    let elsewhere = json!({ "image": format!("{free}/team/app:1"), "environment": "nowhere" }).to_string();
    let undeclared = served.post("/api/v1/decide", None, &elsewhere).await;
    assert_eq!((undeclared.status, undeclared.problem().as_str()), (400, "request.invalid"), "{}", undeclared.body);
}

#[tokio::test]
async fn b20_an_ask_that_is_not_waited_for_is_answered_at_its_place() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let served = served(How { insecure: vec![free.to_string()], ..How::default() }).await;
    let body = json!({ "image": format!("{free}/team/app:1"), "waitSeconds": 15 }).to_string();
    let ask = |key: &'static str, body: String| {
        let request =
            reqwest::Client::new().post(served.url("/api/v1/decide")).header("content-type", "application/json");
        served.send(request.header("prefer", "respond-async").header("idempotency-key", key).body(body))
    };
    let accepted = ask("one", body.clone()).await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    assert_eq!(accepted.headers["preference-applied"], "respond-async");
    let location = accepted.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(accepted.json()["location"], location.as_str());
    assert_eq!(ask("one", body.clone()).await.json(), accepted.json(), "the same request is the same ask");
    assert_ne!(ask("two", body.clone()).await.json(), accepted.json());
    let other = ask("one", body.replace("app:1", "app:2")).await;
    assert_eq!((other.status, other.problem().as_str()), (422, "idempotency.keyReused"));
    let mut answer = served.get(&location).await;
    for _ in 0..100 {
        if answer.status != 202 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        answer = served.get(&location).await;
    }
    assert_eq!((answer.status, answer.problem().as_str()), (503, "registry.unavailable"), "{}", answer.body);
}

fn bundle(name: &str) -> String {
    let policy = format!(
        "apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: {{ name: {name} }}\nspec:\n  rules: [{{ id: r, config: {{ nonRoot: true }} }}]\n"
    );
    json!({ "documents": [["policy.yaml", policy]], "files": [{}] }).to_string()
}

#[tokio::test]
async fn f6_a_policy_is_uploaded_brought_into_force_and_rolled_back() {
    let served = served(How::default()).await;
    let in_force = async || {
        let versions = served.get("/api/v1/policies").await.json();
        let found = versions["versions"].as_array().unwrap().iter().find(|version| version["inForce"] == true).cloned();
        found.unwrap()["names"][0].as_str().unwrap().to_owned()
    };
    assert_eq!(in_force().await, "built-in");
    let broken = bundle("strict").replace("nonRoot", "nonroot");
    let refused = served.post("/api/v1/policies", Some(ADMIN), &broken).await;
    assert_eq!((refused.status, refused.problem().as_str()), (422, "document.invalid"), "{}", refused.body);
    assert!(refused.json()["detail"].as_str().unwrap().contains("nonroot"), "{}", refused.body);
    let uploaded = served.post("/api/v1/policies", Some(ADMIN), &bundle("strict")).await;
    assert_eq!(uploaded.status, 200, "{}", uploaded.body);
    assert_eq!((in_force().await.as_str(), &uploaded.json()["uploadedBy"]), ("built-in", &json!("admin")));
    let digest = uploaded.json()["digest"].as_str().unwrap().to_owned();
    let activate = format!("/api/v1/policies/{digest}/activate");
    let believed = served.post(&activate, Some(ADMIN), &json!({ "believed": NONE }).to_string()).await;
    assert_eq!((believed.status, believed.problem().as_str()), (409, "conflict"), "{}", believed.body);
    let missing = served.post(&format!("/api/v1/policies/{NONE}/activate"), Some(ADMIN), "{}").await;
    assert_eq!(missing.status, 404, "{}", missing.body);
    let activated = served.post(&activate, Some(ADMIN), r#"{"reason":"stricter"}"#).await;
    assert_eq!((activated.status, &activated.json()["inForce"]), (200, &json!(true)), "{}", activated.body);
    assert_eq!(in_force().await, "strict");
    let whole = served.get(&format!("/api/v1/policies/{digest}")).await.json();
    assert_eq!(whole["bundle"], serde_json::from_str::<serde_json::Value>(&bundle("strict")).unwrap());
    let replayed = served.post(&format!("/api/v1/policies/{digest}/replay"), None, "").await;
    assert_eq!(replayed.json(), json!({ "flips": [], "judged": 0, "notJudged": 0, "next": null }));
    let back = served.post("/api/v1/policies/rollback", Some(ADMIN), "").await;
    assert_eq!(back.status, 200, "{}", back.body);
    assert_eq!(in_force().await, "built-in");
    // Entries get their places a moment after they are written.
    let mut lines = served.get("/api/v1/audit/entries").await;
    for _ in 0..100 {
        if lines.body.contains("stricter") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        lines = served.get("/api/v1/audit/entries").await;
    }
    assert_eq!(lines.headers["content-type"], "application/jsonl");
    assert!(lines.body.contains(r#""by":"admin""#) && lines.body.contains("stricter"), "{}", lines.body);
}

#[tokio::test]
async fn clients_are_told_apart_by_the_address_of_their_connection() {
    let limits = Limits { per_client: Some(PerClient { per_second: 1, burst: 2 }), ..Limits::default() };
    let served = served(How { limits, ..How::default() }).await;
    let from = async |address: [u8; 4]| {
        let client = reqwest::Client::builder().local_address(std::net::IpAddr::from(address)).build().unwrap();
        served.send(client.get(served.url("/api/v1/policies"))).await.status
    };
    let one = [from([127, 0, 0, 1]).await, from([127, 0, 0, 1]).await, from([127, 0, 0, 1]).await];
    assert_eq!((one, from([127, 0, 0, 2]).await), ([200, 200, 429], 200));
    assert_eq!(served.get("/readyz").await.status, 200, "health is for everybody, always");
}
