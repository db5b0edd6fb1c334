//! S12, A8: the list of severities that block.

use model::Verdict;

use super::*;
use crate::scene::{finding, judge, rule, scan, sets};

fn list(text: &str) -> FailOn {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn blocks(set: &PolicySet, severity: Severity) -> bool {
    judge(set, &scan(vec![finding("CVE-1", severity)]).facts()).verdict == Verdict::Deny
}

#[test]
fn s12_words_are_separated_by_blanks_or_commas_in_any_case() {
    for text in [
        "CRITICAL HIGH",
        "critical,high",
        "Critical, High",
        "critical;high",
        " CRITICAL\tHIGH\n",
        "high critical high",
        ",,critical,,high,",
    ] {
        let mut words = list(text).0;
        words.sort();
        assert_eq!(words, [Severity::Critical, Severity::High], "{text:?}");
    }
    assert_eq!(list("low").words(), "low");
    assert_eq!(list("CRITICAL HIGH CRITICAL").words(), "critical, high");
    for severity in Severity::KNOWN {
        assert_eq!(list(severity.as_str()).0, [severity]);
    }
}

#[test]
fn s12_an_empty_list_is_refused() {
    for text in ["", " ", ",", " , ;\n"] {
        assert_eq!(text.parse::<FailOn>(), Err(FailOnError::Empty), "{text:?}");
    }
}

#[test]
fn s12_an_unknown_word_is_refused_with_a_near_one() {
    for (text, near) in [
        ("CRITCAL", Some("CRITICAL")),
        ("hihg", Some("HIGH")),
        ("medum", Some("MEDIUM")),
        ("everything", None),
        ("none", None),
    ] {
        let error = format!("critical {text}").parse::<FailOn>().unwrap_err();
        assert_eq!(error, FailOnError::Unknown { word: text.to_owned(), near }, "{text}");
        match near {
            Some(near) => assert!(error.to_string().ends_with(&format!("did you mean {near}?"))),
            None => assert!(error.to_string().contains("there are CRITICAL, HIGH")),
        }
    }
    assert!("CRITICAL|HIGH".parse::<FailOn>().is_err());
    assert!("critical high!".parse::<FailOn>().is_err());
}

#[test]
fn s12_the_built_in_policy_blocks_critical_and_high() {
    let set = PolicySet::built_in().unwrap();
    for severity in Severity::KNOWN {
        let expected = matches!(severity, Severity::Critical | Severity::High);
        assert_eq!(blocks(&set, severity.clone()), expected, "{severity}");
    }
}

#[test]
fn s12_a_list_shapes_the_built_in_policy() {
    for text in ["CRITICAL", "LOW", "critical medium untriaged", "informational undefined"] {
        let mut set = PolicySet::built_in().unwrap();
        let words = list(text);
        words.shape(&mut set);
        for severity in Severity::KNOWN {
            assert_eq!(blocks(&set, severity.clone()), words.0.contains(&severity), "{severity} with {text}");
        }
        assert!(
            blocks(&set, Severity::Unknown("SEVERE".to_owned())),
            "an unknown word blocks whatever is limited (S21)"
        );
    }
}

#[test]
fn s12_a_list_tightens_a_policy_file() {
    let mut set = rule("{ max: { critical: 5, high: 3 }, ignoreUnfixed: true, deny: [CVE-9] }");
    assert!(!blocks(&set, Severity::High) && !blocks(&set, Severity::Medium));
    list("CRITICAL HIGH MEDIUM").tighten(&mut set).unwrap();
    assert!(blocks(&set, Severity::Critical) && blocks(&set, Severity::High) && blocks(&set, Severity::Medium));
    assert!(!blocks(&set, Severity::Low));
    let rule = set.members[0].policy.spec.rules[0].vulnerabilities.as_ref().unwrap();
    assert!(rule.deny.is_some() && rule.ignore_unfixed.is_some(), "the rest of the rule stays");
    let mut without = self::rule("{ deny: [CVE-9] }");
    list("LOW").tighten(&mut without).unwrap();
    assert!(blocks(&without, Severity::Low));
}

#[test]
fn s12_a_list_that_would_loosen_a_policy_is_refused() {
    let mut set = rule("{ max: { critical: 0, high: 0, low: 10 } }");
    let error = list("CRITICAL HIGH").tighten(&mut set).unwrap_err();
    assert_eq!(error, FailOnError::Loosens { policy: "p".to_owned(), severity: Severity::Low });
    assert!(error.to_string().contains("leaves out LOW, which policy \"p\" limits"), "{error}");
    let two = |one: &str, two: &str| {
        let rules = |max: &str| format!("rules: [{{ id: r, vulnerabilities: {{ max: {{ {max} }} }} }}]");
        list("CRITICAL").tighten(&mut sets(&[("one", &rules(one)), ("two", &rules(two))]))
    };
    assert!(two("critical: 0", "critical: 4").is_ok());
    assert!(matches!(two("critical: 0", "untriaged: 4"), Err(FailOnError::Loosens { policy, .. }) if policy == "two"));
}

#[test]
fn s12_the_same_list_changes_nothing() {
    let mut set = PolicySet::built_in().unwrap();
    list("HIGH, CRITICAL").tighten(&mut set).unwrap();
    for severity in Severity::KNOWN {
        assert_eq!(blocks(&set, severity.clone()), blocks(&PolicySet::built_in().unwrap(), severity));
    }
}

#[test]
fn s12_rules_about_other_things_stay_as_they_are() {
    let config = "{ id: c, config: { nonRoot: true } }";
    let mut both = crate::scene::set(&format!("rules: [{config}, {{ id: v, vulnerabilities: {{}} }}]"));
    list("HIGH").tighten(&mut both).unwrap();
    let rules = &both.members[0].policy.spec.rules;
    assert!(rules[0].vulnerabilities.is_none() && rules[0].config.is_some());
    let max = rules[1].vulnerabilities.as_ref().unwrap().max.as_ref().unwrap();
    assert_eq!(max.get(&Severity::High), Some(0));
    // A policy that is not about vulnerabilities is none of the list's business, unless all are such.
    let mut two = sets(&[("one", &format!("rules: [{config}]")), ("two", "rules: [{ id: v, vulnerabilities: {} }]")]);
    list("HIGH").tighten(&mut two).unwrap();
    assert_eq!(two.members.iter().map(|member| member.id.fail_on.is_some()).collect::<Vec<_>>(), [false, true]);
    let mut none = crate::scene::set(&format!("rules: [{config}]"));
    let error = list("HIGH").tighten(&mut none).unwrap_err();
    assert_eq!(error, FailOnError::NothingToTighten);
    assert!(error.to_string().contains("no policy has a `vulnerabilities` rule"), "{error}");
}
