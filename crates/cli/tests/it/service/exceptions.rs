//! `exception …`: what is sent, and which answers are none.

use super::*;

const ID: &str = "01979b1e-7c5a-7000-8000-2f4d6a1b9c3e";

fn exception(state: &str, revision: i64) -> Value {
    json!({
        "id": ID, "revision": revision, "state": state, "inForce": state == "approved",
        "scope": { "cve": "CVE-2024-0001", "package": "openssl", "rule": null, "repository": "r.example/app", "isPattern": false,
            "digest": digest(1), "environment": "production" },
        "untilFixed": false, "reason": "odd \u{1b}[2J\u{202e} words", "ticket": null, "owner": "dora", "author": null, "decision": null,
        "expires": "2026-01-16T03:04:05Z", "wide": [], "createdAt": "2026-01-02T03:04:05Z",
        "requested": [{ "by": "oidc:1", "person": "dora", "at": "2026-01-02T03:04:05Z", "reason": null }], "settled": null, "uses": 0, "later": 1,
    })
}

#[test]
fn b11_what_is_narrow_is_asked_for_as_it_is_and_wide_only_where_it_is_said() {
    let service = Service::start(|_, _| Answer::json(201, &exception("requested", 1)));
    let gate = bare();
    let image = format!("r.example/app@{}", digest(1));
    let request = |arguments: &[&str]| {
        run(&gate, &service, &[&["exception", "request"], arguments, &["--reason", "not reachable"]].concat())
    };
    request(&[&image, "--cve", "CVE-2024-0001", "--package", "openssl"]).exits(0).says(ID);
    let sent = service.seen()[0].json();
    assert_eq!(
        sent,
        json!({ "image": image, "cve": "CVE-2024-0001", "package": "openssl", "environment": "production",
            "reason": "not reachable", "expires": "14d" })
    );
    for (arguments, says) in [
        (&["r.example/app", "--cve", "CVE-1", "--package", "a"][..], "--every-image"),
        (&[&image, "--cve", "CVE-1"], "--package"),
        (&[&image, "--package", "a"], "--cve"),
        (&["--cve", "CVE-1", "--package", "a"], "IMAGE"),
        (&[&image, "--rule", "house/user", "--package", "a"], "--package"),
        (&[&image, "--decision", ID], "--decision"),
    ] {
        request(arguments).exits(64).says(says);
    }
    let asked_for = service.seen().iter().filter(|request| request.method == "POST").count();
    assert_eq!(asked_for, 1, "nothing of that was sent");
}

#[test]
fn b11_an_answer_about_something_else_is_none() {
    for answered in [exception("requested", 2), json!({ "id": ID }), {
        let mut other = exception("approved", 2);
        other["id"] = "01979b1e-7c5a-7000-8000-000000000000".into();
        other
    }] {
        let service = Service::start(move |_, _| Answer::json(200, &answered));
        run(&bare(), &service, &["exception", "approve", ID, "--revision", "1"]).exits(5);
    }
    let service = Service::start(|_, _| Answer::json(200, &exception("approved", 2)));
    run(&bare(), &service, &["exception", "approve", ID]).exits(64).says("--revision");
    run(&bare(), &service, &["exception", "approve", "../policies", "--revision", "1"]).exits(64);
    let ran = run(&bare(), &service, &["exception", "show", ID]).exits(0).says("approved, counts now");
    assert!(!ran.stdout.contains(['\u{1b}', '\u{202e}']), "{ran:?}");
}

#[test]
fn b11_an_edit_sends_what_was_there_and_what_is_changed() {
    let service = Service::start(|request, _| match request.method.as_str() {
        "GET" => Answer::json(200, &exception("approved", 2)),
        _ => Answer::json(200, &exception("requested", 3)),
    });
    run(&bare(), &service, &["exception", "edit", ID, "--expires", "7d"]).exits(0).says("requested");
    let sent = service.seen()[1].json();
    assert_eq!((&sent["revision"], &sent["exception"]["expires"]), (&json!(2), &json!("7d")));
    assert_eq!(sent["exception"]["image"], format!("r.example/app@{}", digest(1)));
    assert_eq!((&sent["exception"]["owner"], &sent["exception"]["package"]), (&json!("dora"), &json!("openssl")));
}
