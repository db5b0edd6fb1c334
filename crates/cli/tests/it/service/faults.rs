//! S13: a service that is not there, slow, broken or unwilling gives no verdict. What can be tried again is, in time.

use std::time::Duration;

use super::stub::nowhere;
use super::*;

#[test]
fn s13_without_the_service_there_is_no_verdict() {
    let gate = Gate::new(scan(&basic()));
    let ran =
        gate.check().args(&["--server", &nowhere()]).run().exits(5).says("cannot be reached").says("--fallback local");
    assert!(ran.record.is_none());
    assert_eq!(ran.variable("ECR_GATE_VERDICT"), Some("deny"));
    assert!(gate.ecr.operations().is_empty(), "nothing is judged here: {:?}", gate.ecr.operations());
    let ran = gate.check().env("ECR_GATE_SERVER", &nowhere()).run().exits(5);
    assert!(ran.record.is_none());
}

#[test]
fn s13_a_fallback_is_loud_and_advisory() {
    for (scan_of, code) in [(basic(), 0), (basic().finding("CVE-2024-0001", "CRITICAL"), 1)] {
        let gate = Gate::new(scan(&scan_of));
        let file = gate.write(
            "exceptions-free.yaml",
            crate::gate::policy("rules: [{ id: r, vulnerabilities: { max: { critical: 0 } } }]"),
        );
        let arguments = ["--server", &nowhere(), "--fallback", "local", "--policy", &file];
        let ran = gate.check().args(&arguments).run().exits(code).says("judging locally").says("advisory");
        assert_eq!(ran.record()["answer"]["advisory"], true);
        assert_eq!(ran.record()["policies"][0]["name"], "house");
    }
    // Loud also where nothing else is said.
    let gate = Gate::new(scan(&basic()));
    let ran = gate.check().args(&["--server", &nowhere(), "--fallback", "local", "--quiet"]).run().exits(0);
    assert!(ran.stderr.contains("judging locally"), "{ran:?}");
}

#[test]
fn s13_a_service_that_answers_is_no_reason_to_fall_back() {
    for (answer, code) in [
        (problem(401, &json!({ "title": "who are you" })), 3),
        (problem(403, &json!({ "title": "not you" })), 3),
        (problem(500, &json!({ "title": "a fault", "class": "internal" })), 5),
        (Answer::bytes(404, "<html>"), 5),
    ] {
        let service = Service::start(move |_, _| answer.clone());
        let gate = Gate::new(scan(&basic()));
        let ran = check(&gate, &service).args(&["--fallback", "local"]).run().exits(code);
        assert!(ran.record.is_none() && gate.ecr.operations().is_empty(), "{ran:?}");
        assert_eq!(service.seen().len(), 1);
    }
}

#[test]
fn s10_problems_have_the_codes_of_their_classes() {
    for (status, members, code) in [
        (
            400,
            json!({ "detail": "there is no environment \"lab\"", "code": "request.invalid", "hint": "declare it" }),
            64,
        ),
        (401, json!({ "title": "The token is not known", "code": "auth.unknownToken" }), 3),
        (403, json!({ "title": "The token does not allow this", "code": "auth.forbidden" }), 3),
        (404, json!({ "detail": "no such image", "code": "image.newWord", "class": "notFound" }), 3),
        (422, json!({ "detail": "access denied", "code": "image.newWord", "class": "accessDenied" }), 3),
        (422, json!({ "detail": "no manifest", "code": "image.newWord", "class": "evidenceInvalid" }), 2),
        (500, json!({ "title": "A fault", "code": "internal" }), 5),
        (418, json!({}), 3),
    ] {
        let service = Service::start({
            let members = members.clone();
            move |_, _| problem(status, &members)
        });
        let gate = bare();
        let ran = check(&gate, &service).run();
        assert_eq!(ran.code, code, "{status}: {ran:?}");
        let detail = members["detail"].as_str().or(members["title"].as_str());
        assert!(detail.is_none_or(|text| ran.stderr.contains(text) || ran.stdout.contains(text)), "{ran:?}");
    }
}

#[test]
fn s10_a_refused_question_is_told_as_a_check_of_ones_own_tells_it() {
    let gate = Gate::new(
        Script::new().on("DescribeImages", testkit::Answer::error("ImageNotFoundException", "no such image")),
    );
    let local = gate.check().run().exits(3);
    let reason = local.record()["reasons"][0].clone();
    let members = json!({ "title": "t", "detail": reason["message"], "code": reason["code"], "hint": reason["remedy"], "class": reason["class"], "verdict": "deny" });
    let service = Service::start(move |_, _| problem(404, &members));
    let gate = bare();
    let served = check(&gate, &service).run().exits(3);
    assert_eq!(served.stdout, local.stdout);
    assert_eq!(served.record()["reasons"], local.record()["reasons"]);
    assert_eq!(served.variable("ECR_GATE_VERDICT"), Some("deny"));
    assert_eq!(served.record()["answer"]["advisory"], false);
}

#[test]
fn what_fails_once_is_tried_again_with_the_same_key() {
    for fault in [
        Answer::silent(),
        Answer::json(200, &json!({ "verdict": "allow" })).cut(5),
        problem(503, &json!({ "title": "starting" })),
        problem(502, &json!({})),
        problem(429, &json!({ "title": "slowly" })),
    ] {
        let record = allowed();
        let service = Service::start(
            move |_, number| if number < 2 { fault.clone() } else { Answer::json(200, &answer(&record)) },
        );
        let gate = bare();
        check(&gate, &service).run().exits(0);
        let seen = service.seen();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|request| request.header("idempotency-key") == seen[0].header("idempotency-key")));
        assert!(seen.iter().all(|request| request.body == seen[0].body), "one ask, sent three times");
    }
}

#[test]
fn retry_after_is_kept() {
    let record = allowed();
    let service = Service::start(move |_, number| match number {
        0 => problem(503, &json!({ "title": "starting" })).header("retry-after", "2"),
        _ => Answer::json(200, &answer(&record)),
    });
    let gate = bare();
    let ran = check(&gate, &service).timeout("20s").run().exits(0);
    assert!(ran.took >= Duration::from_secs(2), "{ran:?}");
    assert_eq!(service.seen().len(), 2);
}

#[test]
fn a_pause_that_is_longer_than_the_time_is_not_waited_for() {
    for (status, code) in [(503, 5), (429, 4)] {
        let service =
            Service::start(move |_, _| problem(status, &json!({ "title": "later" })).header("retry-after", "86400"));
        let gate = bare();
        let ran = check(&gate, &service).timeout("20s").run().exits(code);
        assert!(ran.took < Duration::from_secs(10), "{ran:?}");
        assert_eq!(service.seen().len(), 1);
    }
}

#[test]
fn the_time_is_never_exceeded() {
    let slow: [fn() -> Answer; 4] = [
        || Answer::json(200, &answer(&json!({ "verdict": "allow" }))).drip(Duration::from_millis(200)),
        || Answer::json(200, &json!({})).late(Duration::from_secs(15)),
        || problem(503, &json!({ "title": "starting" })),
        Answer::silent,
    ];
    for answer in slow {
        let service = Service::start(move |_, _| answer());
        let gate = bare();
        let ran = check(&gate, &service).timeout("1s").run();
        assert!([4, 5].contains(&ran.code) && ran.took < Duration::from_secs(8), "{ran:?}");
    }
}

#[test]
fn a_body_without_end_is_not_read_to_its_end() {
    let service = Service::start(|_, _| Answer::endless());
    let gate = bare();
    // Within little memory: what is read is bounded, not merely refused later.
    let ran = check(&gate, &service).timeout("30s").run_within(2_000_000).exits(5).says("larger than");
    assert!(ran.took < Duration::from_secs(25), "{ran:?}");
    // Nor is what goes with an error.
    let service = Service::start(|_, _| Answer::bytes(500, vec![b'x'; 10 << 20]));
    check(&bare(), &service).run().exits(5);
}

#[test]
fn s37_a_redirect_takes_the_token_nowhere() {
    let other = Service::start(|_, _| Answer::silent());
    let to = format!("{}/api/v1/decide", other.url());
    for status in [301, 302, 303, 307, 308] {
        let to = to.clone();
        let service = Service::start(move |_, _| Answer::bytes(status, "").header("location", &to));
        check(&bare(), &service).run().exits(5).says("redirects");
        assert_eq!(service.seen().len(), 1);
    }
    assert!(other.seen().is_empty());
}

#[test]
fn words_of_the_service_are_only_words() {
    let service = Service::start(|_, _| {
        problem(403, &json!({ "detail": "::error::x\u{1b}[31m ##[add-mask]y\n::stop-commands::z" }))
    });
    let ran = check(&bare(), &service).run().exits(3);
    assert!(
        !ran.stderr.lines().any(|line| line.trim_start().starts_with("::")) && !ran.stderr.contains("##["),
        "{ran:?}"
    );
}
