//! S3: several policies as one. S7: environments. Which images a policy is about.

use model::{EnvironmentClass, Severity, Verdict};

use crate::scene::{HOST, ask_about, ask_in, codes, finding, judge, messages, now, scan, sets};
use crate::{Exceptions, PolicySet, evaluate};

const RULES: &str = "rules: [{ id: r, vulnerabilities: { max: { critical: 0 } } }]";
const ENVIRONMENTS: &str = "environments: { production: { class: production }, staging: { class: non-production } }";

fn verdict_of(set: &PolicySet, ask: &model::Ask) -> Verdict {
    evaluate(set, ask, &scan(vec![]).facts(), &Exceptions::none(), now()).verdict
}

#[test]
fn s3_the_heaviest_of_several_policies_wins() {
    let facts = scan(vec![finding("CVE-1", Severity::High)]).facts();
    let with = |action| format!("rules: [{{ id: r, vulnerabilities: {{ max: {{ high: 0 }} }} }}], action: {action}");
    for (one, two, verdict) in [
        ("audit", "audit", Verdict::Allow),
        ("audit", "warn", Verdict::Warn),
        ("warn", "deny", Verdict::Deny),
        ("deny", "audit", Verdict::Deny),
    ] {
        let judgement = judge(&sets(&[("one", &with(one)), ("two", &with(two))]), &facts);
        assert_eq!(judgement.verdict, verdict, "{one} {two}");
        assert_eq!(judgement.rules.len(), 2);
        let names: Vec<_> = judgement.inputs.policies.iter().map(|policy| policy.name.as_str()).collect();
        assert_eq!(names, ["one", "two"]);
        assert_eq!(judgement.blocking().len(), usize::from(verdict > Verdict::Allow), "counted once");
    }
}

#[test]
fn s3_the_heaviest_of_several_rules_wins() {
    let facts = scan(vec![finding("CVE-1", Severity::High)]).facts();
    let soft = "{ id: soft, vulnerabilities: { max: { high: 0 } }, action: warn }";
    let clean = "{ id: clean, vulnerabilities: { max: { critical: 0 } } }";
    let hard = "{ id: hard, vulnerabilities: { deny: [CVE-1] } }";
    let judgement = judge(&crate::scene::set(&format!("rules: [{clean}, {soft}, {hard}]")), &facts);
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["vuln.denied", "vuln.maxExceeded"]));
    let judgement = judge(&crate::scene::set(&format!("rules: [{clean}, {soft}]")), &facts);
    assert_eq!(judgement.verdict, Verdict::Warn);
}

#[test]
fn s3_no_matching_policy_denies_in_production_and_warns_elsewhere() {
    let set = sets(&[("p", &format!("{ENVIRONMENTS}, match: {{ images: [other/**] }}, {RULES}"))]);
    for (environment, verdict, class) in [
        ("production", Verdict::Deny, EnvironmentClass::Production),
        ("staging", Verdict::Warn, EnvironmentClass::NonProduction),
    ] {
        let ask = ask_in(environment);
        let judgement = evaluate(&set, &ask, &scan(vec![]).facts(), &Exceptions::none(), now());
        assert_eq!((judgement.verdict, judgement.environment_class), (verdict, class));
        assert_eq!(codes(&judgement), ["policy.noneMatched"]);
        assert!(messages(&judgement).contains(&ask.name()) && messages(&judgement).contains(environment));
        assert!(judgement.inputs.policies.is_empty());
    }
}

#[test]
fn s3_no_policy_at_all_denies() {
    let empty = PolicySet::from_documents(&[]).unwrap();
    let judgement = judge(&empty, &scan(vec![]).facts());
    assert_eq!((judgement.verdict, codes(&judgement)), (Verdict::Deny, vec!["policy.noneMatched"]));
}

#[test]
fn s7_an_undeclared_environment_is_an_error_and_never_allowed() {
    let set = sets(&[("p", &format!("{ENVIRONMENTS}, {RULES}"))]);
    let error = set.environment("prod").unwrap_err();
    assert_eq!(error.declared, ["production", "staging"]);
    assert_eq!(error.to_string(), "environment \"prod\" is not declared; declared: production, staging");
    assert_eq!(set.environment("production"), Ok(EnvironmentClass::Production));
    assert_eq!(set.environment("staging"), Ok(EnvironmentClass::NonProduction));
    for name in ["prod", "", "Production", "staging "] {
        assert!(set.environment(name).is_err(), "{name:?}");
        assert_eq!(verdict_of(&set, &ask_in(name)), Verdict::Deny, "{name:?}");
        assert_eq!(verdict_of(&PolicySet::built_in().unwrap(), &ask_in(name)), Verdict::Deny, "{name:?}");
    }
}

#[test]
fn s7_match_environments_separates_policies() {
    let strict = format!(
        "{ENVIRONMENTS}, match: {{ environments: [production] }}, rules: [{{ id: r, vulnerabilities: {{ max: {{ low: 0 }} }} }}]"
    );
    let loose = format!("match: {{ environments: [staging] }}, {RULES}");
    let set = sets(&[("strict", &strict), ("loose", &loose)]);
    let facts = scan(vec![finding("CVE-1", Severity::Low)]).facts();
    let judge = |environment| evaluate(&set, &ask_in(environment), &facts, &Exceptions::none(), now());
    assert_eq!(judge("production").verdict, Verdict::Deny);
    assert_eq!(judge("staging").verdict, Verdict::Allow);
    assert_eq!(judge("staging").inputs.policies.len(), 1);
}

#[test]
fn s3_image_patterns_do_not_cross_a_slash_unless_they_say_so() {
    for (pattern, name, matches) in [
        ("*/team/app", "team/app", true),
        ("*/team/*", "team/app", true),
        ("*/team/*", "team/a/b", false),
        ("*/*", "team/app", false),
        ("**", "team/app", true),
        ("*/**", "team/a/b", true),
        ("*.dkr.ecr.*.amazonaws.com/**", "team/app", true),
        ("*.dkr.ecr.*.amazonaws.com/*", "team/app", false),
        ("111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/app", "team/app", true),
        ("team/app", "team/app", false),
        ("team/**", "team/app", false),
        ("**/app", "team/app", true),
        ("**/app", "team/my-app", false),
        ("*/team/{app,api}", "team/api", true),
        ("*/team/{app,api}", "team/apiary", false),
        ("*/team/ap?", "team/app", true),
        ("*/team?app", "team/app", false),
    ] {
        let set = sets(&[("p", &format!("match: {{ images: [\"{pattern}\"] }}, {RULES}"))]);
        let verdict = verdict_of(&set, &ask_about(&format!("{HOST}/{name}")));
        assert_eq!(verdict == Verdict::Allow, matches, "{pattern} and {name}");
    }
    let several = sets(&[("p", &format!("match: {{ images: [\"a/**\", \"*/team/*\"] }}, {RULES}"))]);
    assert_eq!(verdict_of(&several, &ask_about(&format!("{HOST}/team/app"))), Verdict::Allow);
}

#[test]
fn b3_a_policy_is_named_by_version_and_digest() {
    let text = "apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: { name: p, version: \"7\" }\nspec: { rules: [{ id: r, vulnerabilities: {} }] }\n";
    let set = PolicySet::from_documents(&[("p.yaml".to_owned(), text.to_owned())]).unwrap();
    let judgement = judge(&set, &scan(vec![]).facts());
    let id = &judgement.inputs.policies[0];
    assert_eq!((id.name.as_str(), id.version.as_deref()), ("p", Some("7")));
    assert_eq!(id.digest, model::Digest::of(text.as_bytes()));
    assert_eq!((judgement.rules.first().policy.as_str(), judgement.rules.first().rule.as_str()), ("p", "r"));
}

#[test]
fn s3_a_policy_is_not_escaped_by_another_spelling_of_the_registry() {
    for (pattern, image) in [
        ("localhost:5000/**", "LOCALHOST:5000/team/app:1"),
        ("registry.example.com/**", "registry.example.com:443/team/app:1"),
        ("registry.example.com/**", "Registry.Example.COM/team/app:1"),
        ("registry.example.com:443/**", "registry.example.com/team/app:1"),
        ("*.Example.com/**", "registry.example.com/team/app:1"),
        ("{a,Registry}.example.com/**", "registry.example.com/team/app:1"),
        ("*.example.com:443/**", "registry.example.com/team/app:1"),
        ("docker.io/library/**", "index.docker.io/nginx:1"),
        ("docker.io/library/**", "docker.io/nginx:1"),
        ("index.docker.io/**", "docker.io/team/app:1"),
        ("docker.io/nginx", "registry-1.docker.io/library/nginx:1"),
        ("111122223333.dkr.ecr.eu-central-1.amazonaws.com/**", "111122223333.DKR.ecr.eu-central-1.amazonaws.com/a:1"),
    ] {
        let set = sets(&[("p", &format!("match: {{ images: [\"{pattern}\"] }}, {RULES}"))]);
        assert_eq!(verdict_of(&set, &ask_about(image)), Verdict::Allow, "{pattern} and {image}");
    }
    let other = sets(&[("p", &format!("match: {{ images: [\"registry.example.com/**\"] }}, {RULES}"))]);
    assert_eq!(
        verdict_of(&other, &ask_about("registry.example.com:8443/team/app:1")),
        Verdict::Deny,
        "another registry"
    );
}
