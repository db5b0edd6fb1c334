//! Which packages are there, which are not, and when nobody can say.

use model::Signal;
use proptest::prelude::*;

use super::*;
use crate::evaluate::tests::image::{codes, contents, digest, holding, image, messages};
use crate::scene::now;

fn rule(text: &str) -> Rule {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn about(text: &str, contents: Contents) -> Found {
    judge(&rule(text), &holding(contents), &Clock::at(now()))
}

const DEBIAN: [&str; 4] = ["deb bash 5.2.15-2+b2", "deb libc6 2.36-9", "deb openssl 3.0.8-1", "deb tzdata 0:2024a-0"];

#[test]
fn b16_layers_that_nobody_read_hold_nobody_knows_what() {
    let bare = ManifestFacts::bare(digest("image"), None);
    let mut unread = holding(contents(&DEBIAN));
    unread.contents = Signal::Failed(Reason::new(ReasonCode::ConfigInvalid, "a layer is cut off"));
    for text in ["{ deny: [pkg:deb/telnet] }", "{ max: 9 }", "{ max: 0, withoutDatabase: pass }"] {
        let found = judge(&rule(text), &bare, &Clock::at(now()));
        assert_eq!((found.failures.len(), codes(&found)), (0, vec![ReasonCode::NotCollected]), "{text}");
        let found = judge(&rule(text), &unread, &Clock::at(now()));
        assert_eq!((found.failures.len(), codes(&found)), (0, vec![ReasonCode::ConfigInvalid]), "{text}");
    }
}

#[test]
fn b13_packages_are_denied_allowed_required_and_counted() {
    for (text, wanted) in [
        ("{ deny: [pkg:deb/telnet] }", None),
        ("{ deny: [pkg:deb/openssl] }", Some(ReasonCode::PackagesDenied)),
        ("{ deny: [pkg:deb/OpenSSL] }", Some(ReasonCode::PackagesDenied)),
        ("{ deny: [pkg:deb/openssl@3.0.8-1] }", Some(ReasonCode::PackagesDenied)),
        ("{ deny: [pkg:deb/openssl@3.0.9-1] }", None),
        ("{ deny: [pkg:deb/openss] }", None),
        ("{ deny: [pkg:rpm/openssl] }", None),
        ("{ deny: [\"pkg:deb/tzdata@2024a-0\"] }", Some(ReasonCode::PackagesDenied)),
        ("{ deny: [\"pkg:deb/bash@5.2.15-2%2Bb2\"] }", Some(ReasonCode::PackagesDenied)),
        ("{ allow: [pkg:deb/bash, pkg:deb/libc6, pkg:deb/openssl, pkg:deb/tzdata] }", None),
        ("{ allow: [pkg:deb/bash, pkg:deb/libc6, pkg:deb/openssl] }", Some(ReasonCode::PackagesNotAllowed)),
        (
            "{ allow: [pkg:deb/bash@5, pkg:deb/libc6, pkg:deb/openssl, pkg:deb/tzdata] }",
            Some(ReasonCode::PackagesNotAllowed),
        ),
        ("{ required: [pkg:deb/openssl, pkg:deb/tzdata] }", None),
        ("{ required: [pkg:deb/openssl@3.0.8-1] }", None),
        ("{ required: [pkg:deb/openssl@3.0.9-1] }", Some(ReasonCode::PackagesMissing)),
        ("{ required: [pkg:deb/openssl, pkg:deb/ca-certificates] }", Some(ReasonCode::PackagesMissing)),
        ("{ max: 4 }", None),
        ("{ max: 3 }", Some(ReasonCode::PackagesTooMany)),
    ] {
        let found = about(text, contents(&DEBIAN));
        assert_eq!(codes(&found), wanted.into_iter().collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn b13_a_break_names_up_to_five_packages_and_how_many_more() {
    let many: Vec<String> = (0..8).map(|n| format!("deb tool{n} 1.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let text = messages(&about("{ allow: [pkg:deb/bash] }", contents(&many)));
    assert!(
        text.contains("deb tool0 1.0, deb tool1 1.1, deb tool2 1.2, deb tool3 1.3, deb tool4 1.4 and 3 more"),
        "{text}"
    );
    let text = messages(&about("{ required: [pkg:deb/ca-certificates] }", contents(&many)));
    assert!(text.contains("pkg:deb/ca-certificates"), "{text}");
    assert!(messages(&about("{ max: 3 }", contents(&many))).contains("holds 8 packages; the policy allows 3"));
}

#[test]
fn s4_a_database_that_cannot_be_read_hides_packages_and_excuses_none() {
    let old = || Contents { unreadable: vec!["rpm Berkeley DB".to_owned()], ..contents(&DEBIAN) };
    let gap = ReasonCode::ContentUnsupported;
    for (text, wanted) in [
        ("{ deny: [pkg:rpm/telnet] }", vec![gap]),
        ("{ deny: [pkg:deb/openssl] }", vec![ReasonCode::PackagesDenied, gap]),
        ("{ allow: [pkg:deb/bash] }", vec![ReasonCode::PackagesNotAllowed, gap]),
        ("{ max: 3 }", vec![ReasonCode::PackagesTooMany, gap]),
        ("{ max: 99 }", vec![gap]),
        // It may be in what was not read.
        ("{ required: [pkg:rpm/ca-certificates] }", vec![gap]),
        ("{ required: [pkg:deb/openssl] }", vec![gap]),
    ] {
        assert_eq!(codes(&about(text, old())), wanted, "{text}");
    }
    let only = Contents { databases: vec![], packages: vec![], os: None, ..old() };
    assert_eq!(codes(&about("{ max: 9, withoutDatabase: pass }", only)), [gap], "there is a database");
}

#[test]
fn s4_no_list_is_not_an_empty_list() {
    let scratch = || Contents { os: None, databases: vec![], ..contents(&[]) };
    let unknown = [ReasonCode::PackagesNoDatabase];
    for text in
        ["{ deny: [pkg:deb/telnet] }", "{ allow: [pkg:deb/bash] }", "{ required: [pkg:deb/bash] }", "{ max: 9 }"]
    {
        let found = about(text, scratch());
        assert_eq!((found.failures.len(), codes(&found).as_slice()), (0, unknown.as_slice()), "{text}");
    }
    for text in ["{ deny: [pkg:deb/telnet], withoutDatabase: pass }", "{ max: 0, withoutDatabase: pass }"] {
        let found = about(text, scratch());
        assert_eq!((codes(&found), found.notes.len()), (vec![], 1), "{text}: said, if allowed");
        // Whoever takes the database out of an image leaves its name behind, or an empty file.
        let stripped = Contents { databases: vec![], ..contents(&[]) };
        let found = about(text, stripped);
        assert_eq!(codes(&found), unknown, "{text}");
        assert!(messages(&found).contains("says that it is debian 12"), "{found:?}");
        let emptied = Contents { os: None, ..contents(&[]) };
        assert_eq!(codes(&about(text, emptied)), unknown, "{text}");
        assert_eq!(codes(&about(text, contents(&["rpm gpg-pubkey 1"]))), unknown, "{text}");
    }
    // With a database the word changes nothing.
    let found = about("{ deny: [pkg:deb/openssl], withoutDatabase: pass }", contents(&DEBIAN));
    assert_eq!(codes(&found), [ReasonCode::PackagesDenied]);
}

#[test]
fn b13_what_holds_nothing_is_neither_counted_nor_has_to_be_listed() {
    let rpm = || contents(&["rpm bash 5.1.8-9.el9", "rpm gpg-pubkey fd431d51-4ae0493b"]);
    assert_eq!(codes(&about("{ allow: [pkg:rpm/bash], max: 1 }", rpm())), []);
    assert_eq!(codes(&about("{ deny: [pkg:rpm/gpg-pubkey] }", rpm())), [ReasonCode::PackagesDenied], "unless denied");
    assert_eq!(codes(&about("{ required: [pkg:rpm/gpg-pubkey] }", rpm())), [ReasonCode::PackagesMissing]);
    let apk = contents(&["apk .build-deps 20240101.000000", "apk musl 1.2.5-r0"]);
    assert_eq!(codes(&about("{ allow: [pkg:apk/musl], max: 1 }", apk)), []);
    let removed = Contents { removed: contents(&["deb telnet 1"]).packages, ..contents(&DEBIAN) };
    assert_eq!(codes(&about("{ deny: [pkg:deb/telnet] }", removed)), [], "it was removed, and is not there");
}

#[test]
fn b13_documents_that_make_no_sense_are_refused() {
    for (text, says) in [
        ("{ denyPackages: [pkg:deb/telnet] }", "denyPackages"),
        ("{ deny: [telnet] }", "package URL"),
        ("{ deny: [\"pkg:deb/tel*\"] }", "`*`"),
        ("{ max: -1 }", ""),
        ("{ max: 9, withoutDatabase: fail }", "fail"),
    ] {
        let error = serde_saphyr::from_str::<Rule>(text).expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    for (text, says) in [
        ("{}", "asks nothing"),
        ("{ withoutDatabase: pass }", "asks nothing"),
        ("{ deny: [] }", "is empty"),
        ("{ allow: [] }", "is empty"),
        ("{ required: [] }", "is empty"),
        ("{ max: 0 }", "allows no image"),
        ("{ deny: [pkg:npm/event-stream] }", "no package database"),
        ("{ deny: [pkg:deb/debian/openssl] }", "whose a package is"),
        ("{ deny: [pkg:deb/a], allow: [pkg:deb/a] }", "both"),
        ("{ deny: [pkg:deb/a@1], required: [pkg:deb/a@1] }", "both"),
        ("{ required: [pkg:deb/a], withoutDatabase: pass }", "lacks"),
    ] {
        let (what, hint) = rule(text).check("r").expect_err(text);
        assert!(what.contains("\"r\"") && what.contains(says) && !hint.is_empty(), "{text}: {what}");
    }
    let full = "{ deny: [pkg:deb/a@1], allow: [pkg:deb/a, pkg:rpm/b], max: 0, withoutDatabase: pass }";
    assert_eq!(rule(full).check("r"), Ok(()));
    assert_eq!(rule("{ required: [pkg:apk/ca-certificates] }").check("r"), Ok(()));
    assert!(image().base.is_none());
}

const NAMES: [&str; 5] = ["bash", "curl", "openssl", "telnet", "zlib"];

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("pkg:deb/{name}")).collect::<Vec<_>>().join(", ")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn b13_denying_more_and_allowing_less_never_lets_more_through(
        there in proptest::sample::subsequence(NAMES.to_vec(), 0..=5),
        some in proptest::sample::subsequence(NAMES.to_vec(), 1..=5),
        more in proptest::sample::subsequence(NAMES.to_vec(), 0..=5),
    ) {
        let there: Vec<String> = there.iter().map(|name| format!("deb {name} 1")).collect();
        let there = contents(&there.iter().map(String::as_str).collect::<Vec<_>>());
        let both: Vec<&str> = some.iter().chain(&more).copied().collect();
        let passes = |text: String| codes(&about(&text, there.clone())).is_empty();
        let of = |key: &str, names: &[&str]| passes(format!("{{ {key}: [{}] }}", list(names)));
        prop_assert!(!of("deny", &both) || of("deny", &some));
        prop_assert!(!of("allow", &some) || of("allow", &both));
        prop_assert!(!of("required", &both) || of("required", &some));
        prop_assert!(!there.packages.is_empty() || !of("deny", &some), "no list never passes");
    }
}
