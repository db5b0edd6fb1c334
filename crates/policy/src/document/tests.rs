//! Documents: what is refused, where, and with which words.

mod bounds;
mod schema;
mod trust;

use proptest::prelude::*;

use super::*;
use crate::error::DocumentError;

const BUILT_IN: &str = include_str!("../built_in.yaml");
const HEAD: &str = "apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: { name: p }\n";

fn parse(text: &str) -> Result<Policy, DocumentError> {
    Policy::parse("policy.yaml", text, &Parameters::new())
}

fn refused(text: &str) -> DocumentError {
    parse(text).expect_err(text)
}

/// A policy with one rule; the text is the value of its `vulnerabilities`.
fn rule(vulnerabilities: &str) -> String {
    format!("{HEAD}spec:\n  rules:\n    - id: r\n      vulnerabilities: {vulnerabilities}\n")
}

#[test]
fn s12_the_built_in_policy_parses() {
    assert_eq!(parse(BUILT_IN).unwrap().metadata.name, "built-in");
    assert!(crate::PolicySet::built_in().is_ok());
}

#[test]
fn a1_an_unknown_key_is_named_with_its_place_and_a_suggestion() {
    for (text, at, what, hint) in [
        (rule("{ max: { crtical: 0 } }"), (7, 33), "unknown key `crtical`", Some("did you mean `critical`?")),
        (rule("{ maxx: { critical: 0 } }"), (7, 26), "unknown key `maxx`", Some("did you mean `max`?")),
        (rule("{ MAX: {} }"), (7, 26), "unknown key `MAX`", Some("did you mean `max`?")),
        (
            rule("{ knownexploited: deny }"),
            (7, 26),
            "unknown key `knownexploited`",
            Some("did you mean `knownExploited`?"),
        ),
        (format!("{HEAD}spce: {{}}\n"), (4, 1), "unknown key `spce`", Some("did you mean `spec`?")),
        (
            format!("{HEAD}spec: {{ onUnknown: {{ scanPendin: warn }}, rules: [] }}\n"),
            (4, 22),
            "unknown key `scanPendin`",
            Some("did you mean `scanPending`?"),
        ),
        (
            format!("{HEAD}spec: {{ environments: {{ qa: {{ klass: production }} }}, rules: [] }}\n"),
            (4, 31),
            "unknown key `klass`",
            Some("did you mean `class`?"),
        ),
    ] {
        let error = refused(&text);
        assert_eq!((error.what.as_str(), error.hint.as_deref()), (what, hint));
        assert_eq!((error.line, error.column), (Some(at.0), Some(at.1)), "{text}");
        assert_eq!(error.to_string(), format!("policy.yaml:{}:{}: {what}", at.0, at.1));
    }
    let far = refused(&rule("{ signatures: {} }"));
    assert!(far.hint.unwrap().starts_with("possible here: sources, max,"));
}

#[test]
fn a5_a_kind_of_rule_that_this_version_does_not_know_is_an_error() {
    for kind in ["opa", "signature", "attest", "cel"] {
        for rule in [format!("{{ id: r, {kind}: {{}} }}"), format!("{{ id: r, vulnerabilities: {{}}, {kind}: {{}} }}")]
        {
            let error = refused(&format!("{HEAD}spec: {{ rules: [{rule}] }}\n"));
            assert_eq!(error.what, format!("unknown key `{kind}`"));
        }
    }
}

#[test]
fn b16_what_is_a_rule_of_its_own_is_named_to_those_who_look_for_it_in_config() {
    for (key, says) in [
        ("maxAge: 90d", "that is a rule of its own: `age: { max: 90d }`"),
        ("age: 90d", "that is a rule of its own: `age: { max: 90d }`"),
        ("base: { approved: [debian] }", "that is a rule of its own: `baseImage: { approved: [...] }`"),
        ("maxSizes: 1GiB", "did you mean `maxSize`?"),
    ] {
        let error = refused(&format!("{HEAD}spec: {{ rules: [{{ id: r, config: {{ nonRoot: true, {key} }} }}] }}\n"));
        assert!(error.what.starts_with("unknown key `"), "{error}");
        assert_eq!(error.hint.as_deref(), Some(says), "{key}");
    }
}

#[test]
fn a5_a_rule_is_of_exactly_one_kind() {
    let refused = |kinds: &str| refused(&format!("{HEAD}spec: {{ rules: [{{ id: house{kinds} }}] }}\n"));
    let hint = "a rule is exactly one of `vulnerabilities`, `sbom`, `packages`, `config`, `baseImage`, `age`, `registries`, \
                `measurements`, `signatures`, `attestations`, `provenance`, `vsa` and `rego`";
    let error = refused("");
    assert_eq!((error.what.as_str(), error.hint.as_deref()), ("rule \"house\": it says nothing to check", Some(hint)));
    for (kinds, names) in [
        ("vulnerabilities: {}, config: { nonRoot: true }", "`vulnerabilities` and `config`"),
        ("sbom: {}, measurements: { metric: m, max: 1 }", "`sbom` and `measurements`"),
        ("sbom: {}, config: { nonRoot: true }, vulnerabilities: {}", "`vulnerabilities` and `sbom` and `config`"),
    ] {
        let error = refused(&format!(", {kinds}"));
        assert_eq!(error.what, format!("rule \"house\": it has {names} at once"));
        assert_eq!(error.hint.as_deref(), Some(hint));
    }
    // What is wrong inside of one is said of the rule by name, whatever its kind.
    for kind in
        ["vulnerabilities: { deny: [\"*\"] }", "sbom: { from: [] }", "config: {}", "measurements: { metric: m }"]
    {
        assert!(refused(&format!(", {kind}")).what.starts_with("rule \"house\": "), "{kind}");
    }
}

#[test]
fn s22_sources_that_could_never_answer_are_an_error() {
    for (sources, says) in [
        ("accept: [trivy]", "lists `trivy` and no way for its reports to come in"),
        ("accept: [ecr, trivy]", "lists `trivy` and no way"),
        ("accept: [ecr], required: [trivy]", "names `trivy`, whose reports `sources.accept` does not let in"),
        ("accept: [file, grype], required: [grype, trivy]", "names `trivy`, whose reports"),
        ("accept: [file, grype], required: [ecr]", "names `ecr`, whose reports"),
        ("accept: []", "`sources.accept` is empty"),
    ] {
        let error = refused(&rule(&format!("{{ sources: {{ {sources} }} }}")));
        assert!(error.what.starts_with("rule \"r\": ") && error.what.contains(says), "{sources}: {error}");
        assert!(error.hint.is_some());
    }
    for sources in [
        "accept: [ecr], required: [ecr]",
        "accept: [file], required: [trivy, ecr]",
        "accept: [registry, trivy], required: [trivy]",
        "accept: [ecr, file, trivy], required: [ecr, trivy]",
        "accept: [ecr, file], required: []",
    ] {
        assert!(parse(&rule(&format!("{{ sources: {{ {sources} }} }}"))).is_ok(), "{sources}");
    }
    // What is no word may be the name of a signer, and then has to be one.
    let error = refused(&rule("{ sources: { accept: [ecr, trvy] } }"));
    let what = "rule \"r\": `sources.accept` names \"trvy\", which `spec.signers` does not declare";
    assert_eq!((error.what.as_str(), error.hint.as_deref()), (what, Some("did you mean `trivy`?")));
}

#[test]
fn s22_evidence_is_by_signers_that_are_declared() {
    let text = |name: &str, rule: &str| {
        format!("{HEAD}spec: {{ signers: {{ {name}: {{ key: a.pub }} }}, rules: [{{ id: r, {rule} }}] }}\n")
    };
    for rule in [
        "sbom: { from: [ci, file] }",
        "measurements: { from: [ci], metric: m, max: 1 }",
        "vulnerabilities: { sources: { accept: [ci] } }",
        "vulnerabilities: { sources: { accept: [ecr, ci, trivy], required: [trivy] } }",
        "vulnerabilities: { vex: { from: [ci] } }",
        "vulnerabilities: { vex: { from: [ci, file], authors: [a] } }",
    ] {
        Policy::parse("policy.yaml", &text("ci", rule), &Parameters::new())
            .unwrap_or_else(|error| panic!("{rule}: {error}"));
        let error = refused(&text("cd", rule));
        assert!(error.what.contains("names \"ci\", which `spec.signers` does not declare"), "{rule}: {error}");
        assert_eq!(error.hint.as_deref(), Some("did you mean `cd`?"), "{rule}");
        assert!(parse(&text("cd", rule).replace("signers: { cd: { key: a.pub } }, ", "")).is_err(), "{rule}");
    }
    for word in crate::document::RESERVED {
        let error = refused(&text(word, "vulnerabilities: {}"));
        assert!(error.what.contains("means something else"), "{word}: {error}");
    }
    let words = ["ecr", "file", "registry"].into_iter().chain(model::Scanner::ALL[1..].iter().map(|one| one.as_str()));
    assert!(words.clone().all(|word| crate::document::RESERVED.contains(&word)));
    assert_eq!(words.count(), crate::document::RESERVED.len());
    let unsigned = refused(&text("ci", "vulnerabilities: { vex: { from: [ci, registry] } }"));
    assert!(unsigned.what.contains("there is no `vex.authors`"), "{unsigned}");
    assert!(refused(&text("ci", "vulnerabilities: { vex: { from: [ci], authors: [] } }")).what.contains("is empty"));
}

#[test]
fn s24_vex_names_ways_and_authors() {
    for vex in ["{ from: [], authors: [a] }", "{ from: [file], authors: [] }"] {
        assert!(
            refused(&rule(&format!("{{ vex: {vex} }}"))).what.contains("`vex.from` or `vex.authors` is empty"),
            "{vex}"
        );
    }
    assert!(parse(&rule("{ vex: { from: [file, registry], authors: [\"*@acme.example\", Acme] } }")).is_ok());
}

#[test]
fn a5_a_duplicate_key_is_an_error() {
    for text in [
        rule("{ max: { critical: 0, critical: 9 } }"),
        rule("{ max: {}, max: {} }"),
        format!("{HEAD}kind: GatePolicy\nspec: {{ rules: [] }}\n"),
        format!("{HEAD}spec: {{ onUnknown: {{ default: deny, default: warn }}, rules: [] }}\n"),
        format!(
            "{HEAD}spec: {{ environments: {{ a: {{ class: production }}, a: {{ class: non-production }} }}, rules: [] }}\n"
        ),
    ] {
        let error = refused(&text);
        assert!(error.what.contains("duplicate"), "{error}");
        assert!(error.line.is_some());
    }
}

#[test]
fn a5_a_key_without_a_value_is_an_error() {
    for value in ["", "~", "null"] {
        for key in [
            "max",
            "deny",
            "allow",
            "sources",
            "ignoreUnfixed",
            "knownExploited",
            "denyCvssFrom",
            "denyEpssFrom",
            "gracePeriod",
            "maxScanAge",
        ] {
            let error = refused(&rule(&format!("{{ {key}: {value} }}")));
            assert!(error.what.contains("without a value"), "{key}: {error}");
            assert_eq!(error.line, Some(7));
        }
        assert!(refused(&rule(&format!("{{ max: {{ critical: {value} }} }}"))).what.contains("without a value"));
    }
    assert!(parse(&rule("")).is_err());
    for key in ["match", "environments", "onUnknown", "exceptions", "action"] {
        let text = format!("{HEAD}spec:\n  {key}:\n  rules: [{{ id: r, vulnerabilities: {{}} }}]\n");
        assert!(refused(&text).what.contains("without a value"), "{key}");
    }
    assert!(parse(&rule("{ deny: [null] }")).is_err());
    assert!(parse(&BUILT_IN.replace("name: built-in", "name: \"null\"")).is_ok(), "a quoted word is a word");
}

#[test]
fn a5_nothing_to_hold_is_an_error() {
    assert!(refused(&format!("{HEAD}spec: {{ rules: [] }}\n")).what.contains("`spec.rules` is empty"));
    assert_eq!(refused(&format!("{HEAD}spec: {{}}\n")).what, "the key `rules` is missing");
    assert_eq!(refused(HEAD).what, "the key `spec` is missing");
    assert!(refused(&rule("{ sources: { accept: [] } }")).what.contains("`sources.accept` is empty"));
    let empty = format!("{HEAD}spec: {{ match: {{ platforms: [] }}, rules: [{{ id: r, vulnerabilities: {{}} }}] }}\n");
    assert!(refused(&empty).what.contains("`platforms` is empty"));
    assert!(refused(&empty.replace("[]", "none")).what.contains("`all` or a list"));
    assert!(refused(&empty.replace("[]", "[linux]")).what.contains("is not a platform"));
    for text in ["", " \n", "# only a comment\n", "---\n", "null\n", "[]\n", "policy\n"] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn a5_ids_are_there_once_and_named() {
    let rules = |one: &str, two: &str| {
        format!(
            "{HEAD}spec: {{ rules: [{{ id: {one}, vulnerabilities: {{}} }}, {{ id: {two}, vulnerabilities: {{}} }}] }}\n"
        )
    };
    assert!(parse(&rules("a", "b")).is_ok());
    assert!(refused(&rules("a", "a")).what.contains("\"a\" is empty or there twice"));
    assert!(refused(&rules("a", "\" \"")).what.contains("is empty or there twice"));
    assert!(refused(&BUILT_IN.replace("name: built-in", "name: \" \"")).what.contains("`metadata.name` is empty"));
}

#[test]
fn b13_a_list_names_vulnerabilities_and_no_patterns() {
    for key in ["deny", "allow"] {
        for id in ["\"*\"", "\"CVE-2021-*\"", "\"\"", "\" \""] {
            let error = refused(&rule(&format!("{{ {key}: [CVE-1, {id}] }}")));
            assert!(error.what.contains("is no vulnerability id"), "{error}");
        }
    }
}

#[test]
fn b18_another_version_or_kind_is_refused() {
    let error = refused(&BUILT_IN.replace("dev/v1", "dev/v2"));
    assert_eq!((error.line, error.what.as_str()), (Some(1), "unknown value `ecr-gate.dev/v2`"));
    assert_eq!(error.hint.as_deref(), Some("did you mean `ecr-gate.dev/v1`?"));
    let error = refused(&BUILT_IN.replace("kind: GatePolicy", "kind: GateExceptions"));
    assert_eq!((error.line, error.what.as_str()), (Some(2), "unknown value `GateExceptions`"));
    assert_eq!(refused(&BUILT_IN.replace("kind: GatePolicy\n", "")).what, "the key `kind` is missing");
    assert_eq!(refused(&BUILT_IN.replace("apiVersion: ecr-gate.dev/v1\n", "")).what, "the key `apiVersion` is missing");
}

#[test]
fn s5_last_known_good_is_for_unavailability_alone() {
    let on_unknown = |text: &str| {
        format!("{HEAD}spec: {{ onUnknown: {{ {text} }}, rules: [{{ id: r, vulnerabilities: {{}} }}] }}\n")
    };
    for class in model::UnknownClass::ALL {
        let text = on_unknown(&format!("{class}: {{ lastKnownGood: 24h }}"));
        let available = ["throttled", "registryUnavailable", "trustUnavailable", "storeUnavailable", "deadline"];
        assert_eq!(parse(&text).is_ok(), available.contains(&class.as_str()), "{class}");
        for answer in ["deny", "pending", "warn"] {
            assert!(parse(&on_unknown(&format!("{class}: {answer}"))).is_ok());
        }
        for answer in [
            "allow",
            "audit",
            "ignore",
            "true",
            "{}",
            "{ lastKnownGood: forever }",
            "{ lastKnownGood: 1h, deny: 1h }",
            "[warn]",
            "lastKnownGood",
        ] {
            assert!(parse(&on_unknown(&format!("{class}: {answer}"))).is_err(), "{class}: {answer}");
        }
    }
    assert!(refused(&on_unknown("default: { lastKnownGood: 24h }")).what.contains("cannot be `lastKnownGood`"));
}

#[test]
fn a8_values_are_of_their_kind() {
    for bad in [
        "{ max: { critical: -1 } }",
        "{ max: { critical: 1.5 } }",
        "{ max: { critical: none } }",
        "{ max: { critical: 4294967296 } }",
        "{ max: 0 }",
        "{ max: [] }",
        "{ deny: CVE-1 }",
        "{ knownExploited: allow }",
        "{ knownExploited: true }",
        "{ ignoreUnfixed: maybe }",
        "{ denyCvssFrom: 0 }",
        "{ denyCvssFrom: 10.1 }",
        "{ denyCvssFrom: .nan }",
        "{ denyCvssFrom: -.inf }",
        "{ denyEpssFrom: 1.1 }",
        "{ denyEpssFrom: -0.1 }",
        "{ denyEpssFrom: .nan }",
        "{ maxScanAge: 24 }",
        "{ maxScanAge: -1h }",
        "{ maxScanAge: forever }",
        "{ gracePeriod: 7d }",
        "{ gracePeriod: { high: soon } }",
        "{ sources: [ecr] }",
        "{ sources: { accept: [\"release key\"] } }",
        "{ sources: { accept: [\"\"] } }",
        "{ sources: { accept: [ecr], required: [ci] } }",
        "{ sources: { accept: [ecr], required: [file] } }",
        "{ sources: { accept: [ecr], blockWhen: some } }",
        "{ sources: { accept: [ecr], suppressed: ignore } }",
        "{ sources: { required: [ecr] } }",
        "{ vex: { from: [trivy], authors: [a] } }",
        "{ vex: { authors: [a] } }",
        "{ vex: { from: [ecr], authors: [a] } }",
        "{ vex: { from: [file], authors: [\" \"] } }",
        "{ vex: { from: [file], authors: [\"[\"] } }",
        "{ sources: { accept: ecr } }",
        "[]",
        "no",
    ] {
        let error = refused(&rule(bad));
        assert!(error.line == Some(7) && error.column.is_some(), "{bad}: {error}");
    }
    assert!(
        parse(&rule("{ max: {}, allow: [], deny: [], gracePeriod: {}, denyEpssFrom: 0, denyCvssFrom: 0.1 }")).is_ok()
    );
}

#[test]
fn b13_image_patterns_are_checked_when_read() {
    let text = |pattern: &str| {
        format!("{HEAD}spec: {{ match: {{ images: [\"{pattern}\"] }}, rules: [{{ id: r, vulnerabilities: {{}} }}] }}\n")
    };
    for pattern in ["[", "{a", "a[z-a]"] {
        assert!(refused(&text(pattern)).what.starts_with("`match.images`"), "{pattern}");
    }
    assert!(parse(&text("*.dkr.ecr.*.amazonaws.com/**")).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a5_a_damaged_document_is_read_or_refused_and_never_panics(
        at in 0..BUILT_IN.len(),
        length in 0..40_usize,
        instead in "[ -~\n]{0,6}",
    ) {
        let end = (at + length).min(BUILT_IN.len());
        let text = format!("{}{instead}{}", &BUILT_IN[..at], &BUILT_IN[end..]);
        if let Ok(policy) = parse(&text) {
            prop_assert!(!policy.spec.rules.is_empty() && !policy.metadata.name.trim().is_empty());
        }
        let _ = crate::Exceptions::none().add("p", "exceptions.yaml", &text);
    }
}
