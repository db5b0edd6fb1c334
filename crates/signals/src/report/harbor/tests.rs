//! Harbor's scanner reports: what is read, what proves a scan, what is refused.

use model::{Completeness, Fix};
use serde_json::Value;

use super::*;
use crate::report::outside;

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

const FOUND: &str = r#"{"id":"CVE-2024-1","package":"libone","version":"1.0","fix_version":"1.1","severity":"High",
  "description":"d","links":["https://example.org/1","https://example.org/2"],"artifact_digests":[],
  "preferred_cvss":{"score_v3":7.5,"score_v2":null,"vector_v3":""},"cwe_ids":["CWE-1"],
  "vendor_attributes":{"CVSS":{"nvd":{"V3Score":8.1}}}}"#;

fn report(severity: &str, vulnerabilities: &str) -> String {
    format!(
        r#"{{"generated_at":"2026-03-04T05:06:07.5Z","artifact":{{"repository":"library/app","digest":"{DIGEST}"}},
          "scanner":{{"name":"Trivy","vendor":"Aqua Security","version":"v0.60.0"}},"severity":"{severity}",
          "vulnerabilities":[{vulnerabilities}]}}"#
    )
}

fn parse(text: &str) -> Result<Document, ParseError> {
    read(text.as_bytes(), &Limits::STANDARD)
}

fn why_not(text: &str) -> (ReasonCode, usize) {
    let document = parse(text).expect(text);
    let why = document.scan.expect_err(text);
    (why.why_not().expect(text).code, document.unproven.len())
}

#[test]
fn b14_a_vulnerability_is_read_with_everything_that_is_known_of_it() {
    let alone = report("High", FOUND);
    let mapped = |key: &str| format!(r#"{{"{key}":{alone}}}"#);
    for text in [
        alone.clone(),
        mapped("application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0"),
        mapped("application/vnd.security.vulnerability.report; version=1.1"),
    ] {
        let document = parse(&text).expect(&text);
        assert_eq!(document.tool.as_deref(), Some("Trivy v0.60.0"));
        assert_eq!(document.subject.manifests, [DIGEST.parse().unwrap()]);
        let scan = document.scan.unwrap();
        let Completeness::Report { targets, database_dated, .. } = scan.proof() else { panic!("{:?}", scan.proof()) };
        assert_eq!((targets.as_slice(), *database_dated), ([format!("library/app@{DIGEST}")].as_slice(), false));
        assert_eq!(scan.completed_at(), "2026-03-04T05:06:07.5Z".parse().unwrap());
        let [finding] = scan.findings() else { panic!("{scan:?}") };
        assert_eq!((finding.id.as_str(), &finding.severity), ("CVE-2024-1", &Severity::High));
        assert_eq!((finding.cvss_tenths, finding.url.as_deref()), (Some(81), Some("https://example.org/1")));
        let package = &finding.packages[0];
        assert_eq!((package.name.as_str(), package.version.as_str()), ("libone", "1.0"));
        assert_eq!(package.fix, Fix::In("1.1".to_owned()));
    }
}

#[test]
fn s21_words_of_severity_are_harbors_own() {
    for (word, severity, rating) in [
        ("Critical", Severity::Critical, None),
        ("Negligible", Severity::Informational, Some("Negligible")),
        ("None", Severity::Undefined, Some("None")),
        ("Unknown", Severity::Undefined, Some("Unknown")),
        ("Important", Severity::Unknown("Important".to_owned()), None),
    ] {
        let text = report(word, &FOUND.replace("High", word));
        let finding = parse(&text).unwrap().scan.unwrap().findings()[0].clone();
        assert_eq!((finding.severity, finding.rating.as_deref()), (severity, rating), "{word}");
    }
    let without = FOUND.replace(r#""fix_version":"1.1""#, r#""fix_version":"","status":"will_not_fix""#);
    assert_eq!(parse(&report("High", &without)).unwrap().scan.unwrap().findings()[0].packages[0].fix, Fix::None);
    let not_said = FOUND.replace(r#""fix_version":"1.1""#, r#""fix_version":"""#);
    assert_eq!(parse(&report("High", &not_said)).unwrap().scan.unwrap().findings()[0].packages[0].fix, Fix::NotSaid);
    let unscored = FOUND.replace("7.5", "0").replace(r#"{"CVSS":{"nvd":{"V3Score":8.1}}}"#, "null");
    assert_eq!(parse(&report("High", &unscored)).unwrap().scan.unwrap().findings()[0].cvss_tenths, None);
}

#[test]
fn s16_an_empty_list_is_a_scan_only_where_everything_says_so() {
    for severity in ["None", "Unknown", "Negligible"] {
        assert!(parse(&report(severity, "")).unwrap().scan.is_ok(), "{severity}");
    }
    let (undated, unproven) = (ReasonCode::ScanUndated, ReasonCode::ScanUnproven);
    for (from, to, code) in [
        (r#""generated_at":"2026-03-04T05:06:07.5Z","#, "", undated),
        ("2026-03-04T05:06:07.5Z", "", undated),
        (r#""scanner":{"name""#, r#""scanner":{"other""#, unproven),
        (r#""scanner":{"name""#, r#""scanner":null,"x":{"name""#, unproven),
        (r#""artifact":{"#, r#""other":{"#, unproven),
        (r#""digest":"#, r#""other":"#, unproven),
        // The scanner's own summary is worse than its list.
        (r#""severity":"High","vulnerabilities""#, r#""severity":"Critical","vulnerabilities""#, unproven),
        (r#""severity":"High","vulnerabilities""#, r#""severity":"Horrible","vulnerabilities""#, unproven),
    ] {
        let text = report("High", FOUND).replace("\n          ", "").replacen(from, to, 1);
        assert_eq!(why_not(&text), (code, 1), "{to}: {text}");
    }
    assert_eq!(why_not(&report("High", "")), (unproven, 0));
    assert_eq!(why_not(&report("Low", "")), (unproven, 0));
}

#[test]
fn a5_what_is_broken_is_refused_at_its_place() {
    let whole =
        format!(r#"{{"application/vnd.security.vulnerability.report; version=1.1":{}}}"#, report("High", FOUND));
    assert!(parse(&whole).unwrap().scan.is_ok());
    for (from, to, said) in [
        ("version=1.1", "version=2.0", "versions 1.0 and 1.1 are read"),
        ("; version=1.1", "", "versions 1.0 and 1.1 are read"),
        (r#"version=1.1":"#, r#"version=1.1":null,"x":"#, "Harbor has no report"),
        (
            r#"version=1.1":"#,
            r#"version=1.0":{},"application/vnd.security.vulnerability.report; version=1.1":"#,
            "several reports",
        ),
        (r#""vulnerabilities":["#, r#""vulnerabilities":null,"x":["#, "null"),
        (r#""vulnerabilities":["#, r#""x":["#, "vulnerabilities: it is missing"),
        (r#""vulnerabilities":["#, r#""vulnerabilities":[],"vulnerabilities":["#, "duplicate"),
        (r#""vulnerabilities":["#, r#""vulnerabilities":[],"VULNERABILITIES":["#, "VULNERABILITIES"),
        (r#""id":"CVE-2024-1","#, "", "vulnerabilities[0]: it has no id"),
        (r#""fix_version":"1.1","severity""#, r#""fix_version":"1.1","x""#, "CVE-2024-1 has no severity"),
        (r#""package":"libone","#, "", "CVE-2024-1 has no package"),
        (r#""score_v3":7.5"#, r#""score_v3":75"#, "75 is no CVSS score"),
        (r#""V3Score":8.1"#, r#""V3Score":81"#, "81 is no CVSS score"),
        (DIGEST, "sha256:1", "artifact.digest"),
        ("2026-03-04T05:06:07.5Z", "today", "no time in RFC 3339"),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from}");
        let error = parse(&changed).expect_err(&changed).to_string();
        assert!(error.starts_with(FORMAT) && error.contains(said), "{to}: {error}");
    }
    for length in 0..whole.len() {
        assert!(parse(&whole[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn b14_the_counts_are_those_of_an_independent_counter() {
    let Some(bytes) = outside::data("scanners/harbor/harbor-1-vuln.json") else { return };
    let document = crate::report::parse(&bytes, &Limits::STANDARD).unwrap();
    assert_eq!(document.scan.unwrap_err().why_not().unwrap().code, ReasonCode::ScanUnproven);
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    let listed = value.as_object().unwrap().values().next().unwrap()["vulnerabilities"].as_array().unwrap();
    assert_eq!(document.unproven.len(), listed.len());
    assert_eq!(document.unproven[0].id.as_str(), listed[0]["id"].as_str().unwrap());
    assert_eq!(document.unproven[0].severity, Severity::Informational);
}

#[test]
fn a5_no_single_change_makes_a_report_with_a_finding_clean() {
    let whole = report("High", FOUND);
    let mut still_complete = 0;
    for bytes in crate::report::damage::every_single_change(&whole) {
        if let Ok(Document { scan: Ok(scan), .. }) = read(&bytes, &Limits::STANDARD) {
            assert!(!scan.findings().is_empty(), "{}", String::from_utf8_lossy(&bytes));
            still_complete += 1;
        }
    }
    assert!(still_complete > 0);
}

proptest::proptest! {
    #[test]
    fn a5_any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        proptest::prop_assert!(read(&bytes, &Limits::STANDARD).map_or(true, |document| document.scan.is_err()));
    }
}
