//! Who is told of what, and how.

use model::{Digest, Timestamp};
use registry::Secret;
use serde_json::{Value, json};

use super::message;
use super::target::{NoticeEvent, NoticeKind, NoticeTarget};
use super::{ATTEMPTS, again};
use crate::gate::actor::Repositories;
use crate::gate::reports::entries::Entry;
use crate::gate::teams::{Team, Teams};

fn entry(kind: &str, repository: Option<&str>, body: Value) -> Entry {
    let Value::Object(body) = body else { panic!("an object") };
    Entry {
        id: "0199-id".into(),
        kind: kind.into(),
        repository: repository.map(Into::into),
        digest: repository.map(|_| Digest::of(b"image")),
        at: "2026-01-02T08:00:00Z".parse().unwrap(),
        body,
    }
}

fn target() -> NoticeTarget {
    NoticeTarget {
        name: "team-a".into(),
        url: "https://hooks.example/T0/B0/hidden-path".into(),
        kind: NoticeKind::Webhook,
        events: vec![NoticeEvent::Block, NoticeEvent::DenialAdded, NoticeEvent::ExceptionRequested],
        repositories: vec![Repositories::parse("r.example/team-a/**").unwrap()],
        teams: Vec::new(),
        environments: vec!["production".into()],
        secret: Some(Secret::new("0123456789abcdef")),
    }
}

fn teams() -> Teams {
    let team = |name: &str, pattern: &str| Team {
        name: name.to_owned(),
        repositories: vec![Repositories::parse(pattern).unwrap()],
    };
    Teams::new(vec![team("shop", "r.example/shop/**"), team("rest", "r.example/**")]).unwrap()
}

fn blocked(repository: &str, environment: &str) -> Entry {
    let body = json!({ "decision": "d1", "environment": environment, "verdict": "deny",
        "reasons": [{ "code": "cve.limit", "message": "<!channel> & more" }], "answer": { "pipeline": "4711", "commit": "c0ffee" } });
    entry("decision", Some(repository), body)
}

fn is_told(target: &NoticeTarget, entry: &Entry) -> bool {
    NoticeEvent::of(entry).is_some_and(|event| target.wants(event, entry, &teams()))
}

#[test]
fn o5_each_is_told_of_what_is_theirs() {
    let target = target();
    assert!(is_told(&target, &blocked("r.example/team-a/app", "production")));
    assert!(!is_told(&target, &blocked("r.example/team-b/app", "production")));
    assert!(!is_told(&target, &blocked("r.example/team-a/app", "staging")));
    let denial = json!({ "denied": { "kind": "package", "what": "pkg:npm/x" } });
    assert!(is_told(&target, &entry("denial.added", None, denial)), "what is about everything is about them");
    assert!(!is_told(&target, &entry("policy.activated", None, json!({}))), "nobody asked to be told of it");
    let scope =
        |repository: &str, is_pattern| json!({ "scope": { "repository": repository, "isPattern": is_pattern } });
    assert!(!is_told(&target, &entry("exception.requested", None, scope("r.example/team-b/app", false))));
    assert!(is_told(&target, &entry("exception.requested", None, scope("r.example/team-a/app", false))));
    assert!(is_told(&target, &entry("exception.requested", None, scope("r.example/**", true))));
    let allowed =
        entry("decision", Some("r.example/team-a/app"), json!({ "environment": "production", "verdict": "allow" }));
    assert_eq!(NoticeEvent::of(&allowed), None);
    assert_eq!(NoticeEvent::of(&entry("token.created", None, json!({}))), None);
}

#[test]
fn s35_a_team_is_a_route_besides_repositories() {
    let target = NoticeTarget { teams: vec!["shop".into()], ..target() };
    assert!(is_told(&target, &blocked("r.example/shop/cart", "production")));
    assert!(is_told(&target, &blocked("r.example/team-a/app", "production")), "by its repositories");
    assert!(!is_told(&target, &blocked("r.example/team-b/app", "production")));
    let of_team = NoticeTarget { repositories: Vec::new(), ..target.clone() };
    assert!(is_told(&of_team, &blocked("r.example/shop/cart", "production")));
    assert!(!is_told(&of_team, &blocked("r.example/team-a/app", "production")), "no repositories is not all of them");
    let none = NoticeTarget { teams: vec!["none".into()], repositories: Vec::new(), ..target };
    assert!(is_told(&none, &blocked("other.example/app", "production")));
    assert!(!is_told(&none, &blocked("r.example/shop/cart", "production")));
    let unknown = NoticeTarget { teams: vec!["nobody".into()], ..of_team };
    assert!(unknown.check(&teams()).unwrap_err().contains("nobody"));
    let now: Timestamp = "2026-01-02T08:00:07Z".parse().unwrap();
    let said =
        message::of(&none, NoticeEvent::Block, &blocked("r.example/shop/cart", "production"), None, &teams(), now);
    let said: Value = serde_json::from_slice(&said.unwrap().body).unwrap();
    assert_eq!(said["team"], "shop");
}

#[test]
fn o5_a_webhook_is_signed_over_its_time_and_body() {
    let now: Timestamp = "2026-01-02T08:00:07Z".parse().unwrap();
    let found =
        message::of(&target(), NoticeEvent::Block, &blocked("r.example/team-a/app", "production"), None, &teams(), now)
            .unwrap();
    let header = |name: &str| &found.headers.iter().find(|(one, _)| *one == name).unwrap().1;
    assert_eq!(header(message::TIMESTAMP), &now.as_second().to_string());
    let expected = message::signature(b"0123456789abcdef", &now.as_second().to_string(), &found.body);
    assert_eq!(header(message::SIGNATURE), &format!("v1={expected}"));
    let other = message::signature(b"0123456789abcdef", &(now.as_second() + 1).to_string(), &found.body);
    assert_ne!(expected, other);
    // As another implementation computes it.
    let known = "dc7943cccf20f64327d263db5e2aca27c2b8175e8e6e7ea04f482091bf456b0f";
    assert_eq!(message::signature(b"Jefe", "1", b"{}"), known);
    let body: Value = serde_json::from_slice(&found.body).unwrap();
    assert_eq!(
        (body["event"].as_str(), body["id"].as_str(), body["pipeline"].as_str()),
        (Some("block"), Some("0199-id"), Some("4711"))
    );
    assert_eq!(body["links"]["decision"], "/api/v1/decisions/d1");
    assert_eq!(body["reasons"], json!(["cve.limit: <!channel> & more"]));
}

#[test]
fn o5_texts_of_others_call_nobody_in_slack() {
    let slack = NoticeTarget { kind: NoticeKind::Slack, secret: None, ..target() };
    let now: Timestamp = "2026-01-02T08:00:07Z".parse().unwrap();
    let found =
        message::of(&slack, NoticeEvent::Block, &blocked("r.example/team-a/app", "production"), None, &teams(), now)
            .unwrap();
    let text = String::from_utf8(found.body.clone()).unwrap();
    let body: Value = serde_json::from_slice(&found.body).unwrap();
    assert!(body["text"].as_str().unwrap().starts_with("block: r.example/team-a/app@sha256:"), "{text}");
    assert_eq!(body["blocks"].as_array().unwrap().len(), 2);
    assert!(!text.contains('<') && text.contains("&lt;!channel&gt; &amp; more"), "{text}");
    assert!(found.headers.iter().all(|(name, _)| *name != message::SIGNATURE));
}

#[test]
fn o5_what_cannot_be_told_soundly_is_refused_and_no_secret_is_shown() {
    assert_eq!(target().check(&teams()), Ok(()));
    for (wrong, why) in [
        (NoticeTarget { url: "http://hooks.example/x".into(), ..target() }, "without TLS"),
        (NoticeTarget { secret: None, ..target() }, "needs a secret"),
        (NoticeTarget { secret: Some(Secret::new("short")), ..target() }, "shorter than 16"),
        (NoticeTarget { kind: NoticeKind::Slack, ..target() }, "nothing is signed"),
        (NoticeTarget { events: Vec::new(), ..target() }, "no events"),
        (NoticeTarget { name: "a b".into(), ..target() }, "its name"),
    ] {
        let said = wrong.check(&teams()).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
    let shown = format!("{:?}", target());
    assert!(!shown.contains("hidden-path") && !shown.contains("0123456789abcdef"), "{shown}");
}

#[test]
fn o5_what_fails_is_tried_later_and_rarer_and_given_up_in_the_end() {
    let now: Timestamp = "2026-01-02T08:00:00Z".parse().unwrap();
    let waits: Vec<i64> = (1..ATTEMPTS).map(|tried| again(tried, now).unwrap().duration_since(now).as_secs()).collect();
    assert_eq!(waits[..4], [5, 10, 20, 40]);
    assert!(waits.windows(2).all(|two| two[0] <= two[1]) && waits.iter().all(|wait| *wait <= 3600), "{waits:?}");
    assert_eq!(again(ATTEMPTS, now), None);
}
