//! That the records of real checks print the same bytes again is asserted of every run in `crates/cli/tests/it/gate.rs`; here are the
//! parts that those runs do not have, what newer versions may write, and what is no record.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn reason(code: &str) -> Value {
    json!({ "code": code, "message": "It is so.", "remedy": "Change it." })
}

fn judged(disposition: &Value) -> Value {
    json!({
        "id": "CVE-2024-0001", "aliases": ["GHSA-1"], "severity": "HIGH", "rating": "IMPORTANT",
        "packages": [{ "name": "zlib", "version": "1.2", "fix": { "in": "1.3" }, "purl": "pkg:deb/debian/zlib@1.2",
            "layer": { "digest": DIGEST, "orBelow": true } }],
        "cvssTenths": 98, "epssMillionths": 12, "exploitAvailable": true, "url": null,
        "saidBy": [{ "scanner": "trivy", "severity": "HIGH" }], "platform": "linux/arm64/v8", "disposition": disposition,
    })
}

/// A decision with something in every part.
fn record() -> Value {
    let signer = json!({ "kind": "keyless", "identity": { "kind": "uri", "value": "https://example.com/ci" }, "issuer": "https://example.com",
        "claims": { "code": "a", "message": "b" }, "certificate": DIGEST });
    let proven = json!([{ "at": "2026-01-01T00:00:00Z", "by": "transparencyLog", "root": DIGEST }]);
    let log = json!({ "log": "c0ffee", "index": 7, "roots": [DIGEST] });
    let window = json!(["2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z"]);
    let blocking = judged(&json!({ "is": "blocks", "by": "vuln.maxExceeded" }));
    let waived = ["withinLimit", "allowed", "unfixed", "notAgreed"].map(|is| json!({ "is": is })).into_iter().chain([
        json!({ "is": "excepted", "by": "EX-1" }),
        json!({ "is": "grace", "by": "2026-02-01T00:00:00Z" }),
        json!({ "is": "suppressed", "by": ".trivyignore" }),
        json!({ "is": "vex", "by": "not_affected" }),
    ]);
    let waived: Vec<Value> = waived.map(|disposition| judged(&disposition)).collect();
    json!({
        "schema": "ecr-gate.dev/decision/v1", "id": "01890000-0000-7000-8000-000000000000", "verdict": "deny", "exitCode": 1,
        "recordedAt": "2026-01-01T00:00:00Z", "validUntil": "2026-02-01T00:00:00Z", "dryRun": false,
        "image": { "reference": "ghcr.io/a/b:1", "name": "ghcr.io/a/b", "digest": DIGEST, "imageId": null, "tag": "1",
            "platforms": [{ "platform": "linux/amd64", "digest": DIGEST }] },
        "environment": { "name": "production", "class": "production" },
        "reasons": [{ "code": "vuln.maxExceeded", "message": "m", "remedy": "r", "class": null, "rules": ["p/r"] },
            { "code": "scan.pending", "message": "m", "remedy": "r", "class": "scanPending", "rules": [] }],
        "findings": { "judged": true, "counts": { "HIGH": 1, "WEIRD": 2 }, "blockingTotal": 1, "blocking": [blocking], "waived": waived },
        "pathToGreen": {
            "from": "deny", "blocking": 1,
            "introduced": [{ "by": "base", "base": "debian:12", "findings": 1, "why": [], "newerBuild": true },
                { "by": "unknown", "findings": 1, "why": ["no source names the layer"], "newerBuild": null }],
            "packages": [{ "by": "own", "names": ["zlib"], "installed": ["1.2"], "platforms": ["linux/amd64"], "findings": 1, "onlyWarned": 0,
                "fixed": 1, "versionNotSaid": 0, "noFix": 0, "fixNotSaid": 0, "upgradeTo": [["1.3"]] }],
            "limits": [{ "policy": "p", "rule": "r", "platform": null, "severity": "HIGH", "found": 1, "allowed": 0, "toGo": 1 }],
            "steps": [
                { "kind": "rebuild", "base": "debian:12", "packages": ["zlib"], "clears": 1, "certain": false, "text": "t" },
                { "kind": "upgrade", "packages": ["zlib"], "to": [["1.3"]], "clears": 1, "certain": true, "text": "t" },
                { "kind": "rule", "policy": "p", "rule": "s", "code": "signature.missing", "verdict": "deny", "clears": 0, "certain": true, "text": "t" }],
            "stays": { "findings": 0, "blocking": 0, "noFix": 0, "fixNotSaid": 0, "unlisted": 0, "text": "" },
        },
        "policies": [{ "name": "p", "version": null, "digest": DIGEST, "failOn": null }],
        "rules": [{ "policy": "p", "rule": "r", "outcome": "fail", "verdict": "deny", "reasons": [reason("vuln.maxExceeded")],
            "onUnknown": { "scanPending": "pending" }, "notes": ["n"] }],
        "attached": null,
        "signals": [{ "subject": DIGEST, "platform": "linux/amd64", "scanner": "trivy", "tool": "Trivy 0.59",
            "origin": { "kind": "attestation", "name": { "manifest": DIGEST, "proof": { "signer": signer, "window": window, "proven": proven,
                "log": log, "roots": [DIGEST], "refused": [[DIGEST, reason("trust.rootInvalid")]], "claimed": null, "expires": null, "notes": [] } } },
            "observedAt": "2026-01-01T00:00:00Z", "completedAt": "2026-01-01T00:00:00Z", "databaseAt": "2026-01-01T00:00:00Z",
            "evidence": DIGEST, "counts": { "HIGH": 1 },
            "proof": { "kind": "report", "provenBy": "Results[].Class", "targets": ["a"], "completedAt": "2026-01-01T00:00:00Z", "databaseDated": true },
            "ageSeconds": 0 }],
        "signatures": [{ "subject": DIGEST, "platform": null, "format": "bundle", "manifest": DIGEST, "envelope": DIGEST, "place": "referrer",
            "verified": true, "content": { "kind": "signature", "reference": null, "annotations": { "code": "a", "message": "b" } },
            "signer": signer, "proven": proven, "log": log, "window": window, "claimed": null, "expires": null, "notes": [],
            "provenance": { "builder": "b", "buildType": "t", "source": "s", "gitRef": null, "commit": null, "workflow": null }, "reasons": [] }],
        "trustMaterial": DIGEST,
        "trustScore": { "score": 25, "parts": [{ "name": "signature", "weight": 25, "points": 25, "why": "w" }] },
        "exceptions": [{ "id": "EX-1", "owner": "o", "reason": "r", "expires": "2026-02-01T00:00:00Z", "findings": 1 }],
        "warnings": ["w"],
        "answer": { "point": "ci", "advisory": false, "askedBy": "a", "pipeline": null, "commit": null, "traceId": null },
        "timingMs": { "pushToDecision": 1, "scanEndToDecision": null, "request": 2 },
    })
}

fn read(value: &Value) -> Result<Record, String> {
    serde_json::from_str(&value.to_string()).map_err(|error| error.to_string())
}

/// Every object in a record that is one of our types, as opposed to a map whose keys are data or a variant with its content.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let is_data = ["counts", "onUnknown", "claims", "annotations", "fix"].iter().any(|name| at.ends_with(name));
            if !is_data {
                found.push(at.to_owned());
                map.iter().for_each(|(key, value)| objects(value, &format!("{at}/{key}"), found));
            }
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, value)| objects(value, &format!("{at}/{n}"), found));
        }
        _ => {}
    }
}

#[test]
fn b18_a_record_read_back_says_the_same() {
    let written = record();
    let back = read(&written).unwrap();
    assert_eq!(serde_json::to_value(&back).unwrap(), written);
    assert!(back.image.in_registry, "what is not written follows from the name");
    let bytes = serde_json::to_string(&back).unwrap();
    assert_eq!(serde_json::to_string(&serde_json::from_str::<Record>(&bytes).unwrap()).unwrap(), bytes);
}

#[test]
fn b18_fields_that_a_newer_version_adds_are_left_out_wherever_they_stand() {
    let written = record();
    let mut found = Vec::new();
    objects(&written, "", &mut found);
    assert!(found.len() > 40, "{found:?}");
    for at in found {
        let mut newer = written.clone();
        let object = newer.pointer_mut(&at).unwrap().as_object_mut().unwrap();
        object.insert("addedLater".to_owned(), json!({ "code": 1, "deep": [null] }));
        let back = read(&newer).unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(serde_json::to_value(&back).unwrap(), written, "{at}");
    }
}

#[test]
fn a5_a_record_with_a_field_missing_is_none() {
    // What says by its absence that there is nothing more to say, and never that something is good.
    let optional = [
        "pathToGreen",
        "attached",
        "trustMaterial",
        "trustScore",
        "imageId",
        "tag",
        "askedBy",
        "pipeline",
        "commit",
        "traceId",
        "pushToDecision",
        "scanEndToDecision",
        "request",
        "platform",
        "tool",
        "newerBuild",
        "version",
        "failOn",
        "cvssTenths",
        "epssMillionths",
        "exploitAvailable",
        "url",
        "rating",
        "purl",
        "layer",
        "digest",
        "window",
        "log",
        "root",
        "claimed",
        "expires",
        "content",
        "provenance",
        "source",
        "gitRef",
        "workflow",
        "reference",
        "by",
        "base",
        "data",
    ];
    let written = record();
    let mut found = Vec::new();
    objects(&written, "", &mut found);
    let mut refused = 0;
    for at in found {
        for name in written.pointer(&at).unwrap().as_object().unwrap().keys() {
            let mut less = written.clone();
            less.pointer_mut(&at).unwrap().as_object_mut().unwrap().remove(name);
            let back = read(&less);
            let is_needed = !optional.contains(&name.as_str())
                || at == "/image" && ["digest", "reference"].contains(&name.as_str());
            assert!(!is_needed || back.is_err(), "{at}/{name}");
            refused += usize::from(back.is_err());
            if let Ok(back) = back {
                assert_eq!(back.verdict, Verdict::Deny);
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a5_words_that_nobody_knows_are_no_record() {
    for (at, word) in [
        ("/schema", "ecr-gate.dev/decision/v2"),
        ("/verdict", "maybe"),
        ("/verdict", "Allow"),
        ("/rules/0/verdict", "fine"),
        ("/rules/0/outcome", "passed"),
        ("/environment/class", "lab"),
        ("/reasons/1/class", "scanTired"),
        ("/findings/blocking/0/disposition/is", "forgotten"),
    ] {
        let mut other = record();
        *other.pointer_mut(at).unwrap() = word.into();
        assert!(read(&other).is_err(), "{at}: {word}");
    }
}

#[test]
fn a5_a_record_that_says_something_twice_is_none() {
    let written = record().to_string();
    assert!(serde_json::from_str::<Record>(&written).is_ok());
    for name in ["verdict", "digest", "outcome", "counts", "score"] {
        let twice = written.replacen(&format!("\"{name}\":"), &format!("\"{name}\":null,\"{name}\":"), 1);
        assert!(twice != written && serde_json::from_str::<Record>(&twice).is_err(), "{name}");
    }
}

#[test]
fn b18_a_reason_of_a_newer_version_leaves_a_deny_a_deny() {
    let mut newer = record();
    for at in [
        "/reasons/0/code",
        "/rules/0/reasons/0/code",
        "/findings/blocking/0/disposition/by",
        "/pathToGreen/steps/2/code",
        "/signals/0/origin/name/proof/refused/0/1/code",
    ] {
        *newer.pointer_mut(at).unwrap() = "vuln.smellsOdd".into();
    }
    let back = read(&newer).unwrap();
    assert_eq!(back.verdict, Verdict::Deny);
    assert_eq!(back.reasons[0].reason.code, model::ReasonCode::Unrecognised);
    assert_eq!(back.reasons[0].reason.message, "vuln.smellsOdd: m", "the code is still to be read");
    assert!(matches!(back.findings.blocking[0].disposition, Disposition::Blocks(model::ReasonCode::Unrecognised)));
    let written = serde_json::to_value(&back).unwrap();
    let annotations = "/signatures/0/content/annotations";
    assert_eq!(written.pointer(annotations), record().pointer(annotations), "what only looks like a reason stays");
}

#[test]
fn a_local_image_is_in_no_registry() {
    for (reference, name, is) in [
        ("oci:image", "image", false),
        ("docker-archive:a.tar", "app", false),
        ("oci:5000/app", "app", false),
        ("localhost:5000/app@sha256:0", "localhost:5000/app", false),
        ("localhost:5000/app:1", "localhost:5000/app", true),
    ] {
        let mut other = record();
        other["image"]["reference"] = reference.into();
        other["image"]["name"] = name.into();
        assert_eq!(read(&other).unwrap().image.in_registry, is, "{reference}");
    }
}

proptest! {
    /// Whatever is cut, swapped or written over in a record, reading ends with an error or with what it says.
    #[test]
    fn a5_no_damage_makes_a_deny_an_allow(at in 0_usize..6000, with in any::<u8>()) {
        let mut bytes = record().to_string().into_bytes();
        let at = at % bytes.len();
        bytes[at] = with;
        if let Ok(back) = serde_json::from_slice::<Record>(&bytes) {
            prop_assert!(back.verdict == Verdict::Deny);
        }
        prop_assert!(serde_json::from_slice::<Record>(&bytes[..at]).is_err());
    }
}
