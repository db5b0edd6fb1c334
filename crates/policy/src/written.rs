//! What policies say, as they say it: for reports, which show thresholds and keys without judging by them.

use model::reports::{RuleInForce, SignerInForce};
use serde_json::{Map, Value};

use crate::document::read_open_yaml;
use crate::error::DocumentError;

/// The longest text that is shown of one rule or signer, in bytes.
const LONGEST: usize = 4096;
/// What stands elsewhere in a rule.
const ELSEWHERE: [&str; 2] = ["id", "action"];

/// Every rule and signer of these documents (each its file and text), in their order.
///
/// # Errors
/// One of them is no YAML.
pub fn written(documents: &[(String, String)]) -> Result<(Vec<RuleInForce>, Vec<SignerInForce>), DocumentError> {
    let (mut rules, mut signers) = (Vec::new(), Vec::new());
    for (file, text) in documents {
        let document: Value = read_open_yaml(file, text)?;
        let policy = text_of(document.pointer("/metadata/name")).unwrap_or(file).to_owned();
        let spec = document.get("spec").and_then(Value::as_object);
        let usual = spec.and_then(|spec| text_of(spec.get("action"))).unwrap_or("deny");
        for rule in spec.and_then(|spec| spec.get("rules")).and_then(Value::as_array).into_iter().flatten() {
            let Some(rule) = rule.as_object() else { continue };
            let said = rule.iter().filter(|(key, _)| !ELSEWHERE.contains(&key.as_str()));
            rules.push(RuleInForce {
                policy: policy.clone(),
                rule: text_of(rule.get("id")).unwrap_or("(no id)").to_owned(),
                action: text_of(rule.get("action")).unwrap_or(usual).to_owned(),
                says: shown(Value::Object(
                    said.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>(),
                )),
            });
        }
        let named = spec.and_then(|spec| spec.get("signers")).and_then(Value::as_object);
        for (signer, value) in named.into_iter().flatten() {
            let (policy, signer) = (policy.clone(), signer.clone());
            signers.push(SignerInForce { policy, signer, says: shown(value.clone()) });
        }
    }
    Ok((rules, signers))
}

fn text_of(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

fn shown(value: Value) -> Value {
    if value.to_string().len() <= LONGEST {
        return value;
    }
    Value::String("too long to be shown here: `ecr-gate policy show` has it".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn o7_rules_and_signers_are_shown_as_they_are_written() {
        let text = "kind: GatePolicy\nmetadata: { name: house }\nspec:\n  action: warn\n  signers: { release: { key: release.pub, until: 2027-01-01 } }\n  rules:\n    \
            - { id: cves, vulnerabilities: { max: { critical: 0 }, sources: { accept: [ecr] } }, action: deny }\n    - { id: age, age: { maxDays: 90 } }\n";
        let (rules, signers) = written(&[("house.yaml".to_owned(), text.to_owned())]).unwrap();
        let rules: Vec<_> = rules.iter().map(|one| (one.rule.as_str(), one.action.as_str(), &one.says)).collect();
        let first = json!({ "vulnerabilities": { "max": { "critical": 0 }, "sources": { "accept": ["ecr"] } } });
        let other = json!({ "age": { "maxDays": 90 } });
        assert_eq!(rules, [("cves", "deny", &first), ("age", "warn", &other)]);
        assert_eq!((signers[0].policy.as_str(), signers[0].signer.as_str()), ("house", "release"));
        assert_eq!(signers[0].says["key"], "release.pub");
    }

    #[test]
    fn what_is_too_long_is_said_to_be() {
        let text = format!(
            "metadata: {{ name: a }}\nspec: {{ rules: [{{ id: a, rego: {{ source: \"{}\" }} }}] }}",
            "x".repeat(LONGEST)
        );
        let (rules, _) = written(&[("a.yaml".to_owned(), text)]).unwrap();
        assert!(rules[0].says.as_str().unwrap().contains("policy show"));
        assert!(written(&[("a.yaml".to_owned(), "a: [".to_owned())]).is_err());
    }
}
