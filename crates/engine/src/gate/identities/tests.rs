//! Rules about claims.

use super::*;
use crate::gate::actor::Role;

fn says(pattern: &str, text: &str) -> bool {
    let when = [("c".to_owned(), ClaimPattern::parse(pattern).unwrap())].into();
    let rules = [IdentityRule { when, grants: vec![Grant::everywhere(Role::Viewer)] }];
    !rules::granted(&rules, &|_| vec![text.to_owned()]).is_empty()
}

#[test]
fn s35_a_claim_is_compared_as_a_whole() {
    for (pattern, text, expected) in [
        ("42", "42", true),
        ("42", "420", false),
        ("42", "042", false),
        ("42", " 42", false),
        ("main", "Main", false),
        ("refs/heads/*", "refs/heads/main", true),
        ("refs/heads/*", "refs/heads/a/b", false),
        ("refs/heads/**", "refs/heads/a/b", true),
        ("refs/heads/*", "xrefs/heads/main", false),
        ("refs/heads/release-*", "refs/heads/release-1", true),
        ("refs/heads/release-*", "refs/heads/releases", false),
        ("a?*", "ab", false),
        ("a?*", "a?b", true),
        ("{a,b}*", "ax", false),
        ("{a,b}*", "{a,b}x", true),
        ("[ab]*", "ax", false),
        ("[ab]*", "[ab]x", true),
        ("[!a]*", "bx", false),
        ("a\\*", "a\\x", true),
        ("a\\*", "ax", false),
    ] {
        assert_eq!(says(pattern, text), expected, "{pattern} {text}");
    }
    assert!(ClaimPattern::parse("").is_err());
}

#[test]
fn s35_all_of_a_rule_has_to_be_so_and_one_of_a_list() {
    let pattern = |text: &str| ClaimPattern::parse(text).unwrap();
    let rule = |when: &[(&str, &str)]| IdentityRule {
        when: when.iter().map(|(name, text)| ((*name).to_owned(), pattern(text))).collect(),
        grants: vec![Grant::everywhere(Role::Viewer)],
    };
    let texts = |name: &str| match name {
        "groups" => vec!["dev".to_owned(), "sre".to_owned()],
        "project" => vec!["42".to_owned()],
        _ => Vec::new(),
    };
    let grants = |rules: &[IdentityRule]| rules::granted(rules, &texts).len();
    assert_eq!(grants(&[rule(&[("groups", "sre"), ("project", "42")])]), 1);
    assert_eq!(grants(&[rule(&[("groups", "sre"), ("project", "43")])]), 0);
    assert_eq!(grants(&[rule(&[("groups", "sre"), ("missing", "**")])]), 0, "what is not there is nothing");
    assert_eq!(grants(&[rule(&[])]), 0, "nothing said is nobody meant");
    assert_eq!(grants(&[rule(&[("groups", "sre")]), rule(&[("groups", "dev")])]), 1, "the same grant is one");
}
