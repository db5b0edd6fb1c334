//! A5: what a document may not be, whatever it says: several, endless, deep, or exploding.

use super::{BUILT_IN, HEAD, parse, refused, rule};

#[test]
fn a5_a_file_of_several_documents_is_refused() {
    for second in ["---\n", "---\nkind: Other\n", BUILT_IN] {
        let text = format!("{BUILT_IN}---\n{second}");
        let error = refused(&text);
        assert_eq!(error.what, "the file holds several documents", "{second}");
    }
    assert!(parse(&format!("---\n{BUILT_IN}...\n")).is_ok(), "one document may be framed");
}

#[test]
fn a5_documents_are_bounded() {
    let large = format!("{BUILT_IN}# {}\n", "x".repeat(1 << 20));
    assert!(refused(&large).what.contains("at most 1048576 are read"));
    let deep = rule(&format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)));
    assert!(parse(&deep).is_err());
    let many: Vec<_> = (0..60_000).map(|n| format!("C-{n}")).collect();
    assert!(parse(&rule(&format!("{{ deny: [{}] }}", many.join(", ")))).is_ok());
    assert!(parse(&rule(&format!("{{ deny: [{}] }}", "C,".repeat(200_000)))).is_err());
}

#[test]
fn a5_an_alias_bomb_is_bounded() {
    // Every level repeats the one before nine times.
    let bomb = |levels: usize| {
        let lists = (1..levels).map(|level| {
            let list = vec![format!("*a{}", level - 1); 9].join(", ");
            format!("      - &a{level} [{list}]\n")
        });
        let lists = lists.collect::<Vec<_>>().concat();
        format!(
            "{HEAD}spec:\n  match:\n    images:\n      - &a0 \"x\"\n{lists}  rules: [{{ id: r, vulnerabilities: {{}} }}]\n"
        )
    };
    for levels in [2, 9, 30] {
        assert!(parse(&bomb(levels)).is_err(), "{levels}");
    }
    // Where every value is of the right type, the number of aliases is what bounds it.
    let aliases = |count: usize| rule(&format!("{{ deny: [&a CVE-1, {}] }}", vec!["*a"; count].join(", ")));
    assert!(parse(&aliases(50)).is_ok());
    assert!(parse(&aliases(150)).is_err() && parse(&aliases(5_000)).is_err());
    assert!(parse(&format!("{HEAD}spec: &s {{ rules: [*s] }}\n")).is_err(), "an alias of itself");
}
