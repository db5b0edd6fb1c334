//! OpenVEX.

use VexStatus::{Affected, Fixed, NotAffected, UnderInvestigation};

use super::*;

pub(super) fn text() -> String {
    let digest = digest();
    format!(
        r#"{{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/vex-1","author":"Example Security","role":"issuer",
        "timestamp":"2026-01-02T00:00:00Z","version":1,"tooling":"vexctl","statements":[
        {{"vulnerability":{{"name":"CVE-2024-0001","@id":"https://example.com","aliases":["GHSA-aaaa-bbbb-cccc"]}},
          "products":[{{"@id":"pkg:oci/app@{digest}","subcomponents":[{{"@id":"pkg:deb/debian/openssl@3.0"}}]}}],
          "status":"not_affected","justification":"vulnerable_code_not_in_execute_path","impact_statement":"never called"}},
        {{"vulnerability":{{"name":"CVE-2024-0002"}},"products":[{{"@id":"pkg:apk/wolfi/git@2.39.0-r1?arch=armv7"}}],
          "status":"affected","action_statement":"upgrade","timestamp":"2025-01-01T00:00:00Z"}},
        {{"vulnerability":"CVE-2024-0003","products":["pkg:apk/wolfi/bash@1.0.0"],"status":"fixed"}},
        {{"vulnerability":{{"name":"CVE-2024-0004"}},"products":[],"status":"under_investigation","status_notes":"looking",
          "timestamp":"2025-01-01T00:00:00Z","last_updated":"2026-03-01T00:00:00+01:00"}}]}}"#
    )
}

fn with_products(products: &str) -> String {
    format!(
        r#"{{"@context":"https://openvex.dev/ns","author":"a","statements":[{{"vulnerability":"CVE-1","status":"fixed",{products}}}]}}"#
    )
}

#[test]
fn b19_openvex_is_read() {
    let document = read(&text()).unwrap();
    assert_eq!((document.format.as_str(), document.author.as_str()), ("openvex", "Example Security"));
    assert_eq!(document.id.as_deref(), Some("https://example.com/vex-1"));
    assert_eq!(
        statuses(&document),
        [Affected, NotAffected, Fixed, UnderInvestigation],
        "oldest first, the rest as it stands"
    );
    let times: Vec<String> = document.statements.iter().map(|statement| statement.at.unwrap().to_string()).collect();
    let dated = ["2025-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", "2026-02-28T23:00:00Z"];
    assert_eq!(times, dated, "their own time, else the document's");
    let said = &document.statements[1];
    let names: Vec<&str> = said.vulnerabilities.iter().map(model::VulnerabilityId::as_str).collect();
    assert_eq!(names, ["CVE-2024-0001", "GHSA-aaaa-bbbb-cccc"]);
    assert_eq!(said.justification.as_deref(), Some("vulnerable_code_not_in_execute_path"));
    assert_eq!(said.note.as_deref(), Some("never called"));
    let image = format!("pkg:oci/app@{}", digest());
    assert_eq!(said.products, [product(&[digest()], Some(&image), &["pkg:deb/debian/openssl@3.0"])]);
    let notes: Vec<Option<&str>> = document.statements.iter().map(|statement| statement.note.as_deref()).collect();
    assert_eq!(notes, [Some("upgrade"), Some("never called"), None, Some("looking")]);
}

#[test]
fn s24_products_are_named_as_far_as_they_are_named_exactly() {
    let (digest, hex) = (digest(), hex());
    let id = |id: &str| with_products(&format!(r#""products":[{{"@id":"{id}"}}]"#));
    assert_eq!(only(&id("pkg:deb/debian/x@1?arch=amd64")), product(&[], Some("pkg:deb/debian/x@1?arch=amd64"), &[]));
    assert_eq!(only(&id("my product")), product(&[], None, &[]), "a name alone is not exact");
    assert_eq!(only(&id("pkg:")), product(&[], None, &[]));
    assert_eq!(only(&id(&format!("example.com/app@{digest}"))), product(std::slice::from_ref(&digest), None, &[]));
    let by_hash = with_products(&format!(r#""products":[{{"@id":"app","hashes":{{"sha-256":"{hex}","md5":"00"}}}}]"#));
    assert_eq!(only(&by_hash), product(std::slice::from_ref(&digest), None, &[]));
    let both = r#""products":[{"@id":"https://example.com/app","identifiers":{"purl":"pkg:npm/app@1","cpe23":"cpe:2.3:a:x"}}]"#;
    assert_eq!(only(&with_products(both)), product(&[], Some("pkg:npm/app@1"), &[]));
    let none = r#""products":[{"hashes":{"sha-256":"too short"}}]"#;
    assert_eq!(only(&with_products(none)), product(&[], None, &[]));
}

#[test]
fn s24_a_part_that_cannot_be_named_stays_a_part() {
    let digest = digest();
    let with = |parts: &str| {
        let image = format!(r#""products":[{{"@id":"pkg:oci/app@{digest}","subcomponents":{parts}}}]"#);
        only(&with_products(&image)).subcomponents
    };
    assert_eq!(with(r#"[{"@id":"openssl"}]"#), ["openssl"]);
    assert_eq!(with(r#"[{"hashes":{"sha-256":"00"}}]"#), [""]);
    assert_eq!(with(r"[{}]"), [""]);
    assert_eq!(with(r#"["pkg:npm/x@1",{"identifiers":{"purl":"pkg:npm/%79@1"}}]"#), ["pkg:npm/x@1", "pkg:npm/y@1"]);
    assert_eq!(with(r#"[{"@id":"pkg:npm/x@1","subcomponents":[{"@id":"pkg:npm/y@1"}]}]"#), [""], "a part of a part");
    let beside = format!(r#""products":["pkg:oci/app@{digest}"],"subcomponents":["pkg:npm/x@1"]"#);
    assert_eq!(only(&with_products(&beside)).subcomponents, ["pkg:npm/x@1"], "as the older versions write it");
}

#[test]
fn b19_openvex_versions_0_0_and_0_2_and_no_other() {
    for context in [
        "https://openvex.dev/ns",
        "https://openvex.dev/ns/",
        "https://openvex.dev/ns/v0.0.1",
        "https://openvex.dev/ns/v0.2.0",
    ] {
        assert!(read(&text().replace("https://openvex.dev/ns/v0.2.0", context)).is_ok(), "{context}");
    }
    for context in ["https://openvex.dev/ns/v0.3.0", "https://openvex.dev/ns/v1.0.0", "https://openvex.dev/other"] {
        refused(&text().replace("https://openvex.dev/ns/v0.2.0", context), context);
    }
}

#[test]
fn b19_openvex_that_is_not_understood_is_refused_and_named() {
    for (from, to, why) in [
        ("\"statements\":", "\"statement\":", "statements"),
        ("\"statements\":[", "\"statements\":null,\"x\":[", "null"),
        ("\"statements\":[", "\"statements\":[],\"statements\":[", "duplicate"),
        ("\"status\":\"fixed\"", "\"status\":\"solved\"", "statements[2].status"),
        ("\"status\":\"fixed\"", "\"status\":\"fixed\",\"status\":\"fixed\"", "duplicate"),
        (",\"status\":\"fixed\"", "", "status"),
        ("vulnerable_code_not_in_execute_path", "because", "statements[0].justification"),
        ("\"CVE-2024-0003\"", "\" \"", "statements[2].vulnerability"),
        ("{\"name\":\"CVE-2024-0002\"}", "{\"names\":[]}", "did not match"),
        ("\"products\":[\"pkg", "\"product\":[\"pkg", "unknown field"),
        ("\"products\":[\"pkg", "\"products\":null,\"x\":[\"pkg", "null"),
        ("\"subcomponents\"", "\"subComponents\"", "did not match"),
        ("\"subcomponents\":[", "\"subcomponents\":null,\"x\":[", "did not match"),
        ("\"2026-01-02T00:00:00Z\"", "\"2026-01-02\"", "timestamp"),
        ("\"2026-03-01T00:00:00+01:00\"", "\"soon\"", "statements[3].last_updated"),
        ("\"author\":\"Example Security\",", "", "author"),
    ] {
        assert!(text().contains(from), "{from}");
        refused(&text().replacen(from, to, 1), why);
    }
}

#[test]
fn s24_not_affected_without_a_justification_is_read_as_it_is() {
    let text = text().replace("\"justification\":\"vulnerable_code_not_in_execute_path\",", "");
    let document = read(&text).unwrap();
    assert_eq!((document.statements[1].status, document.statements[1].softens()), (VexStatus::NotAffected, false));
}
