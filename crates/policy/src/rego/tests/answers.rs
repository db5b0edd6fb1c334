//! What the rules of a package are asked, and what their answers become.

use jiff::Timestamp;
use serde_json::json;

use super::super::{Answer, Input, Message, Module, Program};
use super::{NOW, deny, judge, now, refused, rules};

fn message(code: Option<&str>, text: &str, remedy: Option<&str>) -> Message {
    Message { code: code.map(str::to_owned), text: text.to_owned(), remedy: remedy.map(str::to_owned) }
}

#[test]
fn s41_messages_are_texts_or_objects_sorted_and_each_once() {
    let program = rules(
        "deny contains \"b\"\ndeny contains \"a\" if true\nviolation contains {\"msg\": \"a\"}\n\
         violation contains {\"message\": \"c\", \"code\": \"C1\", \"remedy\": \"mend it\", \"details\": [1]}\n\
         deny_root contains {\"msg\": \"d\", \"message\": \"other\"}\nviolation_x := [\"e\", \"e\"]\n\
         warn contains \"w\"\nwarn_old contains {\"msg\": \"w\", \"code\": \"W\"}\n\
         denying contains \"never\"\nwarning contains \"never\"\nhelper contains \"never\"",
    );
    let answer = judge(&program, &json!({})).unwrap();
    let deny = vec![
        message(None, "a", None),
        message(None, "b", None),
        message(None, "d", None),
        message(None, "e", None),
        message(Some("C1"), "c", Some("mend it")),
    ];
    assert_eq!(answer, Answer { deny, warn: vec![message(None, "w", None), message(Some("W"), "w", None)] });
}

#[test]
fn s41_a_set_that_is_empty_is_a_pass() {
    assert_eq!(deny("deny contains \"x\" if input.bad", &json!({})), [""; 0]);
    assert_eq!(deny("deny contains \"x\" if input.bad", &json!({"bad": true})), ["x"]);
}

#[test]
fn s41_a_boolean_rule_breaks_when_it_is_true() {
    let rule = "default deny := false\ndeny if input.bad";
    assert_eq!(deny(rule, &json!({})), [""; 0]);
    assert_eq!(deny(rule, &json!({"bad": true})), ["`data.house.deny` is true"]);
    let said = refused("package house\n\ndeny if input.bad");
    assert!(
        said.starts_with("house.rego:3:1: `data.house.deny` has no value when its condition does not hold"),
        "{said}"
    );
    assert!(said.contains("contains message if"), "{said}");
}

#[test]
fn s41_a_query_names_a_package_or_one_rule() {
    let modules = [
        Module { file: "a.rego", text: "package lib\nhelper := \"h\"" },
        Module {
            file: "b.rego",
            text: "package house[\"web-1\"].main\nimport data.lib\ndeny contains lib.helper\nwarn contains \"w\"\nchecks contains \"c\"\nwarnings contains \"v\"",
        },
    ];
    let ask = |query: Option<&str>| {
        let program = Program::load(&modules, &json!({}), query).map_err(|error| error.to_string())?;
        let answer = program.judge(&Input::new(json!({})), now()).unwrap();
        let texts = |messages: Vec<Message>| messages.into_iter().map(|message| message.text).collect::<Vec<_>>();
        Ok((texts(answer.deny), texts(answer.warn)))
    };
    let one = |text: &str| vec![text.to_owned()];
    assert_eq!(ask(Some("data.house[\"web-1\"].main")), Ok((one("h"), one("w"))));
    assert_eq!(ask(Some("data.house[\"web-1\"].main.deny")), Ok((one("h"), vec![])));
    assert_eq!(ask(Some("data.house[\"web-1\"].main.checks")), Ok((one("c"), vec![])));
    assert_eq!(ask(Some("data.house[\"web-1\"].main.warnings")), Ok((vec![], one("v"))));
    for (query, says) in [
        (None, "the package `data.lib` has no rule that judges"),
        (Some("data.lib"), "the package `data.lib` has no rule that judges"),
        (Some("data.house"), "there is no package or rule `data.house`"),
        (Some("data.lib.deny"), "there is no package or rule `data.lib.deny`"),
        (Some("data"), "is not a query"),
        (Some("input.deny"), "is not a query"),
        (Some("house.deny"), "is not a query"),
        (Some("data.lib..deny"), "is not a query"),
        (Some("data.lib.deny[_]"), "is not a query"),
        (Some("data.lib.deny; true"), "is not a query"),
    ] {
        let error: String = ask(query).unwrap_err();
        assert!(error.contains(says), "{query:?}: {error}");
    }
}

#[test]
fn s41_the_clock_is_the_time_of_the_decision() {
    let rule = "deny contains sprintf(\"%d %d %v\", [time.now_ns(), later, again(1)])\n\
                later := x if { x := time.now_ns() + 1 }\nagain(_) := time.now_ns() == time.now_ns()";
    assert_eq!(deny(rule, &json!({})), [format!("{NOW}000000000 {NOW}000000001 true")]);
    let program = rules("deny contains \"old\" if time.now_ns() > time.parse_rfc3339_ns(input.until)");
    let input = Input::new(json!({"until": "2026-01-02T03:04:05Z"}));
    let at = |second| program.judge(&input, Timestamp::from_second(second).unwrap()).unwrap().deny.len();
    assert_eq!([at(NOW - 1), at(NOW), at(NOW + 1), at(0)], [0, 0, 1, 0]);
}
