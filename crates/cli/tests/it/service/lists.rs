//! `decisions` and `history`: what was decided, and what happened to an image.

use super::*;

fn summary(number: usize) -> Value {
    json!({ "id": format!("id-{number}"), "repository": "ghcr.io/team/app", "digest": digest(1), "environment": "production",
        "verdict": "deny", "policy": digest(5), "recordedAt": "2026-01-02T03:04:05.678Z", "validUntil": null, "children": [], "later": number })
}

/// Pages of `size` out of so many decisions.
fn pages(all: usize, size: usize) -> Service {
    Service::start(move |request, _| {
        let value = |name: &str| {
            let (_, query) = request.target.split_once('?').unwrap();
            query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        };
        let from: usize = value("cursor").map_or(0, |cursor| cursor.parse().unwrap());
        let limit: usize = value("limit").unwrap().parse().unwrap();
        assert!(limit <= 200, "more is refused");
        let to = (from + limit.min(size)).min(all);
        let next = (to < all).then(|| to.to_string());
        let list: Vec<Value> = (from..to).map(summary).collect();
        Answer::json(200, &json!({ "decisions": list, "next": next }))
    })
}

#[test]
fn o4_decisions_are_a_table_or_json() {
    let (gate, service) = (bare(), pages(2, 200));
    let said = run(&gate, &service, &["decisions"])
        .exits(0)
        .says("2026-01-02T03:04:05Z  deny")
        .says("ghcr.io/team/app@sha256:");
    assert_eq!(said.stdout.lines().count(), 3, "{said:?}");
    let said = run(&gate, &service, &["decisions", "--output", "json"]).exits(0);
    assert_eq!(said.json(), json!({ "decisions": [summary(0), summary(1)], "next": null }), "as the service says it");
    let said = run(&gate, &pages(0, 200), &["decisions"]).exits(0).says("no decision is like that");
    assert!(said.stdout.is_empty());
}

#[test]
fn o4_pages_are_read_as_far_as_is_wanted() {
    let gate = bare();
    for (arguments, count, requests, next) in [
        (&["decisions", "--output", "json"][..], 50, 1, Some("50")),
        (&["decisions", "--output", "json", "--limit", "3"], 3, 1, Some("3")),
        (&["decisions", "--output", "json", "--limit", "450"], 450, 3, None),
        (&["decisions", "--output", "json", "--all"], 450, 3, None),
        (&["decisions", "--output", "json", "--limit", "9", "--cursor", "445"], 5, 1, None),
    ] {
        let service = pages(450, 200);
        let answer = run(&gate, &service, arguments).exits(0).json();
        assert_eq!(answer["decisions"].as_array().unwrap().len(), count, "{arguments:?}");
        assert_eq!(answer["next"].as_str(), next, "{arguments:?}");
        assert_eq!(service.seen().len(), requests, "{arguments:?}");
    }
    run(&gate, &pages(450, 200), &["decisions", "--limit", "2"]).exits(0).says("--cursor 2");
}

#[test]
fn o4_every_filter_goes_along() {
    let (gate, service) = (bare(), pages(0, 1));
    let image = format!("ghcr.io/team/app@{}", digest(1));
    let arguments = [
        "decisions",
        "--image",
        &image,
        "--environment",
        "a b&c",
        "--verdict",
        "deny",
        "--since",
        "2026-01-01T00:00:00Z",
        "--until",
        "2026-02-01T01:00:00+01:00",
        "--pipeline",
        "47",
        "--commit",
        "c0ffee",
    ];
    run(&gate, &service, &arguments).exits(0);
    let target = service.seen()[0].target.clone();
    let digest = digest(1).replace(':', "%3A");
    let expected = format!(
        "/api/v1/decisions?image=ghcr.io%2Fteam%2Fapp&digest={digest}&environment=a+b%26c&verdict=deny\
        &since=2026-01-01T00%3A00%3A00Z&until=2026-02-01T00%3A00%3A00Z&pipeline=47&commit=c0ffee&limit=50"
    );
    assert_eq!(target, expected);
    assert_eq!(service.seen()[0].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    // An ECR host is asked for by the name that decisions have.
    run(&gate, &service, &["decisions", "--image", "123456789012.dkr-ecr.eu-west-1.on.aws/team/app", "--since", "24h"])
        .exits(0);
    assert!(
        service.seen()[1].target.contains("image=123456789012.dkr.ecr.eu-west-1.amazonaws.com%2Fteam%2Fapp&since=20")
    );
    for wrong in [
        ["--verdict", "no"],
        ["--since", "yesterday"],
        ["--image", "app"],
        ["--image", "ghcr.io/app:1"],
        ["--digest", "x"],
        ["--limit", "0"],
    ] {
        run(&gate, &service, &[&["decisions"], &wrong[..]].concat()).exits(64);
    }
    assert_eq!(service.seen().len(), 2);
}

#[test]
fn b3_one_decision_is_shown_whole() {
    let record = allowed();
    let id = record["id"].as_str().unwrap().to_owned();
    let whole = record;
    let served = whole.clone();
    let service = Service::start(move |_, _| Answer::json(200, &served));
    let gate = bare();
    let said = run(&gate, &service, &["decisions", "--id", &id, "--output", "json"]).exits(0);
    assert_eq!(said.stdout.trim_end(), whole.to_string(), "as it was written");
    let said = run(&gate, &service, &["decisions", "--id", &id]).exits(0);
    assert_eq!(said.stdout.trim_end(), format!("{whole:#}"), "for reading, line by line");
    assert_eq!(service.seen()[0].target, format!("/api/v1/decisions/{id}"));
    for odd in ["../policies", "a/b", "", "a?b", "%2e"] {
        run(&gate, &service, &["decisions", "--id", odd]).exits(64);
    }
    let service =
        Service::start(|_, _| problem(404, &json!({ "detail": "there is no decision x", "code": "notFound" })));
    run(&gate, &service, &["decisions", "--id", "x"]).exits(3).says("there is no decision x");
}

#[test]
fn o3_the_life_of_an_image_in_order() {
    let event = |id: &str, kind: &str, body: Value| {
        json!({ "id": id, "kind": kind, "at": "2026-01-02T03:04:05Z", "repository": "ghcr.io/team/app", "digest": digest(1),
            "entry": { "at": "2026-01-02T03:04:05Z", "body": body, "id": id, "kind": kind } })
    };
    let mut dropped = event("e3", "signal", Value::Null);
    dropped["entry"] = Value::Null;
    let events = json!([
        event("e1", "signal", json!({ "format": "trivy", "by": "ci" })),
        event(
            "e2",
            "decision",
            json!({ "verdict": "deny\u{1b}[2J", "environment": "production", "policy": digest(5) })
        ),
        dropped,
        event(
            "e4",
            "override.granted",
            json!({ "override": "o1", "environment": "production", "until": "2026-01-02T04:04:05Z",
                "granted": { "reason": "outage", "by": "ada" } }),
        ),
        event(
            "e5",
            "block.labelled",
            json!({ "decision": "d1", "environment": "production",
                "label": { "label": "false-block", "reason": "wrong package", "by": "bob" } }),
        ),
    ]);
    let served = events.clone();
    let service = Service::start(move |_, _| Answer::json(200, &json!({ "events": served, "next": null })));
    let gate = bare();
    let image = format!("ghcr.io/team/app@{}", digest(1));
    let said = run(&gate, &service, &["history", &image])
        .exits(0)
        .says("format trivy, by ci")
        .says("no longer kept")
        .says("environment production")
        .says("until 2026-01-02T04:04:05Z, by ada, reason outage")
        .says("label false-block, by bob, reason wrong package");
    let order: Vec<usize> = ["e1", "e2", "e3"].iter().map(|id| said.stdout.find(id).unwrap()).collect();
    assert!(order.is_sorted(), "{said:?}");
    assert_eq!(
        service.seen()[0].target,
        format!("/api/v1/images/{}/events?image=ghcr.io%2Fteam%2Fapp&limit=50", digest(1))
    );
    let answer = run(&gate, &service, &["history", &digest(1), "--all", "--output", "json"]).exits(0).json();
    assert_eq!(answer["events"], events);
    assert_eq!(service.seen()[1].target, format!("/api/v1/images/{}/events?limit=200", digest(1)));
    for text in ["ghcr.io/team/app:1", "ghcr.io/team/app", "app"] {
        run(&gate, &service, &["history", text]).exits(64);
    }
}

#[test]
fn lists_that_are_none_are_not_understood() {
    let gate = bare();
    for body in [
        json!({}),
        json!({ "decisions": {} }),
        json!({ "decisions": [{}] }),
        json!({ "decisions": [1] }),
        json!({ "decisions": [], "next": 1 }),
        json!({ "events": [] }),
    ] {
        let service = Service::start(move |_, _| Answer::json(200, &body));
        let said = run(&gate, &service, &["decisions", "--all"]).exits(5).says("is not understood");
        assert!(said.stdout.is_empty());
    }
    // Round in a circle.
    let service = Service::start(|_, _| Answer::json(200, &json!({ "decisions": [summary(0)], "next": "again" })));
    run(&gate, &service, &["decisions", "--all"]).exits(5).says("circle");
    assert_eq!(service.seen().len(), 2);
}

#[test]
fn without_a_service_the_commands_say_so() {
    let gate = bare();
    for arguments in [&["decisions"][..], &["history", &digest(1)], &["policy", "versions"], &["audit", "key"]] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ecr-gate"));
        let ran = command.args(arguments).env_clear().current_dir(gate.path("")).output().unwrap();
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert!(ran.status.code() == Some(64) && stderr.contains("ECR_GATE_SERVER"), "{arguments:?}: {stderr}");
    }
    let service =
        Service::start(|_, _| problem(401, &json!({ "title": "The token is not known", "code": "auth.unknownToken" })));
    run(&gate, &service, &["decisions"]).exits(3).says("The token is not known").says("ECR_GATE_TOKEN");
}
