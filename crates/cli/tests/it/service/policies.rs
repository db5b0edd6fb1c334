//! `policy push`, `activate`, `versions`, `rollback`.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::gate::policy;

fn version(number: u64, in_force: bool) -> Value {
    json!({ "digest": digest(number), "names": ["house"], "policies": [], "uploadedAt": "2026-01-02T03:04:05Z", "uploadedBy": "ada",
        "activated": null, "inForce": in_force, "remarks": ["an exception has expired"], "later": 1 })
}

/// Uploads give version 1, which is brought into force on request.
fn service() -> Service {
    Service::start(|request, _| match (request.method.as_str(), request.target.as_str()) {
        ("POST", "/api/v1/policies") => Answer::json(201, &version(1, false)),
        ("POST", target) if target == format!("/api/v1/policies/{}/activate", digest(1)) => {
            Answer::json(200, &version(1, true))
        }
        ("POST", "/api/v1/policies/rollback") => Answer::json(200, &version(2, true)),
        ("GET", "/api/v1/policies?limit=50") => {
            Answer::json(200, &json!({ "versions": [version(2, true), version(1, false)] }))
        }
        _ => Answer::bytes(404, ""),
    })
}

#[test]
fn b5_a_push_takes_every_file_along_that_the_policies_name() {
    let gate = bare();
    fs::create_dir(gate.path("team")).unwrap();
    let key = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8nXRh950IZbRj8Ra/N9sbqOPZrfM\n5/KAQN0/KjHcorm/J5yctVd7iEcnessRQjU917hmKO6JWVGHpDguIyakZA==\n-----END PUBLIC KEY-----\n";
    let exceptions = "apiVersion: ecr-gate.dev/v1\nkind: GateExceptions\nexceptions: []\n";
    let rego = "package house\nimport rego.v1\ndeny contains \"no\" if input.schema == \"none\"\n";
    gate.write("team/release.pub", key);
    gate.write("team/exceptions.yaml", exceptions);
    gate.write("team/house.rego", rego);
    let first = gate.write(
        "first.yaml",
        policy("rules: [{ id: r, vulnerabilities: { max: { critical: 0 } } }]").replace("name: house", "name: first"),
    );
    let spec = "signers: { release: { key: release.pub } }\nexceptions: [exceptions.yaml]\nrules:\n  - { id: signed, signatures: { threshold: 1, of: [release] } }\n  - { id: own, rego: { file: house.rego, query: data.house.deny } }";
    let second = gate.write("team/gate.yaml", policy(spec));
    let service = service();
    run(&gate, &service, &["policy", "push", &first, "team/gate.yaml"])
        .exits(0)
        .says(&format!("uploaded: {} (house)", digest(1)));
    let bundle = service.seen()[0].json();
    let text = |path: &str| fs::read_to_string(path).unwrap();
    assert_eq!(bundle["documents"], json!([["first.yaml", text(&first)], ["gate.yaml", text(&second)]]));
    let encoded = |text: &str| BASE64_STANDARD.encode(text);
    let files = json!([{}, { "release.pub": encoded(key), "exceptions.yaml": encoded(exceptions), "house.rego": encoded(rego) }]);
    assert_eq!(bundle["files"], files);
    assert_eq!(bundle.as_object().unwrap().len(), 2, "nothing beside it: {bundle}");
}

#[test]
fn b5_what_is_wrong_here_is_not_sent() {
    let (gate, service) = (bare(), service());
    let odd = gate.write("odd.yaml", policy("rulez: []"));
    run(&gate, &service, &["policy", "push", &odd]).exits(3).says("rulez");
    let lost = gate.write(
        "lost.yaml",
        policy(
            "signers: { release: { key: lost.pub } }\nrules: [{ id: s, signatures: { threshold: 1, of: [release] } }]",
        ),
    );
    run(&gate, &service, &["policy", "push", &lost]).exits(3).says("lost.pub");
    gate.write("lost.pub", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    run(&gate, &service, &["policy", "push", &lost]).exits(3).says("private");
    run(&gate, &service, &["policy", "push", "nowhere.yaml"]).exits(3);
    run(&gate, &service, &["policy", "push"]).exits(64);
    assert!(service.seen().is_empty(), "no private key leaves the machine");
}

#[test]
fn b5_activate_brings_into_force() {
    let (gate, service) = (bare(), service());
    let file = gate.write("gate.yaml", policy("rules: [{ id: r, vulnerabilities: { max: { critical: 0 } } }]"));
    let said = run(&gate, &service, &["policy", "push", &file])
        .exits(0)
        .says("not in force yet")
        .says("warning: an exception has expired");
    assert!(said.stdout.starts_with("uploaded: "), "{said:?}");
    let arguments = ["policy", "push", &file, "--activate", "--reason", "reviewed", "--believed", &digest(2)];
    run(&gate, &service, &arguments).exits(0).says(&format!("in force: {}", digest(1)));
    assert_eq!(service.seen()[2].json(), json!({ "believed": digest(2), "reason": "reviewed" }));
    run(&gate, &service, &["policy", "push", &file, "--reason", "x"]).exits(64).says("--activate");
    let answer = run(&gate, &service, &["policy", "activate", &digest(1), "--output", "json"]).exits(0).json();
    assert_eq!(answer, version(1, true));
    assert_eq!(service.seen()[3].json(), json!({}));
    run(&gate, &service, &["policy", "activate", "sha256:00"]).exits(64);
}

#[test]
fn b5_versions_and_the_way_back() {
    let (gate, service) = (bare(), service());
    let said = run(&gate, &service, &["policy", "versions"]).exits(0);
    let in_force: Vec<&str> = said.stdout.lines().filter(|line| line.contains("in force")).collect();
    assert!(in_force.len() == 1 && in_force[0].contains(&digest(2)), "{said:?}");
    assert_eq!(
        run(&gate, &service, &["policy", "versions", "--output", "json"]).exits(0).json()["versions"][1],
        version(1, false)
    );
    run(&gate, &service, &["policy", "rollback", "--reason", "too strict"])
        .exits(0)
        .says(&format!("in force: {}", digest(2)));
    assert_eq!(service.seen()[2].json(), json!({ "reason": "too strict" }));
}

#[test]
fn s34_what_waits_for_a_second_person_is_listed_and_shown_before_it_is_confirmed() {
    let gate = bare();
    let mut waiting = version(1, false);
    waiting["proposal"] = json!({ "id": "p1", "by": "token:ada", "person": "ada@example.com", "state": "open", "until": "2026-01-09T03:04:05Z" });
    let text = "kind: GatePolicy\nspec:\n  rules: []\u{1b}[2J\n";
    let whole = json!({ "version": waiting, "bundle": { "documents": [["house.yaml", text]], "files": [{ "release.pub": "QQ==" }] } });
    let service = Service::start(move |request, _| match (request.method.as_str(), request.target.as_str()) {
        ("POST", "/api/v1/policies") => Answer::json(200, &waiting),
        ("GET", "/api/v1/policies?limit=50") => Answer::json(200, &json!({ "versions": [version(2, true), waiting] })),
        ("GET", target) if target == format!("/api/v1/policies/{}", digest(1)) => Answer::json(200, &whole),
        _ => Answer::json(200, &json!({ "version": version(2, true), "bundle": { "documents": [], "files": [] } })),
    });
    run(&gate, &service, &["policy", "versions"]).exits(0).says("proposed by ada@example.com");
    let said =
        run(&gate, &service, &["policy", "show", &digest(1)]).exits(0).says("release.pub").says("policy confirm");
    assert!(said.stdout.contains("# house.yaml\nkind: GatePolicy\nspec:\n  rules: []"), "{said:?}");
    assert!(!said.stdout.contains('\u{1b}'), "nothing in it steers a terminal: {said:?}");
    let answer = run(&gate, &service, &["policy", "show", &digest(1), "--output", "json"]).exits(0).json();
    assert_eq!(answer["bundle"]["files"][0]["release.pub"], "QQ==");
    run(&gate, &service, &["policy", "show", &digest(3)]).exits(5).says("instead of");
    // A push alone asks for nothing to be brought into force.
    let file = gate.write("gate.yaml", policy("rules: [{ id: r, vulnerabilities: { max: { critical: 0 } } }]"));
    run(&gate, &service, &["policy", "push", &file]).exits(0).says("policy confirm");
}

#[test]
fn b5_a_change_that_may_have_been_made_is_not_made_twice() {
    let gate = bare();
    for arguments in [&["policy", "rollback"][..], &["policy", "activate", &digest(1), "--believed", &digest(2)]] {
        let service = Service::start(|_, _| Answer::silent());
        run(&gate, &service, arguments).exits(5);
        assert_eq!(service.seen().len(), 1, "{arguments:?}");
        // A service that says it did not do it is asked again.
        let service = Service::start(|_, number| {
            if number == 0 {
                problem(503, &json!({ "title": "starting" }))
            } else {
                Answer::json(200, &version(1, true))
            }
        });
        run(&gate, &service, arguments).exits(0);
        assert_eq!(service.seen().len(), 2, "{arguments:?}");
    }
}

#[test]
fn b5_refusals_of_the_service() {
    let gate = bare();
    let file = gate.write("gate.yaml", policy("rules: [{ id: r, vulnerabilities: { max: { critical: 0 } } }]"));
    for (status, detail, code) in [
        (422, "rule r: impossible", 3),
        (409, "the policy has changed meanwhile", 3),
        (403, "the role admin is needed", 3),
        (413, "at most", 3),
    ] {
        let service = Service::start(move |_, _| problem(status, &json!({ "detail": detail, "code": "x" })));
        run(&gate, &service, &["policy", "push", &file]).exits(code).says(detail);
    }
    // Something else than was asked for.
    let service = Service::start(|_, _| Answer::json(200, &version(2, true)));
    run(&gate, &service, &["policy", "activate", &digest(1)]).exits(5).says("instead of");
    let service = Service::start(|_, _| Answer::json(200, &version(1, false)));
    run(&gate, &service, &["policy", "activate", &digest(1)]).exits(5).says("not in force");
    // Uploaded, and not brought into force: said both.
    let service = Service::start(|request, _| {
        if request.target.ends_with("activate") {
            problem(403, &json!({ "detail": "no" }))
        } else {
            Answer::json(201, &version(1, false))
        }
    });
    run(&gate, &service, &["policy", "push", &file, "--activate"]).exits(3).says("is uploaded, and not in force");
}
