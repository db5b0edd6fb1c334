//! Provenance: every list, every missing field, and whose word it is.

use std::collections::BTreeMap;

use model::{Facts, Proof, Provenance, Reason, ReasonCode, SignedArtifact, SourceRevision, UnknownClass, Verdict};

use crate::scene::{
    attached, by_key, by_pipeline, class, codes, judge, messages, signed_rule, statement, unverified, without_key,
};

const SLSA: &str = "https://slsa.dev/provenance/v1";

fn good() -> Provenance {
    Provenance {
        predicate_type: SLSA.to_owned(),
        builder: "https://github.com/actions/runner/github-hosted".to_owned(),
        build_type: "https://actions.github.io/buildtypes/workflow/v1".to_owned(),
        source: Some(SourceRevision {
            repository: "github.com/acme/app".to_owned(),
            git_ref: Some("refs/heads/main".to_owned()),
            commit: Some("c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00".to_owned()),
        }),
        workflow: Some(".github/workflows/release.yml".to_owned()),
        parameters: BTreeMap::from([("inputs/version".to_owned(), "1.2.3".to_owned())]),
        materials: Vec::new(),
        invocation: None,
        finished: None,
    }
}

fn of(provenance: Result<Provenance, Reason>, proof: Proof) -> SignedArtifact {
    SignedArtifact { provenance: Some(provenance), ..statement(SLSA, "{}", proof) }
}

fn built(provenance: Provenance) -> Facts {
    attached(vec![of(Ok(provenance), by_pipeline())])
}

fn rule(more: &str) -> crate::PolicySet {
    signed_rule(&format!("provenance: {{ signers: [ci]{more} }}"))
}

const ALL: &str = ", builders: [\"https://github.com/actions/runner/*\"], \
    buildTypes: [\"https://actions.github.io/buildtypes/workflow/v1\"], sources: [\"git+https://github.com/acme/app.git\"], \
    refs: [refs/heads/main], commits: [{ regex: \"[0-9a-f]{40}\" }], workflows: [.github/workflows/*], \
    parameters: { inputs/version: \"1.*\" }";

#[test]
fn s27_provenance_by_a_signer_that_counts_passes() {
    assert_eq!(judge(&rule(""), &built(good())).verdict, Verdict::Allow);
    assert_eq!(judge(&rule(ALL), &built(good())).verdict, Verdict::Allow);
    assert_eq!(judge(&signed_rule("provenance: {}"), &built(good())).verdict, Verdict::Allow);
}

#[test]
fn s27_each_thing_that_is_another_one_has_a_reason_of_its_own() {
    let source = |change: fn(&mut SourceRevision)| {
        let mut provenance = good();
        provenance.source.as_mut().map(change);
        provenance
    };
    for (provenance, code) in [
        (Provenance { builder: "https://github.com/actions/runner/self-hosted/x".to_owned(), ..good() }, "builder"),
        (Provenance { builder: String::new(), ..good() }, "builder"),
        (
            Provenance { build_type: "https://actions.github.io/buildtypes/workflow/v2".to_owned(), ..good() },
            "buildType",
        ),
        (source(|source| source.repository = "github.com/acme/app-x".to_owned()), "source"),
        (source(|source| source.repository = "github.com/acme/ap".to_owned()), "source"),
        (source(|source| source.repository = "github.com/evil/acme/app".to_owned()), "source"),
        (source(|source| source.git_ref = Some("refs/heads/main-2".to_owned())), "ref"),
        (source(|source| source.git_ref = Some("refs/tags/main".to_owned())), "ref"),
        (source(|source| source.git_ref = None), "ref"),
        (source(|source| source.commit = Some("c0ffee".to_owned())), "commit"),
        (source(|source| source.commit = None), "commit"),
        (Provenance { workflow: Some(".github/workflows/a/b.yml".to_owned()), ..good() }, "workflow"),
        (Provenance { workflow: None, ..good() }, "workflow"),
        (Provenance { parameters: BTreeMap::new(), ..good() }, "parameters"),
        (
            Provenance { parameters: BTreeMap::from([("inputs/version".to_owned(), "2.0".to_owned())]), ..good() },
            "parameters",
        ),
    ] {
        let judgement = judge(&rule(ALL), &built(provenance.clone()));
        assert_eq!(codes(&judgement), [format!("provenance.{code}")], "{provenance:?}");
        assert_eq!(judge(&rule(""), &built(provenance)).verdict, Verdict::Allow, "a key that is left out asks nothing");
    }
    // What is not said meets nothing, not even a pattern for any text.
    let unsaid = built(Provenance { builder: String::new(), build_type: String::new(), ..good() });
    let any = rule(", builders: [\"**\"], buildTypes: [\"**\"]");
    assert_eq!(codes(&judge(&any, &unsaid)), ["provenance.builder", "provenance.buildType"]);
    let nowhere = judge(&rule(ALL), &built(Provenance { source: None, ..good() }));
    assert_eq!(codes(&nowhere), ["provenance.source", "provenance.ref", "provenance.commit"]);
}

#[test]
fn s27_near_misses_are_other_sources() {
    let example = |repository: &str| {
        let source = Some(SourceRevision { repository: repository.to_owned(), git_ref: None, commit: None });
        built(Provenance { source, ..good() })
    };
    let set = rule(", sources: [\"https://github.com/slsa-framework/example-package\"]");
    assert_eq!(judge(&set, &example("github.com/slsa-framework/example-package")).verdict, Verdict::Allow);
    for other in ["github.com/slsa-framework/example-package-x", "github.com/slsa-framework/example-packag"] {
        assert_eq!(codes(&judge(&set, &example(other))), ["provenance.source"], "{other}");
    }
}

#[test]
fn s4_missing_provenance_is_a_failure() {
    assert_eq!(codes(&judge(&rule(""), &attached(vec![]))), ["provenance.missing"]);
    // A statement of the type that nobody read is none.
    let unread = attached(vec![statement(SLSA, "{}", by_pipeline())]);
    assert_eq!(codes(&judge(&rule(""), &unread)), ["provenance.missing"]);
    let broken = attached(vec![unverified(ReasonCode::SignatureInvalid)]);
    assert_eq!(codes(&judge(&rule(""), &broken)), ["provenance.missing", "signature.invalid"]);
}

#[test]
fn s22_anybody_elses_provenance_is_named_and_does_not_count() {
    let judgement = judge(&rule(ALL), &attached(vec![of(Ok(good()), by_key("a"))]));
    assert_eq!(codes(&judgement), ["provenance.missing", "signature.identity"]);
    assert!(messages(&judgement).contains("does not count"), "{}", messages(&judgement));
}

#[test]
fn s27_one_that_says_everything_is_enough() {
    let other = Provenance { builder: "elsewhere".to_owned(), ..good() };
    let both = attached(vec![of(Ok(other.clone()), by_pipeline()), of(Ok(good()), by_pipeline())]);
    let judgement = judge(&rule(ALL), &both);
    assert_eq!(judgement.verdict, Verdict::Allow);
    assert!(judgement.rules.first().notes[0].contains("1 more do not"));
    // The parts do not add up.
    let half = Provenance { workflow: None, ..good() };
    let judgement = judge(&rule(ALL), &attached(vec![of(Ok(other), by_pipeline()), of(Ok(half), by_pipeline())]));
    assert_eq!(codes(&judgement), ["provenance.builder", "provenance.workflow"]);
}

#[test]
fn s4_provenance_that_cannot_be_read_or_told_is_unknown() {
    let invalid = || Err(Reason::new(ReasonCode::AttestationInvalid, "buildDefinition is missing"));
    let judgement = judge(&rule(""), &attached(vec![of(invalid(), by_pipeline())]));
    assert_eq!((class(&judgement), codes(&judgement)), (UnknownClass::EvidenceInvalid, vec!["attestation.invalid"]));
    let beside = attached(vec![of(invalid(), by_pipeline()), of(Ok(good()), by_pipeline())]);
    assert_eq!(judge(&rule(""), &beside).verdict, Verdict::Allow);
    // By somebody who does not count it is only noise.
    let judgement = judge(&rule(""), &attached(vec![of(invalid(), by_key("a"))]));
    assert_eq!(codes(&judgement), ["provenance.missing", "signature.identity"]);
    let by_c = signed_rule("provenance: { signers: [c], refs: [refs/heads/main] }");
    let without_c =
        |provenance| Facts { trust: Some(without_key("c")), ..attached(vec![of(Ok(provenance), by_key("c"))]) };
    assert_eq!(class(&judge(&by_c, &without_c(good()))), UnknownClass::TrustUnavailable);
    let judgement = judge(&by_c, &without_c(Provenance { source: None, ..good() }));
    assert_eq!(codes(&judgement), ["provenance.missing", "provenance.ref"]);
}
