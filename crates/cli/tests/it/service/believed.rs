//! A5: what is not understood, not whole, or about something else is never an allow. The service of these tests is made by hand to say
//! what the real one does not: a program in the middle, a version that does not fit, a fault.

use super::*;

/// The answer of an allow with a change in it, as the check takes it.
#[track_caller]
fn refused(change: impl Fn(&mut Value), says: &str) {
    let mut changed = answer(&allowed());
    change(&mut changed);
    let service = Service::start(move |_, _| Answer::json(200, &changed));
    let gate = bare();
    let image = fixtures::image("", &digest(1));
    for fallback in [&[][..], &["--fallback", "local"]] {
        let ran = check(&gate, &service).image(&image).args(fallback).run().exits(5).says(says);
        assert!(ran.record.is_none() && ran.stdout.is_empty(), "{ran:?}");
        assert_eq!(ran.variable("ECR_GATE_VERDICT"), Some("deny"));
    }
    assert_eq!(service.seen().len(), 2, "asking again would not make it better");
}

fn set(at: &'static str, to: Value) -> impl Fn(&mut Value) {
    move |answer| *answer.pointer_mut(at).unwrap_or_else(|| panic!("{at}")) = to.clone()
}

fn without(at: &'static str, name: &'static str) -> impl Fn(&mut Value) {
    move |answer| {
        answer.pointer_mut(at).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    }
}

#[test]
fn a5_about_another_image_or_environment() {
    refused(set("/decision/image/digest", digest(2).into()), "it is about sha256:");
    refused(set("/decision/image/digest", Value::Null), "names no digest");
    refused(set("/decision/image/digest", "sha256:00".into()), "names no digest");
    refused(set("/decision/image/name", "ghcr.io/other/app".into()), "it is about \"ghcr.io/other/app\"");
    refused(set("/decision/image/name", "".into()), "it is about");
    refused(set("/decision/environment/name", "staging".into()), "it is for \"staging\"");
}

#[test]
fn a5_saying_two_things_at_once() {
    refused(set("/verdict", "warn".into()), "it says warn, and its decision says allow");
    refused(set("/decision/verdict", "deny".into()), "it says allow, and its decision says deny");
    for permit in ["warned", "denied", "pending"] {
        refused(set("/permit", permit.into()), "its verdict is allow, and its permit is");
    }
    refused(set("/decision/rules/0/verdict", "deny".into()), "does not follow from its rules");
    refused(set("/decision/rules", json!([])), "does not follow from its rules");
    refused(set("/decision/rules/0/outcome", "fail".into()), "a rule of its decision");
    let reason = json!([{ "code": "vuln.maxExceeded", "message": "m", "remedy": "r" }]);
    refused(set("/decision/rules/0/reasons", reason), "a rule of its decision");
    refused(
        set("/decision/findings/blocking", denied()["findings"]["blocking"].clone()),
        "names findings that block it",
    );
    refused(set("/decision/policies", json!([])), "names no policy");
    refused(set("/decision/id", Value::Null), "has no id");
    refused(set("/decision/id", " ".into()), "has no id");
}

#[test]
fn a5_words_that_nobody_knows() {
    refused(set("/verdict", "fine".into()), "cannot be read");
    refused(set("/permit", "granted".into()), "cannot be read");
    refused(set("/decision/verdict", "fine".into()), "cannot be read");
    refused(set("/decision/schema", "ecr-gate.dev/decision/v2".into()), "cannot be read");
    refused(set("/inForceAt", "yesterday".into()), "cannot be read");
}

#[test]
fn a5_incomplete() {
    for name in ["verdict", "permit", "inForceAt", "decision"] {
        refused(without("", name), "cannot be read");
    }
    for name in ["verdict", "image", "environment", "rules", "findings", "reasons", "policies", "validUntil", "schema"]
    {
        refused(without("/decision", name), "cannot be read");
    }
    refused(without("/decision/image", "digest"), "cannot be read");
    refused(without("/decision/findings", "counts"), "cannot be read");
}

#[test]
fn a5_no_json_at_all() {
    let whole = answer(&allowed()).to_string();
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"allow".to_vec(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"<html>Sign in</html>".to_vec(),
        vec![0xff; 100],
        whole.as_bytes()[..whole.len() - 1].to_vec(),
        whole.as_bytes()[..whole.len() / 2].to_vec(),
        format!("{whole}{whole}").into_bytes(),
        whole.replacen("\"verdict\"", "\"verdict\":\"allow\",\"verdict\"", 1).into_bytes(),
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let service = Service::start(move |_, _| Answer::bytes(200, body.clone()));
        let gate = bare();
        let ran = check(&gate, &service).run();
        assert_eq!(ran.code, 5, "{shown}: {ran:?}");
    }
}

#[test]
fn a5_other_statuses_are_no_answers() {
    let body = answer(&allowed());
    for status in [100, 202, 203, 204, 206, 300, 301, 302, 303, 304, 307, 308] {
        let body = body.clone();
        // 1xx are no answers by themselves: the connection ends behind it.
        let service = Service::start(move |_, _| {
            Answer::json(status, &body).header("location", "https://elsewhere.example.com/")
        });
        let gate = bare();
        let ran = check(&gate, &service).timeout("500ms").run();
        assert_eq!(ran.code, 5, "{status}: {ran:?}");
    }
}

#[test]
fn s1_a_child_inherits_from_the_index_that_holds_it_and_from_no_other() {
    let child = |number: u64| {
        move |answer: &mut Value| {
            answer["permit"] = "inherited".into();
            answer["decision"]["image"]["digest"] = digest(9).into();
            answer["decision"]["image"]["platforms"] = json!([{ "platform": "linux/amd64", "digest": digest(number) }, { "platform": "linux/arm64", "digest": digest(8) }]);
        }
    };
    refused(child(7), "it is about sha256:");
    let mut inherited = answer(&allowed());
    child(1)(&mut inherited);
    let service = Service::start(move |_, _| Answer::json(200, &inherited));
    let gate = bare();
    check(&gate, &service).image(fixtures::image("", &digest(1))).run().exits(0);
}

#[test]
fn b18_what_a_newer_service_adds_changes_nothing() {
    let mut newer = answer(&denied());
    newer["later"] = json!({ "a": 1 });
    newer["via"] = "remembered".into();
    newer["decision"]["later"] = json!([1]);
    newer["decision"]["rules"][0]["later"] = "x".into();
    newer["decision"]["rules"][0]["reasons"][0]["code"] = "vuln.smellsOdd".into();
    newer["decision"]["reasons"][0]["code"] = "vuln.smellsOdd".into();
    newer["decision"]["findings"]["blocking"][0]["disposition"]["by"] = "vuln.smellsOdd".into();
    newer["decision"]["findings"]["blocking"][0]["packages"][0]["later"] = 1.into();
    let service = Service::start(move |_, _| Answer::json(200, &newer));
    let gate = bare();
    check(&gate, &service).run().exits(1).because("unrecognised").says("vuln.smellsOdd");
}
