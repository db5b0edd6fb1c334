//! Documents over HTTP: handed in, listed, taken back.

use serde_json::{Value, json};

use crate::stage::{ADMIN, How, PIPELINE, READER, served};

fn image() -> String {
    format!("registry.example/team/app@{}", model::Digest::of(b"image"))
}

fn sbom() -> String {
    json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [] }).to_string()
}

#[tokio::test]
async fn s25_a_document_is_handed_in_listed_and_taken_back() {
    let served = served(How::default()).await;
    let place = format!("/api/v1/signals?image={}", image());
    let empty = served.get(&place).await;
    assert_eq!((empty.status, empty.json()), (200, json!({ "signals": [] })));
    let handed = served.post(&format!("{place}&kind=sbom"), Some(ADMIN), &sbom()).await;
    assert_eq!(handed.status, 201, "{}", handed.body);
    let (id, evidence) = (handed.json()["id"].as_str().unwrap().to_owned(), handed.json()["evidence"].clone());
    let listed = served.get(&place).await.json();
    let row = &listed["signals"][0];
    assert_eq!(
        (&row["id"], &row["evidence"], &row["kind"], &row["submittedBy"]),
        (&json!(id), &evidence, &json!("sbom"), &json!("admin"))
    );
    let withdraw = format!("/api/v1/signals/{id}/withdraw");
    let reason = json!({ "reason": "of another build" }).to_string();
    for (token, body, status, code) in [
        (None, &reason, 401, "auth.required"),
        (Some(READER), &reason, 403, "auth.forbidden"),
        (Some(PIPELINE), &reason, 403, "auth.forbidden"),
        (Some(ADMIN), &"{}".to_owned(), 400, "request.invalid"),
        (Some(ADMIN), &json!({ "reason": " " }).to_string(), 400, "request.invalid"),
    ] {
        let answer = served.post(&withdraw, token, body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{}", answer.body);
    }
    assert_eq!(served.get(&place).await.json(), listed, "nothing was taken back");
    let gone = served.post(&withdraw, Some(ADMIN), &reason).await;
    assert_eq!((gone.status, &gone.json()), (200, row));
    assert_eq!(served.get(&place).await.json(), json!({ "signals": [] }));
    assert_eq!(served.post(&withdraw, Some(ADMIN), &reason).await.status, 404);
    // Who handed it in needs no other role for that.
    let again = served.post(&format!("{place}&kind=sbom"), Some(PIPELINE), &sbom()).await.json();
    let own = served
        .post(&format!("/api/v1/signals/{}/withdraw", again["id"].as_str().unwrap()), Some(PIPELINE), &reason)
        .await;
    assert_eq!(own.status, 200, "{}", own.body);
    let events = served.get(&format!("/api/v1/images/{}/events", model::Digest::of(b"image"))).await.json();
    let kinds: Vec<&Value> = events["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["signal", "signal.withdrawn", "signal", "signal.withdrawn"]);
    let tag = served.get("/api/v1/signals?image=registry.example/team/app:1").await;
    assert_eq!(tag.status, 422, "{}", tag.body);
}
