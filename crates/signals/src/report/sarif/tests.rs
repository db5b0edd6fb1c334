//! SARIF logs: what proves a scan, how serious a result is, which package it is about, what is refused.
//! The documents are made up; where outside data is at hand, one of Trivy is read too.

use model::{Completeness, Fix, Severity};

use super::*;
use crate::report::outside;

const CONFIG: &str = "sha256:961769676411f082461f9ef46626dd7a2d1e2b2a38e6a44364bcbecf51e66dd4";
const MANIFEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A log that proves a scan with one finding.
fn whole() -> String {
    format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"Scanner","version":"1.2","rules":[
        {{"id":"CVE-2021-1","helpUri":"https://example.org/1","defaultConfiguration":{{"level":"warning"}},
        "properties":{{"security-severity":"9.8","tags":["vulnerability"]}}}}]}}}},
        "invocations":[{{"executionSuccessful":true,"endTimeUtc":"2025-06-01T12:00:00Z"}}],
        "results":[{{"ruleId":"CVE-2021-1","ruleIndex":0,"level":"error","message":{{"text":"Package: openssl\nInstalled Version: 1.1\nSeverity: CRITICAL\nFixed Version: 1.2"}}}}],
        "properties":{{"imageName":"app:1","imageID":"{CONFIG}","repoDigests":["example.org/app@{MANIFEST}"]}}}}]}}"#
    )
    .replace("Package: openssl\nInstalled Version: 1.1\nSeverity: CRITICAL\nFixed", r"Package: openssl\nInstalled Version: 1.1\nSeverity: CRITICAL\nFixed")
}

fn read_text(text: &str) -> Result<Document, ParseError> {
    read(text.as_bytes(), &Limits::STANDARD)
}

/// One result and one rule, each with these fields.
fn one(rule: &str, result: &str) -> Finding {
    let text = format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"T","rules":[{rule}]}}}},"results":[{result}]}}]}}"#
    );
    let mut document = read_text(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(document.unproven.len(), 1, "{text}");
    document.unproven.remove(0)
}

fn changed(from: &str, to: &str) -> String {
    let text = whole();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn s16_a_log_that_says_all_of_it_is_a_scan() {
    let document = read_text(&whole()).unwrap();
    let scan = document.scan.unwrap();
    assert!(document.unproven.is_empty());
    assert_eq!(document.tool.as_deref(), Some("Scanner 1.2"));
    assert_eq!(document.subject.manifests[0].as_str(), MANIFEST);
    assert_eq!(document.subject.config.unwrap().as_str(), CONFIG);
    assert_eq!(document.subject.name.as_deref(), Some("app:1"));
    let Completeness::Report { targets, completed_at, database_dated, .. } = scan.proof() else { panic!() };
    assert_eq!(targets, &["app:1"]);
    assert_eq!(completed_at.to_string(), "2025-06-01T12:00:00Z");
    assert!(!database_dated);
    let [finding] = scan.findings() else { panic!() };
    assert_eq!((finding.id.as_str(), &finding.severity), ("CVE-2021-1", &Severity::Critical));
    assert_eq!((finding.cvss_tenths, finding.url.as_deref()), (Some(98), Some("https://example.org/1")));
    let [package] = finding.packages.as_slice() else { panic!() };
    assert_eq!((package.name.as_str(), package.version.as_str()), ("openssl", "1.1"));
    assert_eq!(package.fix, Fix::In("1.2".to_owned()));
}

#[test]
fn s19_a_log_that_lacks_any_of_it_keeps_its_findings_and_proves_nothing() {
    let invocations = r#""invocations":[{"executionSuccessful":true,"endTimeUtc":"2025-06-01T12:00:00Z"}],"#;
    let properties = whole();
    let properties = &properties[properties.rfind(r#""properties""#).unwrap()..properties.len() - 3];
    for (from, to) in [
        (invocations, ""),
        (invocations, r#""invocations":[],"#),
        (invocations, r#""invocations":null,"#),
        (r#""executionSuccessful":true,"#, ""),
        (r#""executionSuccessful":true"#, r#""executionSuccessful":false"#),
        (r#""executionSuccessful":true"#, r#""executionSuccessful":null"#),
        (r#","endTimeUtc":"2025-06-01T12:00:00Z""#, ""),
        (r#""2025-06-01T12:00:00Z"}"#, r#""2025-06-01T12:00:00Z"},{}"#),
        (r#""2025-06-01T12:00:00Z"}"#, r#""2025-06-01T12:00:00Z"},{"executionSuccessful":false}"#),
        (r#""2025-06-01T12:00:00Z""#, r#""2025-06-01T12:00:00Z","processStartFailureMessage":"no""#),
        (r#""2025-06-01T12:00:00Z""#, r#""2025-06-01T12:00:00Z","toolExecutionNotifications":[{"level":"error"}]"#),
        (r#""2025-06-01T12:00:00Z""#, r#""2025-06-01T12:00:00Z","toolConfigurationNotifications":[{"level":"error"}]"#),
        (properties, r#""properties":{}"#),
        (r#""runs":["#, r#""runs":[{"tool":{"driver":{"name":"Other"}},"results":[]},"#),
    ] {
        let text = changed(from, to);
        let document = read_text(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let why = document.scan.expect_err(&text);
        assert_eq!(why.why_not().unwrap().code, model::ReasonCode::ScanUnproven);
        assert_eq!(document.unproven.len(), 1, "{text}");
    }
}

#[test]
fn s19_no_list_of_results_is_no_empty_list() {
    let text = whole();
    let results = &text[text.find(r#""results""#).unwrap()..text.rfind(r#""properties""#).unwrap()];
    for to in ["", r#""results":null,"#] {
        let document = read_text(&changed(results, to)).unwrap();
        assert!(document.scan.is_err() && document.unproven.is_empty());
    }
    let document = read_text(&changed(results, r#""results":[],"#)).unwrap();
    assert!(document.scan.unwrap().findings().is_empty(), "an empty list with all the rest is a clean scan");
    for runs in [r#"{"version":"2.1.0","runs":[]}"#, r#"{"runs":[],"version":"2.1.0"}"#] {
        assert!(read_text(runs).unwrap().scan.is_err());
    }
}

#[test]
fn a5_another_kind_of_tool_that_found_nothing_has_not_looked_for_vulnerabilities() {
    let log = |driver: &str| {
        format!(
            r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{{driver}}}}},"results":[],
            "invocations":[{{"executionSuccessful":true,"endTimeUtc":"2025-06-01T12:00:00Z"}}],
            "properties":{{"imageID":"{CONFIG}"}}}}]}}"#
        )
    };
    for (driver, is_scan) in [
        (r#""name":"gitleaks""#, false),
        (r#""name":"ESLint","rules":[{"id":"no-eval"}]"#, false),
        (r#""name":"Trivy","fullName":"Trivy Vulnerability Scanner","rules":[{"id":"aws-access-key-id"}]"#, false),
        (r#""name":"x","rules":[{"id":"go-vet-1"},{"id":"SNYK-CC-K8S-1"}]"#, false),
        (r#""name":"Trivy""#, false),
        (r#""name":"Trivy","fullName":"Trivy Vulnerability Scanner""#, true),
        (r#""name":"grype""#, true),
        (r#""name":"x","rules":[{"id":"GHSA-aaaa-bbbb-cc2c"}]"#, true),
        (r#""name":"x","rules":[{"id":"1","properties":{"tags":["security","Vulnerability"]}}]"#, true),
    ] {
        assert_eq!(read_text(&log(driver)).unwrap().scan.is_ok(), is_scan, "{driver}");
    }
}

#[test]
fn s18_the_oldest_run_dates_the_scan() {
    let text = whole();
    let run = &text[text.find(r#"{"tool""#).unwrap()..text.len() - 2];
    let older = run.replace("2025-06-01T12", "2025-05-01T12");
    let text = changed(r#""runs":["#, &format!(r#""runs":[{older},"#));
    let scan = read_text(&text).unwrap().scan.unwrap();
    assert_eq!(scan.database_at().to_string(), "2025-05-01T12:00:00Z");
    assert_eq!(scan.findings().len(), 2);
    let other = older.replace(CONFIG, &CONFIG.replace('9', "8")).replace(MANIFEST, &MANIFEST.replace('e', "f"));
    let text = changed(r#""runs":["#, &format!(r#""runs":[{other},"#));
    assert!(read_text(&text).unwrap_err().to_string().contains("different images"));
}

#[test]
fn s21_score_and_words_say_how_serious_and_the_worst_counts() {
    let rule = |fields: &str| format!(r#"{{"id":"R"{fields}}}"#);
    let score = |score: &str| rule(&format!(r#","properties":{{"security-severity":{score}}}"#));
    let unknown = |word: &str| Severity::Unknown(word.to_owned());
    for (rule, result, severity, rating) in [
        (score(r#""9.0""#), "", Severity::Critical, Some("warning")),
        (score(r#""8.9""#), "", Severity::High, Some("warning")),
        (score("7.0"), "", Severity::High, Some("warning")),
        (score(r#""4""#), "", Severity::Medium, Some("warning")),
        (score(r#""0.1""#), r#","level":"error""#, Severity::Low, Some("error")),
        (score(r#""0.0""#), r#","level":"error""#, Severity::High, Some("error")),
        (score(r#""undefined""#), r#","level":"note""#, Severity::Low, Some("note")),
        (score(r#""11""#), "", unknown("11"), Some("warning")),
        (score(r#""high""#), r#","level":"note""#, Severity::High, Some("note")),
        (score(r#""bad""#), r#","level":"note""#, unknown("bad"), Some("note")),
        (score("null"), r#","level":"none""#, Severity::Informational, Some("none")),
        (score(r#""2""#), r#","properties":{"security-severity":"9.1"}"#, Severity::Critical, Some("warning")),
        (rule(""), "", Severity::Medium, Some("warning")),
        (rule(""), r#","level":"fatal""#, unknown("fatal"), None),
        (rule(r#","defaultConfiguration":{"level":"error"}"#), "", Severity::High, Some("error")),
        (
            rule(r#","shortDescription":{"text":"Critical severity - Overflow vulnerability in x"}"#),
            r#","level":"error""#,
            Severity::Critical,
            None,
        ),
        (score(r#""1.0""#), r#","message":{"text":"Severity: CRITICAL"}"#, Severity::Critical, None),
        (score(r#""9.8""#), r#","message":{"text":"Severity: LOW"}"#, Severity::Critical, Some("LOW")),
        (rule(""), r#","level":"note","message":{"text":"Severity: UNKNOWN"}"#, Severity::Undefined, Some("UNKNOWN")),
        (
            rule(r#","help":{"text":"Vulnerability X\nSeverity: negligible"}"#),
            "",
            Severity::Informational,
            Some("negligible"),
        ),
        (rule(""), r#","message":{"text":"Severity: Bad"}"#, unknown("Bad"), None),
        (rule(""), r#","message":{"text":"Severity: as you like it"}"#, Severity::Medium, Some("warning")),
    ] {
        let finding = one(&rule, &format!(r#"{{"ruleId":"R"{result}}}"#));
        assert_eq!((finding.severity, finding.rating.as_deref()), (severity, rating), "{rule} {result}");
    }
}

#[test]
fn a5_results_that_say_that_nothing_is_wrong_are_none_and_all_others_are() {
    for (fields, is_finding) in [
        (r#""kind":"fail""#, true),
        (r#""kind":"open""#, true),
        (r#""kind":"review""#, true),
        (r#""kind":"new word""#, true),
        (r#""kind":"pass""#, false),
        (r#""kind":"notApplicable""#, false),
        (r#""kind":"informational""#, false),
        (r#""baselineState":"unchanged""#, true),
        (r#""baselineState":"new""#, true),
        (r#""baselineState":"absent""#, false),
        (r#""baselineState":"gone""#, true),
    ] {
        let text = changed(r#""level":"error","#, &format!(r#""level":"error",{fields},"#));
        assert_eq!(read_text(&text).unwrap().scan.unwrap().findings().len(), usize::from(is_finding), "{fields}");
    }
}

#[test]
fn s24_only_accepted_suppressions_are_suppressions() {
    for (suppressions, suppressed) in [
        ("null", None),
        ("[]", None),
        (r#"[{"kind":"external"}]"#, Some("SARIF suppression (external)")),
        (
            r#"[{"kind":"inSource","status":"accepted","justification":"dead code"}]"#,
            Some("SARIF suppression (inSource): dead code"),
        ),
        (r#"[{"kind":"external","status":"underReview"}]"#, None),
        (r#"[{"kind":"external"},{"kind":"external","status":"rejected"}]"#, None),
        (r#"[{"kind":"external","status":"perhaps"}]"#, None),
        (r#"[{"kind":"external","state":"underReview"}]"#, None),
        (r#"[{"kind":"external","state":"accepted"}]"#, Some("SARIF suppression (external)")),
    ] {
        let finding = one(r#"{"id":"R"}"#, &format!(r#"{{"ruleId":"R","suppressions":{suppressions}}}"#));
        assert_eq!(finding.suppressed.as_deref(), suppressed, "{suppressions}");
    }
    let old_grype = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"Anchore Container Vulnerability Report (T0)"}},
        "results":[{"ruleId":"CVE-2020-1967","suppressions":[{"kind":"external"}]}]}]}"#;
    assert_eq!(read_text(old_grype).unwrap().unproven[0].suppressed, None);
}

#[test]
fn b14_each_tool_says_in_its_own_way_which_vulnerability_in_which_package() {
    let grype = r#"{"id":"ELSA-2021-3711-openssl","properties":{"security-severity":"1.0","purls":["pkg:rpm/ol/openssl@1.1"]},
        "help":{"text":"Vulnerability ELSA-2021-3711\nSeverity: High\nPackage: openssl\nVersion: 1.1\nFix Version: 1.2,1.3\nType: rpm"}}"#;
    let finding = one(
        grype,
        r#"{"ruleId":"ELSA-2021-3711-openssl","ruleIndex":7,"message":{"text":"The path x reports openssl"}}"#,
    );
    assert_eq!((finding.id.as_str(), &finding.severity), ("ELSA-2021-3711", &Severity::High));
    assert_eq!((finding.packages[0].name.as_str(), finding.packages[0].version.as_str()), ("openssl", "1.1"));
    assert_eq!(finding.packages[0].fix, Fix::In("1.2, 1.3".to_owned()));
    assert_eq!(finding.packages[0].purl.as_deref(), Some("pkg:rpm/ol/openssl@1.1"));

    let snyk =
        r#"{"id":"SNYK-DEBIAN11-OPENSSL-1","fullDescription":{"text":"(CVE-2021-3711) openssl/libssl1.1@1:1.1.1k"}}"#;
    let snyk_result = |id: &str| {
        format!(
            r#"{{"ruleId":"{id}","locations":[{{"logicalLocations":[{{"fullyQualifiedName":"openssl/libssl1.1@1:1.1.1k"}}]}}]}}"#
        )
    };
    let finding = one(snyk, &snyk_result("SNYK-DEBIAN11-OPENSSL-1"));
    assert_eq!(finding.id.as_str(), "SNYK-DEBIAN11-OPENSSL-1");
    assert!(finding.is("CVE-2021-3711"));
    assert_eq!(
        (finding.packages[0].name.as_str(), finding.packages[0].version.as_str()),
        ("openssl/libssl1.1", "1:1.1.1k")
    );
    // What other texts speak of is another vulnerability.
    let prose = snyk.replace("SNYK-DEBIAN11-OPENSSL-1", "R").replace("(CVE", "(an incomplete fix of CVE");
    assert!(one(&prose, &snyk_result("R")).aliases.is_empty());

    let docker = r#"{"ruleId":"CVE-2023-1","message":{"text":"  Vulnerability   : CVE-2023-1  \n  Severity        : HIGH \n  Package         : pkg:deb/debian/zlib@1.2?os_name=debian \n  Affected range  : <1.3 \n  Fixed version   : not fixed "}}"#;
    let finding = one("", docker);
    assert_eq!((finding.packages[0].name.as_str(), finding.packages[0].version.as_str()), ("zlib", "1.2"));
    assert_eq!((&finding.severity, &finding.packages[0].fix), (&Severity::High, &Fix::NotSaid));

    let osv = r#"{"id":"CVE-2022-24713","deprecatedIds":["CVE-2022-24713","GHSA-m5pq-gvj9-9vr8","old-name"]}"#;
    let finding = one(osv, r#"{"ruleIndex":0}"#);
    assert_eq!(finding.id.as_str(), "CVE-2022-24713");
    assert_eq!(finding.aliases.len(), 1);

    let place = r#""locations":[{"physicalLocation":{"artifactLocation":{"uri":"src/main.rs"}},"logicalLocations":[{"fullyQualifiedName":"image@sha256:1:/lib/x"}]}]"#;
    let finding = one(r#"{"id":"no-eval"}"#, &format!(r#"{{"ruleId":"no-eval/strict",{place}}}"#));
    assert_eq!((finding.id.as_str(), finding.packages[0].name.as_str()), ("no-eval/strict", "src/main.rs"));
    let finding = one("", &format!(r#"{{"ruleId":"CVE-2020-1967",{place}}}"#));
    assert!(finding.packages.is_empty(), "a file is no package");
    let finding = one("", r#"{"ruleId":"BDSA-2020-1001 (CVE-2020-11022)"}"#);
    assert!(finding.id.as_str() == "BDSA-2020-1001" && finding.is("CVE-2020-11022"));
    for (name, id) in [
        ("BDSA-1 (see text)", "BDSA-1 (see text)"),
        ("[HIGH] CVE-2020-1967", "CVE-2020-1967"),
        ("CVE-2020-1967-openssl", "CVE-2020-1967"),
        ("GHSA-aaaa-bbbb-cccc-lodash", "GHSA-aaaa-bbbb-cccc"),
        ("CVE-2020", "CVE-2020"),
        ("CVE-20-1967-x", "CVE-20-1967-x"),
        ("js/eval", "js/eval"),
    ] {
        assert_eq!(one("", &format!(r#"{{"ruleId":"{name}"}}"#)).id.as_str(), id);
    }
}

#[test]
fn b14_a_rule_is_found_by_its_id_before_its_index_and_in_extensions() {
    let log = |result: &str| {
        let text = format!(
            r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"T","rules":[
            {{"id":"A","properties":{{"security-severity":"9.8"}}}},{{"id":"B","properties":{{"security-severity":"2.0"}}}},
            {{"id":"B","properties":{{"security-severity":"7.0"}}}}]}},"extensions":[{{"name":"E","rules":[
            {{"id":"C","properties":{{"security-severity":"5.0"}}}}]}}]}},"results":[{result}]}}]}}"#
        );
        read_text(&text).map(|document| (document.unproven[0].id.to_string(), document.unproven[0].severity.clone()))
    };
    let found = |id: &str, severity| Ok((id.to_owned(), severity));
    assert_eq!(log(r#"{"ruleId":"B","ruleIndex":0}"#), found("B", Severity::High));
    assert_eq!(log(r#"{"ruleIndex":0}"#), found("A", Severity::Critical));
    assert_eq!(log(r#"{"ruleId":"A/1","ruleIndex":-1}"#), found("A/1", Severity::Critical));
    assert_eq!(log(r#"{"rule":{"id":"C"}}"#), found("C", Severity::Medium));
    assert_eq!(log(r#"{"rule":{"index":0,"toolComponent":{"index":0}}}"#), found("C", Severity::Medium));
    assert_eq!(log(r#"{"rule":{"index":0,"toolComponent":{"name":"E"}}}"#), found("C", Severity::Medium));
    assert_eq!(log(r#"{"ruleId":"X","ruleIndex":0}"#), found("X", Severity::Critical));
    for nameless in ["{}", r#"{"ruleIndex":9}"#, r#"{"ruleIndex":-1}"#, r#"{"ruleId":" "}"#] {
        assert_eq!(log(nameless).unwrap_err().place, "runs[0].results[0]");
    }
}

#[test]
fn a5_what_cannot_be_read_is_refused() {
    for (from, to) in [
        (r#""2.1.0""#, r#""2.0.0""#),
        (r#""version":"2.1.0","#, ""),
        (r#""results":[{"#, r#""results":[null,{"#),
        (r#""results":[{"#, r#""results":[[{"#),
        (r#""results":["#, r#""results":[],"results":["#),
        (r#""results":["#, r#""Results":[],"results":["#),
        (r#""executionSuccessful":true"#, r#""executionSuccessful":"true""#),
        ("2025-06-01T12:00:00Z", "yesterday"),
        (r#""level":"error""#, r#""level":3"#),
        (r#""rules":["#, r#""rules":[["x"],"#),
        (CONFIG, "sha256:123"),
        (MANIFEST, "sha256:123"),
        (r#""results":["#, r#""externalPropertyFileReferences":{"results":[{"location":{}}]},"results":["#),
        (r#""results":["#, r#""externalPropertyFileReferences":{"driver":{}},"results":["#),
    ] {
        let error = read_text(&changed(from, to)).expect_err(to);
        assert_eq!(error.format, Some(FORMAT), "{to}");
    }
    for bad in [r#"{"version":"2.1.0","runs":null}"#, r#"{"version":"2.1.0"}"#, r#"["2.1.0",[]]"#, "[]", ""] {
        assert!(read_text(bad).is_err(), "{bad}");
    }
    let few = Limits { findings: 0, ..Limits::STANDARD };
    assert!(read(whole().as_bytes(), &few).is_err());
    let whole = whole();
    for length in (0..whole.len()).filter(|length| whole.is_char_boundary(*length)) {
        assert!(read_text(&whole[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn b14_trivys_own_log_is_read() {
    let Some(bytes) = outside::data("scanners/trivy/alpine-310.sarif.golden") else { return };
    let document = read(&bytes, &Limits::STANDARD).unwrap();
    assert!(document.scan.is_err());
    assert_eq!(document.tool.as_deref(), Some("Trivy dev"));
    assert_eq!(document.subject.config.unwrap().short(), "961769676411");
    let named: Vec<_> = document
        .unproven
        .iter()
        .map(|finding| {
            let package = &finding.packages[0];
            (finding.id.as_str(), package.name.as_str(), package.version.as_str(), package.fix.clone())
        })
        .collect();
    let fixed = |version: &str| Fix::In(version.to_owned());
    assert_eq!(
        named,
        [
            ("CVE-2019-1549", "libcrypto1.1", "1.1.1c-r0", fixed("1.1.1d-r0")),
            ("CVE-2019-1551", "libcrypto1.1", "1.1.1c-r0", fixed("1.1.1d-r2")),
            ("CVE-2019-1549", "libssl1.1", "1.1.1c-r0", fixed("1.1.1d-r0")),
            ("CVE-2019-1551", "libssl1.1", "1.1.1c-r0", fixed("1.1.1d-r2")),
        ]
    );
    assert!(document.unproven.iter().all(|finding| finding.severity == Severity::Medium));
}

#[test]
fn b14_a_log_is_recognised_by_its_content() {
    let document = crate::report::parse(whole().as_bytes(), &Limits::STANDARD).unwrap();
    assert_eq!(document.scanner, Scanner::Sarif);
    assert!(document.scan.is_ok());
}

#[test]
fn a5_a_text_that_all_results_share_does_not_fill_the_memory() {
    let (name, results) = ("R".repeat(5_000), vec![r#"{"ruleIndex":0}"#; 400].join(","));
    let text = format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"T","rules":[{{"id":"{name}"}}]}}}},"results":[{results}]}}]}}"#
    );
    let limits = Limits { bytes: text.len(), ..Limits::STANDARD };
    assert!(read(text.as_bytes(), &limits).unwrap_err().cause.contains("all that is read"));
}

proptest::proptest! {
    #[test]
    fn a5_any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = read(&bytes, &Limits::STANDARD);
    }

    #[test]
    fn a5_a_changed_log_is_never_an_empty_scan(at in 0usize..1200, byte in proptest::prelude::any::<u8>()) {
        let mut bytes = whole().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(Document { scan: Ok(scan), .. }) = read(&bytes, &Limits::STANDARD) {
            proptest::prop_assert!(!scan.findings().is_empty());
        }
    }
}
