//! Grype reports: what is read, what proves a scan, what is refused.

use model::Completeness;
use serde_json::Value;

use super::*;
use crate::report::outside;

const MANIFEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const CONFIG: &str = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
const INDEX: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

const FOUND: &str = r#"{"vulnerability":{"id":"GHSA-xxxx","dataSource":"https://example.org/1","severity":"High",
    "cvss":[{"version":"3.1","metrics":{"baseScore":7.1}},{"version":"2.0","metrics":{}}],
    "epss":[{"cve":"CVE-2024-1","epss":0.25,"percentile":0.9}],"knownExploited":[{"cve":"CVE-2024-1"}],
    "fix":{"versions":["1.2","2.0"],"state":"fixed"}},
  "relatedVulnerabilities":[{"id":"CVE-2024-1","cvss":[{"metrics":{"baseScore":8.3}}]},{"id":"ghsa-xxxx"}],
  "artifact":{"id":"a1","name":"one","version":"1.1","type":"npm","purl":"pkg:npm/%40x/one@1.1"}}"#;

fn report(matches: &str) -> String {
    format!(
        r#"{{"matches":[{matches}],"ignoredMatches":[],
          "source":{{"type":"image","target":{{"userInput":"app:1","imageID":"{CONFIG}","manifestDigest":"{MANIFEST}",
            "repoDigests":["registry.example/app@{INDEX}"]}}}},
          "distro":{{"name":"debian","version":"12"}},
          "descriptor":{{"name":"grype","version":"0.90.0","configuration":{{"only-fixed":false,"only-notfixed":false,
            "ignore-states":"","exclude":[],"ignore":[]}},
            "db":{{"status":{{"schemaVersion":"v6.0.2","built":"2026-03-01T02:00:00Z","valid":true}}}},
            "timestamp":"2026-03-04T05:06:07+01:00"}}}}"#
    )
}

fn parse(text: &str) -> Result<Document, ParseError> {
    read(text.as_bytes(), &Limits::STANDARD)
}

fn why_not(text: &str) -> (ReasonCode, usize, String) {
    let document = parse(text).expect(text);
    let why = document.scan.expect_err(text);
    let why = why.why_not().expect(text);
    (why.code, document.unproven.len(), why.message.clone())
}

#[test]
fn b14_a_match_is_read_with_everything_that_is_known_of_it() {
    let document = parse(&report(FOUND)).unwrap();
    assert_eq!(document.tool.as_deref(), Some("Grype 0.90.0"));
    assert_eq!(document.subject.config, Some(CONFIG.parse().unwrap()));
    assert_eq!(document.subject.manifests, [MANIFEST.parse().unwrap(), INDEX.parse().unwrap()]);
    let scan = document.scan.unwrap();
    assert_eq!(scan.completed_at(), "2026-03-04T04:06:07Z".parse().unwrap());
    assert_eq!(scan.database_at(), "2026-03-01T02:00:00Z".parse().unwrap());
    let Completeness::Report { targets, database_dated, .. } = scan.proof() else { panic!("{:?}", scan.proof()) };
    assert_eq!((targets.as_slice(), *database_dated), (["app:1".to_owned()].as_slice(), true));
    let [finding] = scan.findings() else { panic!("{scan:?}") };
    assert_eq!(finding.id.as_str(), "GHSA-xxxx");
    assert_eq!(finding.aliases.iter().map(VulnerabilityId::as_str).collect::<Vec<_>>(), ["CVE-2024-1"]);
    assert_eq!((&finding.severity, &finding.rating), (&Severity::High, &None));
    assert_eq!((finding.cvss_tenths, finding.epss_millionths), (Some(83), Some(250_000)));
    assert_eq!((finding.exploit_available, finding.url.as_deref()), (Some(true), Some("https://example.org/1")));
    let package = &finding.packages[0];
    assert_eq!((package.name.as_str(), package.version.as_str()), ("one", "1.1"));
    assert_eq!(package.fix, Fix::In("1.2, 2.0".to_owned()));
    assert_eq!(package.purl.as_deref(), Some("pkg:npm/%40x/one@1.1"));
}

#[test]
fn b14_states_of_a_fix_and_words_of_severity() {
    for (state, fix) in [
        ("fixed", Fix::Available),
        ("not-fixed", Fix::None),
        ("wont-fix", Fix::None),
        ("unknown", Fix::NotSaid),
        ("", Fix::NotSaid),
    ] {
        let state = format!(r#"{{"versions":[],"state":"{state}"}}"#);
        let text = report(FOUND).replace(r#"{"versions":["1.2","2.0"],"state":"fixed"}"#, &state);
        assert_eq!(parse(&text).unwrap().scan.unwrap().findings()[0].packages[0].fix, fix, "{state}");
    }
    for (word, severity, rating) in [
        (r#""severity":"Negligible""#, Severity::Informational, Some("Negligible")),
        (r#""severity":"Unknown""#, Severity::Undefined, Some("Unknown")),
        (r#""severity":"Important""#, Severity::Unknown("Important".to_owned()), None),
        (r#""severity":"""#, Severity::Unknown(String::new()), None),
        (r#""namespace":"x""#, Severity::Unknown(String::new()), None),
    ] {
        let text = report(FOUND).replace(r#""severity":"High""#, word);
        let finding = parse(&text).unwrap().scan.unwrap().findings()[0].clone();
        assert_eq!((finding.severity, finding.rating.as_deref()), (severity, rating), "{word}");
    }
}

#[test]
fn b14_ignored_matches_are_told_with_their_rule() {
    let ignored = |rules: &str| {
        let entry = FOUND.replacen('{', &format!(r#"{{"appliedIgnoreRules":{rules},"#), 1);
        let text = report("").replace(r#""ignoredMatches":[]"#, &format!(r#""ignoredMatches":[{entry}]"#));
        let scan = parse(&text).expect(&text).scan.unwrap();
        assert_eq!(scan.findings().len(), 1);
        scan.findings()[0].suppressed.clone().unwrap()
    };
    for (rules, said) in [
        (
            r#"[{"vulnerability":"CVE-2024-1","package":{"name":"one"},"reason":"not used"}]"#,
            "ignore rule for CVE-2024-1 for package one: not used",
        ),
        (
            r#"[{"vex-status":"not_affected","vex-justification":"vulnerable_code_not_present"}]"#,
            "ignore rule by VEX status not_affected, justification vulnerable_code_not_present",
        ),
        ("[]", "ignored by Grype, which names no rule"),
    ] {
        assert_eq!(ignored(rules), said);
    }
}

#[test]
fn s16_an_empty_list_is_a_scan_only_where_everything_says_so() {
    assert!(parse(&report("")).unwrap().scan.is_ok());
    let (undated, unproven) = (ReasonCode::ScanUndated, ReasonCode::ScanUnproven);
    for (from, to, code, said) in [
        (r#""type":"image""#, r#""type":"directory""#, unproven, "source.type is directory"),
        (r#""type":"image","#, "", unproven, "source.type is missing"),
        (r#""source":{"type""#, r#""source":null,"x":{"type""#, unproven, "does not say what was scanned"),
        (r#""target":{"#, r#""other":{"#, unproven, "which image"),
        (r#""only-fixed":false"#, r#""only-fixed":true"#, unproven, "filtered by only-fixed"),
        (r#""only-notfixed":false"#, r#""only-notfixed":true"#, unproven, "filtered by only-notfixed"),
        (r#""ignore-states":"""#, r#""ignore-states":"wont-fix""#, unproven, "filtered by ignore-states"),
        (r#""exclude":[]"#, r#""exclude":["/opt/**"]"#, unproven, "filtered by exclude"),
        (r#""valid":true"#, r#""valid":false"#, unproven, "it is not valid"),
        (r#""valid":true"#, r#""error":"broken""#, unproven, "not in order: broken"),
    ] {
        let text = report(FOUND).replacen(from, to, 1);
        let (seen, findings, message) = why_not(&text);
        assert_eq!((seen, findings), (code, 1), "{to}");
        assert!(message.contains(said), "{message}");
    }
    let no_time = report(FOUND).replace("2026-03-04T05:06:07+01:00", "");
    let no_time_and_data = no_time.replace(r#""built":"2026-03-01T02:00:00Z","#, "");
    assert_eq!(why_not(&no_time_and_data).0, undated);
    // The age of the data is too early for the time of the scan, never too late.
    let scan = parse(&no_time).unwrap().scan.unwrap();
    assert_eq!(
        (scan.completed_at(), scan.database_at()),
        (scan.database_at(), "2026-03-01T02:00:00Z".parse().unwrap())
    );
    // Without the time of its data there is nothing that says what was looked up.
    let no_data = report(FOUND).replace(r#""built":"2026-03-01T02:00:00Z","#, "");
    assert_eq!(why_not(&no_data).0, undated);
}

#[test]
fn a5_what_is_broken_is_refused_at_its_place() {
    let whole = report(FOUND);
    for (from, to, said) in [
        (r#""matches":["#, r#""matches":null,"x":["#, "null"),
        (r#""matches":["#, r#""match":["#, "at matches: it is missing"),
        (r#""matches":["#, r#""matches":[],"matches":["#, "duplicate field `matches`"),
        (r#""matches":["#, r#""matches":[],"Matches":["#, "Matches"),
        (r#""matches":["#, r#""matches":{},"x":["#, "expected a sequence"),
        (r#""matches":["#, r#""matches":[null,"#, "null"),
        (r#""matches":["#, r#""matches":[{},"#, "at matches[0]: it has no vulnerability"),
        (r#""ignoredMatches":[]"#, r#""ignoredMatches":null"#, "null"),
        (r#""ignoredMatches":[]"#, r#""ignoredMatches":[{}]"#, "at ignoredMatches[0]"),
        (r#""descriptor":{"name""#, r#""x":{"name""#, "at descriptor: it is missing"),
        (r#""name":"grype""#, r#""name":"syft""#, "at descriptor.name: \"syft\" is not read"),
        (r#""name":"grype","#, "", "at descriptor.name: it is missing"),
        (r#""id":"GHSA-xxxx","dataSource""#, r#""id":"","dataSource""#, "its vulnerability has no id"),
        (r#""artifact":{"#, r#""other":{"#, "GHSA-xxxx has no artifact"),
        (r#""name":"one","#, "", "the artifact of GHSA-xxxx has no name"),
        (r#""baseScore":7.1"#, r#""baseScore":71"#, "71 is no CVSS score"),
        (r#""epss":0.25"#, r#""epss":25"#, "25 is no probability"),
        (MANIFEST, "sha256:1", "at source.target.manifestDigest"),
        (INDEX, "sha256:1", "at source.target.repoDigests[0]"),
        (CONFIG, "x", "at source.target.imageID"),
        (r#""userInput":"app:1""#, r#""userInput":1"#, "at source.target"),
        (r#""userInput":"app:1""#, r#""manifestdigest":"""#, "manifestdigest"),
        (r#""only-fixed":false"#, r#""only-fixed":"no""#, "expected a boolean"),
        ("2026-03-04T05:06:07+01:00", "today", "no time in RFC 3339"),
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
    for (name, proven) in [("keycloak-test.json", true), ("TestJsonImgsPresenter.golden", false)] {
        let Some(bytes) = outside::data(&format!("scanners/grype/{name}")) else { return };
        let document = crate::report::parse(&bytes, &Limits::STANDARD).unwrap();
        let findings = match &document.scan {
            Ok(scan) => scan.findings(),
            Err(why) => {
                // The older template dates nothing.
                assert_eq!(why.why_not().unwrap().code, ReasonCode::ScanUndated);
                &document.unproven
            }
        };
        assert_eq!(document.scan.is_ok(), proven, "{name}");
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let listed = value["matches"].as_array().unwrap().iter().map(|entry| {
            let word = entry["vulnerability"]["severity"].as_str().unwrap().to_uppercase();
            (entry["vulnerability"]["id"].as_str().unwrap().to_owned(), word)
        });
        let read = findings.iter().map(|f| (f.id.to_string(), f.severity.as_str().to_owned()));
        assert_eq!(read.collect::<Vec<_>>(), listed.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a5_no_single_change_makes_a_report_with_a_finding_clean() {
    let whole = report(FOUND);
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
fn b23_the_layer_of_a_package_is_that_of_its_own_files() {
    let layer = |locations: &str| {
        let text = report(FOUND).replace(r#""type":"npm""#, &format!(r#""type":"npm","locations":[{locations}]"#));
        parse(&text).unwrap().scan.unwrap().findings()[0].packages[0].layer.clone()
    };
    let status =
        format!(r#"{{"path":"/var/lib/dpkg/status","layerID":"{INDEX}","annotations":{{"evidence":"primary"}}}}"#);
    let sums = format!(r#"{{"path":"/var/lib/dpkg/info/one.md5sums","layerID":"{MANIFEST}"}}"#);
    let of = |locations: &str| layer(locations).map(|layer| (layer.diff_id.unwrap().to_string(), layer.or_below));
    assert_eq!(of(&format!("{status},{sums}")), Some((MANIFEST.to_owned(), false)));
    assert_eq!(of(&status), Some((INDEX.to_owned(), true)), "the layer that last changed the package database");
    assert_eq!(of(r#"{"path":"/app/package.json"}"#), None);
    assert_eq!(of(""), None);
}
