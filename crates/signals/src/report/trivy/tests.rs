//! Trivy reports: what is read, what proves a scan, what is refused.

use model::{Completeness, Fix, Severity};
use serde_json::Value;

use super::*;

const IMAGE: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const INDEX: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

const FOUND: &str = r#"{"VulnerabilityID":"CVE-2024-0001","VendorIDs":["DSA-1-1","GHSA-a"],"PkgName":"libone",
  "PkgIdentifier":{"PURL":"pkg:deb/debian/libone@1.0-1?distro=debian-12&arch=amd64"},"InstalledVersion":"1.0-1",
  "FixedVersion":"1.0-2","Status":"fixed","Severity":"HIGH","PrimaryURL":"https://example.org/1","Description":"d",
  "CVSS":{"nvd":{"V2Score":5,"V3Vector":"CVSS:3.1/AV:N","V3Score":7.5},"vendor":{"V40Score":8.1}}}"#;

fn image(os: &str, results: &str) -> String {
    format!(
        r#"{{"SchemaVersion":2,"Trivy":{{"Version":"0.70.0"}},"CreatedAt":"2026-03-04T05:06:07.5+01:00",
          "ArtifactName":"registry.example/app:1","ArtifactType":"container_image",
          "Metadata":{{{os}"ImageID":"{IMAGE}","RepoTags":["registry.example/app:1"],
            "RepoDigests":["registry.example/app@{INDEX}"]}},"Results":[{results}]}}"#
    )
}

const DEBIAN: &str = r#""OS":{"Family":"debian","Name":"12.5"},"#;

fn os_packages(rest: &str) -> String {
    format!(r#"{{"Target":"app (debian 12.5)","Class":"os-pkgs","Type":"debian"{rest}}}"#)
}

fn languages(rest: &str) -> String {
    format!(r#"{{"Target":"srv/package-lock.json","Class":"lang-pkgs","Type":"npm"{rest}}}"#)
}

fn with_finding() -> String {
    image(DEBIAN, &os_packages(&format!(r#","Vulnerabilities":[{FOUND}]"#)))
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
fn b14_a_finding_is_read_with_everything_that_is_known_of_it() {
    let document = parse(&with_finding()).unwrap();
    assert_eq!(document.tool.as_deref(), Some("Trivy 0.70.0"));
    assert_eq!(document.subject.config, Some(IMAGE.parse().unwrap()));
    assert_eq!(document.subject.manifests, [INDEX.parse().unwrap()]);
    assert_eq!(document.subject.name.as_deref(), Some("registry.example/app:1"));
    let scan = document.scan.unwrap();
    assert_eq!(scan.completed_at(), "2026-03-04T04:06:07.5Z".parse().unwrap());
    assert_eq!(scan.database_at(), scan.completed_at());
    let Completeness::Report { targets, database_dated, .. } = scan.proof() else { panic!("{:?}", scan.proof()) };
    assert_eq!((targets.as_slice(), *database_dated), (["app (debian 12.5)".to_owned()].as_slice(), false));
    let [finding] = scan.findings() else { panic!("{scan:?}") };
    assert_eq!(finding.id.as_str(), "CVE-2024-0001");
    assert_eq!(finding.aliases.iter().map(VulnerabilityId::as_str).collect::<Vec<_>>(), ["DSA-1-1", "GHSA-a"]);
    assert_eq!((&finding.severity, &finding.rating), (&Severity::High, &None));
    assert_eq!((finding.cvss_tenths, finding.url.as_deref()), (Some(81), Some("https://example.org/1")));
    let package = &finding.packages[0];
    assert_eq!((package.name.as_str(), package.version.as_str()), ("libone", "1.0-1"));
    assert_eq!(package.fix, Fix::In("1.0-2".to_owned()));
    assert_eq!(package.purl.as_deref(), Some("pkg:deb/debian/libone@1.0-1?arch=amd64&distro=debian-12"));
}

#[test]
fn b14_every_status_says_what_is_known_of_a_fix() {
    for (fields, fix) in [
        (r#""FixedVersion":"2","Status":"fixed""#, Fix::In("2".to_owned())),
        (r#""FixedVersion":"2""#, Fix::In("2".to_owned())),
        (r#""FixedVersion":"2","Status":"will_not_fix""#, Fix::In("2".to_owned())),
        (r#""Status":"fixed""#, Fix::Available),
        (r#""FixedVersion":" ","Status":"affected""#, Fix::None),
        (r#""Status":"will_not_fix""#, Fix::None),
        (r#""Status":"fix_deferred""#, Fix::None),
        (r#""Status":"end_of_life""#, Fix::None),
        (r#""Status":"under_investigation""#, Fix::NotSaid),
        (r#""Status":"something else""#, Fix::NotSaid),
        (r#""Title":"neither""#, Fix::NotSaid),
    ] {
        let text = with_finding().replace(r#""FixedVersion":"1.0-2","Status":"fixed""#, fields);
        assert_eq!(parse(&text).unwrap().scan.unwrap().findings()[0].packages[0].fix, fix, "{fields}");
    }
}

#[test]
fn s21_a_severity_outside_the_vocabulary_is_kept_as_unknown() {
    for (word, severity, rating) in [
        ("UNKNOWN", Severity::Undefined, Some("UNKNOWN")),
        ("critical", Severity::Critical, None),
        ("SEVERE", Severity::Unknown("SEVERE".to_owned()), None),
        ("INFORMATIONAL", Severity::Unknown("INFORMATIONAL".to_owned()), None),
    ] {
        let text = with_finding().replace(r#""Severity":"HIGH""#, &format!(r#""Severity":"{word}""#));
        let finding = parse(&text).unwrap().scan.unwrap().findings()[0].clone();
        assert_eq!((finding.severity, finding.rating.as_deref()), (severity, rating), "{word}");
    }
}

#[test]
fn s16_only_a_report_with_results_for_the_packages_is_a_scan() {
    let listed = r#","Packages":[{"ID":"libone@1.0-1"}]"#;
    let end_of_life = r#""OS":{"Family":"debian","Name":"9","EOSL":true},"#;
    let suppressed = r#","ExperimentalModifiedFindings":[{"Type":"vulnerability","Status":"ignored","Source":".trivyignore","Finding":FOUND}]"#
        .replace("FOUND", FOUND);
    for (os, results) in [
        (DEBIAN, os_packages("")),
        (DEBIAN, os_packages(r#","Vulnerabilities":[]"#)),
        (DEBIAN, os_packages(r#","Packages":[]"#)),
        (DEBIAN, format!("{},{}", os_packages(""), languages(""))),
        (DEBIAN, format!("{},{}", os_packages(listed), languages(&format!(r#","Vulnerabilities":[{FOUND}]"#)))),
        (DEBIAN, os_packages(&format!("{listed}{suppressed}"))),
        (end_of_life, os_packages(listed)),
        ("", languages("")),
        (r#""OS":{"Family":"none"},"#, languages("")),
    ] {
        let text = image(os, &results);
        assert!(parse(&text).expect(&text).scan.is_ok(), "{text}");
    }
    let secret = r#"{"Target":"/etc/key","Class":"secret","Secrets":[]}"#;
    let found_in_nothing = format!(r#"{{"Target":"x","Vulnerabilities":[{FOUND}]}}"#);
    let unsupported = ReasonCode::ScanUnsupported;
    for (os, results, code, findings) in [
        (DEBIAN, String::new(), unsupported, 0),
        ("", String::new(), unsupported, 0),
        (DEBIAN, secret.to_owned(), unsupported, 0),
        ("", secret.to_owned(), unsupported, 0),
        (DEBIAN, languages(&format!(r#","Vulnerabilities":[{FOUND}]"#)), unsupported, 1),
        ("", found_in_nothing, unsupported, 1),
        (DEBIAN, os_packages("").replace("os-pkgs", "OS-pkgs"), unsupported, 0),
        (DEBIAN, os_packages(listed), ReasonCode::ScanUnproven, 0),
        (DEBIAN, format!("{},{}", os_packages(listed), languages(listed)), ReasonCode::ScanUnproven, 0),
        // No packages of the operating system, but those of a language: they would be listed as well.
        (DEBIAN, format!("{},{}", os_packages(""), languages(listed)), ReasonCode::ScanUnproven, 0),
        ("", languages(listed), ReasonCode::ScanUnproven, 0),
    ] {
        let text = image(os, &results);
        assert_eq!(why_not(&text), (code, findings), "{text}");
    }
    let no_results = with_finding().replace("\"Results\"", "\"Other\"");
    assert_eq!(why_not(&no_results), (unsupported, 0));
}

#[test]
fn s19_findings_of_what_is_no_dated_scan_of_an_image_count_without_proof() {
    for (from, to, code) in [
        ("container_image", "filesystem", ReasonCode::ScanUnproven),
        ("container_image", "cyclonedx", ReasonCode::ScanUnproven),
        (r#""ArtifactType":"container_image","#, "", ReasonCode::ScanUnproven),
        (r#""CreatedAt":"2026-03-04T05:06:07.5+01:00","#, "", ReasonCode::ScanUndated),
        ("2026-03-04T05:06:07.5+01:00", "0001-01-01T00:00:00Z", ReasonCode::ScanUndated),
    ] {
        let text = with_finding().replace(from, to);
        assert_eq!(why_not(&text), (code, 1), "{to}");
    }
}

#[test]
fn b14_suppressed_vulnerabilities_are_told_and_marked() {
    let other = r#"{"Type":"misconfiguration","Status":"ignored","Finding":{"ID":"DS002","Severity":"HIGH"}}"#;
    let ignored = format!(
        r#"{{"Type":"vulnerability","Status":"not_affected","Statement":"not reachable","Source":"VEX Repository","Finding":{FOUND}}}"#
    );
    let text = image(DEBIAN, &os_packages(&format!(r#","ExperimentalModifiedFindings":[{other},{ignored}]"#)));
    let scan = parse(&text).unwrap().scan.unwrap();
    let [finding] = scan.findings() else { panic!("{scan:?}") };
    assert_eq!(finding.suppressed.as_deref(), Some("not_affected by VEX Repository: not reachable"));
    assert!(parse(&text.replace(r#""Finding":{"VulnerabilityID""#, r#""Other":{"VulnerabilityID""#)).is_err());
}

#[test]
fn b14_a_package_in_two_places_is_two_findings_and_a_repeated_entry_is_one() {
    let at = |path: &str| FOUND.replace(r#""PkgName""#, &format!(r#""PkgPath":"{path}","PkgName""#));
    let list = format!(r#","Vulnerabilities":[{},{},{}]"#, at("a.jar"), at("b.jar"), at("a.jar"));
    let text = image(DEBIAN, &format!("{},{}", os_packages(""), languages(&list)));
    assert_eq!(parse(&text).unwrap().scan.unwrap().findings().len(), 2);
}

#[test]
fn a5_what_is_broken_is_refused_at_its_place() {
    let whole = with_finding();
    for (from, to, said) in [
        (r#""SchemaVersion":2"#, r#""SchemaVersion":3"#, "at SchemaVersion: version 3 is not read"),
        (r#""SchemaVersion":2,"#, "", "at SchemaVersion: it is missing"),
        (r#""SchemaVersion":2"#, r#""SchemaVersion":"2""#, "line 1"),
        (r#""SchemaVersion":2"#, r#""SchemaVersion":2,"results":[]"#, "results"),
        (r#""Results":["#, r#""Results":[],"Results":["#, "duplicate field `Results`"),
        (r#""Results":["#, r#""Results":null,"x":["#, "null"),
        (r#""Results":["#, r#""Results":{},"x":["#, "expected a sequence"),
        (r#""Results":["#, r#""Results":[null,"#, "null"),
        (r#""Vulnerabilities":["#, r#""Vulnerabilities":null,"x":["#, "null"),
        (r#""Vulnerabilities":["#, r#""Vulnerabilities":[],"vulnerabilities":["#, "vulnerabilities"),
        (r#""Vulnerabilities":["#, r#""Vulnerabilities":[null,"#, "null"),
        (r#""Vulnerabilities":["#, r#""Vulnerabilitie":["#, "the key \"Vulnerabilitie\", which is not known"),
        (r#""Vulnerabilities":["#, r#""Vulnerabilities":[],"Vulnerabilities":["#, "duplicate field `Vulnerabilities`"),
        (r#""VulnerabilityID":"CVE-2024-0001","#, "", "at Results[0].Vulnerabilities[0]: it has no VulnerabilityID"),
        (r#""VulnerabilityID":"CVE-2024-0001""#, r#""VulnerabilityID":" ""#, "it has no VulnerabilityID"),
        (r#""Severity":"HIGH","#, "", "CVE-2024-0001 has no Severity"),
        (r#""Severity":"HIGH""#, r#""Severity":null"#, "CVE-2024-0001 has no Severity"),
        (r#""Severity":"HIGH""#, r#""Severity":3"#, "expected a string"),
        (r#""PkgName":"libone","#, "", "CVE-2024-0001 has no PkgName"),
        (r#""V3Score":7.5"#, r#""V3Score":75"#, "75 is no CVSS score"),
        (r#""V3Score":7.5"#, r#""V3Score":"7.5""#, "expected a CVSS score"),
        (IMAGE, "sha256:abc", "at Metadata.ImageID"),
        (INDEX, "latest", "at Metadata.RepoDigests[0]"),
        ("2026-03-04T05:06:07.5+01:00", "yesterday", "no time in RFC 3339"),
        (r#""CVSS":{"#, r#""CVSS":[],"x":{"#, "an object with the CVSS scores"),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from}");
        let error = parse(&changed).expect_err(&changed).to_string();
        assert!(error.starts_with(FORMAT) && error.contains(said), "{to}: {error}");
    }
    let version_3 = r#"{"SchemaVersion":3,"Results":{"os-pkgs":[]}}"#;
    assert!(parse(version_3).unwrap_err().cause.contains("version 3 is not read"));
    for length in 0..whole.len() {
        assert!(parse(&whole[..length]).is_err(), "cut at {length}");
    }
    let few = Limits { findings: 0, ..Limits::STANDARD };
    assert!(read(whole.as_bytes(), &few).unwrap_err().cause.contains("more than 0 findings"));
}

#[test]
fn b14_the_counts_are_those_of_an_independent_counter() {
    for name in ["alpine-310.json.golden", "alpine-39.json.golden", "ubuntu-1804.json.golden"] {
        let Some(bytes) = crate::report::outside::data(&format!("scanners/trivy/{name}")) else { return };
        let scan = crate::report::parse(&bytes, &Limits::STANDARD).unwrap().scan.unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let listed = value["Results"].as_array().unwrap().iter().flat_map(|r| r["Vulnerabilities"].as_array().unwrap());
        let mut listed: Vec<(String, String)> = listed
            .map(|v| (v["VulnerabilityID"].as_str().unwrap().to_owned(), v["Severity"].as_str().unwrap().to_owned()))
            .collect();
        let mut read: Vec<(String, String)> =
            scan.findings().iter().map(|f| (f.id.to_string(), f.severity.as_str().to_owned())).collect();
        listed.sort();
        read.sort();
        assert_eq!(read, listed, "{name}");
        assert!(!read.is_empty());
    }
}

#[test]
fn a5_no_single_change_makes_a_report_with_a_finding_clean() {
    let whole = with_finding();
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

#[test]
fn b23_the_layer_of_a_package_is_read_by_both_its_names() {
    let layer = |fields: &str| {
        let text = with_finding().replace(r#""Status":"fixed""#, &format!(r#""Status":"fixed","Layer":{{{fields}}}"#));
        parse(&text).unwrap().scan.unwrap().findings()[0].packages[0].layer.clone()
    };
    let named = layer(&format!(r#""Digest":"{INDEX}","DiffID":"{IMAGE}""#)).unwrap();
    assert_eq!((named.diff_id, named.digest), (Some(IMAGE.parse().unwrap()), Some(INDEX.parse().unwrap())));
    assert_eq!(
        layer(&format!(r#""Digest":"","DiffID":"{IMAGE}""#)).unwrap().digest,
        None,
        "an archive has no packed one"
    );
    assert_eq!(layer(r#""Digest":"","DiffID":"sha256:12""#), None, "no digest, and no reason to refuse the report");
    assert_eq!(layer(""), None);
}
