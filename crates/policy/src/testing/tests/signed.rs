//! Who signs in a test, and when.

use super::*;

fn signature(of: &str) -> String {
    format!("signatures: {{ threshold: 1, of: [{of}] }}")
}

#[test]
fn b10_a_signer_signs_as_its_policy_says() {
    for (signer, signed, expected) in [
        ("key", "by: key", "pass"),
        ("key", "by: p/key", "pass"),
        ("key", "by: old", "fail"),
        ("key", "by: { key: key }", "fail"),
        ("key", "refused: signature.invalid", "fail"),
        ("ci", "by: ci", "pass"),
        ("ci", "by: ci, log: false", "fail"),
        (
            "ci",
            "by: { keyless: { issuer: \"https://gitlab.com\", identity: \"https://gitlab.com/acme/app\" } }",
            "fail",
        ),
        (
            "ci",
            "by: { keyless: { issuer: \"https://gitlab.com\", identity: \"https://gitlab.com/acme/app\", claims: { sourceRepositoryUri: \"https://gitlab.com/acme/a\" } } }",
            "pass",
        ),
        (
            "ci",
            "by: { keyless: { issuer: \"https://gitlab.com\", identity: \"https://gitlab.com/evil/app\", claims: { sourceRepositoryUri: \"https://gitlab.com/acme/a\" } } }",
            "fail",
        ),
        ("regex", "by: { keyless: { issuer: \"https://x\", identity: \"https://x/a\" } }", "pass"),
        ("logged", "by: logged", "pass"),
        ("logged", "by: logged, log: false", "fail"),
        ("store", "by: store", "pass"),
        ("gone", "by: gone", "fail"),
        // In the window of the signer, unless `age` says otherwise.
        ("old", "by: old", "pass"),
        ("old", "by: old, age: 1d", "fail"),
        ("old", "by: old, age: 300d", "pass"),
        ("old", "by: old, age: 1000d", "fail"),
        ("caught", "by: caught", "pass"),
        ("caught", "by: caught, age: 1h", "fail"),
        ("caught", "by: caught, age: 60d", "pass"),
    ] {
        finds(&signature(signer), &format!("signed: [{{ {signed} }}]"), expected);
    }
}

#[test]
fn b10_a_signer_whose_time_is_to_come_does_not_count() {
    let spec = "signers: { next: { key: n.pub, notBefore: 2026-06-01 } }, rules: [{ id: r, signatures: { threshold: 1, of: [next] } }]";
    assert_eq!(rules(spec, "signed: [{ by: next }]")[0].1, "fail");
}

#[test]
fn b10_an_empty_list_says_that_nothing_is_signed_and_no_list_says_nothing() {
    finds(&signature("key"), "signed: []", "fail");
    finds(&signature("key"), "config: {}", "unknown");
    finds(&signature("key"), "signed: [{ by: key }], missingKeys: { key: trust.keyUnavailable }", "unknown");
}

#[test]
fn b10_two_signers_with_one_key_are_one() {
    let one = "signers: { a: { key: keys/a.pub }, b: { key: ./keys/../keys/a.pub } }";
    let two = "signers: { a: { key: a.pub }, b: { key: b.pub } }";
    let rule = "rules: [{ id: r, signatures: { threshold: 2, of: [a, b] } }]";
    let given = "signed: [{ by: a }, { by: b }]";
    assert_eq!(rules(&format!("{one}, {rule}"), given)[0].1, "fail");
    assert_eq!(rules(&format!("{two}, {rule}"), given)[0].1, "pass");
}

#[test]
fn b10_a_name_that_means_two_signers_is_written_with_its_policy() {
    let policy =
        |key: &str| format!("signers: {{ s: {{ key: {key} }} }}, rules: [{{ id: r, signatures: {{ threshold: 1 }} }}]");
    let test = |by: &str, rules: &str| {
        format!(
            "{{ name: a, given: {{ {IMAGE}, signed: [{{ by: {by} }}] }}, expect: {{ verdict: deny, rules: {{ {rules} }} }} }}"
        )
    };
    let (one, two) = (policy("a.pub"), policy("b.pub"));
    let both = [("one", one.as_str()), ("two", two.as_str())];
    let error = run(&both, &test("s", "one/r: pass"), None).unwrap_err();
    assert!(error.to_string().contains("of several policies"), "{error}");
    assert_eq!(error.hint.as_deref(), Some("write `one/s` or `two/s`"));
    let outcomes = run(&both, &test("one/s", "one/r: pass, two/r: fail"), None).unwrap();
    assert_eq!(outcomes[0].differences, []);
    // One key under one name in both is one signer.
    let same = [("one", one.as_str()), ("two", one.as_str())];
    let outcomes = run(&same, &test("s", "one/r: pass, two/r: pass").replace("deny", "allow"), None).unwrap();
    assert_eq!(outcomes[0].differences, []);
}

#[test]
fn b10_statements_say_what_is_given() {
    let rule = "attestations: { type: \"https://t\", signers: [key], conditions: [{ path: /result, equals: PASSED }] }";
    let of = |predicate: &str| format!("signed: [{{ by: key, type: \"https://t\", predicate: {predicate} }}]");
    finds(rule, &of("{ result: PASSED, rest: null }"), "pass");
    finds(rule, &of("{ result: FAILED }"), "fail");
    finds(rule, &of("{ result: null }"), "fail");
    finds(rule, "signed: [{ by: old, type: \"https://t\", predicate: { result: PASSED } }]", "fail");
    // A document by a signer stands among what is signed.
    finds("attestations: { type: cyclonedx, signers: [key] }", "sboms: [{ format: cyclonedx, by: key }]", "pass");
}

#[test]
fn b10_provenance_says_what_is_given_and_nothing_else() {
    for (key, value, given) in [
        ("builders", "https://b", "builder: \"https://b\""),
        ("buildTypes", "https://t", "buildType: \"https://t\""),
        ("sources", "gitlab.com/acme/app", "source: gitlab.com/acme/app"),
        ("refs", "refs/heads/main", "source: a.com/b, ref: refs/heads/main"),
        ("commits", "abc", "source: a.com/b, commit: abc"),
        ("workflows", ".gitlab-ci.yml", "workflow: .gitlab-ci.yml"),
    ] {
        let rule = format!("provenance: {{ signers: [key], {key}: [\"{value}\"] }}");
        finds(&rule, &format!("signed: [{{ by: key, provenance: {{ {given} }} }}]"), "pass");
        finds(&rule, "signed: [{ by: key, provenance: {} }]", "fail");
    }
    let parameters = "provenance: { signers: [key], builders: [\"**\"], parameters: { mode: fast } }";
    finds(parameters, "signed: [{ by: key, provenance: { builder: b, parameters: { mode: fast } } }]", "pass");
    finds(parameters, "signed: [{ by: key, provenance: { builder: b, parameters: { mode: slow } } }]", "fail");
}
