//! S34: a policy that judges for production comes into force by two people.

use std::sync::Arc;

use engine::{Actor, Role};
use serde_json::{Value, json};
use server::Token;

use crate::stage::{ADMIN, Answer, How, Served, served};

/// A token of somebody who governs, known as another identity each time.
fn governs(secret: &str, person: Option<&str>) -> Token {
    let mut token = Token::of(&format!("of-{secret}"), secret, server::Role::Admin);
    let mut actor = Actor::everywhere(&format!("of-{secret}"), &[Role::PolicyAdmin]);
    actor.person = person.map(Into::into);
    token.actor = Arc::new(actor);
    token
}

async fn gate() -> Served {
    let tokens = vec![
        governs("adas", Some("ada@example.com")),
        governs("adas-other", Some("ada@example.com")),
        governs("bobs", Some("bob@example.com")),
        governs("machines", None),
    ];
    served(How { anonymous_reads: false, tokens, two_people: true, ..How::default() }).await
}

fn bundle(class: &str, name: &str) -> Value {
    let text = format!(
        "apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: {{ name: {name} }}\nspec:\n  environments:\n    production: {{ class: {class} }}\n  rules:\n  - {{ id: r, registries: {{ deny: [\"evil.example/**\"] }} }}\n"
    );
    json!({ "documents": [[name, text]], "files": [{}] })
}

async fn uploaded(served: &Served, bundle: &Value) -> String {
    let answer = served.post("/api/v1/policies", Some("adas"), &bundle.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["digest"].as_str().unwrap().to_owned()
}

async fn doing(served: &Served, who: &str, digest: &str, what: &str) -> Answer {
    served.post(&format!("/api/v1/policies/{digest}/{what}"), Some(who), "{}").await
}

async fn in_force(served: &Served) -> String {
    let list = served.by("adas", "/api/v1/policies").await.json();
    let found = list["versions"].as_array().unwrap().iter().find(|version| version["inForce"] == true).unwrap();
    found["digest"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn s34_a_policy_for_production_takes_a_second_person() {
    let served = gate().await;
    let before = in_force(&served).await;
    let version = uploaded(&served, &bundle("production", "one")).await;
    assert_eq!(doing(&served, "bobs", &version, "confirm").await.status, 404, "nobody proposed it");

    let proposed = doing(&served, "adas", &version, "activate").await;
    assert_eq!(proposed.status, 202, "{}", proposed.body);
    assert_eq!(proposed.json()["proposal"]["person"], "ada@example.com");
    assert_eq!(in_force(&served).await, before);
    let again = doing(&served, "adas-other", &version, "activate").await;
    assert_eq!(again.json()["proposal"]["id"], proposed.json()["proposal"]["id"], "again is as once");

    // Not the same person, by whichever identity; not a machine; not about something else.
    for who in ["adas", "adas-other", "machines"] {
        let refused = doing(&served, who, &version, "confirm").await;
        assert_eq!(refused.status, 403, "{who} {}", refused.body);
    }
    assert_eq!(doing(&served, "machines", &version, "activate").await.status, 403);
    let other = uploaded(&served, &bundle("production", "other")).await;
    assert_eq!(doing(&served, "bobs", &other, "confirm").await.status, 404);
    assert_eq!(in_force(&served).await, before);

    let confirmed = doing(&served, "bobs", &version, "confirm").await;
    assert_eq!((confirmed.status, &confirmed.json()["inForce"]), (200, &json!(true)), "{}", confirmed.body);
    assert_eq!(in_force(&served).await, version);
    assert_eq!(doing(&served, "bobs", &version, "confirm").await.status, 404, "once");

    // Back takes two as well, and so does what would judge for production no longer.
    let back = served.post("/api/v1/policies/rollback", Some("bobs"), "{}").await;
    assert_eq!(back.status, 202, "{}", back.body);
    let loose = uploaded(&served, &bundle("non-production", "loose")).await;
    assert_eq!(doing(&served, "bobs", &loose, "activate").await.status, 202);
    assert_eq!(doing(&served, "adas", &loose, "confirm").await.status, 200);
    // What was proposed over another policy is over.
    assert_eq!(doing(&served, "adas", &before, "confirm").await.status, 409);
    assert_eq!(in_force(&served).await, loose);

    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    let log = served.by("adas", "/api/v1/audit/entries").await.body;
    assert!(log.contains("policy.proposed") && log.contains("\"confirmedPerson\":\"bob@example.com\""), "{log}");
}

/// Whoever gives out tokens could bear them all.
#[tokio::test(flavor = "multi_thread")]
async fn s34_two_tokens_that_one_gave_out_are_not_two_people() {
    let served = served(How { two_people: true, ..How::default() }).await;
    let mut secrets = Vec::new();
    for person in ["ada", "bob"] {
        let body = json!({ "name": person, "person": person, "lifetimeSeconds": 3600,
            "grants": [{ "role": "policy-admin", "repositories": ["**"], "environments": ["*"] }] });
        let made = served.post("/api/v1/tokens", Some(ADMIN), &body.to_string()).await;
        secrets.push(made.json()["secret"].as_str().unwrap().to_owned());
    }
    let version = served.post("/api/v1/policies", Some(&secrets[0]), &bundle("production", "one").to_string()).await;
    let version = version.json()["digest"].as_str().unwrap().to_owned();
    assert_eq!(doing(&served, &secrets[0], &version, "activate").await.status, 202);
    let refused = doing(&served, &secrets[1], &version, "confirm").await;
    assert!(refused.status == 403 && refused.body.contains("that is not two people"), "{}", refused.body);
}
