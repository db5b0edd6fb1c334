//! A policy that does too much ends with a reason, not with the process.

use std::fmt::Write as _;

use serde_json::json;

use super::super::graph::MAX_DEPTH;
use super::super::{Input, Limits, Module, Program, load};
use super::{deny, fails, now, refused, rules};

#[test]
fn s41_the_limit_of_steps_is_the_same_every_time() {
    let many = json!({"list": (0..4000).collect::<Vec<_>>()});
    let squares = "deny contains \"x\" if { some a in input.list; some b in input.list; a + b == 0 - 1 }";
    let first = fails(squares, &many);
    assert_eq!(first, "rego.limit: `data.house.deny` takes more than 10000000 steps");
    // Behind a negation and in a helper it is the same limit, not a helper without a value.
    let hidden =
        "deny contains \"x\" if not all\nall if { some a in input.list; some b in input.list; a + b == 0 - 1 }";
    assert_eq!(fails(hidden, &many), first);

    let module = Module { file: "a.rego", text: "package a\ndeny contains x if some x in input.list" };
    let input = Input::new(json!({"list": ["a", "b", "c"]}));
    let ask = |steps| {
        let limits = Limits { steps, ..Limits::DEFAULT };
        Program::load_with(&[module], &json!({}), None, limits).unwrap().judge(&input, now())
    };
    let enough = (1..200).find(|steps| ask(*steps).is_ok()).unwrap();
    for _ in 0..3 {
        assert!(ask(enough).is_ok() && ask(enough - 1).is_err(), "{enough}");
    }
}

#[test]
fn s41_the_clock_is_a_backstop_with_a_reason_of_its_own() {
    let text = "package a\ndeny contains \"x\" if { some a in numbers.range(1, 50000); some b in [1, 2]; a + b == 0 }";
    let limits = Limits { seconds: 0, ..Limits::DEFAULT };
    let program = Program::load_with(&[Module { file: "a.rego", text }], &json!({}), None, limits).unwrap();
    let reason = program.judge(&Input::new(json!({})), now()).unwrap_err();
    assert_eq!(reason.code, model::ReasonCode::RegoTime);
}

#[test]
fn s41_values_that_grow_without_bound_are_a_limit() {
    let doubled = |step: &dyn Fn(&str) -> String| {
        (1..40).fold("deny contains \"x\" if { x0 := input.seed\n".to_owned(), |mut text, n| {
            writeln!(text, "x{n} := {}", step(&format!("x{}", n - 1))).unwrap();
            text
        }) + "count(x39) > 0 }"
    };
    let words = json!({"seed": "abcdefgh"});
    for rule in [
        "deny contains \"x\" if count(numbers.range(1, 1000000000000)) > 0".to_owned(),
        "deny contains \"x\" if count(numbers.range(0 - 9000000000000000000, 9000000000000000000)) > 0".to_owned(),
        "deny contains \"x\" if count(numbers.range_step(1, 1000000000000, 2)) > 0".to_owned(),
        "deny contains sprintf(\"%1000000000d\", [1])".to_owned(),
        "deny contains sprintf(\"%99999999999999999999d\", [1])".to_owned(),
        "deny contains sprintf(\"%.999999999f\", [1.5])".to_owned(),
        doubled(&|x| format!("concat(\"\", [{x}, {x}])")),
        doubled(&|x| format!("concat({x}, [\"a\", \"b\", \"c\"])")),
        doubled(&|x| format!("sprintf(\"%s%s\", [{x}, {x}])")),
        doubled(&|x| format!("replace({x}, \"a\", \"aaaa\")")),
        doubled(&|x| format!("regex.replace({x}, \"a\", \"aaaa\")")),
        doubled(&|x| format!("strings.replace_n({{\"a\": \"aaaa\"}}, {x})")),
        doubled(&|x| format!("hex.encode({x})")),
        doubled(&|x| format!("json.marshal([{x}, {x}])")),
    ] {
        let said = fails(&rule, &words);
        assert!(said.starts_with("rego.limit: "), "{rule}: {said}");
    }
    let arrays = json!({"seed": [1, 2, 3, 4]});
    let said = fails(&doubled(&|x| format!("array.concat({x}, {x})")), &arrays);
    assert!(said.starts_with("rego.limit: "), "{said}");
    // What shares its parts is small until it is written out.
    let shared = doubled(&|x| format!("[{x}, {x}]")).replace("count(x39)", "count(json.marshal(x39))");
    let said = fails(&shared, &arrays);
    assert!(said.starts_with("rego.limit: "), "{said}");
    let said = fails("deny contains sprintf(\"%½d\", [1])", &words);
    assert!(said.starts_with("rego.failed: "), "{said}");
    assert_eq!(
        deny("deny contains sprintf(\"%5d|%05d|%.2f|%s%%\", [7, 7, 1.5, \"a\"])", &words),
        ["    7|00007|1.50|a%"]
    );
    assert_eq!(deny("deny contains \"x\" if count(numbers.range(1, 100000)) == 100000", &words), ["x"]);
}

#[test]
fn s41_a_hostile_pattern_costs_no_more_than_its_text() {
    let input = json!({"text": "a".repeat(20_000)});
    assert_eq!(
        deny("deny contains \"x\" if regex.match(\"^(a+)+$\", concat(\"\", [input.text, \"b\"]))", &input),
        [""; 0]
    );
    let said = fails("deny contains \"x\" if regex.match(\"((a{1000}){1000}){1000}\", input.text)", &input);
    assert!(said.starts_with("rego."), "{said}");
}

#[test]
fn s41_deep_policies_are_refused_and_those_at_the_limit_do_not_exhaust_the_stack() {
    let chain = |length: usize| {
        (1..length).fold("deny contains \"x\" if r0(1)\n".to_owned(), |mut text, n| {
            writeln!(text, "r{}(x) if r{n}(x)", n - 1).unwrap();
            text
        }) + &format!("r{}(x) if x == 1", length - 1)
    };
    // A rule, a call and its argument.
    assert_eq!(deny(&chain(MAX_DEPTH / 3 - 1), &json!({})), ["x"]);
    let said = refused(&format!("package house\n{}", chain(MAX_DEPTH / 3 + 1)));
    assert!(said.contains("rules, loops and expressions inside one another; at most 300"), "{said}");

    let loops = |count: usize| {
        (0..count).fold("deny contains \"x\" if {\n".to_owned(), |mut text, n| {
            writeln!(text, "some x{n} in [1]").unwrap();
            text
        }) + "x0 == 1\n}"
    };
    assert_eq!(deny(&loops(45), &json!({})), ["x"]);
    let said = refused(&format!("package house\n{}", loops(MAX_DEPTH)));
    assert!(said.contains("inside one another"), "{said}");

    // As deep as may be written, many times: the parser is slow with it, and no slower.
    let (open, close) = ("[".repeat(load::MAX_NESTING - 1), "]".repeat(load::MAX_NESTING - 1));
    let lists = format!(
        "deny contains \"x\" if {{ \"[[[[[[[[[[[[[[[[[[\" != `{{{{{{{{{{{{{{{{{{{{`; {open}1{close} == {open}1{close} }} # [[[[[[[[[[[[[["
    );
    assert_eq!(deny(&lists, &json!({})), ["x"]);
    let said = refused(&format!("package house\ndeny contains \"x\" if {{ [{open}1{close}] == 1 }}"));
    assert!(said.starts_with("house.rego:2:35: more than 12 brackets and braces"), "{said}");
    let nested = format!("package house\ndeny contains {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(refused(&nested).contains("house.rego:"));
}

#[test]
fn s41_what_is_read_is_bounded() {
    let text = format!("package house\ndeny contains \"x\"\n{}", "# a comment\n".repeat(load::MAX_MODULE_BYTES / 12));
    assert!(refused(&text).contains("at most 1048576 are read"));
    let module = Module { file: "a.rego", text: "package a\ndeny contains \"x\"" };
    let data = json!({"list": "a".repeat(load::MAX_DATA_BYTES)});
    assert!(Program::load(&[module], &data, None).unwrap_err().what.contains("at most 10485760 are read"));
    let limits = Limits { messages: 2, text_bytes: 100, ..Limits::DEFAULT };
    let ask = |rule: &str| {
        let text = format!("package a\n{rule}");
        let program = Program::load_with(&[Module { file: "a.rego", text: &text }], &json!({}), None, limits).unwrap();
        program.judge(&Input::new(json!({"long": "x".repeat(101)})), now()).map_err(|reason| reason.code.as_str())
    };
    assert!(ask("deny := [\"a\", \"b\"]").is_ok());
    assert_eq!(ask("deny := [\"a\", \"b\", \"c\"]").unwrap_err(), "rego.limit");
    assert_eq!(ask("deny := [input.long]").unwrap_err(), "rego.limit");
}

/// 5,000 findings and 200 exceptions in an ordinary policy.
#[test]
fn s41_ordinary_policies_stay_far_below_the_limit() {
    let findings: Vec<_> = (0..5000)
        .map(|n| json!({"id": format!("CVE-{n}"), "severity": "HIGH", "score": 7, "package": {"name": "p", "fixed": "1.2"}}))
        .collect();
    let exceptions: Vec<_> =
        (0..200).map(|n| json!({"id": format!("CVE-{n}"), "until": "2027-01-01T00:00:00Z"})).collect();
    let program = rules(
        "deny contains msg if {\n  some f in input.findings\n  f.severity in {\"HIGH\", \"CRITICAL\"}\n  f.package.fixed != \"\"\n  not excepted[f.id]\n  \
         msg := sprintf(\"%s in %s\", [f.id, f.package.name])\n}\n\
         excepted contains e.id if {\n  some e in input.exceptions\n  time.parse_rfc3339_ns(e.until) > time.now_ns()\n}",
    );
    let input = Input::new(json!({"findings": findings, "exceptions": exceptions}));
    let answer = program.judge(&input, now()).unwrap();
    assert_eq!(answer.deny.len(), 4800);
}

/// What one evaluation may hold on to is bounded by its steps, whatever it collects.
#[test]
fn s41_results_that_grow_with_each_step_end_with_the_limit() {
    let many = json!({"list": (0..4000).collect::<Vec<_>>()});
    let pairs = "deny contains sprintf(\"%d %d\", [a, b]) if { some a in input.list; some b in input.list }";
    assert!(fails(pairs, &many).starts_with("rego.limit: "));
}

/// What walks a large document, replaces the input at every step, or calls what goes through long lists, is counted as well.
#[test]
fn s41_walk_with_and_builtins_end_with_the_limit() {
    let list: Vec<_> = (0..20_000).map(|n| json!({"id": n, "words": ["a", "b"]})).collect();
    let input = json!({"list": list, "seed": [1, 2, 3, 4], "level": 0});
    for rule in [
        "deny contains \"x\" if { some a in input.list; walk(input.list, [_, v]); v == a.id + 100000 }",
        "deny contains \"x\" if { some a in input.list; some b in input.list; bad with input.level as a.id + b.id }\nbad if input.level < 0",
        "deny contains \"x\" if { some a in input.list; some b in input.list; count(json.marshal(input.list)) < b.id + a.id }",
        "deny contains \"x\" if { some a in input.list; some b in input.list; sum([a.id, b.id]) < 0 }",
        "deny contains \"x\" if { some a in input.list; sort(input.list)[a.id].id < 0 }",
    ] {
        let said = fails(rule, &input);
        assert_eq!(said, "rego.limit: `data.house.deny` takes more than 10000000 steps", "{rule}");
    }
    // A document that shares its parts is small until it is walked.
    let doubled = (1..40).fold("deny contains \"x\" if { x0 := input.seed\n".to_owned(), |mut text, n| {
        writeln!(text, "x{n} := [x{}, x{}]", n - 1, n - 1).unwrap();
        text
    }) + "walk(x39, [_, v]); v == 9 }";
    assert!(fails(&doubled, &input).starts_with("rego.limit: "));
}

/// Once the limit is reached nothing goes on: not the other definitions of a function, at no depth.
#[test]
fn s41_functions_of_many_definitions_end_at_the_limit() {
    let functions = (0..30).fold(String::new(), |mut text, n| {
        for definition in 0..8 {
            writeln!(text, "f{n}(x) := {definition} if {{ some y in [1, 2]; f{}(x + y) == {definition} }}", n + 1)
                .unwrap();
        }
        text
    });
    let rule = format!("deny contains \"x\" if f0(1) == 9\n{functions}\nf30(x) := 9 if x == 0 - 1");
    assert_eq!(fails(&rule, &json!({})), "rego.limit: `data.house.deny` takes more than 10000000 steps");
}
