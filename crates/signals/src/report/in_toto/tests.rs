//! The vulnerabilities predicate of in-toto: findings, and never a scan.

use model::{ReasonCode, Signal};
use serde_json::{Value, json};

use super::*;

fn read(result: &Value) -> Result<Document, String> {
    let predicate = json!({
        "scanner": {
            "uri": "pkg:github/aquasecurity/trivy@244fd47e07d1004f0aed9",
            "version": "0.19.2",
            "db": { "uri": "pkg:github/aquasecurity/trivy-db", "version": "v1", "lastUpdate": "2026-03-01T00:00:00Z" },
            "result": result
        },
        "metadata": { "scanStartedOn": "2026-03-01T00:00:00Z", "scanFinishedOn": "2026-03-01T00:01:00Z" }
    });
    super::read(predicate.to_string().as_bytes(), &Limits::STANDARD).map_err(|error| error.to_string())
}

fn severity(ratings: &Value) -> Severity {
    read(&json!([{ "id": "CVE-2026-1", "severity": ratings }])).unwrap().unproven[0].severity.clone()
}

#[test]
fn s19_it_adds_findings_and_proves_no_scan() {
    let document = read(&json!([
        { "id": "CVE-2026-1", "severity": [{ "method": "nvd", "score": "medium" }, { "method": "cvss_score", "score": "9.8" }] },
        { "vulnerability": { "id": "GHSA-x", "severity": [{ "method": "nvd", "score": "LOW" }] } }
    ]))
    .unwrap();
    assert_eq!(
        (document.scanner, document.tool.as_deref()),
        (Scanner::Trivy, Some("pkg:github/aquasecurity/trivy@244fd47e07d1004f0aed9 0.19.2"))
    );
    let found: Vec<_> =
        document.unproven.iter().map(|one| (one.id.as_str(), one.severity.clone(), one.cvss_tenths)).collect();
    assert_eq!(found, [("CVE-2026-1", Severity::Critical, Some(98)), ("GHSA-x", Severity::Low, None)]);
    // Not even an empty list, which by the specification "found no vulnerabilities".
    let Err(Signal::Absent(why)) = read(&json!([])).unwrap().scan else { panic!("a scan") };
    assert_eq!(why.code, ReasonCode::ScanUnproven);
}

#[test]
fn s21_the_highest_rating_counts_and_an_unknown_word_is_the_highest() {
    let rated =
        |score: &str| severity(&json!([{ "method": "nvd", "score": "low" }, { "method": "x", "score": score }]));
    assert_eq!(rated("High"), Severity::High);
    assert_eq!(rated("7.0"), Severity::High);
    assert_eq!(rated("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), Severity::Critical);
    for odd in ["catastrophic", "99", "-1", "nan", "CVSS:9/X", ""] {
        assert_eq!(rated(odd), Severity::Unknown(odd.to_owned()), "{odd}");
    }
    assert_eq!(severity(&json!([{ "method": "cvss", "score": 8.1 }])), Severity::High);
    assert_eq!(severity(&json!([])), Severity::Undefined);
    // A probability of attack is no severity.
    assert_eq!(severity(&json!([{ "method": "EPSS", "score": "0.97" }])), Severity::Undefined);
}

#[test]
fn a5_what_cannot_be_read_to_its_end_is_refused() {
    for bad in [
        json!(null),
        json!({}),
        json!([{ "severity": [] }]),
        json!([{ "id": "CVE-1" }]),
        json!([{ "id": " ", "severity": [] }]),
        json!([{ "id": "CVE-1", "severity": null }]),
        json!([{ "id": "CVE-1", "severity": [{ "method": "nvd" }] }]),
        json!([{ "id": "CVE-1", "severity": [], "vulnerability": { "id": "CVE-2", "severity": [] } }]),
        json!([{ "Id": "CVE-1", "severity": [] }]),
        json!([{ "id": "CVE-1", "severity": [{ "method": "epss", "score": "7" }] }]),
        json!(["CVE-1"]),
    ] {
        assert!(read(&bad).is_err(), "{bad}");
    }
    let small = Limits { findings: 1, ..Limits::STANDARD };
    let two = json!({ "scanner": { "result": [{ "id": "a", "severity": [] }, { "id": "b", "severity": [] }] } });
    assert!(super::read(two.to_string().as_bytes(), &small).unwrap_err().cause.contains("at most 1"));
    assert!(super::read(b"{}", &Limits::STANDARD).is_err());
}

#[test]
fn s22_only_a_name_of_its_own_is_a_scanner() {
    for (uri, name) in [
        ("pkg:github/anchore/grype@v0.70", Scanner::Grype),
        ("https://snyk.io", Scanner::Snyk),
        ("https://nottrivy.example", Scanner::Unknown),
        ("trivyx", Scanner::Unknown),
        ("", Scanner::Unknown),
    ] {
        assert_eq!(scanner(uri), name, "{uri}");
    }
}
