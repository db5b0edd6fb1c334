//! Test files: what is refused, what is compared, recorded facts, coverage.

use serde_json::{Value, json};

use super::*;
use crate::scene::{ask, finding, scan};

const SPEC: &str = "rules: [{ id: serious, vulnerabilities: { max: { critical: 0, high: 0 } } }]";

fn refused(text: &str) -> String {
    let error = TestFile::parse("t.test.yaml", text).expect_err(text);
    let hint = error.hint.clone().unwrap_or_else(String::new);
    format!("{error} {hint}")
}

#[test]
fn b10_a_test_file_that_cannot_be_used_says_where_and_what_was_meant() {
    let given = format!("given: {{ {IMAGE} }}");
    let expect = "expect: { verdict: deny }";
    let good = format!("{{ name: a, {given}, {expect} }}");
    assert!(TestFile::parse("t", &text(&good)).is_ok());
    for (tests, says) in [
        (String::new(), "t.test.yaml:5:8: `tests` is empty"),
        (format!("{good}, {good}"), "\"a\" is empty or there twice"),
        (format!("{{ name: a, {expect} }}"), "neither `facts` nor `given`"),
        (format!("{{ name: a, facts: f.json, {given}, {expect} }}"), "`facts` and `given` at once"),
        (format!("{{ name: a, {given}, change: {{}}, {expect} }}"), "`change` is for recorded `facts`"),
        (format!("{{ name: a, {given} }}"), "`expect` is missing"),
        (format!("{{ name: a, {given}, expect: {{}} }}"), "`verdict` is missing"),
        (format!("{{ name: a, {given}, expect: {{ verdict: dny }} }}"), "did you mean `deny`?"),
        (format!("{{ name: a, {given}, expect: {{ verdict: deny, reasons: [vuln.none] }} }}"), "no reason code"),
        (format!("{{ name: a, {given}, expect: {{ verdict: deny, reasons: }} }}"), "without a value"),
        (
            format!("{{ name: a, {given}, expect: {{ verdict: deny, rules: {{ r: broken }} }} }}"),
            "unknown value `broken`",
        ),
        (format!("{{ name: a, {given}, expect: {{ verdict: deny, message: ' ' }} }}"), "`message` is empty"),
        (format!("{{ name: a, givn: {{}}, {expect} }}"), "did you mean `given`?"),
        (format!("{{ name: a, given: {{}}, {expect} }}"), "`image` is missing"),
        (format!("{{ name: a, given: {{ image: \"A B\" }}, {expect} }}"), "no blanks"),
    ] {
        let told = refused(&text(&tests));
        assert!(told.contains(says) && told.starts_with("t.test.yaml:5:"), "{tests}: {told}");
    }
    assert!(refused(&text(&good).replace("[p.yaml]", "[]")).contains("`policies` is empty"));
    assert!(refused(&text(&good).replace("GatePolicyTest", "GatePolicy")).contains("did you mean `GatePolicyTest`?"));
    assert!(refused(&"#".repeat((1 << 20) + 1)).contains("at most"));
}

fn differences(expect: &str, given: &str) -> Vec<String> {
    let test = format!("{{ name: a, given: {{ {IMAGE}, {given} }}, expect: {{ {expect} }} }}");
    let outcomes = run(&[("p", SPEC)], &test, None).unwrap_or_else(|error| panic!("{error} ({:?})", error.hint));
    outcomes[0].differences.iter().map(ToString::to_string).collect()
}

#[test]
fn b10_every_difference_is_told_and_nothing_else() {
    let bad = "scans: [{ scanner: ecr, findings: [{ id: CVE-2026-1, severity: critical }] }]";
    let good = "scans: [{ scanner: ecr }]";
    for expect in [
        "verdict: deny",
        "verdict: deny, reasons: [vuln.maxExceeded]",
        "verdict: deny, rules: { serious: fail }",
        "verdict: deny, rules: { p/serious: fail }",
        "verdict: deny, message: \"1 CRITICAL finding\"",
    ] {
        assert_eq!(differences(expect, bad), Vec::<String>::new(), "{expect}");
    }
    for (expect, given, told) in [
        ("verdict: allow", bad, "verdict: expected allow, and it is deny"),
        ("verdict: deny", good, "verdict: expected deny, and it is allow"),
        ("verdict: deny, reasons: []", bad, "reasons: expected none, and it is vuln.maxExceeded"),
        (
            "verdict: deny, reasons: [vuln.maxExceeded, scan.missing]",
            bad,
            "reasons: expected scan.missing, vuln.maxExceeded, and it is vuln.maxExceeded",
        ),
        ("verdict: allow, reasons: [scan.missing]", good, "reasons: expected scan.missing, and it is none"),
        ("verdict: deny, rules: { serious: unknown }", bad, "rule p/serious: expected unknown, and it is fail"),
        ("verdict: allow, rules: { serious: notJudged }", good, "rule p/serious: expected notJudged, and it is pass"),
        (
            "verdict: deny, message: 2 CRITICAL",
            bad,
            "message: expected one with \"2 CRITICAL\", and it is in none of them",
        ),
        ("verdict: allow, message: x", good, "message: expected one with \"x\", and it is no message at all"),
    ] {
        assert_eq!(differences(expect, given), [told], "{expect}");
    }
    let test = format!("{{ name: a, given: {{ {IMAGE}, {bad} }}, expect: {{ verdict: allow }} }}");
    let outcomes = run(&[("p", SPEC)], &test, None).unwrap();
    let [why] = outcomes[0].differences[0].reasons.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!((why.rule.as_str(), why.reason.code.as_str()), ("p/serious", "vuln.maxExceeded"));
}

#[test]
fn b10_a_rule_or_an_environment_that_is_not_there_is_a_slip_and_no_failed_test() {
    let test = |more: &str| format!("{{ name: a, given: {{ {IMAGE} }}, {more} }}");
    for (more, says) in [
        ("expect: { verdict: deny, rules: { seriuos: fail } }", "have no rule \"seriuos\" did you mean `serious`?"),
        ("environment: staging, expect: { verdict: deny }", "\"staging\" is not declared"),
    ] {
        let error = run(&[("p", SPEC)], &test(more), None).unwrap_err();
        let told = format!("{error} {}", error.hint.clone().unwrap_or_else(String::new));
        assert!(told.contains(says) && told.starts_with("t.test.yaml:5:"), "{told}");
    }
    let error = run(&[("p", SPEC), ("q", SPEC)], &test("expect: { verdict: deny, rules: { serious: fail } }"), None)
        .unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("write `p/serious` or `q/serious`"));
}

#[test]
fn b10_environment_and_moment_are_those_of_the_test() {
    let spec = "environments: { production: { class: production }, dev: { class: non-production } }, \
        match: { environments: [production] }, rules: [{ id: r, age: { max: 10d }, effectiveFrom: 2026-02-01 }]";
    let test = |more: &str| format!("{{ name: a, given: {{ {IMAGE}, config: {{ built: 11d }} }}, {more} }}");
    for (more, differs) in [
        ("now: 2026-03-01T00:00:00Z, expect: { verdict: deny, rules: { r: fail } }", false),
        ("expect: { verdict: warn, rules: { r: fail } }", false),
        ("environment: dev, expect: { verdict: warn, rules: { r: notJudged, policy.noneMatched: fail } }", false),
        ("environment: dev, expect: { verdict: warn, rules: { r: fail } }", true),
    ] {
        let outcomes = run(&[("p", spec)], &test(more), None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(outcomes[0].differences.is_empty(), !differs, "{more}: {:?}", outcomes[0].differences);
    }
}

/// Recorded facts of an image with a critical finding.
fn recorded() -> Vec<u8> {
    let facts = scan(vec![finding("CVE-2026-1", model::Severity::Critical)]).facts();
    let class = model::EnvironmentClass::Production;
    serde_json::to_vec(&model::FactsDocument::new(&ask(), class, &facts, crate::scene::now(), None)).unwrap()
}

#[test]
fn b10_recorded_facts_are_judged_at_their_moment() {
    for (more, expect) in [
        ("", "deny, reasons: [vuln.maxExceeded]"),
        ("now: 2027-01-01T00:00:00Z,", "deny, reasons: [scan.stale]"),
        ("change: { manifests: [] },", "deny"),
    ] {
        let test = format!("{{ name: a, facts: f.json, {more} expect: {{ verdict: {expect} }} }}");
        let outcomes = run(&[("p", SPEC)], &test, Some(&recorded()));
        if more.starts_with("change") {
            let told = outcomes.unwrap_err().to_string();
            assert!(told.starts_with("t.test.yaml:5:") && told.contains("after `change`"), "{told}");
        } else {
            assert_eq!(outcomes.unwrap()[0].differences, []);
        }
    }
    let test = "{ name: a, facts: f.json, expect: { verdict: deny } }";
    let broken = run(&[("p", SPEC)], test, Some(b"{\n  \"schema\": 1}")).unwrap_err();
    assert!(broken.to_string().starts_with("f.json:2:"), "{broken}");
    assert!(run(&[("p", SPEC)], test, None).is_err());
}

#[test]
fn b10_a_change_is_a_merge_patch() {
    let document: Value = serde_json::from_slice(&recorded()).unwrap();
    let mut manifest = document["manifests"][0].clone();
    manifest["reports"] = json!([]);
    let change = json!({ "manifests": [manifest], "parameters": null });
    let test = |change: &Value| {
        format!("{{ name: a, facts: f.json, change: {change}, expect: {{ verdict: deny, reasons: [scan.missing] }} }}")
    };
    let error = run(&[("p", SPEC)], &test(&change), Some(&recorded())).unwrap_err();
    assert!(error.to_string().contains("parameters"), "null takes a key out: {error}");
    let change = json!({ "manifests": [manifest] });
    assert_eq!(run(&[("p", SPEC)], &test(&change), Some(&recorded())).unwrap()[0].differences, []);
}

#[test]
fn b10_a_merge_patch_merges_as_its_specification_says() {
    // RFC 7386, appendix A.
    for (target, patch, result) in [
        (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
        (json!({"a":"b"}), json!({"a":null}), json!({})),
        (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
        (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a":"b"}), json!(["c"]), json!(["c"])),
        (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
        (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
        (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
    ] {
        let mut merged = target.clone();
        super::run::merge(&mut merged, &patch);
        assert_eq!(merged, result, "{target} {patch}");
    }
}

#[test]
fn b10_a_rule_is_covered_when_it_was_seen_to_pass_and_to_hold_back() {
    let spec = "rules: [{ id: a, config: { nonRoot: true } }, { id: b, age: { max: 9d } }]";
    let (name, policy) = document("p", spec);
    let set = PolicySet::from_documents(&[(name, policy)]).unwrap();
    let mut coverage = Coverage::none();
    assert_eq!((coverage.total(), coverage.percent()), (0, 100));
    coverage.expect(&set);
    coverage.expect(&set);
    assert_eq!((coverage.total(), coverage.covered(), coverage.percent()), (2, 0, 0));
    let seen = |given: &str, coverage: &mut Coverage| {
        let test = format!("{{ name: a, given: {{ {IMAGE}, {given} }}, expect: {{ verdict: deny }} }}");
        coverage.add(&set, &run(&[("p", spec)], &test, None).unwrap()[0].judgement);
    };
    seen("config: { user: \"1\", built: 1d }", &mut coverage);
    assert_eq!(coverage.covered(), 0, "both were only seen to pass");
    seen("config: { built: 1d }", &mut coverage);
    assert_eq!((coverage.covered(), coverage.percent()), (1, 50));
    let left: Vec<_> = coverage.rules().filter(|rule| !rule.is_covered()).collect();
    assert_eq!((left.len(), left[0].rule.as_str(), left[0].passed, left[0].held_back), (1, "b", true, false));
    seen("pushed: 1d", &mut coverage);
    assert_eq!(coverage.percent(), 100, "unknown holds an image back too");
}

#[test]
fn b10_no_text_makes_a_test_file_panic() {
    let full =
        text(&format!("{{ name: a, given: {{ {IMAGE}, signed: [{{ by: key }}] }}, expect: {{ verdict: deny }} }}"));
    for end in 0..full.len() {
        let _ = TestFile::parse("t", &full[..end]);
    }
}
