//! What a configuration may say, and how mistakes in it are told.

use super::read::parse;
use super::*;

fn wrong(text: &str) -> (String, Vec<String>) {
    let failure = parse("serve.yaml", text).unwrap_err();
    (failure.what, failure.hints)
}

/// The example of the reference page.
fn example() -> &'static str {
    let page = include_str!("../../../../docs/reference/serve.md");
    page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap()
}

#[test]
fn the_example_of_the_documentation_is_read_and_shows_every_key() {
    let config = parse("serve.yaml", example()).unwrap();
    assert_eq!(config.listen.as_deref(), Some("0.0.0.0:8443"));
    assert_eq!(config.auth.tokens.len(), 3);
    assert_eq!(config.auth.tokens[2].role, Some(Role::Admin));
    assert_eq!(config.limits.longest_wait, Some(Time(Duration::from_mins(10))));
    assert_eq!(config.shutdown.delay, Some(Time(Duration::from_secs(5))));
    assert_eq!(config.log.format, Some(LogFormat::Json));
    let schema = schema();
    let objects = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    let keys: Vec<&String> =
        objects.filter_map(|object| object["properties"].as_object()).flatten().map(|(key, _)| key).collect();
    assert!(keys.len() > 35, "{keys:?}");
    for key in keys {
        assert!(example().contains(&format!("{key}:")), "the example does not show {key}");
    }
}

#[test]
fn nothing_said_is_the_usual() {
    for text in ["", "\n# nothing\n\n"] {
        let config = parse("serve.yaml", text).unwrap();
        assert!(config.listen.is_none() && config.auth.tokens.is_empty() && config.tls.is_none());
    }
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_may_be_meant() {
    let (what, hints) = wrong("listen: 127.0.0.1:1\nlimts:\n  lease: 1s\n");
    assert!(what.starts_with("serve.yaml:2:1: unknown key `limts`"), "{what}");
    assert_eq!(hints, ["did you mean `limits`?"]);
    let (what, _) = wrong("auth:\n  tokens:\n    - name: a\n      sha265: b\n      role: read\n");
    assert!(what.starts_with("serve.yaml:4:7: unknown key `sha265`"), "{what}");
    let (what, hints) = wrong("auth:\n  tokens: [{ name: a, sha256: b, role: root }]\n");
    assert!(what.contains("unknown value `root`"), "{what}");
    assert_eq!(hints, ["possible here: read, write, admin"]);
    let (what, _) = wrong("tls: { certificate: a.pem }\n");
    assert!(what.contains("the key `key` is missing"), "{what}");
    let (what, _) = wrong("limits: { lease: soon }\n");
    assert!(what.contains("serve.yaml:1") && what.contains("\"soon\" is not a duration"), "{what}");
    for text in ["listen: a\nlisten: b\n", "- a\n", "listen: [\n", "auth: { anonymousReads: yes please }\n"] {
        assert!(wrong(text).0.starts_with("serve.yaml"), "{text}");
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let schema = schema();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["$defs"]["Limits"]["additionalProperties"], false);
    assert_eq!(schema["$defs"]["TokenEntry"]["required"], serde_json::json!(["name", "sha256", "role"]));
}
