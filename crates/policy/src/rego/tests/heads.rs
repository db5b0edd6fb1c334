//! What a rule puts into its set may have no value for one element: that element alone is left out, as in OPA.

use serde_json::json;

use super::{judge, rules};

const ONE: &str = "f(x) := y if {\n\tx.k == 1\n\ty := \"one\"\n}\n";

/// Each of these rules has a value for one of two elements, and says one thing.
#[test]
fn a5_an_element_without_a_value_does_not_take_the_others_with_it() {
    for list in ["[{\"k\": 1, \"v\": \"one\"}, {\"k\": 2}]", "[{\"k\": 2}, {\"k\": 1, \"v\": \"one\"}]"] {
        for rule in [
            "deny contains f(x) if some x in LIST",
            "deny contains f(x) if { some x in LIST }",
            "deny contains f(x) if { some x in LIST; x.k < 3 }",
            "deny contains f(x) if {\n\tsome x in LIST\n\tx.k < 3 # a }\n}",
            "deny contains f(x) if {\n\tsome x in LIST\n\t# nothing more }\n}",
            "deny contains {\"msg\": f(x)} if some x in LIST",
            "deny contains sprintf(\"%s\", [f(x)]) if some x in LIST",
            "deny contains x.v if some x in LIST",
            "deny contains x[\"v\"] if {\n\tsome x in LIST\n\tnot x.k > 3\n}",
            "deny contains concat(\"\", [x.v]) if {\n\tsome x in LIST\n\tevery y in [1, 2] { y < 3 }\n}",
            "helper contains f(x) if some x in LIST\ndeny contains y if some y in helper",
            "deny contains \"one\" if count(helper) == 1\nhelper contains f(x) if some x in LIST",
            "deny contains x.v if {\n\tsome x in LIST\n}\n\ndeny contains f(x) if some x in LIST",
        ] {
            let program = rules(&format!("{ONE}\n{}", rule.replace("LIST", list)));
            let answer = judge(&program, &json!({})).unwrap_or_else(|reason| panic!("{rule}: {}", reason.message));
            let said: Vec<&str> = answer.deny.iter().map(|message| message.text.as_str()).collect();
            assert_eq!(said, ["one"], "{rule} over {list}");
        }
    }
}

#[test]
fn a5_a_set_of_nothing_but_elements_without_a_value_is_empty() {
    let program = rules(&format!(
        "{ONE}\ndeny contains f(x) if some x in [{{\"k\": 2}}]\nwarn contains f(x) if some x in [{{\"k\": 1}}]"
    ));
    let answer = judge(&program, &json!({})).unwrap();
    assert!(answer.deny.is_empty() && answer.warn.len() == 1, "{answer:?}");
}

/// The older syntax, in which the head stands in brackets.
#[test]
fn a5_it_holds_for_the_older_syntax_too() {
    let text = "f(x) = y { x.k == 1; y := \"one\" }\n\ndeny[f(x)] {\n\tx := [{\"k\": 1}, {\"k\": 2}][_]\n}\n\nviolation[{\"msg\": f(x)}] { x := [{\"k\": 1}, {\"k\": 2}][_] }";
    let answer = judge(&rules(text), &json!({})).unwrap();
    let said: Vec<&str> = answer.deny.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(said, ["one"]);
}
