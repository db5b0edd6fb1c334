//! The base image: what the layers prove, what only a label says, and what could not be looked up.

use model::{BaseImage, Clock, ImageConfig, KnownBase, ManifestFacts, Reason, ReasonCode, Signal, SignedDuration};

use super::*;
use crate::evaluate::tests::image::{codes, digest, facts, image, messages, seen};
use crate::scene::{days, now, time};

fn rule(text: &str) -> Rule {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

const DEBIAN: &str = "docker.io/library/debian:12";

fn known(name: &str) -> KnownBase {
    KnownBase {
        digest: digest(&format!("{name} manifest")),
        index: Some(digest(&format!("{name} index"))),
        diff_ids: [1, 2].map(|n| digest(&format!("{name} {n}"))).to_vec(),
        created: Some(now() - days(30)),
    }
}

/// The base of [`image`].
fn today() -> KnownBase {
    known("base")
}

fn there(base: KnownBase) -> Signal<KnownBase> {
    Signal::Present(seen(base))
}

fn down() -> Signal<KnownBase> {
    Signal::Unavailable { why: Reason::new(ReasonCode::RegistryThrottled, "slow down"), last: None }
}

fn says(name: Option<&str>, on: Option<&str>) -> ImageConfig {
    let base = BaseImage { name: name.map(str::to_owned), digest: on.map(digest), said_by: "label".to_owned() };
    ImageConfig { base: Some(base), ..image() }
}

fn on(text: &str, config: ImageConfig, bases: &[(&str, Signal<KnownBase>)]) -> Found {
    let bases: Vec<_> = bases.iter().map(|(name, signal)| ((*name).to_owned(), signal.clone())).collect();
    judge(&rule(text), &facts(config), &bases, &Clock::at(now()))
}

const BASE: ReasonCode = ReasonCode::BaseImageBroken;
const UNPROVEN: ReasonCode = ReasonCode::ConfigInvalid;

#[test]
fn b16_the_layers_prove_the_base() {
    let rule = "{ approved: [\"debian:12\"], maxAge: 60d, current: true }";
    for claim in [image(), says(Some("debian:12"), Some("base index")), says(Some("alpine"), None)] {
        let found = on(rule, claim, &[(DEBIAN, there(today()))]);
        assert_eq!((codes(&found), found.notes.len()), (vec![], 0), "whatever the label says");
    }
    assert_eq!(codes(&on(rule, image(), &[(DEBIAN, there(known("other")))])), [BASE]);
    // All layers of the base, from the lowest on, and no others between.
    let chain = |ids: &[&str]| ImageConfig { diff_ids: ids.iter().map(|id| digest(id)).collect(), ..image() };
    for (ids, passes) in [
        (vec!["base 1", "base 2"], true),
        (vec!["base 1", "own 1", "base 2"], false),
        (vec!["own 1", "base 1", "base 2"], false),
        (vec!["base 1"], false),
        (vec![], false),
    ] {
        let found = on(rule, chain(&ids), &[(DEBIAN, there(today()))]);
        assert_eq!(found.failures.is_empty(), passes, "{ids:?}");
    }
    // One manifest for each platform may stand under the same name.
    assert_eq!(codes(&on(rule, image(), &[(DEBIAN, there(known("arm"))), (DEBIAN, there(today()))])), []);
    let empty = KnownBase { diff_ids: vec![], ..today() };
    assert_eq!(codes(&on(rule, image(), &[(DEBIAN, there(empty))])), [UNPROVEN], "no layers prove nothing");
}

#[test]
fn b16_a_base_that_could_not_be_looked_up_is_unknown_unless_another_one_matches() {
    let rule = "{ approved: [\"debian:12\", \"ubuntu:24.04\"] }";
    let ubuntu = "docker.io/library/ubuntu:24.04";
    let found = on(rule, image(), &[(DEBIAN, down()), (ubuntu, there(known("ubuntu")))]);
    assert_eq!((found.failures.len(), codes(&found)), (0, vec![ReasonCode::RegistryThrottled]));
    assert!(messages(&found).contains(DEBIAN));
    assert_eq!(codes(&on(rule, image(), &[(DEBIAN, there(today())), (ubuntu, down())])), []);
    assert_eq!(codes(&on(rule, image(), &[(DEBIAN, down()), (ubuntu, there(today()))])), []);
    assert_eq!(codes(&on(rule, image(), &[(ubuntu, there(known("ubuntu")))])), [ReasonCode::NotCollected]);
    assert_eq!(codes(&on(rule, image(), &[(DEBIAN, there(known("x"))), (ubuntu, there(known("y")))])), [BASE]);
    // A label does not help: the base that is named is the one that is down.
    let found = on(rule, says(Some("debian:12"), None), &[(DEBIAN, down()), (ubuntu, there(known("ubuntu")))]);
    assert_eq!(codes(&found), [ReasonCode::RegistryThrottled]);
}

#[test]
fn b16_a_label_that_the_layers_contradict_is_not_believed() {
    let rule = "{ approved: [\"debian:12\"] }";
    let other = [(DEBIAN, there(known("real")))];
    for claim in [
        says(Some("debian:12"), None),
        says(Some("docker.io/library/debian:12"), Some("real manifest")),
        says(Some("index.docker.io/library/debian:12"), Some("real index")),
    ] {
        let found = on(rule, claim, &other);
        assert_eq!(codes(&found), [BASE]);
        assert!(messages(&found).contains("says that it is built on docker.io/library/debian:12"), "{found:?}");
    }
    assert!(messages(&on(rule, says(Some("alpine:3"), None), &other)).contains("docker.io/library/alpine:3"));
    assert!(messages(&on(rule, image(), &other)).contains("names no base"));
    assert!(messages(&on(rule, says(None, Some("real manifest")), &other)).contains("gives no name"));
    assert!(messages(&on(rule, says(Some("not a NAME"), None), &other)).contains("gives no name"));
}

#[test]
fn b16_an_older_build_is_not_current_and_needs_proof() {
    let old = says(Some("debian:12"), Some("old manifest"));
    let pinned = format!("{DEBIAN}@{}", digest("old manifest"));
    let now_at = (DEBIAN, there(known("new")));
    let current = "{ approved: [\"debian:12\"], current: true }";
    let any = "{ approved: [\"debian:12\"] }";
    let young = "{ approved: [\"debian:12\"], maxAge: 30d }";
    assert_eq!(codes(&on(current, old.clone(), std::slice::from_ref(&now_at))), [BASE]);
    assert_eq!(codes(&on(any, old.clone(), std::slice::from_ref(&now_at))), [UNPROVEN], "only a label says so");
    // The older build was looked up as well.
    let proven = [now_at.clone(), (pinned.as_str(), there(today()))];
    let found = on(any, old.clone(), &proven);
    assert_eq!((codes(&found), found.notes.len()), (vec![], 1));
    assert_eq!(codes(&on(current, old.clone(), &proven)), [BASE]);
    assert_eq!(codes(&on(young, old.clone(), &proven)), [BASE], "30 days old");
    assert_eq!(codes(&on("{ approved: [\"debian:12\"], maxAge: 31d }", old.clone(), &proven)), []);
    let lie = [now_at.clone(), (pinned.as_str(), there(known("real old")))];
    assert_eq!(codes(&on(any, old.clone(), &lie)), [BASE]);
    let gone = [now_at, (pinned.as_str(), down())];
    assert_eq!(codes(&on(any, old.clone(), &gone)), [ReasonCode::RegistryThrottled]);
    assert_eq!(self::rule(any).claimed(&old), [DEBIAN.to_owned(), pinned], "what the engine can look up");
}

#[test]
fn b16_the_age_of_the_base_is_that_of_the_registry() {
    let rule = "{ approved: [\"debian:12\"], maxAge: 60d }";
    let aged = |created| {
        let clock = Clock::at(now());
        let bases = [(DEBIAN.to_owned(), there(KnownBase { created, ..today() }))];
        let found = judge(&self::rule(rule), &facts(image()), &bases, &clock);
        (codes(&found), clock.horizon())
    };
    let nano = SignedDuration::from_nanos(1);
    assert_eq!(aged(Some(now() - days(60) + nano)), (vec![], Some(now() + nano)));
    assert_eq!(aged(Some(now() - days(60))), (vec![BASE], None));
    assert_eq!(aged(None).0, [UNPROVEN]);
    assert_eq!(aged(Some(time("1970-01-01T00:00:00Z"))).0, [UNPROVEN]);
    assert_eq!(aged(Some(now() + days(1))).0, [UNPROVEN]);
    // Of several approved bases with the same layers, one that is young enough will do.
    let twice = "{ approved: [\"debian:12\", \"debian:bookworm\"], maxAge: 60d }";
    let stale = KnownBase { created: Some(now() - days(90)), ..today() };
    let bookworm = "docker.io/library/debian:bookworm";
    for bases in [
        [(DEBIAN, there(stale.clone())), (bookworm, there(today()))],
        [(DEBIAN, there(today())), (bookworm, there(stale))],
    ] {
        assert_eq!(codes(&on(twice, image(), &bases)), []);
    }
}

#[test]
fn b16_one_build_of_a_base_can_be_approved() {
    let text = format!("{DEBIAN}@{}", digest("base index"));
    let rule = format!("{{ approved: [\"debian:12@{}\"], current: true }}", digest("base index"));
    assert_eq!(self::rule(&rule).looked_up(), [text.as_str()]);
    assert_eq!(codes(&on(&rule, image(), &[(&text, there(today()))])), []);
    let lie = on(&rule, says(Some("debian:12"), Some("base index")), &[(&text, there(known("real")))]);
    assert_eq!(codes(&lie), [BASE]);
    let other = on(&rule, says(Some("debian:12"), Some("other")), &[(&text, there(known("real")))]);
    assert_eq!(codes(&other), [BASE]);
    assert!(messages(&other).contains("the policy approves"), "{other:?}");
    assert_eq!(codes(&on(&rule, says(Some("debian:12"), Some("base index")), &[])), [ReasonCode::NotCollected]);
}

#[test]
fn b16_a_pattern_approves_names_and_says_that_only_the_label_says_so() {
    let rule = "{ approved: [\"debian:12*\"] }";
    let slim = says(Some("debian:12-slim"), Some("base manifest"));
    let full = "docker.io/library/debian:12-slim";
    let found = on(rule, slim.clone(), &[]);
    assert_eq!((codes(&found), found.notes.len()), (vec![], 1));
    assert_eq!(codes(&on(rule, says(Some("debian:11"), None), &[])), [BASE]);
    assert_eq!(codes(&on(rule, image(), &[])), [BASE], "it names none");
    for strict in ["current: true", "maxAge: 60d"] {
        let found = on(&format!("{{ approved: [\"debian:12*\"], {strict} }}"), slim.clone(), &[]);
        assert_eq!((found.failures.len(), codes(&found)), (0, vec![UNPROVEN]), "{strict}");
    }
    // A name that was looked up has to agree.
    let parsed = self::rule("{ approved: [\"debian:12*\"] }");
    assert!(parsed.looked_up().is_empty());
    assert_eq!(parsed.claimed(&slim), [full.to_owned(), format!("{full}@{}", digest("base manifest"))]);
    assert!(parsed.claimed(&says(Some("alpine"), None)).is_empty());
    let strict = "{ approved: [\"debian:12*\"], current: true, maxAge: 60d }";
    let found = on(strict, slim.clone(), &[(full, there(today()))]);
    assert_eq!((codes(&found), found.notes.len()), (vec![], 0));
    assert_eq!(
        codes(&on(rule, slim.clone(), &[(full, there(known("real")))])),
        [UNPROVEN],
        "another build, not looked up"
    );
    assert_eq!(codes(&on(rule, says(Some("debian:12-slim"), None), &[(full, there(known("real")))])), [BASE]);
    assert_eq!(codes(&on(rule, slim, &[(full, down())])), [ReasonCode::RegistryThrottled]);
    for (pattern, name, approved) in [
        ("docker.io/library/*", "alpine", true),
        ("docker.io/library/*", "acme/alpine", false),
        ("acme/*:1", "acme/app:1", true),
        ("registry.acme.com/**", "registry.acme.com/a/b:1", true),
        ("registry.acme.com/**", "evil.com/registry.acme.com/a", false),
        ("**", "anything", true),
    ] {
        let found = on(&format!("{{ approved: [\"{pattern}\"] }}"), says(Some(name), None), &[]);
        assert_eq!(found.failures.is_empty(), approved, "{pattern} {name}");
    }
}

#[test]
fn b16_names_of_bases_are_completed_as_docker_does() {
    for (written, full) in [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:12", DEBIAN),
        ("docker.io/debian:12", DEBIAN),
        ("registry-1.docker.io/library/debian:12", DEBIAN),
        ("acme/app", "docker.io/acme/app:latest"),
        ("Registry.Acme.com/app:1", "registry.acme.com/app:1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("registry.acme.com:443/app:1", "registry.acme.com/app:1"),
        ("registry:443/app:1", "registry:443/app:1"),
    ] {
        let rule = rule(&format!("{{ approved: [\"{written}\"] }}"));
        assert_eq!(rule.looked_up(), [full], "{written}");
        assert_eq!(rule.claimed(&says(Some(written), None)), [full], "{written}");
    }
}

#[test]
fn b16_an_image_whose_base_cannot_be_told_is_unknown() {
    let bare = ManifestFacts::bare(digest("image"), None);
    let found = judge(&rule("{ approved: [debian] }"), &bare, &[], &Clock::at(now()));
    assert_eq!((found.failures.len(), codes(&found)), (0, vec![ReasonCode::NotCollected]));
}

#[test]
fn b16_documents_that_make_no_sense_are_refused() {
    for (text, says) in [
        ("{ maxAge: 3d }", "approved"),
        ("{ approved: [debian], maxAge: 90 }", "duration"),
        ("{ approved: [\"De:bian\"] }", "De:bian"),
        ("{ approved: [\"debian:*@sha256:0\"] }", "pattern"),
        ("{ approved: [\"debian@sha256:0\"] }", "digest"),
    ] {
        let error = serde_saphyr::from_str::<Rule>(text).expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    for text in ["{ approved: [] }", "{ approved: [debian], current: false }"] {
        let (what, hint) = rule(text).check("r").expect_err(text);
        assert!(what.contains("\"r\"") && !hint.is_empty(), "{text}: {what}");
    }
    assert_eq!(rule("{ approved: [\"debian:12*\"], maxAge: 60d, current: true }").check("r"), Ok(()));
}
