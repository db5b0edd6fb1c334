//! Tokens that the gate gives out: shown once, scoped, over when they end or are revoked.

use serde_json::{Value, json};

use crate::stage::{ADMIN, How, PIPELINE, READER, Served, served};

async fn made(served: &Served, by: &str, body: &Value) -> (u16, Value) {
    let answer = served.post("/api/v1/tokens", Some(by), &body.to_string()).await;
    (answer.status, answer.json())
}

fn wanted(name: &str, role: &str, repositories: &str) -> Value {
    json!({ "name": name, "lifetimeSeconds": 3600,
        "grants": [{ "role": role, "repositories": [repositories], "environments": ["*"] }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn o2_a_token_is_shown_once_used_and_over_when_it_is_revoked() {
    let served = served(How { anonymous_reads: false, ..How::default() }).await;
    let (status, token) = made(&served, ADMIN, &wanted("ci", "ci", "r.example/team-a/**")).await;
    assert_eq!(status, 201, "{token}");
    let secret = token["secret"].as_str().unwrap();
    assert!(secret.starts_with("egt_") && secret.len() == 55);
    let id = token["token"]["id"].as_str().unwrap();
    let me = served.by(secret, "/api/v1/whoami").await;
    assert_eq!((me.status, me.json()["identity"].as_str()), (200, Some(&*format!("token:ci#{id}"))));

    // Nobody can say it again: neither lists, nor the audit log, whose entries do not hold its hash either.
    let list = served.by(ADMIN, "/api/v1/tokens").await;
    assert!(list.body.contains(id) && !list.body.contains(&secret[4..]));

    for path in ["/api/v1/tokens", "/api/v1/audit/entries"] {
        assert_eq!(served.by(secret, path).await.status, 403, "{path}");
    }
    let revoke = format!("/api/v1/tokens/{id}/revoke");
    assert_eq!(served.post(&revoke, Some(secret), "{}").await.status, 403);
    let revoked = served.post(&revoke, Some(ADMIN), &json!({ "reason": "it leaked" }).to_string()).await;
    assert_eq!((revoked.status, revoked.json()["state"].as_str()), (200, Some("revoked")), "{}", revoked.body);
    let replayed = served.by(secret, "/api/v1/whoami").await;
    assert_eq!((replayed.status, replayed.problem().as_str()), (401, "auth.unknownToken"));
    assert_eq!(served.post(&revoke, Some(ADMIN), "{}").await.status, 200, "again is as once");
    assert_eq!(served.post("/api/v1/tokens/none/revoke", Some(ADMIN), "{}").await.status, 404);
    // Entries get their places twice a second.
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    let told = served.by(ADMIN, "/api/v1/audit/entries").await.body;
    for kind in ["token.created", "token.revoked", "it leaked"] {
        assert!(told.contains(kind), "{kind}: {told}");
    }
    let hash = model::Digest::of(secret.as_bytes()).to_string();
    assert!(!told.contains(&secret[4..]) && !told.contains(hash.trim_start_matches("sha256:")));
}

#[tokio::test(flavor = "multi_thread")]
async fn o2_nobody_gives_out_more_than_they_administer() {
    let served = served(How { anonymous_reads: false, ..How::default() }).await;
    for by in [READER, PIPELINE] {
        assert_eq!(made(&served, by, &wanted("x", "viewer", "**")).await.0, 403);
    }
    // Who has the role for something else is told so.
    let (_, ours) = made(&served, ADMIN, &wanted("ours", "ci", "r.example/team-a/**")).await;
    let ask = json!({ "image": "r.example/team-b/app:1" }).to_string();
    let told = served.post("/api/v1/decide", ours["secret"].as_str(), &ask).await;
    assert!(told.status == 403 && told.body.contains("ci on r.example/team-a/** in *"), "{}", told.body);
    let (_, scoped) = made(&served, ADMIN, &wanted("team-a", "admin", "r.example/team-a/**")).await;
    let scoped = scoped["secret"].as_str().unwrap();
    for (repositories, status) in [
        ("r.example/team-a/app", 201),
        ("r.example/team-a/x/**", 201),
        ("r.example/team-a/**", 201),
        ("r.example/team-a", 403),
        ("r.example/team-b/app", 403),
        ("r.example/team-ab/**", 403),
        ("r.example/team-a*/**", 403),
        ("r.example/{team-a,team-b}/**", 403),
        ("**", 403),
        ("*/team-a/**", 403),
    ] {
        assert_eq!(made(&served, scoped, &wanted("x", "ci", repositories)).await.0, status, "{repositories}");
    }
    // Nor do they see or end those of others, which are not there for them.
    let (_, other) = made(&served, ADMIN, &wanted("team-b", "ci", "r.example/team-b/**")).await;
    let other = other["token"]["id"].as_str().unwrap();
    let list = served.by(scoped, "/api/v1/tokens").await;
    assert!(list.status == 200 && !list.body.contains(other), "{}", list.body);
    let hidden = served.post(&format!("/api/v1/tokens/{other}/revoke"), Some(scoped), "{}").await;
    let none = served.post("/api/v1/tokens/none/revoke", Some(scoped), "{}").await;
    assert_eq!((hidden.status, none.status), (404, 404));
    assert_eq!(hidden.json()["detail"].as_str().unwrap().replace(other, "none"), none.json()["detail"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn o2_what_is_no_token_as_it_should_be_is_not_made() {
    let served = served(How { anonymous_reads: false, ..How::default() }).await;
    let with = |name: &str, value: Value| {
        let mut body = wanted("x", "ci", "**");
        body[name] = value;
        body
    };
    for (body, status) in [
        (with("name", json!("")), 400),
        (with("name", json!("a b")), 400),
        (with("grants", json!([])), 400),
        (with("lifetimeSeconds", json!(0)), 400),
        (with("lifetimeSeconds", json!(40_000_000)), 400),
        (with("lifetimeSeconds", json!(-1)), 400),
        (with("extra", json!(1)), 400),
        (wanted("x", "root", "**"), 400),
        (wanted("x", "anonymous", "**"), 400),
        (wanted("x", "approver", "**"), 400),
    ] {
        let (found, answer) = made(&served, ADMIN, &body).await;
        assert_eq!(found, status, "{body} {answer}");
    }
    // What could mean nothing that there is, is written wrong.
    for repositories in ["team/app", "team/**", "app", "team-a*"] {
        let (status, answer) = made(&served, ADMIN, &wanted("x", "ci", repositories)).await;
        assert_eq!(status, 400, "{repositories} {answer}");
        assert!(answer["detail"].as_str().unwrap().contains("host of a registry"), "{answer}");
    }
    let mut nowhere = wanted("x", "ci", "**");
    nowhere["grants"][0]["environments"] = json!(["prodution"]);
    let (status, answer) = made(&served, ADMIN, &nowhere).await;
    assert!(status == 400 && answer["detail"].as_str().unwrap().contains("not declared; declared: "), "{answer}");
    for path in [
        "decisions?environment=nope",
        "incidents?environment=nope",
        "rollbacks?repository=r.example/app&environment=nope",
    ] {
        let answer = served.by(ADMIN, &format!("/api/v1/{path}")).await;
        assert!(answer.status == 400 && answer.body.contains("not declared; declared: "), "{path}: {}", answer.body);
    }
    let mut approver = wanted("x", "approver", "**");
    approver["person"] = json!("Ada@Example.com");
    let (status, token) = made(&served, ADMIN, &approver).await;
    assert_eq!((status, token["token"]["person"].as_str()), (201, Some("ada@example.com")));
    let short = with("lifetimeSeconds", json!(1));
    let (_, token) = made(&served, ADMIN, &short).await;
    let secret = token["secret"].as_str().unwrap();
    assert_eq!(served.by(secret, "/api/v1/whoami").await.status, 200);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(served.by(secret, "/api/v1/whoami").await.status, 401, "it ended");
    let list = served.by(ADMIN, "/api/v1/tokens").await.json();
    assert!(list["tokens"].as_array().unwrap().iter().any(|token| token["state"] == "expired"), "{list}");
}
