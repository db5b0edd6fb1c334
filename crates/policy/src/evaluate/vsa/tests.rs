//! Verification summaries: whose, about what, how old, and that a newer FAILED wins.

use model::{Facts, ReasonCode, SignedArtifact, UnknownClass, Verdict};

use crate::document::VSA;
use crate::scene::{
    HOST, ask, ask_about, attached, by_key, class, codes, judge, messages, now, signed_rule, statement, time,
    unverified, without_key,
};
use crate::{Exceptions, PolicySet, evaluate};

const VERIFIER: &str = "https://gate.acme.example/ci";

fn resource() -> String {
    ask().image.to_string()
}

fn says(result: &str, at: &str, resource: &str) -> SignedArtifact {
    let predicate = format!(
        r#"{{"verifier":{{"id":"{VERIFIER}"}},"timeVerified":"{at}","resourceUri":"{resource}",
            "policy":{{"uri":"https://policies.acme.example/7"}},"verificationResult":"{result}","verifiedLevels":[]}}"#
    );
    statement(VSA, &predicate, by_key("a"))
}

fn passed(at: &str) -> SignedArtifact {
    says("PASSED", at, &resource())
}

fn rule(more: &str) -> PolicySet {
    signed_rule(&format!("vsa: {{ verifiers: [\"https://gate.acme.example/*\"], signers: [a]{more} }}"))
}

fn one(artifact: SignedArtifact) -> Facts {
    attached(vec![artifact])
}

#[test]
fn s26_a_summary_counts_through_its_own_rule() {
    assert_eq!(judge(&rule(""), &one(passed("2026-03-10T11:00:00Z"))).verdict, Verdict::Allow);
    let all = ", policy: \"https://policies.acme.example/**\", maxAge: 1d";
    assert_eq!(judge(&rule(all), &one(passed("2026-03-10T11:00:00Z"))).verdict, Verdict::Allow);
    assert_eq!(codes(&judge(&rule(""), &attached(vec![]))), ["attestation.missing"]);
}

#[test]
fn s26_a_newer_failed_wins_over_an_older_passed() {
    let failed = |at: &str| says("FAILED", at, &resource());
    let (older, newer) = ("2026-03-10T10:00:00Z", "2026-03-10T11:00:00Z");
    for (artifacts, verdict) in [
        (vec![passed(older), failed(newer)], Verdict::Deny),
        (vec![failed(newer), passed(older)], Verdict::Deny),
        (vec![failed(older), passed(newer)], Verdict::Allow),
        (vec![passed(newer), failed(newer)], Verdict::Deny),
        (vec![failed("2026-03-11T00:00:00Z"), passed(newer)], Verdict::Deny),
        (vec![says("WARNED", newer, &resource())], Verdict::Deny),
        (vec![says("passed", newer, &resource())], Verdict::Deny),
    ] {
        let judgement = judge(&rule(""), &attached(artifacts));
        assert_eq!(judgement.verdict, verdict, "{}", messages(&judgement));
    }
    // Undated ones are as new as any; they never pass.
    let undated = |result: &str| {
        let predicate = format!(
            r#"{{"verifier":{{"id":"{VERIFIER}"}},"resourceUri":"{}","verificationResult":"{result}"}}"#,
            resource()
        );
        statement(VSA, &predicate, by_key("a"))
    };
    for artifacts in [vec![undated("PASSED")], vec![passed(newer), undated("FAILED")]] {
        assert_eq!(codes(&judge(&rule(""), &attached(artifacts))), ["attestation.condition"]);
    }
}

#[test]
fn s1_a_summary_about_another_repository_or_digest_does_not_count() {
    let image = ask();
    let (name, digest) = (image.name(), image.digest.clone());
    for (resource, passes) in [
        (name.clone(), true),
        (format!("{name}@{digest}"), true),
        (format!("oci://{name}@{digest}"), true),
        (format!("{name}:1.2@{digest}"), true),
        (format!("pkg:oci/app@{digest}?repository_url={name}"), true),
        (format!("{HOST}/team/app-x"), false),
        ("other.example/team/app".to_owned(), false),
        ("team/app".to_owned(), false),
        (format!("{name}@{}", model::Digest::of(b"other")), false),
        (format!("pkg:oci/app@{digest}"), false),
        (format!("pkg:oci/app@{digest}?repository_url={HOST}/team/other"), false),
        (format!("pkg:oci/app@{}?repository_url={name}", model::Digest::of(b"other")), false),
        (format!("evil.example/{name}"), false),
        ("not a reference".to_owned(), false),
    ] {
        let judgement = judge(&rule(""), &one(says("PASSED", "2026-03-10T11:00:00Z", &resource)));
        assert_eq!(judgement.verdict == Verdict::Allow, passes, "{resource}");
        if !passes {
            assert_eq!(codes(&judgement), ["attestation.missing", "attestation.condition"], "{resource}");
        }
    }
    // The question decides, and not the digest: the same image in another repository has no summary.
    let elsewhere = ask_about(&format!("{HOST}/other/app@{digest}"));
    let facts = one(passed("2026-03-10T11:00:00Z"));
    assert_eq!(evaluate(&rule(""), &elsewhere, &facts, &Exceptions::none(), now()).verdict, Verdict::Deny);
}

#[test]
fn s26_other_verifiers_policies_and_signers_do_not_count() {
    let facts = one(passed("2026-03-10T11:00:00Z"));
    for (rule, code) in [
        ("vsa: { verifiers: [\"https://gate.acme.example\"], signers: [a] }", "attestation.condition"),
        ("vsa: { verifiers: [\"**\"], signers: [b] }", "signature.identity"),
        ("vsa: { verifiers: [\"**\"], policy: \"https://policies.acme.example/8\" }", "attestation.condition"),
    ] {
        assert_eq!(codes(&judge(&signed_rule(rule), &facts)), ["attestation.missing", code], "{rule}");
    }
}

#[test]
fn s8_the_age_of_a_summary_is_judged_by_the_clock() {
    let judgement = judge(&rule(", maxAge: 1d"), &one(passed("2026-03-10T11:00:00Z")));
    assert_eq!((judgement.verdict, judgement.valid_until), (Verdict::Allow, Some(time("2026-03-11T11:00:00Z"))));
    for at in ["2026-03-09T12:00:00Z", "2026-03-10T12:00:01Z"] {
        assert_eq!(codes(&judge(&rule(", maxAge: 1d"), &one(passed(at)))), ["attestation.condition"], "{at}");
    }
    assert_eq!(judge(&rule(""), &one(passed("2020-01-01T00:00:00Z"))).verdict, Verdict::Allow);
}

#[test]
fn s4_what_cannot_be_read_could_be_a_newer_one() {
    let good = || passed("2026-03-10T11:00:00Z");
    for predicate in ["{", "{}", r#"{"verifier":{"id":"x"},"resourceUri":"x"}"#] {
        let facts = attached(vec![good(), statement(VSA, predicate, by_key("a"))]);
        assert_eq!(class(&judge(&rule(""), &facts)), UnknownClass::EvidenceInvalid, "{predicate}");
        // By anybody else it is noise.
        let facts = attached(vec![good(), statement(VSA, predicate, by_key("b"))]);
        assert_eq!(judge(&rule(""), &facts).verdict, Verdict::Allow);
    }
    let unfetched = attached(vec![good(), unverified(ReasonCode::RegistryUnavailable)]);
    assert_eq!(class(&judge(&rule(""), &unfetched)), UnknownClass::RegistryUnavailable);
    let both = signed_rule("vsa: { verifiers: [\"**\"], signers: [a, c] }");
    let hidden = vec![good(), unverified(ReasonCode::SignatureUnknownKey)];
    let facts = Facts { trust: Some(without_key("c")), ..attached(hidden.clone()) };
    assert_eq!(class(&judge(&both, &facts)), UnknownClass::TrustUnavailable);
    assert_eq!(judge(&both, &attached(hidden)).verdict, Verdict::Allow);
}

#[test]
fn s1_the_gates_own_summary_is_for_one_environment_and_until_it_ends() {
    let own = |environment: &str, until: &str| {
        let predicate = format!(
            r#"{{"verifier":{{"id":"{VERIFIER}"}},"timeVerified":"2026-03-10T11:00:00Z","resourceUri":"{}",
                "verificationResult":"PASSED","ecrGate_environment":{environment},"ecrGate_verdict":"warn",
                "ecrGate_validUntil":{until}}}"#,
            resource()
        );
        one(statement(VSA, &predicate, by_key("a")))
    };
    let judgement = judge(&rule(""), &own("\"production\"", "\"2026-03-10T13:00:00Z\""));
    assert_eq!((judgement.verdict, judgement.valid_until), (Verdict::Allow, Some(time("2026-03-10T13:00:00Z"))));
    assert!(judgement.rules.first().notes[0].contains("with a warning"));
    for environment in ["\"staging\"", "\"\"", "null", "7"] {
        let judgement = judge(&rule(""), &own(environment, "\"2026-03-10T13:00:00Z\""));
        assert_eq!(codes(&judgement), ["attestation.missing", "attestation.condition"], "{environment}");
    }
    let ended = judge(&rule(""), &own("\"production\"", "\"2026-03-10T12:00:00Z\""));
    assert_eq!(codes(&ended), ["attestation.condition"]);
    let unclear = judge(&rule(""), &own("\"production\"", "\"soon\""));
    assert_eq!(class(&unclear), UnknownClass::EvidenceInvalid);
}
