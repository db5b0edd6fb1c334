//! What fails when a policy is loaded, with its place.

use serde_json::json;

use super::super::{Module, Program, builtins};
use super::{deny, load, refused};

fn in_rule(body: &str) -> String {
    refused(&format!("package house\n\ndeny contains \"x\" if {{\n  {body}\n}}\nf(x) := x\n"))
}

#[test]
fn s41_functions_that_are_not_there_fail_at_load_with_their_place() {
    for (body, says) in [
        ("missing(1)", "house.rego:4:3: there is no function `missing`"),
        ("x := strings.upper(\"a\"); x", "house.rego:4:8: the builtin `strings.upper` is not supported"),
        ("crypto.sha256(\"a\") == \"b\"", "house.rego:4:3: the builtin `crypto.sha256` is not supported"),
        ("io.jwt.decode(\"a\")", "the builtin `io.jwt.decode` is not supported"),
        (
            "http.send({\"url\": \"http://x\"})",
            "house.rego:4:3: the builtin `http.send` is not allowed: it uses the network",
        ),
        ("net.lookup_ip_addr(\"x\")", "is not allowed: it uses the network"),
        ("opa.runtime().env.HOME == \"x\"", "is not allowed: it reads the environment"),
        ("rand.intn(\"x\", 3) == 1", "is not allowed: it is random"),
        ("uuid.rfc4122(\"x\") == \"y\"", "is not allowed: it is random"),
        ("rego.metadata.rule()", "the builtin `rego.metadata.rule` is not supported"),
        ("rego.parse_module(\"a\", \"b\")", "is not supported"),
        ("print(\"x\")", "the builtin `print` is not allowed"),
        ("trace(\"x\")", "is not allowed"),
        ("bits.lsh(1, 70) > 0", "its result has no bound"),
        ("count(net.cidr_expand(\"10.0.0.0/8\")) > 0", "its result has no bound"),
        ("count(graph.reachable_paths({}, [])) > 0", "its result has no bound"),
        ("__builtin_host_await(1, \"x\")", "there is no function"),
        ("__builtin_sets.union({1}, {2})", "there is no function"),
        ("coutn(input.x) > 0", "there is no function `coutn` | did you mean `count`?"),
        ("count() > 0", "`count` takes 1 arguments and is given 0"),
        ("sprintf(\"a\") == \"a\"", "`sprintf` takes 2 arguments and is given 1"),
        ("time.now_ns(1) > 0", "`time.now_ns` takes 0 arguments and is given 1"),
        ("not missing(1)", "there is no function `missing`"),
        ("count([1 | missing(1)]) == 0", "there is no function `missing`"),
        ("every y in [1] { missing(y) }", "there is no function `missing`"),
        ("data.lib.f(1)", "`data.lib.f` is defined by no policy file"),
        ("deny(1)", "`data.house.deny` is a rule and no function"),
        ("some {\"id\": id} in input.list; id", "house.rego:4:8: an object as a pattern is not supported"),
        ("{\"id\": id} = input.a; id", "an object as a pattern"),
        ("{\"id\": id} := input.a; id", "an object as a pattern"),
        ("not input.list[_] == 1", "house.rego:4:18: nothing gives `_` a value"),
        ("some i; not input.list[i] == 1", "nothing gives `i` a value"),
        ("some i; i == 1", "nothing gives `i` a value"),
        ("y := x + 1; y", "nothing gives `x` a value"),
        ("count([z | w := z]) == 0", "nothing gives `z` a value"),
        ("data.house.f(1, 2, 3)", "`data.house.f` takes 1 arguments and is given 3"),
        ("count([1]) == 2 with count as 2", "house.rego:4:"),
        (
            "input.a with time.now_ns as 2",
            "`with` replaces something other than `input` and `data`, which is supported in tests only",
        ),
        ("input.a with data.house.f as 2", "`with` replaces the function `data.house.f`"),
    ] {
        let said = in_rule(body);
        assert!(said.contains(says), "{body}: {said}");
    }
    // In rules that nobody asks, too; tests for `opa test` alone are left out.
    let said = refused("package house\ndeny contains \"x\"\nunused if http.send({})");
    assert!(said.starts_with("house.rego:3:11: the builtin `http.send` is not allowed"), "{said}");
    load("package house\ndeny contains \"x\" if input.a\ntest_deny if { deny with input as {\"a\": 1} with data.mock as missing(1) }").unwrap();
}

#[test]
fn s41_documents_that_nobody_defines_fail_at_load_with_their_place() {
    let data = json!({"lists": {"allowed": ["a"], "empty": {}}, "word": "w"});
    let load = |body: &str| {
        let text = format!(
            "package house\nimport data.lib\n\ndeny contains \"x\" if {{\n  {body}\n}}\nhelper := {{\"a\": 1}}"
        );
        let lib = Module { file: "lib.rego", text: "package lib\nnames := {\"a\"}\nf(x) := x" };
        Program::load(&[Module { file: "house.rego", text: &text }, lib], &data, None)
            .map_err(|error| error.to_string())
    };
    for body in [
        "data.lists.allowed[_] == \"a\"",
        "data.lists.allowed[input.n]",
        "data.lists[input.name]",
        "data.lists.empty[input.name]",
        "data.word == \"w\"",
        "data.word.anything",
        "data.lib.names[_]",
        "lib.names[_]",
        "lib.f(1) == 1",
        "data.lib",
        "data.house.helper.b.c",
        "helper[input.x]",
        "lib := input.x; lib.nothing",
        "object.get(data.lists, \"no\", []) == []",
    ] {
        load(body).unwrap_or_else(|error| panic!("{body}: {error}"));
    }
    for (body, says) in [
        ("data.missing", "house.rego:5:3: `data.missing` is defined by no policy file and no data document"),
        ("not data.lists.denied[input.x]", "`data.lists.denied` is defined by no policy"),
        ("data.lists[\"denied\"]", "`data.lists.denied` is defined"),
        ("data.lib.nmaes[_]", "`data.lib.nmaes` is defined"),
        ("lib.nothing", "`data.lib.nothing` is defined"),
        ("x := data.lists.empty.key; x", "`data.lists.empty.key` is defined"),
        ("count(data.nope) == 0", "`data.nope` is defined"),
    ] {
        let error = load(body).unwrap_err();
        assert!(error.contains(says), "{body}: {error}");
    }
    let said = refused("package house\nimport data.nope\ndeny contains \"x\"");
    assert!(said.starts_with("house.rego:2:"), "{said}");
}

#[test]
fn s41_syntax_errors_have_a_place() {
    for (text, says) in [
        ("package house\n\ndeny contains x if {\n", "house.rego:4:1: expecting expression"),
        ("deny contains x if true", "house.rego:1:1: "),
        ("", "house.rego:"),
        ("package house\ndeny contains \"x\" if y == 1", "house.rego:2:"),
        ("package house\ndeny contains \"x\" if { y := x; z := y }", "house.rego:2:"),
        ("package house\ndeny[msg] := 1 if { msg := \"a\" }", "house.rego:2:1: `data.house.deny` is an object"),
        ("package house\ndeny[x] contains y if { x := 1; y := 2 }", "house.rego:2:1: `data.house.deny` is an object"),
        ("package house\ndeny(x) := x", "house.rego:2:1: `data.house.deny` is a function"),
        (
            "package house\ndeny contains a\na if b\nb if c(1)\nc(x) if a == x",
            "a rule needs itself: `data.house.a` needs `data.house.b` needs `data.house.c`",
        ),
        ("package house\ndeny contains \"x\" if count(data.house) > 1", "a rule needs itself: `data.house.deny`"),
        (
            "package house\ndeny contains \"x\"\ndeny := 1",
            "house.rego:3:1: `data.house.deny` has another form in line 2",
        ),
        ("package house\ndeny contains \"x\" if f(1, 2)\nf(x) if x\nf(x, y) if x > y", "house.rego:"),
    ] {
        let said = refused(text);
        assert!(said.contains(says), "{text}: {said}");
    }
}

#[test]
fn s41_policies_from_before_opa_1_are_read_as_such() {
    let rule = "deny[msg] { input.bad; msg := \"bad\" }\nwarn[{\"msg\": m}] { m = \"w\"; any_bad }\nany_bad { input.list[_] == 1 } else = false { true }";
    assert_eq!(deny(rule, &json!({"bad": true, "list": [1]})), ["bad"]);
    assert_eq!(deny(rule, &json!({})), [""; 0]);
    let said = refused("package house\ndeny[msg] { input.bad; msg := }");
    assert!(said.starts_with("house.rego:2:11: ") && said.contains("opa fmt --write --v0-v1"), "{said}");
    // Old and new side by side.
    let modules = [
        Module { file: "old.rego", text: "package house\ndeny[msg] { data.lib.bad(input); msg := \"old\" }" },
        Module { file: "new.rego", text: "package lib\nbad(x) if x.bad\n" },
    ];
    let program = Program::load(&modules, &json!({}), None).unwrap();
    assert_eq!(super::judge(&program, &json!({"bad": true})).unwrap().deny.len(), 1);
}

#[test]
fn s41_rules_and_data_documents_do_not_stand_on_one_place() {
    let module = Module { file: "house.rego", text: "package house\ndeny contains \"x\"" };
    for data in [json!({"house": {"deny": ["y"]}}), json!([]), json!(null), json!({"house": 1})] {
        let error = Program::load(&[module], &data, None).map(|_| ()).expect_err(&data.to_string());
        assert_eq!(error.file, "house.rego", "{error}");
    }
    assert!(Program::load(&[], &json!({}), None).is_err());
}

/// The page says what can be called; a new version of the library changes it on purpose or not at all.
#[test]
fn s41_the_builtins_that_may_be_called_are_listed() {
    let listed: Vec<&str> = include_str!("builtins.txt").lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(builtins::supported(), listed, "crates/policy/src/rego/tests/builtins.txt");
}
