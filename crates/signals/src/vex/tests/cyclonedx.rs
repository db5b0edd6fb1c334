//! CycloneDX VEX.

use VexStatus::{Affected, Fixed, NotAffected, UnderInvestigation};

use super::*;

pub(super) fn text() -> String {
    let digest = digest();
    format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:aaaa","metadata":{{"timestamp":"2026-01-01T00:00:00Z",
        "supplier":{{"name":"Example Security"}},
        "component":{{"bom-ref":"image","type":"container","name":"app","version":"{digest}"}}}},
        "components":[{{"bom-ref":"ssl","type":"library","name":"openssl","version":"3.0","purl":"pkg:deb/debian/openssl@3.0"}}],
        "vulnerabilities":[
        {{"id":"CVE-2024-0001","references":[{{"id":"GHSA-aaaa-bbbb-cccc"}}],"affects":[{{"ref":"ssl"}}],
          "analysis":{{"state":"not_affected","justification":"code_not_reachable","detail":"never called",
            "firstIssued":"2026-02-01T00:00:00Z","lastUpdated":"2026-02-02T00:00:00Z"}}}},
        {{"id":"CVE-2024-0002","affects":[{{"ref":"image"}}],"analysis":{{"state":"resolved"}}}},
        {{"id":"CVE-2024-0003","affects":[{{"ref":"ssl"}}],"analysis":{{"state":"exploitable"}}}},
        {{"id":"CVE-2024-0004","affects":[{{"ref":"ssl"}}],"analysis":{{"state":"in_triage"}}}},
        {{"id":"CVE-2024-0005","affects":[{{"ref":"ssl"}}]}},
        {{"id":"CVE-2024-0006","affects":[{{"ref":"ssl"}}],"analysis":{{"detail":"nothing said"}}}}]}}"#
    )
}

fn affects(subject: &str, target: &str) -> String {
    format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","serialNumber":"urn:uuid:aaaa",{subject}
        "components":[{{"bom-ref":"ssl","name":"openssl","purl":"pkg:deb/debian/openssl@3.0","components":[
          {{"bom-ref":"inner","name":"inner","purl":"pkg:npm/inner@1"}},{{"bom-ref":"nameless","name":"nameless"}}]}}],
        "vulnerabilities":[{{"id":"CVE-1","affects":[{{"ref":"{target}"}}],"analysis":{{"state":"resolved"}}}}]}}"#
    )
}

#[test]
fn b19_cyclonedx_vex_is_read() {
    let document = read(&text()).unwrap();
    assert_eq!((document.format.as_str(), document.author.as_str()), ("cyclonedx", "Example Security"));
    assert_eq!(document.id.as_deref(), Some("urn:uuid:aaaa"));
    assert_eq!(
        statuses(&document),
        [Fixed, Affected, UnderInvestigation, NotAffected],
        "what is not analysed is not said"
    );
    assert_eq!(document.statements[0].products, [product(&[digest()], None, &[])]);
    let said = &document.statements[3];
    let names: Vec<&str> = said.vulnerabilities.iter().map(model::VulnerabilityId::as_str).collect();
    assert_eq!(names, ["CVE-2024-0001", "GHSA-aaaa-bbbb-cccc"]);
    assert_eq!(
        (said.justification.as_deref(), said.note.as_deref()),
        (Some("code_not_reachable"), Some("never called"))
    );
    assert_eq!(said.at.unwrap().to_string(), "2026-02-02T00:00:00Z");
    assert_eq!(document.statements[0].at.unwrap().to_string(), "2026-01-01T00:00:00Z", "the document's time");
    assert_eq!(said.products, [product(&[digest()], None, &["pkg:deb/debian/openssl@3.0"])]);
}

#[test]
fn s24_a_reference_is_a_component_a_link_or_a_package_url() {
    let openssl = product(&[], Some("pkg:deb/debian/openssl@3.0"), &[]);
    assert_eq!(only(&affects("", "ssl")), openssl);
    assert_eq!(only(&affects("", "urn:cdx:aaaa/1#ssl")), openssl, "a link into the document itself");
    assert_eq!(only(&affects("", "urn:cdx:bbbb/1#ssl")), product(&[], None, &[]), "a link into another document");
    assert_eq!(only(&affects("", "urn:cdx:bbbb/1#pkg:deb/debian/openssl@3.0")), openssl);
    assert_eq!(only(&affects("", "urn:cdx:bbbb/1#pkg%3Adeb%2Fdebian%2Fopenssl%403.0")), openssl);
    assert_eq!(
        only(&affects("", "pkg:deb/debian/openssl@3.0?package-id=0123456789abcdef")),
        openssl,
        "as syft writes it"
    );
    let arm = product(&[], Some("pkg:deb/debian/openssl@3.0?arch=arm64"), &[]);
    assert_eq!(only(&affects("", "pkg:deb/debian/openssl@3.0?arch=arm64&package-id=0123456789abcdef")), arm);
    assert_eq!(only(&affects("", "inner")), product(&[], Some("pkg:npm/inner@1"), &[]));
    for nothing in ["nameless", "unknown", "urn:cdx:aaaa/1", "", "urn:cdx:bbbb/1#pkg%3A%ff"] {
        assert_eq!(only(&affects("", nothing)), product(&[], None, &[]), "{nothing}");
    }
    let image = format!("pkg:oci/app@{}", digest());
    assert_eq!(only(&affects("", &image)), product(&[digest()], Some(&image), &[]));
}

#[test]
fn s24_what_is_said_about_a_part_of_a_product_is_said_about_no_other_product() {
    let digest = digest();
    let image = format!(r#""metadata":{{"component":{{"bom-ref":"image","name":"app","version":"{digest}"}}}},"#);
    let digests = std::slice::from_ref(&digest);
    assert_eq!(only(&affects(&image, "image")), product(digests, None, &[]));
    assert_eq!(only(&affects(&image, "ssl")), product(digests, None, &["pkg:deb/debian/openssl@3.0"]));
    assert_eq!(only(&affects(&image, "nameless")), product(digests, None, &["nameless"]));
    assert_eq!(only(&affects(&image, "unknown")), product(digests, None, &["unknown"]));
    assert_eq!(only(&affects(&image, "")), product(digests, None, &[""]));
    let name = r#""metadata":{"component":{"bom-ref":"app","name":"app"}},"#;
    assert_eq!(
        only(&affects(name, "ssl")),
        product(&[], None, &["pkg:deb/debian/openssl@3.0"]),
        "named by nothing exact"
    );
}

#[test]
fn b19_the_author_is_whoever_stands_behind_the_document() {
    let by = |metadata: &str| {
        read(&format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","vulnerabilities":[],"metadata":{{{metadata}}}}}"#
        ))
        .unwrap()
        .author
    };
    assert_eq!(by(r#""manufacturer":{"name":"M"},"authors":[{"name":"A"}]"#), "M");
    assert_eq!(by(r#""manufacture":{"name":"Old"}"#), "Old");
    assert_eq!(by(r#""supplier":{"name":" "},"authors":[{"name":"A"},{"name":"B"}]"#), "A");
    assert_eq!(by(r#""component":{"name":"x","supplier":{"name":"S"}}"#), "S");
    assert_eq!(by(""), "", "nobody says who says it");
}

#[test]
fn b19_cyclonedx_vex_that_is_not_understood_is_refused_and_named() {
    for (from, to, why) in [
        ("\"1.6\"", "\"1.9\"", "1.9"),
        ("\"vulnerabilities\":[", "\"vulnerabilities\":null,\"x\":[", "null"),
        ("\"vulnerabilities\":[", "\"vulnerabilities\":[],\"vulnerabilities\":[", "duplicate"),
        ("\"exploitable\"", "\"maybe\"", "vulnerabilities[2].analysis.state"),
        ("code_not_reachable", "because", "vulnerabilities[0].analysis.justification"),
        ("\"id\":\"CVE-2024-0003\",", "", "vulnerabilities[2].id"),
        ("\"affects\":[{\"ref\":\"ssl\"}],\"analysis\"", "\"affects\":null,\"analysis\"", "null"),
        ("\"ref\":\"ssl\"", "\"bom-ref\":\"ssl\"", "ref"),
        ("\"bom-ref\":\"ssl\"", "\"bom-ref\":\"image\"", "twice"),
        ("2026-02-02T00:00:00Z", "2026", "lastUpdated"),
        ("2026-01-01T00:00:00Z", "2026", "metadata.timestamp"),
    ] {
        assert!(text().contains(from), "{from}");
        refused(&text().replacen(from, to, 1), why);
    }
}
