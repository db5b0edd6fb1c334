//! S34: a policy that judges for production comes into force by two people.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

fn with(secret: &str, role: Role) -> Token {
    let mut token = Token::of(&format!("of-{secret}"), secret, server::Role::Read);
    token.actor = Arc::new(Actor::everywhere(&format!("of-{secret}"), &[role]));
    token
}

fn tokens() -> Vec<Token> {
    vec![
        governs("adas", Some("ada@example.com")),
        governs("adas-other", Some("ada@example.com")),
        governs("bobs", Some("bob@example.com")),
        governs("machines", None),
        with("runs-it", Role::Admin),
        with("asks", Role::Approver),
        with("reads", Role::Viewer),
    ]
}

async fn gate() -> Served {
    served(How { anonymous_reads: false, tokens: tokens(), two_people: true, ..How::default() }).await
}

/// A policy for staging, with an exception in a file, or with none.
fn with_file(name: &str, entries: &str) -> Value {
    let mut bundle = bundle("non-production", name);
    let text = bundle["documents"][0][1].as_str().unwrap().replace("spec:\n", "spec:\n  exceptions: [waived.yaml]\n");
    let file = format!("apiVersion: ecr-gate.dev/v1\nkind: GateExceptions\nexceptions: {entries}\n");
    bundle["documents"][0][1] = text.into();
    bundle["files"] = json!([{ "waived.yaml": STANDARD.encode(file) }]);
    bundle
}

const WAIVED: &str = "[{ id: zlib, cve: CVE-2023-45853, repository: team/app, reason: not reached, owner: ada@example.com, expires: 2099-12-15 }]";

async fn activations(served: &Served) -> Vec<Value> {
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    let log = served.by("adas", "/api/v1/audit/entries").await.body;
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["entry"].clone()).filter(|entry| entry["kind"] == "policy.activated").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_exceptions_in_files_take_a_second_person_where_people_are_known() {
    let how = How { anonymous_reads: false, tokens: tokens(), knows_people: true, ..How::default() };
    let served = served(how).await;
    // Policies take one person here, and so does a file that waives nothing.
    for plain in [bundle("non-production", "plain"), with_file("empty", "[]")] {
        let version = uploaded(&served, &plain).await;
        assert_eq!(doing(&served, "adas", &version, "activate").await.status, 200);
    }
    let before = in_force(&served).await;
    let version = uploaded(&served, &with_file("waiving", WAIVED)).await;
    assert_eq!(doing(&served, "machines", &version, "activate").await.status, 403, "nobody's person");
    let proposed = doing(&served, "adas", &version, "activate").await;
    assert_eq!(proposed.status, 202, "{}", proposed.body);
    assert_eq!(in_force(&served).await, before);
    assert_eq!(doing(&served, "adas-other", &version, "confirm").await.status, 403);
    assert_eq!(doing(&served, "bobs", &version, "confirm").await.status, 200);
    assert_eq!(in_force(&served).await, version);

    let told = activations(&served).await;
    let (last, others) = told.split_last().unwrap();
    assert_eq!(
        (&last["body"]["policyVersion"], &last["body"]["confirmedPerson"]),
        (&json!(version), &json!("bob@example.com"))
    );
    let came = &last["body"]["exceptions"];
    assert_eq!(
        (&last["body"]["exceptionsCount"], &came[0]["cve"], &came[0]["policy"]),
        (&json!(1), &json!("CVE-2023-45853"), &json!("waiving")),
        "{last}"
    );
    assert!(others.iter().all(|entry| entry["body"].get("exceptions").is_none()), "{others:?}");

    // To go without them takes one person, to go back to them two.
    assert_eq!(doing(&served, "adas", &before, "activate").await.status, 200);
    let back = served.post("/api/v1/policies/rollback", Some("bobs"), "{}").await;
    assert_eq!((back.status, in_force(&served).await), (202, before), "{}", back.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_where_nobody_is_known_apart_they_count_and_that_is_said() {
    let served = served(How { anonymous_reads: false, tokens: tokens(), ..How::default() }).await;
    let answer = served.post("/api/v1/policies", Some("machines"), &with_file("waiving", WAIVED).to_string()).await;
    let remarks = answer.json()["remarks"].to_string();
    assert!(remarks.contains("without a second person"), "{}", answer.body);
    let version = answer.json()["digest"].as_str().unwrap().to_owned();
    assert_eq!(doing(&served, "machines", &version, "activate").await.status, 200);
    let told = activations(&served).await;
    assert_eq!(told.last().unwrap()["body"]["exceptions"][0]["id"], "zlib");
    let plain = served.post("/api/v1/policies", Some("machines"), &with_file("empty", "[]").to_string()).await;
    assert!(!plain.json()["remarks"].to_string().contains("second person"), "{}", plain.body);
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

/// The state of the last proposal of a version, as lists say it.
async fn state(served: &Served, digest: &str) -> Value {
    let list = served.by("adas", "/api/v1/policies").await.json();
    let found = list["versions"].as_array().unwrap().iter().find(|version| version["digest"] == digest).unwrap();
    found["proposal"]["state"].clone()
}

async fn withdrawn(served: &Served, who: &str, proposal: &Value) -> Answer {
    let path = format!("/api/v1/proposals/{}/withdraw", proposal["id"].as_str().unwrap());
    served.post(&path, Some(who), r#"{"reason": "not now"}"#).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s34_a_proposal_is_taken_back_by_whoever_made_it_or_governs() {
    let served = gate().await;
    let before = in_force(&served).await;
    let version = uploaded(&served, &bundle("production", "one")).await;
    assert_eq!(state(&served, &version).await, Value::Null);
    for who in ["adas-other", "bobs", "runs-it"] {
        let proposed = doing(&served, "adas", &version, "activate").await;
        assert_eq!(
            (proposed.status, &proposed.json()["proposal"]["state"]),
            (202, &json!("open")),
            "{}",
            proposed.body
        );
        assert_eq!(state(&served, &version).await, "open");
        for stranger in ["asks", "reads"] {
            assert_eq!(withdrawn(&served, stranger, &proposed.json()["proposal"]).await.status, 403, "{stranger}");
        }
        let back = withdrawn(&served, who, &proposed.json()["proposal"]).await;
        assert_eq!((back.status, &back.json()["proposal"]["state"]), (200, &json!("withdrawn")), "{who} {}", back.body);
        assert_eq!(state(&served, &version).await, "withdrawn");
        assert_eq!(doing(&served, "bobs", &version, "confirm").await.status, 404, "nothing waits");
        assert_eq!(withdrawn(&served, who, &proposed.json()["proposal"]).await.status, 409, "once");
    }
    assert_eq!(withdrawn(&served, "adas", &json!({ "id": "01900000-0000-7000-8000-000000000000" })).await.status, 404);
    assert_eq!(in_force(&served).await, before);
    // Once confirmed there is nothing to take back.
    let proposed = doing(&served, "adas", &version, "activate").await.json();
    assert_eq!(doing(&served, "bobs", &version, "confirm").await.status, 200);
    assert_eq!(state(&served, &version).await, "confirmed");
    assert_eq!(withdrawn(&served, "adas", &proposed["proposal"]).await.status, 409);
    assert_eq!(in_force(&served).await, version);

    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    let log = served.by("adas", "/api/v1/audit/entries").await.body;
    assert_eq!(log.matches("policy.withdrawn").count(), 3, "{log}");
    assert!(log.contains("\"proposedBy\":\"of-adas\"") && log.contains("not now"), "{log}");
}

async fn in_force(served: &Served) -> String {
    let list = served.by("adas", "/api/v1/policies").await.json();
    let found = list["versions"].as_array().unwrap().iter().find(|version| version["inForce"] == true).unwrap();
    found["digest"].as_str().unwrap().to_owned()
}

/// Versions that wait, and who proposed them.
async fn proposals(served: &Served) -> Vec<(String, String)> {
    let list = served.by("bobs", "/api/v1/policies").await.json();
    let waiting = list["versions"].as_array().unwrap().iter().filter(|version| version["proposal"]["state"] == "open");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    waiting.map(|version| (text(&version["digest"]), text(&version["proposal"]["person"]))).collect()
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
    // The other person too: to put it forward once more is not to confirm it, and no proposal of theirs.
    for who in ["adas-other", "bobs"] {
        let again = doing(&served, who, &version, "activate").await;
        assert_eq!(again.json()["proposal"], proposed.json()["proposal"], "again is as once: {who}");
    }
    // Whoever is to confirm it finds it, and reads what it says.
    assert_eq!(proposals(&served).await, [(version.clone(), "ada@example.com".to_owned())]);
    let shown = served.by("bobs", &format!("/api/v1/policies/{version}")).await.json();
    assert_eq!(shown["version"]["proposal"], proposed.json()["proposal"]);
    assert!(shown["bundle"]["documents"][0][1].as_str().unwrap().contains("evil.example"), "{shown}");

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
    assert_eq!(proposals(&served).await, []);
    assert_eq!(doing(&served, "bobs", &version, "confirm").await.status, 404, "once");

    // Back takes two as well, and so does what would judge for production no longer.
    let back = served.post("/api/v1/policies/rollback", Some("bobs"), "{}").await;
    assert_eq!(back.status, 202, "{}", back.body);
    let loose = uploaded(&served, &bundle("non-production", "loose")).await;
    assert_eq!(doing(&served, "bobs", &loose, "activate").await.status, 202);
    assert_eq!(doing(&served, "adas", &loose, "confirm").await.status, 200);
    // What was proposed over another policy is over.
    assert_eq!(proposals(&served).await, [], "nobody is asked to confirm what cannot be confirmed");
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
