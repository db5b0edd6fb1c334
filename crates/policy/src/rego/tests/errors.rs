//! What is no answer: never "nothing to object to".

use serde_json::json;

use super::{deny, fails, judge, rules};

/// Every error where a rule would otherwise just not match: the failing expression stands before the message.
#[test]
fn s41_an_error_inside_a_rule_is_a_failure_and_never_a_rule_that_does_not_match() {
    let input = json!({"n": 0, "word": "abc", "list": [1], "object": {"a": 1}});
    for (condition, says) in [
        ("to_number(input.word) > 1", "parse"),
        ("1 / input.n > 0", "divide"),
        ("1 % input.n == 0", "modulo"),
        ("input.word + 1 > 0", ""),
        ("count(input.n) > 0", "count"),
        ("startswith(input.n, \"a\")", "startswith"),
        ("lower(input.list) == \"a\"", "lower"),
        ("time.parse_rfc3339_ns(input.word) > 0", ""),
        ("json.unmarshal(input.word) == 1", ""),
        ("base64.decode(\"%%%\") == \"\"", ""),
        ("regex.match(\"(\", input.word)", "regex"),
        ("semver.compare(input.word, \"1.0.0\") > 0", "semver"),
        ("net.cidr_contains(input.word, \"10.0.0.1\")", ""),
        ("units.parse_bytes(input.word) > 1", ""),
        ("time.clock([0, \"Local\"])[0] >= 0", "Local"),
    ] {
        let bare = fails(&format!("deny contains \"broken\" if {{ {condition} }}"), &input);
        assert!(bare.starts_with("rego.failed: `data.house.deny`: ") && bare.contains(says), "{condition}: {bare}");
        // Behind a helper, a function, a negation, a comprehension, an `every`.
        for rule in [
            format!("deny contains \"broken\" if helper\nhelper if {{ {condition} }}"),
            format!("deny contains \"broken\" if helper(1)\nhelper(_) if {{ {condition} }}"),
            format!("deny contains \"broken\" if not helper\nhelper if {{ {condition} }}"),
            format!("deny contains \"broken\" if {{ not {condition} }}"),
            format!("deny contains \"broken\" if {{ some x in [y | y := 1; {condition}]; x == 2 }}"),
            format!("deny contains \"broken\" if {{ every x in [1] {{ x == 1; {condition} }} }}"),
            format!("deny contains \"broken\" if {{ some x in [1]; x == 1; {condition} }}\ndeny contains \"other\""),
            format!("default deny := []\ndeny := [\"broken\"] if {{ {condition} }}"),
            format!("deny contains \"broken\" if helper == 2\nhelper := 1 if {{ {condition} }} else := 2"),
        ] {
            let said = fails(&rule, &input);
            assert!(said.starts_with("rego.failed: "), "{rule}: {said}");
        }
    }
}

#[test]
fn s41_rules_that_contradict_each_other_are_a_failure() {
    let input = json!({"a": true, "b": true});
    for rule in [
        "deny contains \"x\" if level == 3\nlevel := 1 if input.a\nlevel := 2 if input.b",
        "deny contains \"x\" if level(1) == 3\nlevel(_) := 1 if input.a\nlevel(_) := 2 if input.b",
        "deny contains \"x\" if not level(1)\nlevel(_) := 1 if input.a\nlevel(_) := 2 if input.b",
        "deny contains \"x\" if { table.a == 3 }\ntable[x] := y if { some x in [\"a\"]; some y in [1, 2] }",
        "default deny := false\ndeny if input.a\ndeny := false if input.b",
        "deny contains \"x\" if { {k: v | some k in [\"a\"]; some v in [1, 2]}.a == 3 }",
    ] {
        let said = fails(rule, &input);
        assert!(said.starts_with("rego.failed: "), "{rule}: {said}");
    }
    assert_eq!(deny("deny contains \"x\" if level == 1\nlevel := 1 if input.a\nlevel := 1 if input.b", &input), ["x"]);
}

/// Rego orders values of different types: null, booleans, numbers, text. That is no error.
#[test]
fn s41_values_of_different_types_are_ordered_as_opa_orders_them() {
    let input = json!({"null": null, "text": "9", "list": []});
    assert_eq!(deny("deny contains \"x\" if input.null >= 7", &input), [""; 0]);
    assert_eq!(deny("deny contains \"x\" if input.text >= 10", &input), ["x"]);
    assert_eq!(deny("deny contains \"x\" if input.list > \"z\"", &input), ["x"]);
}

#[test]
fn s41_a_rule_without_a_value_is_no_answer() {
    let said = fails("deny := input.messages", &json!({}));
    assert_eq!(said, "rego.failed: `data.house.deny` has no value");
    assert_eq!(deny("deny := input.messages", &json!({"messages": ["a"]})), ["a"]);
    assert_eq!(deny("deny := input.messages", &json!({"messages": []})), [""; 0]);
}

#[test]
fn s41_nothing_a_rule_says_is_dropped() {
    let input = json!({});
    for (value, says) in [
        ("\"text\"", "is text, not a set"),
        ("7", "is a number, not a set"),
        ("null", "is null, not a set"),
        ("{}", "is an object, not a set"),
        ("{\"msg\": \"x\"}", "is an object, not a set"),
        ("[1]", "holds a number, not a message: 1"),
        ("[true]", "holds a boolean"),
        ("[[\"x\"]]", "holds an array"),
        ("[null]", "holds null"),
        ("[{\"text\": \"x\"}]", "holds an object without `msg`: {\"text\":\"x\"}"),
        ("[{\"msg\": 1}]", "whose `msg` is a number, not text"),
        ("[{\"msg\": \"x\", \"code\": 1}]", "whose `code` is a number"),
        ("[{\"msg\": \"x\", \"remedy\": null}]", "whose `remedy` is null"),
        ("[\"good\", 1]", "holds a number"),
    ] {
        let said = fails(&format!("deny := {value}"), &input);
        assert!(said.contains(says), "{value}: {said}");
    }
}

/// One program, many evaluations: an error, another input or another time leaves nothing behind.
#[test]
fn s41_evaluations_do_not_see_each_other() {
    let program = rules(
        "deny contains sprintf(\"%s %d\", [input.word, time.now_ns()]) if input.word != \"\"\n\
         deny contains \"number\" if to_number(input.n) > 1",
    );
    let good = json!({"word": "a", "n": "1"});
    let first = judge(&program, &good).unwrap();
    assert_eq!(first.deny.len(), 1);
    assert!(judge(&program, &json!({"word": "b", "n": "x"})).is_err());
    assert_eq!(judge(&program, &json!({"word": "", "n": "1"})).unwrap().deny, []);
    assert_eq!(judge(&program, &json!({})).unwrap().deny, []);
    assert_eq!(judge(&program, &good).unwrap(), first);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(judge(&program, &good).unwrap(), first);
                }
            });
        }
    });
}
