//! Snyk reports: what is read, that none is a proof, what is refused.

use model::Severity;
use serde_json::Value;

use super::*;
use crate::report::outside;

const FOUND: &str = r#"{"id":"SNYK-DEBIAN12-ONE-1","title":"t","severity":"high","severityWithCritical":"critical",
  "identifiers":{"CVE":["CVE-2024-1"],"CWE":["CWE-1"],"GHSA":["GHSA-a"]},"cvssScore":9.8,"packageName":"one/libone",
  "name":"one/libone","version":"1.0","nearestFixedInVersion":"1.1","exploit":"Proof of Concept","from":["a"]}"#;

fn project(vulnerabilities: &str, rest: &str) -> String {
    format!(
        r#"{{"vulnerabilities":[{vulnerabilities}],"ok":false,"dependencyCount":9,"packageManager":"deb",
          "filtered":{{"ignore":[],"patch":[]}},"projectName":"docker-image|app","path":"registry.example/app:1"{rest}}}"#
    )
}

fn parse(text: &str) -> Result<Document, ParseError> {
    read(text.as_bytes(), &Limits::STANDARD)
}

fn findings(text: &str) -> Vec<Finding> {
    let document = parse(text).expect(text);
    assert_eq!(document.scan.expect_err(text).why_not().unwrap().code, ReasonCode::ScanUndated);
    document.unproven
}

#[test]
fn b14_a_vulnerability_is_read_with_everything_that_is_known_of_it() {
    let text = project(FOUND, "");
    assert_eq!(parse(&text).unwrap().subject.name.as_deref(), Some("registry.example/app:1"));
    let [finding] = findings(&text).try_into().unwrap();
    assert_eq!(finding.id.as_str(), "SNYK-DEBIAN12-ONE-1");
    assert_eq!(finding.aliases.iter().map(VulnerabilityId::as_str).collect::<Vec<_>>(), ["CVE-2024-1", "GHSA-a"]);
    assert_eq!((&finding.severity, finding.cvss_tenths), (&Severity::Critical, Some(98)));
    assert_eq!(finding.exploit_available, Some(true));
    let package = &finding.packages[0];
    assert_eq!((package.name.as_str(), package.version.as_str()), ("one/libone", "1.0"));
    assert_eq!(package.fix, Fix::In("1.1".to_owned()));
}

#[test]
fn b14_fixes_and_exploits_in_snyks_words() {
    for (fields, fix) in [
        (r#""fixedIn":["2","3"]"#, Fix::In("2, 3".to_owned())),
        (r#""fixedIn":[]"#, Fix::None),
        (r#""fixedIn":[],"isUpgradable":true"#, Fix::Available),
        (r#""isUpgradable":true"#, Fix::Available),
        (r#""isUpgradable":false"#, Fix::NotSaid),
    ] {
        let text = project(&FOUND.replace(r#""nearestFixedInVersion":"1.1""#, fields), "");
        assert_eq!(findings(&text)[0].packages[0].fix, fix, "{fields}");
    }
    for (word, known) in [("Mature", Some(true)), ("No Known Exploit", Some(false)), ("Not Defined", None), ("x", None)]
    {
        let text = project(&FOUND.replace("Proof of Concept", word), "");
        assert_eq!(findings(&text)[0].exploit_available, known, "{word}");
    }
}

#[test]
fn b14_a_vector_stands_in_for_a_score_that_is_left_out() {
    let with = |field: &str| project(&FOUND.replace(r#""cvssScore":9.8"#, field), "");
    let vector = r#""cvssScore":null,"CVSSv3":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N""#;
    assert_eq!(findings(&with(vector))[0].cvss_tenths, Some(75));
    assert_eq!(findings(&with(r#""CVSSv3":null"#))[0].cvss_tenths, None);
    assert!(parse(&with(r#""CVSSv3":"CVSS:3.1/AV:N""#)).unwrap_err().cause.contains("is no CVSS vector"));
}

#[test]
fn s21_the_most_serious_word_counts_and_an_unknown_one_is_kept() {
    for (severity, with_critical, read) in [
        ("high", "critical", Severity::Critical),
        ("critical", "high", Severity::Critical),
        ("low", "low", Severity::Low),
        ("low", "severe", Severity::Unknown("severe".to_owned())),
    ] {
        let text = FOUND.replace(
            r#""severity":"high","severityWithCritical":"critical""#,
            &format!(r#""severity":"{severity}","severityWithCritical":"{with_critical}""#),
        );
        assert_eq!(findings(&project(&text, ""))[0].severity, read);
    }
}

#[test]
fn b14_every_path_to_a_package_is_one_finding_and_every_project_counts() {
    let other_path = FOUND.replace(r#""from":["a"]"#, r#""from":["b"]"#);
    let other_package = FOUND.replace("one/libone\",\"version", "two\",\"version").replace("one/libone", "two");
    let licence = FOUND.replacen('{', r#"{"type":"license","#, 1);
    let two = project(&format!("{FOUND},{other_path},{other_package},{licence}"), "");
    assert_eq!(findings(&two).len(), 2);
    assert_eq!(findings(&format!("[{two},{}]", project(FOUND, ""))).len(), 3);
    let inner = format!(r#","applications":[{}]"#, project(FOUND, ""));
    let outer = format!(r#","applications":[{},{}]"#, project(FOUND, &inner), project("", ""));
    assert_eq!(findings(&project(FOUND, &outer)).len(), 3);
}

#[test]
fn b14_what_a_policy_ignores_is_told_and_marked() {
    let ignored =
        FOUND.replacen('{', r#"{"filtered":{"ignored":[{"reason":"not used","expires":"2027-01-01T00:00:00Z"}]},"#, 1);
    let text =
        project(FOUND, "").replace(r#""ignore":[],"patch":[]"#, &format!(r#""ignore":[{ignored}],"patch":[{FOUND}]"#));
    let suppressed: Vec<Option<String>> = findings(&text).into_iter().map(|finding| finding.suppressed).collect();
    assert_eq!(
        suppressed,
        [
            None,
            Some("ignored by a Snyk policy: not used, until 2027-01-01T00:00:00Z".to_owned()),
            Some("patched by Snyk".to_owned())
        ]
    );
}

#[test]
fn s19_a_report_without_findings_proves_nothing() {
    let why = parse(&project("", r#","severityThreshold":"high""#)).unwrap().scan.unwrap_err();
    let why = why.why_not().unwrap();
    assert_eq!(why.code, ReasonCode::ScanUndated);
    assert!(why.message.contains("nothing below the severity high"), "{}", why.message);
}

#[test]
fn a5_what_is_broken_is_refused_at_its_place() {
    let whole = project(FOUND, "");
    for (from, to, said) in [
        (r#""ok":false"#, r#""ok":false,"error":"could not pull""#, "at error: Snyk did not finish: could not pull"),
        (r#""vulnerabilities":["#, r#""vulnerabilities":null,"x":["#, "null"),
        (r#""vulnerabilities":["#, r#""Vulnerabilities":["#, "Vulnerabilities"),
        (r#""vulnerabilities":["#, r#""x":["#, "at vulnerabilities: it is missing"),
        (r#""vulnerabilities":["#, r#""vulnerabilities":[],"vulnerabilities":["#, "duplicate"),
        (r#""id":"SNYK-DEBIAN12-ONE-1","#, "", "at vulnerabilities[0]: it has no id"),
        (r#""severity":"high","severityWithCritical":"critical","#, "", "has no severity"),
        (r#""packageName":"one/libone","#, r#""packageName":null,"#, ""),
        (r#""cvssScore":9.8"#, r#""cvssScore":98"#, "98 is no CVSS score"),
        (r#""ignore":[]"#, r#""ignore":null"#, "null"),
        (r#""ignore":[]"#, r#""ignore":[{}]"#, "at filtered.ignore[0]"),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from}");
        if said.is_empty() {
            assert_eq!(findings(&changed)[0].packages[0].name, "one/libone");
            continue;
        }
        let error = parse(&changed).expect_err(&changed).to_string();
        assert!(error.starts_with(FORMAT) && error.contains(said), "{to}: {error}");
    }
    let second = format!(r#"[{whole},{{"ok":false,"error":"no such image","path":"b"}}]"#);
    assert!(parse(&second).unwrap_err().to_string().contains("at [1].error"), "{second}");
    assert!(parse("[]").is_err());
    for length in 0..whole.len() {
        assert!(parse(&whole[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn b14_the_counts_are_those_of_an_independent_counter() {
    let Some(bytes) = outside::data("scanners/snyk/single_project_one_vuln.json") else { return };
    let document = crate::report::parse(&bytes, &Limits::STANDARD).unwrap();
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    let listed = value["vulnerabilities"].as_array().unwrap();
    assert_eq!(document.unproven.len(), listed.len());
    assert_eq!(document.unproven[0].id.as_str(), listed[0]["id"].as_str().unwrap());
    assert_eq!(document.unproven[0].severity, Severity::Medium);
}

proptest::proptest! {
    #[test]
    fn a5_any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        proptest::prop_assert!(read(&bytes, &Limits::STANDARD).map_or(true, |document| document.scan.is_err()));
    }
}
