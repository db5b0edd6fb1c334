//! Values that differ from environment to environment.

use model::{Severity, Verdict};

use crate::scene::{ask_in, document, finding, now, scan, set};
use crate::{Exceptions, PolicySet, evaluate};

const ENVIRONMENTS: &str = "environments: { production: { class: production }, \
    staging: { class: non-production, parameters: { high: 2, what: warn } }, dev: { class: non-production, parameters: { high: 5 } } }";

fn refused(spec: &str) -> crate::DocumentError {
    PolicySet::from_documents(&[document("p", spec)]).expect_err(spec)
}

#[test]
fn b9_a_parameter_has_its_value_in_each_environment() {
    let set = set(&format!(
        "parameters: {{ high: 0, what: deny }}, {ENVIRONMENTS}, action: $what, \
         rules: [{{ id: r, vulnerabilities: {{ max: {{ high: $high }} }} }}]"
    ));
    for (environment, findings, expected) in [
        ("production", 0, Verdict::Allow),
        ("production", 1, Verdict::Deny),
        ("staging", 2, Verdict::Allow),
        ("staging", 3, Verdict::Warn),
        ("dev", 5, Verdict::Allow),
        ("dev", 6, Verdict::Deny),
    ] {
        let facts = scan((0..findings).map(|n| finding(&format!("CVE-{n}"), Severity::High)).collect()).facts();
        let judgement = evaluate(&set, &ask_in(environment), &facts, &Exceptions::none(), now());
        assert_eq!(judgement.verdict, expected, "{environment} {findings}");
        assert_eq!(judgement.inputs.policies.len(), 1, "one document is one policy");
    }
    assert_eq!(set.ids().len(), 1);
}

#[test]
fn a1_what_is_wrong_with_parameters_is_named() {
    let rules = "rules: [{ id: r, vulnerabilities: { max: { high: $high } } }]";
    for (spec, says) in [
        (rules.to_owned(), "`$high` names a parameter that is not declared"),
        (format!("parameters: {{ hihg: 0 }}, {rules}"), "`$high` names a parameter that is not declared"),
        (
            format!("parameters: {{ low: 0 }}, {ENVIRONMENTS}, {rules}"),
            "\"high\", which `spec.parameters` does not declare",
        ),
        (format!("parameters: {{ high: \"\" }}, {rules}"), "is empty"),
        (format!("parameters: {{ high: [1] }}, {rules}"), "text, a number"),
        (format!("parameters: {{ 9high: 1 }}, {rules}"), "is not a name"),
        (format!("parameters: {{ high: many }}, {rules}"), "a whole number"),
        (rules.replace("$high", "${high:-5}"), "says more than the name"),
        (format!("parameters: {{ high: 0 }}, {}", rules.replace("$high", "\"$high\"")), "is in quotes"),
        (
                "parameters: { where: \"a/**\" }, environments: { dev: { class: non-production, parameters: { where: \"b/**\" } } }, \
                 match: { images: [$where] }, rules: [{ id: r, vulnerabilities: { max: { high: 0 } } }]"
            .to_owned(),
            "`match` has a parameter",
        ),
    ] {
        let error = refused(&spec);
        assert!(error.what.contains(says), "{spec}: {error:?}");
    }
    let other = refused(&format!(
        "parameters: {{ high: 0 }}, {}",
        rules.replace("{ high: $high }", "{ high: $high }, maxScanAge: 100xyz")
    ));
    assert!(other.what.contains("100xyz"), "S27: a value that is in the text is not left out of it: {other:?}");
    let error = refused(&format!("parameters: {{ high: many }}, {rules}"));
    assert_eq!(error.line, Some(4), "{error:?}");
}

/// However its key is written, what a policy declares is what counts.
#[test]
fn s27_parameters_are_read_by_their_key_and_not_by_its_letters() {
    let set = set("\"param\\u0065ters\": { high: 1 }, rules: [{ id: r, vulnerabilities: { max: { high: $high } } }]");
    for (findings, expected) in [(1, Verdict::Allow), (2, Verdict::Deny)] {
        let facts = scan((0..findings).map(|n| finding(&format!("CVE-{n}"), Severity::High)).collect()).facts();
        let judgement = evaluate(&set, &ask_in("production"), &facts, &Exceptions::none(), now());
        assert_eq!(judgement.verdict, expected, "{findings}");
    }
}

#[test]
fn b9_a_parameter_stands_in_a_list_too() {
    let set = set("parameters: { cve: CVE-1 }, rules: [{ id: r, vulnerabilities: { deny: [$cve] } }]");
    let facts = scan(vec![finding("CVE-1", Severity::Low)]).facts();
    assert_eq!(crate::scene::judge(&set, &facts).verdict, Verdict::Deny);
}
