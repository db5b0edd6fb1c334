//! `match.labels`: a policy for the images that say something about themselves.

use std::collections::BTreeMap;

use model::{
    Digest, ImageConfig, ManifestFacts, NonEmpty, Observed, Origin, Outcome, Reason, ReasonCode, Signal, Verdict,
};

use crate::scene::{HOST, about, codes, judge, manifest, now, scan, sets};

fn configured(labels: &[(&str, &str)]) -> Signal<ImageConfig> {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let config = ImageConfig {
        id: Digest::of(b"config"),
        platform: "linux/amd64".parse().unwrap(),
        created: None,
        user: "1000".to_owned(),
        entrypoint: vec!["/app".to_owned()],
        command: Vec::new(),
        working_dir: String::new(),
        path: Vec::new(),
        variables: Vec::new(),
        ports: Vec::new(),
        labels,
        annotations: BTreeMap::new(),
        layers: Vec::new(),
        diff_ids: Vec::new(),
        secrets: Vec::new(),
        base: None,
    };
    Signal::Present(Observed {
        value: config,
        origin: Origin::Registry(HOST.to_owned()),
        at: now(),
        evidence: Digest::of(b"config"),
    })
}

fn image(name: &str, config: Signal<ImageConfig>) -> ManifestFacts {
    ManifestFacts { config, ..manifest(name, Signal::Present(scan(Vec::new()).observed())) }
}

const RULES: &str = "rules: [{ id: r, vulnerabilities: { max: { high: 0 } } }]";
const STRICT: &str = "match: { labels: { team: \"pay*\", tier: gold } }, rules: [{ id: fixed, config: { labels: { required: [owner] } } }]";

#[test]
fn b9_a_policy_for_labels_applies_where_all_of_them_are_there() {
    let set = sets(&[("base", RULES), ("payments", STRICT)]);
    for (labels, applies) in [
        (&[("team", "payments"), ("tier", "gold")][..], true),
        (&[("team", "payments")], false),
        (&[("team", "shop"), ("tier", "gold")], false),
        (&[("team", "pay/ments"), ("tier", "gold")], false),
        (&[], false),
    ] {
        let judgement = judge(&set, &about(image("image", configured(labels))));
        assert_eq!(judgement.inputs.policies.len(), if applies { 2 } else { 1 }, "{labels:?}");
        assert_eq!(judgement.verdict, if applies { Verdict::Deny } else { Verdict::Allow }, "{labels:?}");
    }
    assert!(set.needs(&crate::scene::ask()).config, "the labels are read to know");
}

#[test]
fn a5_labels_that_cannot_be_read_are_unknown_and_not_absent() {
    let set = sets(&[("base", RULES), ("payments", STRICT)]);
    let why = Reason::new(ReasonCode::RegistryUnavailable, "the registry is down");
    let judgement = judge(&set, &about(image("image", Signal::Unavailable { why, last: None })));
    assert_eq!(judgement.verdict, Verdict::Deny);
    assert_eq!(judgement.inputs.policies.len(), 2);
    let labels = judgement.rules.iter().find(|rule| rule.rule == "match.labels").unwrap();
    assert!(matches!(labels.outcome, Outcome::Unknown(model::UnknownClass::RegistryUnavailable, _)), "{labels:?}");
    // Alone it would otherwise be a policy that nobody matches, or one that passes.
    let alone = sets(&[("payments", "match: { labels: { team: pay } }, rules: [{ id: r, vulnerabilities: {} }]")]);
    let judgement =
        judge(&alone, &about(image("image", Signal::NotCollected(Reason::new(ReasonCode::NotCollected, "-")))));
    assert_eq!(judgement.verdict, Verdict::Deny);
}

#[test]
fn b9_one_platform_of_an_index_is_enough_to_be_meant() {
    let labelled = image("amd64", configured(&[("team", "pay"), ("tier", "gold")]));
    let plain = image("arm64", configured(&[]));
    let children = vec![("linux/amd64".parse().unwrap(), labelled), ("linux/arm64".parse().unwrap(), plain)];
    let facts = model::Facts { platforms: NonEmpty::new(children), ..crate::scene::heard(Vec::new()) };
    let judgement = judge(&sets(&[("base", RULES), ("payments", STRICT)]), &facts);
    assert_eq!(codes(&judgement), ["config.broken", "config.broken"], "and both platforms are judged");
}

#[test]
fn a1_empty_matches_are_refused() {
    for (matches, says) in [
        ("labels: {}", "`match.labels` is empty"),
        ("images: []", "`match.images` is empty"),
        ("images: [\"\"]", "empty pattern"),
        ("environments: []", "`match.environments` is empty"),
        ("images: [\"*/team/app:latest\"]", "names a tag or digest"),
    ] {
        let document = crate::scene::document("p", &format!("match: {{ {matches} }}, {RULES}"));
        let error = crate::PolicySet::from_documents(&[document]).unwrap_err();
        assert!(error.what.contains(says) && error.line == Some(4) && error.column.is_some(), "{matches}: {error:?}");
    }
}

#[test]
fn b9_a_label_does_not_hide_the_annotation_of_the_same_name() {
    let Signal::Present(mut config) = configured(&[("team", "shop"), ("tier", "gold")]) else { return };
    config.value.annotations.insert("team".to_owned(), "payments".to_owned());
    let judgement =
        judge(&sets(&[("base", RULES), ("payments", STRICT)]), &about(image("image", Signal::Present(config))));
    assert_eq!(judgement.inputs.policies.len(), 2);
}

#[test]
fn s3_unknown_labels_weigh_no_more_than_the_rules_they_are_for() {
    let why = Reason::new(ReasonCode::RegistryUnavailable, "the registry is down");
    let audited = sets(&[("base", RULES), ("audit", &format!("action: audit, {STRICT}"))]);
    let judgement = judge(&audited, &about(image("image", Signal::Unavailable { why, last: None })));
    assert_eq!(judgement.verdict, Verdict::Allow);
}

/// Labels that are not known are a reason of their own; they do not stand in for the rules of a policy, which have all ended.
#[test]
fn a5_unknown_labels_are_no_judgement_where_every_rule_has_ended() {
    let ended = sets(&[(
        "payments",
        "match: { labels: { team: pay } }, onUnknown: { default: warn }, \
         rules: [{ id: r, until: 2026-03-09, config: { labels: { required: [owner] } } }]",
    )]);
    let why = Reason::new(ReasonCode::RegistryUnavailable, "the registry is down");
    let judgement = judge(&ended, &about(image("image", Signal::Unavailable { why, last: None })));
    assert_eq!(judgement.verdict, Verdict::Deny, "{:?}", judgement.rules);
    assert!(codes(&judgement).contains(&"policy.noneMatched"), "{:?}", codes(&judgement));
    assert!(!judgement.complete);
}
