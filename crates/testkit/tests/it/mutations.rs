//! A spoiled document differs from the good one in exactly the place its name says.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::mutate::{self, Mutation, Step};

fn document() -> Value {
    json!({ "status": { "code": "" }, "list": [1, { "deep": null }] })
}

#[test]
fn every_field_and_element_has_a_path() {
    let paths = mutate::paths(&document());
    let names: BTreeSet<_> = paths.iter().map(|path| mutate::name(path, &Mutation::Null)).collect();
    let wanted = ["list: null", "list[0]: null", "list[1]: null", "list[1].deep: null", "status.code: null"];
    assert!(wanted.iter().all(|name| names.contains(*name)), "{names:?}");
    assert_eq!((names.len(), paths.len()), (6, 6));
}

#[test]
fn a_place_is_removed_nulled_or_retyped() {
    let code = [Step::Field("status".into()), Step::Field("code".into())];
    let first = [Step::Field("list".into()), Step::Element(0)];
    assert_eq!(mutate::apply(&document(), &code, &Mutation::Remove)["status"], json!({}));
    assert_eq!(mutate::apply(&document(), &first, &Mutation::Remove)["list"], json!([{ "deep": null }]));
    assert_eq!(mutate::apply(&document(), &code, &Mutation::Retype(json!([])))["status"]["code"], json!([]));
    let huge = mutate::apply_text(&document(), &first, &Mutation::Raw("1e400"));
    assert!(huge.contains("[1e400,"), "{huge}");
    assert_eq!(mutate::apply_text(&document(), &[], &Mutation::Remove), "");
}

#[test]
fn cases_are_distinct_repeatable_and_always_change_something() {
    let cases = mutate::cases(&document());
    assert_eq!(cases, mutate::cases(&document()));
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len());
    let good = document().to_string();
    for case in &cases {
        assert_ne!(case.text, good, "{}", case.name);
    }
    // 7 places with 12 mutations each, without null → null and "" → "".
    assert_eq!(cases.len(), 7 * 12 - 2);
    assert!(names.contains(&"status.code: removed".to_owned()) && names.contains(&"(document): 1e400".to_owned()));
}

#[test]
fn truncations_are_proper_prefixes() {
    let text = "[\"äöü\", 1, 2, 3]";
    let prefixes = mutate::truncations(text, 5);
    assert_eq!((prefixes.len(), prefixes[0].as_str()), (5, ""));
    assert!(prefixes.iter().all(|prefix| text.starts_with(prefix.as_str()) && prefix.len() < text.len()));
    assert_eq!(mutate::truncations("ab", 100), ["", "a"]);
    assert!(mutate::truncations("", 3).is_empty());
}
