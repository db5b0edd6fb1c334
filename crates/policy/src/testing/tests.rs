//! Tests of policies: what is not given never passes, what is given is judged as if it had been collected, and every
//! difference is told.

mod files;
mod given;
mod signed;

use model::Outcome;

use super::*;
use crate::scene::document;
use crate::{DocumentError, Exceptions, PolicySet};

const IMAGE: &str = "image: \"registry.example.com/team/app:1\"";

/// A test file with these tests, a list in flow style.
fn text(tests: &str) -> String {
    format!(
        "apiVersion: ecr-gate.dev/v1\nkind: GatePolicyTest\nmetadata: {{ name: t }}\npolicies: [p.yaml]\ntests: [{tests}]\n"
    )
}

/// The outcomes of these tests of these policies; recorded facts are these bytes.
fn run(policies: &[(&str, &str)], tests: &str, recorded: Option<&[u8]>) -> Result<Vec<TestOutcome>, DocumentError> {
    let documents: Vec<(String, String)> = policies.iter().map(|(name, spec)| document(name, spec)).collect();
    let set = PolicySet::load(&documents, &|_, _, _| Ok(HOUSE.as_bytes().to_vec()))
        .unwrap_or_else(|error| panic!("{error} ({:?})", error.hint));
    let files: Vec<String> = documents.into_iter().map(|(file, _)| file).collect();
    let file = TestFile::parse("t.test.yaml", &text(tests))?;
    let tested = Tested { policies: &set, files: &files, exceptions: &Exceptions::none() };
    file.cases().map(|case| case.run(&tested, recorded.map(|bytes| ("f.json", bytes)))).collect()
}

/// What the rules of one policy find where this is given, beside the image.
fn rules(spec: &str, given: &str) -> Vec<(String, &'static str)> {
    judged(spec, given).unwrap_or_else(|error| panic!("{error} ({:?})\n{given}", error.hint))
}

fn judged(spec: &str, given: &str) -> Result<Vec<(String, &'static str)>, DocumentError> {
    let comma = if given.is_empty() { "" } else { "," };
    let test = format!("{{ name: a, given: {{ {IMAGE}{comma} {given} }}, expect: {{ verdict: deny }} }}");
    let outcomes = run(&[("p", spec)], &test, None)?;
    Ok(outcomes[0].judgement.rules.iter().map(|rule| (rule.rule.clone(), word(&rule.outcome))).collect())
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail(_) => "fail",
        Outcome::Unknown(..) => "unknown",
    }
}

/// What one rule finds.
#[track_caller]
fn finds(rule: &str, given: &str, expected: &str) {
    let found = rules(&format!("{SIGNERS}, rules: [{{ id: r, {rule} }}]"), given);
    assert_eq!(found, [("r".to_owned(), expected)], "{rule}\n{given}");
}

const SIGNERS: &str = "signers: { \
    key: { key: release.pub }, \
    old: { key: old.pub, notBefore: 2024-01-01, notAfter: 2025-06-30 }, \
    gone: { key: gone.pub, revoked: true }, \
    caught: { key: caught.pub, revoked: { at: \"2025-12-01T00:00:00Z\" } }, \
    logged: { key: \"awskms:///alias/l\", transparencyLog: required }, \
    ci: { keyless: { issuer: \"https://gitlab.com\", identity: \"https://gitlab.com/acme/**\", claims: { sourceRepositoryUri: \"https://gitlab.com/acme/*\" } } }, \
    regex: { keyless: { issuer: \"https://x\", identity: { regex: \"https://x/[ab]\" } } }, \
    store: { x509: { type: ca, certificates: [ca.pem], subjects: [\"C=US, O=acme\"], timestamp: required } } }";

/// One rule of each kind, with what is given for it to pass.
const KINDS: [(&str, &str, &str); 13] = [
    ("vulnerabilities", "max: { critical: 0 }", "scans: [{ scanner: ecr }]"),
    ("sbom", "from: [file]", "sboms: [{ format: spdx }]"),
    ("packages", "max: 1", "contents: { packages: [\"pkg:apk/alpine/musl@1\"] }"),
    ("config", "nonRoot: true", "config: { user: \"1000\" }"),
    ("baseImage", "approved: [\"debian:12\"]", "config: { layers: 3 }, bases: { \"debian:12\": { layers: 2 } }"),
    ("age", "max: 90d", "config: { built: 3d }"),
    ("registries", "allow: [\"ghcr.io/**\"]", ""),
    ("measurements", "from: [file], metric: m, max: 5", "measurements: [{ metric: m, samples: [4, \"5\"] }]"),
    ("signatures", "of: [key], threshold: 1", "signed: [{ by: key }]"),
    ("attestations", "type: \"https://t\", signers: [key]", "signed: [{ by: key, type: \"https://t\" }]"),
    (
        "provenance",
        "builders: [\"https://b\"], signers: [key]",
        "signed: [{ by: key, provenance: { builder: \"https://b\" } }]",
    ),
    (
        "vsa",
        "signers: [key], verifiers: [\"https://v\"]",
        "signed: [{ by: key, type: \"https://slsa.dev/verification_summary/v1\", predicate: { \
            verifier: { id: \"https://v\" }, timeVerified: \"2026-01-01T11:00:00Z\", verificationResult: PASSED, \
            resourceUri: registry.example.com/team/app } }]",
    ),
    (
        "rego",
        "file: house.rego, needs: [scans, config, sboms], sources: { accept: [ecr] }",
        "scans: [{ scanner: ecr }], config: { user: \"1000\" }, sboms: [{ format: spdx }]",
    ),
];

/// The policy of the `rego` rule: it finds nothing, whatever is known.
const HOUSE: &str = "package house\n\ndeny contains \"never\" if input.image.name == \"nobody\"\n";

#[test]
fn b10_nothing_given_passes_no_kind_of_rule() {
    let known: Vec<&str> = KINDS.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(known, crate::document::Rule::KINDS, "every kind of rule is tried");
    for (kind, rule, _) in KINDS {
        // A reference is always there; this one is not what the rule allows.
        let expected = if kind == "registries" { "fail" } else { "unknown" };
        finds(&format!("{kind}: {{ {rule} }}"), "", expected);
    }
}

#[test]
fn b10_each_kind_of_rule_passes_by_what_is_given_for_it_and_no_other_kind_does() {
    for (kind, _, given) in KINDS.iter().filter(|(kind, ..)| !["registries", "rego"].contains(kind)) {
        for (other, rule, _) in KINDS {
            let found = rules(&format!("{SIGNERS}, rules: [{{ id: r, {other}: {{ {rule} }} }}]"), given);
            let own = *kind == other || *kind == "baseImage" && other == "baseImage";
            assert_eq!(found[0].1 == "pass", own, "{other} by {given}: {found:?}");
        }
    }
    let spec = "rules: [{ id: r, registries: { allow: [\"registry.example.com/**\"] } }]";
    assert_eq!(rules(spec, "")[0].1, "pass");
    let (_, rego, given) = KINDS[12];
    assert_eq!(rules(&format!("rules: [{{ id: r, rego: {{ {rego} }} }}]"), given)[0].1, "pass");
}

#[test]
fn b10_facts_that_are_given_are_written_down_and_read_back_as_they_are() {
    use model::{EnvironmentClass, FactsDocument, RecordedFacts};
    let given: Vec<&str> = KINDS.iter().map(|(_, _, given)| *given).filter(|given| !given.is_empty()).collect();
    let spec = format!("{SIGNERS}, rules: [{{ id: r, config: {{ nonRoot: true }} }}]");
    let (name, policy) = document("p", &spec);
    let set = PolicySet::from_documents(&[(name.clone(), policy)]).unwrap();
    for given in given {
        let tests = format!("{{ name: a, given: {{ {IMAGE}, {given} }}, expect: {{ verdict: deny }} }}");
        let document: super::document::Document =
            crate::document::read_open_yaml("t", &text(&tests)).unwrap_or_else(|error| panic!("{error}"));
        let at = make::At::given(0);
        let now = crate::scene::now();
        let files = [name.clone()];
        let given = document.tests[0].given.as_ref().unwrap();
        let (ask, facts) = make::facts(given, "production", now, &set, &files, &at).unwrap();
        let written = serde_json::to_vec(&FactsDocument::new(&ask, EnvironmentClass::Production, &facts, now, None));
        let read = RecordedFacts::read(&written.unwrap()).unwrap();
        assert_eq!((read.ask, read.facts), (ask, facts));
    }
}
