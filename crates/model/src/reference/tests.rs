//! The grammar of references, spelling by spelling.

use super::*;

const HEX: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn parts(text: &str) -> (Option<String>, String, Option<String>, bool) {
    let r: ImageReference = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(r.to_string(), text, "a reference prints as it was written");
    (r.host, r.repository.to_string(), r.tag.map(|t| t.to_string()), r.digest.is_some())
}

#[test]
fn every_spelling_of_the_grammar_parses() {
    let s = |t: &str| Some(t.to_owned());
    assert_eq!(parts("app"), (None, "app".into(), None, false));
    assert_eq!(parts("app:1.0"), (None, "app".into(), s("1.0"), false));
    assert_eq!(parts("team/app"), (None, "team/app".into(), None, false));
    assert_eq!(parts("localhost/app:x"), (s("localhost"), "app".into(), s("x"), false));
    assert_eq!(parts("host:5000/app"), (s("host:5000"), "app".into(), None, false));
    assert_eq!(parts("Host/app"), (s("Host"), "app".into(), None, false));
    assert_eq!(parts("[::1]:5000/app:t"), (s("[::1]:5000"), "app".into(), s("t"), false));
    assert_eq!(parts(&format!("a.b/c__d/e-f--g.h:T_1@{HEX}")), (s("a.b"), "c__d/e-f--g.h".into(), s("T_1"), true));
    assert_eq!(parts(&format!("a.b/c@{HEX}")), (s("a.b"), "c".into(), None, true));
}

#[test]
fn what_breaks_the_grammar_says_why() {
    let long = format!("a.b/{}", "c".repeat(256));
    let long_tag = format!("a:{}", "t".repeat(129));
    for (text, wanted) in [
        ("", "empty"),
        ("https://a.b/c", "scheme"),
        ("a b", "blanks"),
        ("a.b/c\n", "blanks"),
        ("a.b/Team/App", "lower-case"),
        ("a//b", "not a repository name"),
        ("a/", "not a repository name"),
        ("/a", "not a repository name"),
        ("a.b/", "not a repository name"),
        ("a..b", "not a repository name"),
        ("a___b", "not a repository name"),
        ("-a", "not a repository name"),
        ("a-", "not a repository name"),
        ("a:", "not a tag"),
        ("a:.x", "not a tag"),
        ("a:b:c", "not a tag"),
        ("a@", "sha256:"),
        ("a@sha256:12", "64"),
        ("a@sha256:xyz@sha256:abc", "64"),
        ("a_.b:80x/c", "not a registry host"),
        ("-a.b/c", "not a registry host"),
        (&long, "at most 255"),
        (&long_tag, "not a tag"),
    ] {
        let error = text.parse::<ImageReference>().expect_err(text).to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
}

proptest::proptest! {
    #[test]
    fn parsing_never_panics_and_what_parses_prints_back(text in "\\PC{0,80}|[a-zA-Z0-9._:/@-]{0,60}") {
        if let Ok(reference) = text.parse::<ImageReference>() {
            proptest::prop_assert_eq!(reference.to_string(), text);
        }
    }
}
