//! Schema and reader agree.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{BUILT_IN, HEAD};
use crate::Policy;
use crate::document::{Parameters, schema};

/// Every object of a schema, with the path to it.
fn objects<'a>(path: &str, schema: &'a Value, found: &mut Vec<(String, &'a serde_json::Map<String, Value>)>) {
    match schema {
        Value::Object(keys) => {
            found.push((path.to_owned(), keys));
            keys.iter().for_each(|(key, value)| objects(&format!("{path}/{key}"), value, found));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, value)| objects(&format!("{path}/{n}"), value, found));
        }
        _ => {}
    }
}

#[test]
fn b10_the_schema_closes_every_object_and_allows_no_null() {
    for schema in [schema(), crate::exceptions_schema()] {
        let mut found = Vec::new();
        objects("", &schema, &mut found);
        let mut closed = 0;
        for (path, keys) in &found {
            let is_schema = !path.ends_with("/properties") && !path.ends_with("/$defs");
            if is_schema && (keys.contains_key("properties") || keys.get("type").is_some_and(|kind| kind == "object")) {
                let rest = &keys["additionalProperties"];
                // A map of free names (`environments`) says what its values are.
                assert!(rest == false || rest.get("$ref").is_some(), "{path}");
                closed += 1;
            }
        }
        assert!(closed >= 2);
        let text = schema.to_string();
        assert!(!text.contains("null"), "{text}");
        assert!(!text.contains("\"additionalProperties\":true"));
    }
}

/// Checks keys and required keys of a document against a schema; the leaves are the reader's business.
fn fits(path: &str, document: &Value, schema: &Value, root: &Value) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return fits(path, document, root.pointer(reference.trim_start_matches('#')).unwrap(), root);
    }
    match document {
        Value::Object(keys) => {
            if schema.get("oneOf").is_some() && schema.get("properties").is_none() {
                return;
            }
            for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                assert!(keys.contains_key(key.as_str().unwrap()), "{path} lacks {key}");
            }
            for (key, value) in keys {
                let known = schema.get("properties").and_then(|properties| properties.get(key));
                let rest = schema.get("additionalProperties").filter(|rest| rest.is_object());
                fits(&format!("{path}/{key}"), value, known.or(rest).unwrap_or_else(|| panic!("{path}/{key}")), root);
            }
        }
        Value::Array(list) => list.iter().for_each(|item| fits(path, item, &schema["items"], root)),
        _ => {}
    }
}

#[test]
fn b10_the_schema_knows_every_key_of_the_built_in_policy_and_of_a_full_one() {
    let full = format!(
        "{HEAD}spec:
  parameters: {{ high: 0 }}
  environments:
    production: {{ class: production, noneMatched: deny, parameters: {{ high: 1 }} }}
  match: {{ environments: [production], images: [\"**\"], labels: {{ team: pay }}, platforms: [linux/amd64] }}
  onUnknown: {{ scanPending: pending, throttled: {{ lastKnownGood: 24h }}, default: deny }}
  exceptions: [exceptions.yaml]
  grandfathering: 14d
  action: deny
  rules:
    - id: r
      action: warn
      effectiveFrom: 2026-06-01
      before: audit
      until: 2027-06-01
      waivable: false
      vulnerabilities:
        sources: {{ accept: [ecr, file, registry, trivy, ci], required: [ecr], blockWhen: any, suppressed: honour }}
        max: {{ critical: 0, high: 0, medium: 1, low: 2, informational: 3, undefined: 4, untriaged: 5 }}
        ignoreUnfixed: true
        allow: [CVE-1]
        deny: [CVE-2]
        knownExploited: deny
        denyCvssFrom: 9
        denyEpssFrom: 0.5
        gracePeriod: {{ critical: 1d, high: 7d, medium: 8d, low: 1w, informational: 1h, undefined: 1m, untriaged: 1s }}
        maxScanAge: 8d
        vex: {{ from: [file, registry, release], authors: [\"*@acme.example\"] }}
    - id: s
      sbom: {{ from: [file, ci] }}
    - id: c
      config: {{ nonRoot: true }}
    - id: b
      baseImage: {{ approved: [debian], maxAge: 60d, current: true }}
    - id: a
      age: {{ min: 1d, max: 90d, of: pushed }}
    - id: n
      registries:
        allow: [\"ghcr.io/acme/**\"]
        deny: [\"**/tmp\"]
        tags: {{ allow: [\"v*\"], deny: [latest] }}
        digestOnly: true
        except: [\"docker.io/acme/tool:latest\"]
    - id: p
      packages: {{ deny: [pkg:deb/telnet], allow: [pkg:deb/bash], max: 0, withoutDatabase: pass }}
    - id: q
      packages: {{ required: [pkg:deb/ca-certificates] }}
    - id: m
      measurements: {{ from: [ci], metric: m, max: 1 }}
    - id: signed
      signatures: {{ threshold: 1, of: [release, ci, corp], required: [ci], on: all }}
    - id: tested
      attestations:
        type: vuln
        signers: [ci]
        on: platforms
        conditions:
          - {{ path: /a, equals: PASSED, in: [1, true], matches: \"*\", exists: true, atMost: 1, atLeast: 0.5, notOlderThan: 7d }}
    - id: built
      provenance:
        signers: [ci]
        builders: [\"https://gitlab.com/**\"]
        buildTypes: [{{ exact: a }}]
        sources: [gitlab.com/acme/app]
        refs: [refs/heads/main]
        commits: [{{ regex: \"[0-9a-f]{{40}}\" }}]
        workflows: [{{ glob: \".github/*\" }}]
        parameters: {{ inputs/version: \"1.*\" }}
        on: index
    - id: summed
      vsa: {{ verifiers: [\"https://gate.acme.example/**\"], signers: [release], policy: \"*\", maxAge: 1d }}
    - id: house
      rego:
        file: house.rego
        modules: [lib.rego]
        data: [data.json]
        query: data.house.deny
        needs: [scans, config, layers, sboms, measurements, signatures, vex]
        sources: {{ accept: [ecr] }}
        maxScanAge: 1d
  trust: {{ roots: [root.json, sigstore-public-good], repositories: [registry.example.com/signatures] }}
  signers:
    release:
      key: release.pub
      notBefore: 2026-01-01
      notAfter: 2027-01-01T00:00:00Z
      revoked: {{ at: 2026-05-01 }}
      transparencyLog: required
    old: {{ key: \"awskms:///alias/old\", revoked: true }}
    ci:
      keyless: {{ issuer: \"https://gitlab.com\", identity: \"https://gitlab.com/**\", claims: {{ sourceRepositoryRef: refs/heads/main }} }}
    corp:
      x509:
        type: ca
        certificates: [root.pem]
        timestampAuthorities: [tsa.pem]
        timestamp: required
        revocationLists: [ca.crl]
        subjects: [\"C=US, O=acme\"]
        revocation: required
"
    );
    let schema = schema();
    for text in [BUILT_IN, &full] {
        Policy::parse("policy.yaml", text, &Parameters::new()).unwrap();
        fits("", &serde_saphyr::from_str::<Value>(text).unwrap(), &schema, &schema);
    }
    // The other way round: there is no key in the schema that the full document does not show, apart from these.
    let document = serde_saphyr::from_str::<Value>(&full).unwrap();
    for (key, place) in [
        ("Spec", "/spec"),
        ("Vulnerabilities", "/spec/rules/0/vulnerabilities"),
        ("Sources", "/spec/rules/0/vulnerabilities/sources"),
        ("Vex", "/spec/rules/0/vulnerabilities/vex"),
        ("Match", "/spec/match"),
        ("EnvironmentSpec", "/spec/environments/production"),
        ("BaseImage", "/spec/rules/3/baseImage"),
        ("Age", "/spec/rules/4/age"),
        ("Registries", "/spec/rules/5/registries"),
        ("Tags", "/spec/rules/5/registries/tags"),
        ("Signatures", "/spec/rules/9/signatures"),
        ("Attestations", "/spec/rules/10/attestations"),
        ("Condition", "/spec/rules/10/attestations/conditions/0"),
        ("Provenance", "/spec/rules/11/provenance"),
        ("Vsa", "/spec/rules/12/vsa"),
        ("Rego", "/spec/rules/13/rego"),
        ("Trust", "/spec/trust"),
        ("Keyless", "/spec/signers/ci/keyless"),
        ("X509", "/spec/signers/corp/x509"),
    ] {
        let known: Vec<_> = schema["$defs"][key]["properties"].as_object().unwrap().keys().collect();
        let mut shown: Vec<_> = document.pointer(place).unwrap().as_object().unwrap().keys().collect();
        shown.sort();
        assert_eq!(shown, known, "{key}");
    }
    let rules = document.pointer("/spec/rules").unwrap().as_array().unwrap();
    let shown: BTreeSet<_> = rules.iter().flat_map(|rule| rule.as_object().unwrap().keys()).collect();
    assert_eq!(shown, schema["$defs"]["Rule"]["properties"].as_object().unwrap().keys().collect());
    let signers = document.pointer("/spec/signers").unwrap().as_object().unwrap().values();
    let shown: BTreeSet<_> = signers.flat_map(|signer| signer.as_object().unwrap().keys()).collect();
    assert_eq!(shown, schema["$defs"]["Signer"]["properties"].as_object().unwrap().keys().collect());
    let kinds: Vec<_> =
        schema["$defs"]["Rule"]["oneOf"].as_array().unwrap().iter().map(|one| &one["required"][0]).collect();
    assert_eq!(
        kinds,
        [
            "vulnerabilities",
            "sbom",
            "packages",
            "config",
            "baseImage",
            "age",
            "registries",
            "measurements",
            "signatures",
            "attestations",
            "provenance",
            "vsa",
            "rego"
        ]
    );
    let classes = schema["$defs"]["OnUnknownMap"]["properties"].as_object().unwrap();
    assert_eq!(classes.len(), model::UnknownClass::ALL.len() + 1);
    assert!(model::UnknownClass::ALL.iter().all(|class| classes.contains_key(class.as_str())));
}

#[test]
fn s22_the_schema_allows_names_of_signers_and_no_other_text() {
    let schema = schema();
    let pattern = |key: &str| schema["$defs"][key]["items"]["anyOf"][1]["pattern"].as_str().unwrap().to_owned();
    for key in ["Accept", "EvidenceSources"] {
        assert_eq!(schema["$defs"][key]["minItems"], 1, "{key}");
        let pattern = regex::Regex::new(&pattern(key)).unwrap();
        assert!(pattern.is_match("release-key_2.x") && !pattern.is_match("release key") && !pattern.is_match(""));
    }
    let from = &schema["$defs"]["EvidenceSources"]["items"]["anyOf"];
    assert_eq!(from[0]["enum"], serde_json::json!(["file", "registry"]));
    assert!(from[1]["not"]["enum"].as_array().unwrap().contains(&"ecr".into()));
    assert_eq!(schema["$defs"]["Accept"]["items"]["anyOf"][0]["$ref"], "#/$defs/Source");
    assert!(schema["$defs"]["Vex"]["required"] == serde_json::json!(["from"]));
}

#[test]
fn s22_the_schema_names_every_scanner() {
    let schema = schema();
    let names = |key: &str| -> Vec<String> {
        let names = schema["$defs"][key]["enum"].as_array().unwrap();
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let scanners: Vec<_> = model::Scanner::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(names("RequiredScanner"), scanners);
    let others = ["ecr", "file", "registry"].map(str::to_owned).to_vec();
    assert_eq!(names("Source"), [others, scanners[1..].to_vec()].concat());
    for name in names("Source") {
        let way = if ["ecr", "file", "registry"].contains(&name.as_str()) { "" } else { ", file" };
        let text = format!(
            "{HEAD}spec: {{ rules: [{{ id: r, vulnerabilities: {{ sources: {{ accept: [{name}{way}] }} }} }}] }}\n"
        );
        assert!(Policy::parse("policy.yaml", &text, &Parameters::new()).is_ok(), "{name}");
    }
}
