//! k of n signers: who is missing, who counts once, what is not known, and on which manifests.

use model::{Facts, NonEmpty, Outcome, Proof, Reason, ReasonCode, Signal, SignedArtifact, UnknownClass, Verdict};

use crate::Exceptions;
use crate::scene::{
    about, ask, attached, by_identity, by_key, by_pipeline, class, codes, exceptions, holding, judge, judge_with,
    material, messages, now, set, signature, signature_on, signed_rule, statement, time, unverified, without_key,
};

fn verdict(rule: &str, facts: &Facts) -> Verdict {
    judge(&signed_rule(&format!("signatures: {{ {rule} }}")), facts).verdict
}

fn by(keys: &[&str]) -> Facts {
    attached(keys.iter().map(|key| signature(by_key(key))).collect())
}

fn notes(rule: &str, facts: &Facts) -> String {
    judge(&signed_rule(&format!("signatures: {{ {rule} }}")), facts).rules.first().notes.join("\n")
}

#[test]
fn s27_enough_signers_pass_and_too_few_fail() {
    for (rule, keys, expected) in [
        ("of: [a]", &["a"][..], Verdict::Allow),
        ("of: [a, b]", &["b"], Verdict::Allow),
        ("", &["c"], Verdict::Allow),
        ("of: [a]", &["b"], Verdict::Deny),
        ("of: [a]", &[], Verdict::Deny),
        ("threshold: 2, of: [a, b, c]", &["a", "c"], Verdict::Allow),
        ("threshold: 2, of: [a, b, c]", &["a", "a"], Verdict::Deny),
        ("threshold: 2, of: [a, b]", &["a"], Verdict::Deny),
        ("threshold: 2, of: [a, b, c], required: [b]", &["a", "c"], Verdict::Deny),
        ("threshold: 2, of: [a, b, c], required: [b]", &["b", "c"], Verdict::Allow),
        ("required: [a, b]", &["a", "b"], Verdict::Allow),
        ("required: [a, b]", &["a", "c"], Verdict::Deny),
        ("threshold: 3, of: [a, b, c], required: [b]", &["a", "b", "c"], Verdict::Allow),
    ] {
        assert_eq!(verdict(rule, &by(keys)), expected, "{rule} {keys:?}");
    }
    let both = attached(vec![signature(by_key("a")), signature(by_pipeline())]);
    assert_eq!(verdict("threshold: 2, of: [a, ci]", &both), Verdict::Allow);
}

#[test]
fn s4_a_missing_signature_is_a_failure_and_names_who_is_missing() {
    let set = signed_rule("signatures: { threshold: 2, of: [a, b, c] }");
    let none = judge(&set, &by(&[]));
    assert_eq!(codes(&none), ["signature.missing"]);
    assert!(messages(&none).contains("2 of a, b, c"), "{}", messages(&none));
    let one = judge(&set, &by(&["b"]));
    assert_eq!(codes(&one), ["signature.threshold"]);
    assert!(messages(&one).contains("b signed") && messages(&one).contains("missing: a, c"), "{}", messages(&one));
    // The source was asked and has none.
    let mut facts = by(&[]);
    facts.root.signed = Signal::Absent(Reason::new(ReasonCode::SignatureMissing, "there is none"));
    assert_eq!(codes(&judge(&set, &facts)), ["signature.missing"]);
}

#[test]
fn s27_one_key_under_two_names_is_one_signer() {
    let text = "signers: { a: { key: a.pub }, b: { key: copy-of-a.pub }, c: { key: c.pub } }, \
                rules: [{ id: r, signatures: { threshold: 2 } }]";
    let set = set(text);
    let mut facts = by(&["a", "a"]);
    let keys = &mut facts.trust.as_mut().unwrap().keys;
    for digest in keys.values_mut() {
        *digest = Ok(model::Digest::of(b"a"));
    }
    let judgement = judge(&set, &facts);
    assert_eq!(codes(&judgement), ["signature.threshold"]);
    assert!(messages(&judgement).contains("are 1 different signers"), "{}", messages(&judgement));
    // The same for an identity that two patterns meet.
    let keyless = |identity: &str| format!("keyless: {{ issuer: \"**\", identity: \"{identity}\" }}");
    let (one, two) = (keyless("https://gitlab.com/**"), keyless("**/app//**"));
    let text =
        format!("signers: {{ x: {{ {one} }}, y: {{ {two} }} }}, rules: [{{ id: r, signatures: {{ threshold: 2 }} }}]");
    let set = crate::scene::set(&text);
    let twice = vec![signature(by_pipeline()), signature(by_pipeline())];
    assert_eq!(judge(&set, &attached(twice)).verdict, Verdict::Deny);
    let other = by_identity("https://gitlab.com/acme/other//.gitlab-ci.yml@refs/heads/main", "https://gitlab.com");
    // x is met by both, y by the first alone: they are two, whatever the order.
    for artifacts in [[by_pipeline(), other.clone()], [other, by_pipeline()]] {
        let facts = attached(artifacts.into_iter().map(signature).collect());
        assert_eq!(judge(&set, &facts).verdict, Verdict::Allow);
    }
}

#[test]
fn s27_what_does_not_verify_is_named_and_does_not_count() {
    for code in [
        ReasonCode::SignatureInvalid,
        ReasonCode::SignatureOtherImage,
        ReasonCode::SignatureMalformed,
        ReasonCode::SignatureUnsupported,
        ReasonCode::SignatureUnknownKey,
        ReasonCode::SignatureUntrusted,
        ReasonCode::SignatureLogInvalid,
        ReasonCode::RegistryNotFound,
        ReasonCode::RegistryTooLarge,
        ReasonCode::RegistryMalformed,
    ] {
        let judgement = judge(&signed_rule("signatures: { of: [a] }"), &attached(vec![unverified(code)]));
        assert_eq!(codes(&judgement), ["signature.missing", code.as_str()]);
        assert!(messages(&judgement).contains("does not count: it does not verify"), "{}", messages(&judgement));
        let beside = attached(vec![unverified(code), signature(by_key("a"))]);
        assert_eq!(verdict("of: [a]", &beside), Verdict::Allow);
        assert!(notes("of: [a]", &beside).contains("it does not verify"));
    }
    let many = (0..30).map(|_| unverified(ReasonCode::SignatureInvalid)).collect();
    let judgement = judge(&signed_rule("signatures: {}"), &attached(many));
    assert_eq!(judgement.reasons().len(), 11);
    assert_eq!(judgement.rules.first().notes, ["20 more do not count"]);
}

#[test]
fn s27_why_a_genuine_signature_does_not_count_is_said() {
    let judgement = judge(&signed_rule("signatures: { of: [a, b] }"), &by(&["c"]));
    assert_eq!(codes(&judgement), ["signature.missing", "signature.identity"]);
    assert!(messages(&judgement).contains("is none of a, b"), "{}", messages(&judgement));
    let revoked = set("signers: { a: { key: a.pub, revoked: true }, b: { key: b.pub } }, \
                       rules: [{ id: r, signatures: {} }]");
    assert_eq!(codes(&judge(&revoked, &by(&["a"]))), ["signature.missing", "signature.revoked"]);
}

#[test]
fn s27_a_statement_is_no_signature() {
    let vsa = "https://slsa.dev/verification_summary/v1";
    for kind in ["https://slsa.dev/provenance/v1", vsa] {
        let judgement = judge(&signed_rule("signatures: {}"), &attached(vec![statement(kind, "{}", by_key("a"))]));
        assert_eq!(codes(&judgement), ["signature.missing"]);
        assert!(messages(&judgement).contains("a signed statement is attached"), "{}", messages(&judgement));
    }
}

#[test]
fn s1_a_signature_for_another_digest_does_not_count_here() {
    let facts = attached(vec![signature_on("other", by_key("a"))]);
    assert_eq!(codes(&judge(&signed_rule("signatures: {}"), &facts)), ["signature.missing", "signature.otherImage"]);
}

#[test]
fn s4_a_listing_that_could_not_be_had_is_unknown_by_its_class() {
    for (code, class_is) in [
        (ReasonCode::RegistryUnavailable, UnknownClass::RegistryUnavailable),
        (ReasonCode::RegistryAccessDenied, UnknownClass::AccessDenied),
        (ReasonCode::RegistryThrottled, UnknownClass::Throttled),
        (ReasonCode::RegistryReferrersCut, UnknownClass::RegistryUnavailable),
        (ReasonCode::TrustRootInvalid, UnknownClass::TrustUnavailable),
        (ReasonCode::NotCollected, UnknownClass::Internal),
    ] {
        let mut facts = by(&["a"]);
        let last = match std::mem::replace(&mut facts.root.signed, Signal::Absent(Reason::new(code, ""))) {
            Signal::Present(observed) => Some(Box::new(observed)),
            _ => None,
        };
        for signal in [
            Signal::Unavailable { why: Reason::new(code, "no"), last },
            Signal::Failed(Reason::new(code, "no")),
            Signal::NotCollected(Reason::new(code, "no")),
            Signal::Absent(Reason::new(code, "no")),
        ] {
            facts.root.signed = signal;
            let judgement = judge(&signed_rule("signatures: {}"), &facts);
            assert_eq!((class(&judgement), judgement.verdict), (class_is, Verdict::Deny));
        }
    }
}

#[test]
fn s4_a_key_that_could_not_be_had_is_unknown_only_where_it_could_make_up_for_what_is_missing() {
    let stranger = || unverified(ReasonCode::SignatureUnknownKey);
    let without_c = |artifacts: Vec<SignedArtifact>| Facts { trust: Some(without_key("c")), ..attached(artifacts) };
    let outcome = |rule: &str, facts: &Facts| {
        let judgement = judge(&signed_rule(&format!("signatures: {{ {rule} }}")), facts);
        let first = codes(&judgement).first().copied().map(str::to_owned);
        match &judgement.rules.first().outcome {
            Outcome::Pass => ("pass", None, first),
            Outcome::Fail(_) => ("fail", None, first),
            Outcome::Unknown(class, _) => ("unknown", Some(*class), first),
        }
    };
    let trust = Some(UnknownClass::TrustUnavailable);
    let (a, b) = (|| signature(by_key("a")), || signature(by_key("b")));
    // There is something that could be by c.
    assert_eq!(outcome("of: [c]", &without_c(vec![stranger()])).1, trust);
    assert_eq!(outcome("threshold: 2, of: [a, c]", &without_c(vec![a(), stranger()])).1, trust);
    assert_eq!(outcome("threshold: 2, of: [a, c], required: [c]", &without_c(vec![a(), stranger()])).1, trust);
    let keys = outcome("threshold: 2, of: [a, b, c]", &without_c(vec![a(), stranger()]));
    assert_eq!(keys, ("unknown", trust, Some("trust.keyUnavailable".to_owned())));
    // Enough signed without it.
    assert_eq!(outcome("of: [a, c]", &without_c(vec![a(), stranger()])).0, "pass");
    assert_eq!(outcome("threshold: 2, of: [a, b, c]", &without_c(vec![a(), b(), stranger()])).0, "pass");
    // With it there would be too few all the same, or another one is required.
    assert_eq!(outcome("threshold: 3, of: [a, b, c]", &without_c(vec![a(), stranger()])).0, "fail");
    assert_eq!(outcome("of: [a, c], required: [a]", &without_c(vec![stranger()])).0, "fail");
    // Nothing is there that could be by it. (A key that is known under another name could be the same one.)
    assert_eq!(outcome("of: [c]", &without_c(vec![])).2.as_deref(), Some("signature.missing"));
    assert_eq!(outcome("of: [a, c]", &without_c(vec![signature(by_pipeline())])).0, "fail");
    assert_eq!(outcome("of: [a, c]", &without_c(vec![b()])).0, "unknown");
    assert_eq!(outcome("of: [a]", &without_c(vec![stranger()])).0, "fail");
    // One artifact is not two signatures.
    let mut neither = without_c(vec![stranger()]);
    neither.trust.as_mut().unwrap().keys.clear();
    assert_eq!(outcome("threshold: 2, of: [b, c]", &neither).0, "fail");
    assert_eq!(outcome("of: [b, c]", &neither).0, "unknown");
}

#[test]
fn s4_an_envelope_that_could_not_be_fetched_is_not_absent() {
    let unfetched = || unverified(ReasonCode::RegistryUnavailable);
    let set = signed_rule("signatures: { of: [a] }");
    assert_eq!(class(&judge(&set, &attached(vec![unfetched()]))), UnknownClass::RegistryUnavailable);
    assert_eq!(judge(&set, &attached(vec![unfetched(), signature(by_key("a"))])).verdict, Verdict::Allow);
    // Whatever it is, a revoked signer made nothing that counts.
    let revoked =
        crate::scene::set("signers: { a: { key: a.pub, revoked: true } }, rules: [{ id: r, signatures: {} }]");
    assert_eq!(codes(&judge(&revoked, &attached(vec![unfetched()])))[0], "signature.missing");
}

#[test]
fn s3_the_action_and_on_unknown_decide_what_it_means() {
    let spec = |more: &str| {
        set(&format!("signers: {{ a: {{ key: a.pub }} }}, {more}, rules: [{{ id: r, signatures: {{}} }}]"))
    };
    let unavailable = attached(vec![unverified(ReasonCode::RegistryUnavailable)]);
    assert_eq!(judge(&spec("onUnknown: { registryUnavailable: warn }"), &unavailable).verdict, Verdict::Warn);
    assert_eq!(judge(&spec("onUnknown: { default: warn }"), &by(&[])).verdict, Verdict::Deny, "missing is no unknown");
    assert_eq!(judge(&spec("action: warn"), &by(&[])).verdict, Verdict::Warn);
}

#[test]
fn s27_the_rule_says_which_manifests_have_to_be_signed() {
    let child = |name: &str, signed: bool| {
        let artifacts = if signed { vec![signature_on(name, by_key("a"))] } else { Vec::new() };
        ("linux/".to_owned() + name, holding(name, artifacts))
    };
    let index = |root: bool, amd64: bool, arm64: bool| {
        let artifacts = if root { vec![signature(by_key("a"))] } else { Vec::new() };
        let children = [child("amd64", amd64), child("arm64", arm64)];
        let children = children.into_iter().map(|(platform, facts)| (platform.parse().unwrap(), facts)).collect();
        let trust = Some(material());
        Facts { platforms: NonEmpty::new(children), trust, ..about(holding("image", artifacts)) }
    };
    for (on, root, amd64, arm64, passes) in [
        ("index", true, false, false, true),
        ("index", false, true, true, false),
        ("platforms", true, false, true, false),
        ("platforms", false, true, true, true),
        ("all", true, true, true, true),
        ("all", false, true, true, false),
        ("all", true, true, false, false),
    ] {
        let passed = verdict(&format!("on: {on}"), &index(root, amd64, arm64)) == Verdict::Allow;
        assert_eq!(passed, passes, "{on} {root} {amd64} {arm64}");
        // The default is the digest that is asked about.
        assert_eq!(verdict("", &index(root, amd64, arm64)) == Verdict::Allow, root);
        // An image that is no index is both at once.
        assert_eq!(verdict(&format!("on: {on}"), &by(&["a"])), Verdict::Allow);
    }
    let judgement = judge(&signed_rule("signatures: { on: platforms }"), &index(true, true, false));
    assert!(messages(&judgement).starts_with("linux/arm64: no signature counts"), "{}", messages(&judgement));
    // A platform that the policy names and the index lacks is unknown there, and no matter for the index itself.
    let named = |on: &str| {
        set(&format!(
            "match: {{ platforms: [linux/s390x] }}, signers: {{ a: {{ key: a.pub }} }}, \
             rules: [{{ id: r, signatures: {{ on: {on} }} }}]"
        ))
    };
    assert_eq!(judge(&named("index"), &index(true, false, false)).verdict, Verdict::Allow);
    for on in ["platforms", "all"] {
        assert_eq!(class(&judge(&named(on), &index(true, true, true))), UnknownClass::NotFound);
    }
}

#[test]
fn s8_a_judgement_ends_with_the_window_it_was_made_in() {
    let set = set("signers: { a: { key: a.pub, notAfter: 2026-04-01T00:00:00Z } }, rules: [{ id: r, signatures: {} }]");
    let facts = by(&["a"]);
    let judgement = judge(&set, &facts);
    let end = time("2026-04-01T00:00:00Z");
    assert_eq!((judgement.verdict, judgement.valid_until), (Verdict::Allow, Some(end)));
    let then = crate::evaluate(&set, &ask(), &facts, &Exceptions::none(), end);
    assert_eq!((then.verdict, codes(&then)[1]), (Verdict::Deny, "signature.window"));
    // The earliest of all moments is the end.
    let soon = now() + crate::scene::hours(1);
    let expiring = attached(vec![signature(Proof { expires: Some(soon), ..by_key("a") })]);
    let judgement = judge(&set, &expiring);
    assert!(judgement.verdict == Verdict::Allow && judgement.valid_until.unwrap() < soon + crate::scene::hours(1));
}

#[test]
fn s29_no_exception_waives_a_signature() {
    let wide = exceptions(&["id: e, cve: signature.missing, repository: \"**\", expires: 2026-03-20"]);
    assert_eq!(judge_with(&signed_rule("signatures: {}"), &by(&[]), &wide).verdict, Verdict::Deny);
}

#[test]
fn s4_what_a_stranger_attaches_does_not_turn_a_missing_signature_into_an_unknown_one() {
    let key = "onUnknown: { default: warn }, signers: { a: { key: a.pub } }, rules: [{ id: r, signatures: {} }]";
    // Everything that a verifier can say of an envelope, but for what kept it from being fetched.
    for code in ReasonCode::ALL.iter().filter(|code| {
        let name = code.as_str();
        name.starts_with("signature.") || name.starts_with("trust.root") || name.starts_with("attestation.")
    }) {
        let judgement = judge(&set(key), &attached(vec![unverified(*code)]));
        assert_eq!(judgement.verdict, Verdict::Deny, "{code}");
    }
    // For a keyless signer whose root is missing the same envelope could be the one that is asked for.
    let keyless = "signers: { k: { keyless: { issuer: i, identity: x } } }, rules: [{ id: r, signatures: {} }]";
    let mut facts = attached(vec![unverified(ReasonCode::TrustRootMissing)]);
    if let Some(trust) = &mut facts.trust {
        trust.roots.clear();
    }
    assert_eq!(class(&judge(&set(keyless), &facts)), UnknownClass::TrustUnavailable);
}
