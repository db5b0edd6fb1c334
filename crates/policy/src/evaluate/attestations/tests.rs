//! Statements: whose, of which type, and every condition.

use model::{Facts, ReasonCode, UnknownClass, Verdict};

use crate::scene::{
    attached, by_identity, by_key, by_pipeline, class, codes, judge, messages, now, signature, signed_rule, statement,
    time, unverified, without_key,
};

const TEST: &str = "https://in-toto.io/attestation/test-result/v0.1";

fn tested(predicate: &str) -> Facts {
    attached(vec![statement(TEST, predicate, by_pipeline())])
}

fn rule(more: &str) -> crate::PolicySet {
    signed_rule(&format!("attestations: {{ type: \"{TEST}\", signers: [ci]{more} }}"))
}

fn on(condition: &str) -> crate::PolicySet {
    rule(&format!(", conditions: [{{ {condition} }}]"))
}

#[test]
fn s27_a_statement_by_a_signer_that_counts_passes() {
    assert_eq!(judge(&rule(""), &tested("{}")).verdict, Verdict::Allow);
    let everybody = signed_rule(&format!("attestations: {{ type: \"{TEST}\" }}"));
    assert_eq!(judge(&everybody, &attached(vec![statement(TEST, "{}", by_key("b"))])).verdict, Verdict::Allow);
}

#[test]
fn s4_a_missing_statement_is_a_failure_that_says_what_is_there() {
    for facts in [attached(vec![]), attached(vec![signature(by_pipeline())])] {
        assert_eq!(codes(&judge(&rule(""), &facts)), ["attestation.missing"]);
    }
    let other = judge(&rule(""), &attached(vec![statement("https://cyclonedx.org/bom", "{}", by_pipeline())]));
    assert_eq!(codes(&other), ["attestation.missing"]);
    assert!(messages(&other).contains("there are others: https://cyclonedx.org/bom"), "{}", messages(&other));
    let near = judge(&rule(""), &attached(vec![statement(&format!("{TEST}.1"), "{}", by_pipeline())]));
    assert_eq!(codes(&near), ["attestation.missing"], "types are compared exactly");
}

#[test]
fn s22_a_statement_by_anybody_else_is_named_and_does_not_count() {
    let evil = by_identity("https://gitlab.com/evil/app", "https://gitlab.com");
    for proof in [by_key("a"), evil] {
        let judgement = judge(&rule(""), &attached(vec![statement(TEST, "{}", proof)]));
        assert_eq!(codes(&judgement), ["attestation.missing", "signature.identity"]);
        assert!(messages(&judgement).contains("does not count"), "{}", messages(&judgement));
    }
    let judgement = judge(&rule(""), &attached(vec![unverified(ReasonCode::SignatureInvalid)]));
    assert_eq!(codes(&judgement), ["attestation.missing", "signature.invalid"]);
}

#[test]
fn s1_a_statement_about_another_digest_does_not_count() {
    let mut facts = tested("{}");
    facts.root.digest = model::Digest::of(b"another image");
    assert_eq!(codes(&judge(&rule(""), &facts)), ["attestation.missing", "signature.otherImage"]);
}

#[test]
fn s26_a_verification_summary_is_no_attestation() {
    let vsa = "https://slsa.dev/verification_summary/v1";
    let facts = attached(vec![statement(vsa, "{\"verificationResult\":\"PASSED\"}", by_pipeline())]);
    let judgement = judge(&rule(""), &facts);
    assert_eq!(codes(&judgement), ["attestation.missing"]);
    assert!(!messages(&judgement).contains("verification_summary"), "{}", messages(&judgement));
    let text = format!("signers: {{ a: {{ key: a.pub }} }}, rules: [{{ id: r, attestations: {{ type: \"{vsa}\" }} }}]");
    let error = crate::PolicySet::from_documents(&[crate::scene::document("p", &text)]).unwrap_err();
    assert!(error.what.contains("is a verification summary") && error.hint.unwrap().contains("`vsa` rule"));
}

#[test]
fn s27_every_condition_has_to_be_met_by_what_is_there() {
    for (condition, predicate, passes) in [
        ("path: /result, equals: PASSED", r#"{"result":"PASSED"}"#, true),
        ("path: /result, equals: PASSED", r#"{"result":"passed"}"#, false),
        ("path: /result, equals: PASSED", r#"{"result":["PASSED"]}"#, false),
        ("path: /result, equals: PASSED", r"{}", false),
        ("path: /result, equals: \"1\"", r#"{"result":1}"#, false),
        ("path: /result, equals: 1", r#"{"result":1.0}"#, true),
        ("path: /result, equals: true", r#"{"result":true}"#, true),
        ("path: /result, equals: true", r#"{"result":"true"}"#, false),
        ("path: /a/b/0/c, equals: x", r#"{"a":{"b":[{"c":"x"}]}}"#, true),
        ("path: /a~1b/c~0d, equals: x", r#"{"a/b":{"c~d":"x"}}"#, true),
        ("path: /result, in: [PASSED, WARNED]", r#"{"result":"WARNED"}"#, true),
        ("path: /result, in: [PASSED, WARNED]", r#"{"result":"FAILED"}"#, false),
        ("path: /result, matches: \"PASS*\"", r#"{"result":"PASSED"}"#, true),
        ("path: /result, matches: \"PASS*\"", r#"{"result":"NOT PASSED"}"#, false),
        ("path: /result, matches: \"*\"", r#"{"result":5}"#, false),
        ("path: /result, exists: true", r#"{"result":false}"#, true),
        ("path: /result, exists: true", r#"{"result":null}"#, false),
        ("path: /result, exists: true", r#"{"results":1}"#, false),
        ("path: /failed, atMost: 0", r#"{"failed":0}"#, true),
        ("path: /failed, atMost: 0", r#"{"failed":1}"#, false),
        ("path: /failed, atMost: 0", r#"{"failed":"0"}"#, false),
        ("path: /failed, atMost: 0", r#"{"failed":null}"#, false),
        ("path: /failed, atMost: 0.5", r#"{"failed":0.50001}"#, false),
        ("path: /n, atMost: 9007199254740992", r#"{"n":9007199254740993}"#, false),
        ("path: /n, equals: 9007199254740992", r#"{"n":9007199254740993}"#, false),
        ("path: /coverage, atLeast: 80", r#"{"coverage":80}"#, true),
        ("path: /coverage, atLeast: 80", r#"{"coverage":79.9}"#, false),
        ("path: /coverage, atLeast: 80, atMost: 90", r#"{"coverage":91}"#, false),
    ] {
        let judgement = judge(&on(condition), &tested(predicate));
        assert_eq!(judgement.verdict == Verdict::Allow, passes, "{condition} {predicate}");
        if !passes {
            assert_eq!(codes(&judgement), ["attestation.condition"], "{condition}");
        }
    }
    // Several at once: one statement has to meet all of them.
    let both = rule(", conditions: [{ path: /a, equals: 1 }, { path: /b, equals: 1 }]");
    assert_eq!(judge(&both, &tested(r#"{"a":1,"b":1}"#)).verdict, Verdict::Allow);
    let halves = [r#"{"a":1}"#, r#"{"b":1}"#].map(|predicate| statement(TEST, predicate, by_pipeline()));
    let judgement = judge(&both, &attached(halves.to_vec()));
    assert_eq!(codes(&judgement), ["attestation.condition"; 2]);
    assert!(messages(&judgement).contains("/b is not there") && messages(&judgement).contains("/a is not there"));
}

#[test]
fn s8_a_time_in_a_statement_is_judged_by_the_clock() {
    let fresh = |at: &str| judge(&on("path: /at, notOlderThan: 7d"), &tested(&format!("{{\"at\":{at}}}")));
    let judgement = fresh("\"2026-03-09T12:00:00Z\"");
    assert_eq!((judgement.verdict, judgement.valid_until), (Verdict::Allow, Some(time("2026-03-16T12:00:00Z"))));
    assert_eq!(fresh("\"2026-03-09T14:00:00+02:00\"").verdict, Verdict::Allow);
    for (at, says) in [
        ("\"2026-03-03T12:00:00Z\"", "more than 7d ago"),
        ("\"2026-03-10T12:00:01Z\"", "in the future"),
        ("\"yesterday\"", "no time"),
        ("\"2026-03-09\"", "no time"),
        ("1773057600", "no time"),
    ] {
        let judgement = fresh(at);
        assert_eq!(codes(&judgement), ["attestation.condition"], "{at}");
        assert!(messages(&judgement).contains(says), "{}", messages(&judgement));
    }
    // What is in the future now will not be then.
    assert_eq!(fresh("\"2026-03-10T13:00:00Z\"").valid_until, Some(now() + crate::scene::hours(1)));
}

#[test]
fn s27_one_good_statement_is_enough_and_the_others_are_counted() {
    let passed = statement(TEST, r#"{"result":"PASSED"}"#, by_pipeline());
    let failed = statement(TEST, r#"{"result":"FAILED"}"#, by_pipeline());
    let judgement = judge(&on("path: /result, equals: PASSED"), &attached(vec![failed.clone(), passed]));
    assert_eq!(judgement.verdict, Verdict::Allow);
    assert!(judgement.rules.first().notes[0].contains("1 statements meet the conditions, and 1 more do not"));
    // The good one has to be by a signer that counts.
    let forged = statement(TEST, r#"{"result":"PASSED"}"#, by_key("a"));
    let judgement = judge(&on("path: /result, equals: PASSED"), &attached(vec![failed, forged]));
    assert_eq!(codes(&judgement), ["attestation.condition", "signature.identity"]);
}

#[test]
fn s4_a_predicate_that_cannot_be_read_is_unknown() {
    for predicate in [r#"{"result":"FAILED","result":"PASSED"}"#, "{", ""] {
        let judgement = judge(&on("path: /result, equals: PASSED"), &tested(predicate));
        assert_eq!(class(&judgement), UnknownClass::EvidenceInvalid, "{predicate}");
        assert_eq!(codes(&judgement), ["attestation.invalid"]);
    }
}

#[test]
fn s4_material_that_is_not_at_hand_is_unknown_only_where_it_could_help() {
    let by_c = signed_rule(&format!(
        "attestations: {{ type: \"{TEST}\", signers: [c], conditions: [{{ path: /result, equals: PASSED }}] }}"
    ));
    let without_c = |artifacts| Facts { trust: Some(without_key("c")), ..attached(artifacts) };
    let stranger = || unverified(ReasonCode::SignatureUnknownKey);
    assert_eq!(class(&judge(&by_c, &without_c(vec![stranger()]))), UnknownClass::TrustUnavailable);
    assert_eq!(codes(&judge(&by_c, &without_c(vec![]))), ["attestation.missing"]);
    let said = |result: &str| statement(TEST, &format!("{{\"result\":\"{result}\"}}"), by_key("c"));
    assert_eq!(class(&judge(&by_c, &without_c(vec![said("PASSED")]))), UnknownClass::TrustUnavailable);
    assert_eq!(codes(&judge(&by_c, &without_c(vec![said("FAILED")])))[0], "attestation.missing");
    let unfetched = attached(vec![unverified(ReasonCode::RegistryUnavailable)]);
    assert_eq!(class(&judge(&rule(""), &unfetched)), UnknownClass::RegistryUnavailable);
}
