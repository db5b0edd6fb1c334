//! Several documents as one set: names, environments, what has to be collected.

use super::*;
use crate::scene::{ask, ask_in, days, document, hours, rule, set, sets};

const RULES: &str = "rules: [{ id: r, vulnerabilities: {} }]";

fn refused(documents: &[(&str, &str)]) -> DocumentError {
    let documents: Vec<_> = documents.iter().map(|(name, spec)| document(name, spec)).collect();
    PolicySet::from_documents(&documents).unwrap_err()
}

#[test]
fn s7_omitted_environments_are_one_production() {
    let set = set(RULES);
    assert_eq!(set.environment("production"), Ok(EnvironmentClass::Production));
    assert_eq!(set.environment("staging").unwrap_err().declared, ["production"]);
}

#[test]
fn s7_declared_environments_are_all_there_are() {
    let only = set(&format!("environments: {{ live: {{ class: production }} }}, {RULES}"));
    assert_eq!(only.environment("live"), Ok(EnvironmentClass::Production));
    assert_eq!(only.environment("production").unwrap_err().declared, ["live"]);
    let none = set(&format!("environments: {{}}, {RULES}"));
    assert!(none.environment("production").is_err());
}

#[test]
fn s7_two_policies_cannot_give_an_environment_two_classes() {
    let with = |class: &str| format!("environments: {{ qa: {{ class: {class} }} }}, {RULES}");
    let error = refused(&[("one", &with("production")), ("two", &with("non-production"))]);
    assert_eq!(error.to_string(), "two.yaml: environment \"qa\" is declared with two classes");
    assert!(sets(&[("one", &with("production")), ("two", &with("production"))]).environment("qa").is_ok());
    // A policy without the key declares `production`, and its class is not for another one to soften.
    let soft = format!("environments: {{ production: {{ class: non-production }} }}, {RULES}");
    assert!(refused(&[("one", RULES), ("two", &soft)]).what.contains("two classes"));
}

#[test]
fn s7_match_names_only_declared_environments() {
    let error = refused(&[("p", &format!("match: {{ environments: [prod] }}, {RULES}"))]);
    assert!(error.what.contains("names \"prod\", which is not declared"), "{error}");
    assert_eq!(error.hint.as_deref(), Some("declared: production"));
    // Another document may declare it, whatever the order.
    let one = format!("match: {{ environments: [qa] }}, {RULES}");
    let two = format!("environments: {{ qa: {{ class: non-production }} }}, {RULES}");
    assert!(sets(&[("one", &one), ("two", &two)]).environment("qa").is_ok());
}

#[test]
fn b3_policy_names_are_unique() {
    let documents = [document("p", RULES), document("p", RULES)];
    assert!(PolicySet::from_documents(&documents).unwrap_err().what.contains("\"p\" is there twice"));
}

#[test]
fn s29_exception_files_are_those_that_policies_list() {
    let set = sets(&[
        ("a", &format!("exceptions: [x.yaml, y.yaml], {RULES}")),
        ("b", RULES),
        ("c", &format!("exceptions: [x.yaml], {RULES}")),
    ]);
    assert_eq!(set.exception_files(), [(0, "a", "x.yaml"), (0, "a", "y.yaml"), (2, "c", "x.yaml")]);
    assert!(PolicySet::built_in().unwrap().exception_files().is_empty());
}

#[test]
fn a18_what_has_to_be_collected_covers_every_matching_policy() {
    let platforms = |documents: &[(&str, &str)]| {
        let needs = sets(documents).needs(&ask());
        needs.platforms.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let named = |list: &str| format!("match: {{ platforms: {list} }}, {RULES}");
    assert_eq!(platforms(&[("a", RULES)]), None);
    assert_eq!(platforms(&[("a", &named("all"))]), None);
    assert_eq!(platforms(&[("a", &named("[linux/amd64]"))]), Some(vec!["linux/amd64".to_owned()]));
    let (amd, arm) = (named("[linux/amd64]"), named("[linux/arm64]"));
    assert_eq!(platforms(&[("a", &amd), ("b", &arm)]).map(|list| list.len()), Some(2));
    assert_eq!(platforms(&[("a", &amd), ("b", RULES)]), None);
    assert_eq!(platforms(&[("a", RULES), ("b", &arm)]), None);
    // Only policies about this image; and where there are none, everything.
    let other = format!("match: {{ images: [x], platforms: [linux/arm64] }}, {RULES}");
    assert_eq!(platforms(&[("a", &amd), ("b", &other)]), Some(vec!["linux/amd64".to_owned()]));
    assert_eq!(platforms(&[("b", &other)]), None);
}

#[test]
fn s18_the_strictest_age_of_the_rules_is_needed() {
    let age = |vulnerabilities: &[&str]| {
        let rules: Vec<_> =
            vulnerabilities.iter().enumerate().map(|(n, v)| format!("{{ id: r{n}, vulnerabilities: {v} }}")).collect();
        set(&format!("rules: [{}]", rules.join(", "))).needs(&ask()).max_scan_age
    };
    assert_eq!(age(&["{}"]), (days(8), hours(24)));
    assert_eq!(age(&["{ maxScanAge: 12h }"]), (hours(12), hours(12)));
    assert_eq!(age(&["{ maxScanAge: 3d }"]), (days(3), days(3)), "the policy's word, not the default");
    assert_eq!(age(&["{ maxScanAge: 30d }"]), (days(30), days(30)));
    assert_eq!(age(&["{ maxScanAge: 30d }", "{}"]), (days(8), hours(24)));
    assert_eq!(age(&["{ maxScanAge: 30d }", "{ maxScanAge: 10d }"]), (days(10), days(10)));
}

#[test]
fn s7_nothing_matches_an_undeclared_environment() {
    let set = rule("{ maxScanAge: 1h }");
    assert_eq!(set.matching(&ask_in("qa")).count(), 0);
    assert_eq!(set.matching(&ask_in("production")).count(), 1);
    assert_eq!(set.needs(&ask_in("qa")).max_scan_age, (days(8), hours(24)));
}

/// What one policy with these rules needs; the texts are kinds of rule with their values.
fn needs(kinds: &[&str]) -> Needs {
    let rules: Vec<_> = kinds.iter().enumerate().map(|(n, kind)| format!("{{ id: r{n}, {kind} }}")).collect();
    set(&format!("rules: [{}]", rules.join(", "))).needs(&ask())
}

#[test]
fn s22_ecr_is_asked_where_a_rule_accepts_it_and_cannot_be_left_out_where_one_requires_it() {
    let of = |sources: &[&str]| {
        let rules: Vec<_> = sources.iter().map(|sources| format!("vulnerabilities: {{ {sources} }}")).collect();
        let needs = needs(&rules.iter().map(String::as_str).collect::<Vec<_>>());
        (needs.ecr, needs.ecr_required, needs.registry_reports)
    };
    for (sources, wanted) in [
        ("", (true, true, false)),
        ("sources: { accept: [ecr] }", (true, true, false)),
        ("sources: { accept: [ecr, file] }", (true, false, false)),
        ("sources: { accept: [ecr, registry] }", (true, false, true)),
        ("sources: { accept: [file] }", (false, false, false)),
        ("sources: { accept: [file, trivy, ecr], required: [trivy] }", (true, false, false)),
        ("sources: { accept: [ecr, file], required: [ecr] }", (true, true, false)),
    ] {
        assert_eq!(of(&[sources]), wanted, "{sources}");
    }
    // Each of several rules has its say.
    assert_eq!(of(&["sources: { accept: [file] }", ""]), (true, true, false));
    assert_eq!(of(&["sources: { accept: [file] }", "sources: { accept: [registry, ecr] }"]), (true, false, true));
    let built_in = PolicySet::built_in().unwrap().needs(&ask());
    assert_eq!((built_in.ecr, built_in.ecr_required, built_in.registry_reports), (true, false, false));
}

#[test]
fn b16_only_what_a_rule_looks_at_is_collected() {
    let none = Needs {
        platforms: None,
        max_scan_age: (days(8), hours(24)),
        vulnerabilities: false,
        ecr: false,
        ecr_required: false,
        registry_reports: false,
        attached: false,
        config: false,
        contents: false,
        pushed: false,
        reference: false,
        sboms: false,
        measurements: false,
        vex: false,
        signed_root: false,
        signed_platforms: false,
        bases: Vec::new(),
        baselines: Vec::new(),
    };
    let digest = Digest::of(b"before");
    let base = |name: &str| format!("docker.io/library/{name}");
    for (kind, wanted) in [
        (
            "vulnerabilities: { sources: { accept: [file] } }".to_owned(),
            Needs { vulnerabilities: true, ..none.clone() },
        ),
        (
            "vulnerabilities: { sources: { accept: [registry] } }".to_owned(),
            Needs { vulnerabilities: true, registry_reports: true, attached: true, ..none.clone() },
        ),
        (
            "vulnerabilities: { sources: { accept: [file] }, vex: { from: [file], authors: [a] } }".to_owned(),
            Needs { vulnerabilities: true, vex: true, config: true, ..none.clone() },
        ),
        (
            "vulnerabilities: { sources: { accept: [file] }, vex: { from: [registry], authors: [a] } }".to_owned(),
            Needs { vulnerabilities: true, vex: true, config: true, attached: true, ..none.clone() },
        ),
        ("sbom: { from: [file] }".to_owned(), Needs { sboms: true, config: true, ..none.clone() }),
        (
            "sbom: { from: [registry], mustMatch: osPackages }".to_owned(),
            Needs { sboms: true, config: true, contents: true, attached: true, ..none.clone() },
        ),
        ("config: { nonRoot: true }".to_owned(), Needs { config: true, ..none.clone() }),
        ("config: { entrypoint: resolvable }".to_owned(), Needs { config: true, contents: true, ..none.clone() }),
        (
            "baseImage: { approved: [\"debian:12\", \"alpine:*\"] }".to_owned(),
            Needs { config: true, bases: vec![base("debian:12")], ..none.clone() },
        ),
        ("packages: { max: 9 }".to_owned(), Needs { contents: true, ..none.clone() }),
        ("age: { max: 90d }".to_owned(), Needs { config: true, ..none.clone() }),
        ("age: { min: 1d, of: pushed }".to_owned(), Needs { pushed: true, ..none.clone() }),
        ("registries: { digestOnly: true }".to_owned(), Needs { reference: true, ..none.clone() }),
        (
            format!(
                "measurements: {{ from: [registry], metric: m, max: 1, maxIncrease: 5%, baseline: {{ digest: \"{digest}\" }} }}"
            ),
            Needs { measurements: true, attached: true, baselines: vec![digest.clone()], ..none.clone() },
        ),
        ("measurements: { from: [file], metric: m, max: 1 }".to_owned(), Needs { measurements: true, ..none.clone() }),
    ] {
        assert_eq!(needs(&[&kind]), wanted, "{kind}");
    }
    let both = ["baseImage: { approved: [\"debian:12\", \"b:1\"] }", "baseImage: { approved: [\"debian:12\"] }"];
    assert_eq!(needs(&both).bases, [base("b:1"), base("debian:12")], "each once, sorted");
    // Rules of policies that are not about the image ask for nothing.
    let other = set("match: { images: [x] }, rules: [{ id: r, config: { entrypoint: resolvable } }]");
    assert_eq!(other.needs(&ask()), none);
}
