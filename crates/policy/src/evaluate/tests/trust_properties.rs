//! What holds of rules about signers whatever is attached to an image.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use model::{Facts, Outcome, Proof, Provenance, Reason, ReasonCode, SignedArtifact};
use proptest::prelude::*;

use crate::PolicySet;
use crate::scene::{
    SIGNERS, attached, by_identity, by_key, by_pipeline, hours, judge, material, now, proven, set, signature,
    signature_on, signed_rule, statement, unverified, without_key,
};

const TEST: &str = "https://in-toto.io/attestation/test-result/v0.1";
const SLSA: &str = "https://slsa.dev/provenance/v1";
const VSA: &str = "https://slsa.dev/verification_summary/v1";

/// What could not be had, and what is wrong; neither verifies.
const UNVERIFIED: [ReasonCode; 9] = [
    ReasonCode::SignatureInvalid,
    ReasonCode::SignatureOtherImage,
    ReasonCode::SignatureUnsupported,
    ReasonCode::SignatureUnknownKey,
    ReasonCode::SignatureLogUnknown,
    ReasonCode::RegistryNotFound,
    ReasonCode::RegistryTooLarge,
    ReasonCode::RegistryUnavailable,
    ReasonCode::Deadline,
];

fn is_available(code: ReasonCode) -> bool {
    !matches!(code, ReasonCode::RegistryUnavailable | ReasonCode::Deadline)
}

/// The rules that are tried, each over the signers of the scene.
const RULES: [&str; 10] = [
    "signatures: {}",
    "signatures: { of: [a] }",
    "signatures: { threshold: 2, of: [a, b, c] }",
    "signatures: { threshold: 3 }",
    "signatures: { threshold: 2, of: [a, b, ci], required: [ci] }",
    "signatures: { required: [a, c] }",
    "attestations: { type: \"https://in-toto.io/attestation/test-result/v0.1\", signers: [ci, c], conditions: [{ path: /result, equals: PASSED }] }",
    "attestations: { type: \"https://in-toto.io/attestation/test-result/v0.1\" }",
    "provenance: { signers: [ci, c], refs: [refs/heads/main], builders: [good] }",
    "vsa: { verifiers: [good], signers: [a, c] }",
];

/// Each rule with its policy, read once.
fn rules() -> impl Iterator<Item = (&'static str, &'static PolicySet)> {
    static SETS: LazyLock<Vec<PolicySet>> = LazyLock::new(|| RULES.into_iter().map(signed_rule).collect());
    RULES.into_iter().zip(SETS.iter())
}

fn proof() -> impl Strategy<Value = Proof> {
    let who = prop_oneof![
        prop_oneof!["a", "b", "c", "stranger"].prop_map(|key| by_key(&key)),
        Just(by_pipeline()),
        Just(by_identity("https://gitlab.com/evil/app", "https://gitlab.com")),
    ];
    (who, any::<bool>(), any::<bool>()).prop_map(|(proof, dated, expired)| {
        let proof = if dated { proven(proof, &[now() - hours(2)]) } else { proof };
        let expires = expired.then(|| now() - hours(1));
        Proof { expires, ..proof }
    })
}

fn provenance(builder: &str) -> Provenance {
    let source = model::SourceRevision {
        repository: "gitlab.com/acme/app".to_owned(),
        git_ref: Some("refs/heads/main".to_owned()),
        commit: None,
    };
    Provenance {
        predicate_type: SLSA.to_owned(),
        builder: builder.to_owned(),
        build_type: String::new(),
        source: Some(source),
        workflow: None,
        parameters: BTreeMap::new(),
        materials: Vec::new(),
        invocation: None,
        finished: None,
    }
}

fn failing() -> impl Strategy<Value = SignedArtifact> {
    (0..UNVERIFIED.len()).prop_map(|place| unverified(UNVERIFIED[place]))
}

fn genuine() -> impl Strategy<Value = SignedArtifact> {
    let built = (proof(), "good|bad").prop_map(|(proof, builder)| SignedArtifact {
        provenance: Some(Ok(provenance(&builder))),
        ..statement(SLSA, "{}", proof)
    });
    let unread = proof().prop_map(|proof| SignedArtifact {
        provenance: Some(Err(Reason::new(ReasonCode::AttestationInvalid, "cut off"))),
        ..statement(SLSA, "{}", proof)
    });
    let tested = (proof(), "PASSED|FAILED")
        .prop_map(|(proof, result)| statement(TEST, &format!("{{\"result\":\"{result}\"}}"), proof));
    let summed = (proof(), "PASSED|FAILED", 0..5_i64).prop_map(|(proof, result, ago)| {
        let image = crate::scene::ask().image;
        let at = now() - hours(ago);
        let predicate = format!(
            "{{\"verifier\":{{\"id\":\"good\"}},\"timeVerified\":\"{at}\",\"resourceUri\":\"{image}\",\"verificationResult\":\"{result}\"}}"
        );
        statement(VSA, &predicate, proof)
    });
    prop_oneof![
        4 => proof().prop_map(signature),
        1 => proof().prop_map(|proof| signature_on("other", proof)),
        2 => built,
        1 => unread,
        2 => tested,
        2 => summed,
    ]
}

fn artifacts() -> impl Strategy<Value = Vec<SignedArtifact>> {
    prop::collection::vec(prop_oneof![4 => genuine(), 1 => failing()], 0..7)
}

fn passes(set: &PolicySet, facts: &Facts) -> bool {
    matches!(judge(set, facts).rules.first().outcome, Outcome::Pass)
}

fn about(artifacts: &[SignedArtifact], whole: bool) -> Facts {
    let trust = if whole { material() } else { without_key("c") };
    Facts { trust: Some(trust), ..attached(artifacts.to_vec()) }
}

/// A rule that newer statements can break, so that more is not always better.
fn is_about_the_newest(rule: &str) -> bool {
    rule.starts_with("vsa")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s27_what_does_not_verify_never_makes_an_image_pass(
        artifacts in artifacts(), junk in prop::collection::vec(failing(), 1..4), whole: bool,
    ) {
        let more: Vec<_> = artifacts.iter().chain(&junk).cloned().collect();
        for (rule, set) in rules() {
            prop_assert!(passes(set, &about(&artifacts, whole)) || !passes(set, &about(&more, whole)), "{}", rule);
        }
        // Nothing else than junk never passes at all.
        for (rule, set) in rules() {
            prop_assert!(!passes(set, &about(&junk, whole)), "{}", rule);
        }
    }

    #[test]
    fn s27_taking_something_away_never_makes_an_image_pass(artifacts in artifacts(), at: prop::sample::Index, whole: bool) {
        prop_assume!(!artifacts.is_empty());
        let mut fewer = artifacts.clone();
        fewer.remove(at.index(artifacts.len()));
        for (rule, set) in rules().filter(|(rule, _)| !is_about_the_newest(rule)) {
            prop_assert!(passes(set, &about(&artifacts, whole)) || !passes(set, &about(&fewer, whole)), "{}", rule);
        }
    }

    #[test]
    fn s27_a_verification_summary_passes_only_by_itself(artifacts in artifacts(), whole: bool) {
        let is_vsa = |artifact: &&SignedArtifact| match artifact.verified.as_ref().map(model::Authentic::content) {
            Ok(model::Signed::Statement(statement)) => statement.predicate_type == VSA,
            _ => false,
        };
        let without: Vec<_> = artifacts.iter().filter(|artifact| !is_vsa(artifact)).cloned().collect();
        for (rule, set) in rules() {
            let both = [about(&artifacts, whole), about(&without, whole)];
            if is_about_the_newest(rule) {
                prop_assert!(!passes(set, &both[1]));
            } else {
                prop_assert_eq!(passes(set, &both[0]), passes(set, &both[1]), "{}", rule);
            }
        }
    }

    #[test]
    fn s27_the_revoked_never_make_an_image_pass(artifacts in artifacts(), whole: bool) {
        static REVOKED: LazyLock<Vec<PolicySet>> = LazyLock::new(|| {
            let signers =
                SIGNERS.replace(" }, ", ", revoked: true }, ").replace("\" } }", "\" }, revoked: true }");
            let policy = |rule| set(&format!("signers: {{ {signers} }}, rules: [{{ id: r, {rule} }}]"));
            RULES.into_iter().map(policy).collect()
        });
        for (rule, set) in RULES.into_iter().zip(REVOKED.iter()) {
            prop_assert!(!passes(set, &about(&artifacts, whole)), "{}", rule);
            // And what somebody who is revoked did not sign is missing, not unknown, whatever is out of reach.
            let outcome = judge(set, &about(&artifacts, whole)).rules.first().outcome.clone();
            prop_assert!(matches!(outcome, Outcome::Fail(_)), "{} {:?}", rule, outcome);
        }
    }

    #[test]
    fn s4_material_out_of_reach_never_makes_an_image_pass(artifacts in artifacts()) {
        for (rule, set) in rules() {
            prop_assert!(passes(set, &about(&artifacts, true)) || !passes(set, &about(&artifacts, false)), "{}", rule);
            let nothing = Facts { trust: None, ..about(&artifacts, true) };
            prop_assert!(!passes(set, &nothing), "{}", rule);
        }
    }

    #[test]
    fn s4_it_is_unknown_only_where_something_is_out_of_reach_or_unreadable(artifacts in artifacts()) {
        let in_reach: Vec<_> = artifacts
            .into_iter()
            .filter(|artifact| match &artifact.verified {
                Ok(_) => !matches!(artifact.provenance, Some(Err(_))),
                Err(reasons) => reasons.iter().all(|reason| is_available(reason.code)),
            })
            .collect();
        // A summary that was not read may be the newest, whatever kept it from being read.
        let unread = in_reach.iter().any(|artifact| {
            artifact.verified.as_ref().is_err_and(|reasons| reasons.iter().any(|reason| reason.code.class().is_some()))
        });
        for (rule, set) in rules().filter(|(rule, _)| !(unread && rule.starts_with("vsa"))) {
            let outcome = judge(set, &about(&in_reach, true)).rules.first().outcome.clone();
            prop_assert!(!matches!(outcome, Outcome::Unknown(..)), "{} {:?}", rule, outcome);
        }
    }

    #[test]
    fn b3_the_order_of_what_is_attached_changes_nothing(artifacts in artifacts(), whole: bool) {
        let backwards: Vec<_> = artifacts.iter().rev().cloned().collect();
        for (rule, set) in rules() {
            let [one, other] = [about(&artifacts, whole), about(&backwards, whole)].map(|facts| judge(set, &facts));
            prop_assert_eq!(one.verdict, other.verdict, "{}", rule);
            prop_assert_eq!(one.valid_until, other.valid_until, "{}", rule);
        }
    }

    #[test]
    fn s27_k_of_n_counts_different_holders(
        held in prop::collection::vec((0..4_usize, 0..3_usize), 0..8), threshold in 1..5_usize,
    ) {
        // Four names, each an identity pattern that some of three holders meet.
        let holders = |name: usize| held.iter().filter(move |(of, _)| *of == name).map(|(_, holder)| *holder);
        let signer = |name: usize| {
            let list: Vec<String> = holders(name).map(|holder| format!("h{holder}")).collect();
            let expression = if list.is_empty() { "nobody".to_owned() } else { list.join("|") };
            format!("n{name}: {{ keyless: {{ issuer: i, identity: {{ regex: \"{expression}\" }} }} }}")
        };
        let signers: Vec<String> = (0..4).map(signer).collect();
        let set = set(&format!(
            "signers: {{ {} }}, rules: [{{ id: r, signatures: {{ threshold: {} }} }}]", signers.join(", "), threshold.min(4)
        ));
        let facts = attached((0..3).map(|holder| signature(by_identity(&format!("h{holder}"), "i"))).collect());
        // Every way to give each holder to at most one name.
        let mut most = 0;
        for choice in 0..5_usize.pow(3) {
            let given = [choice % 5, choice / 5 % 5, choice / 25 % 5];
            let fits = |holder: usize| given[holder] < 4 && holders(given[holder]).any(|of| of == holder);
            let names: std::collections::BTreeSet<_> = (0..3).filter(|holder| fits(*holder)).map(|holder| given[holder]).collect();
            most = most.max(names.len());
        }
        prop_assert_eq!(passes(&set, &facts), most >= threshold.min(4));
    }
}
