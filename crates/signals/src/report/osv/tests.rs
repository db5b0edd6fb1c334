//! OSV: osv-scanner's report and bare records; ratings, fixes, package URLs; what is refused.
//! Neither ever proves a scan.

use model::{ReasonCode, Severity};

use super::*;

const RECORD: &str = r#"{"id":"GHSA-1","modified":"2024-01-01T00:00:00Z","aliases":["CVE-2021-1"],"upstream":["CVE-2021-1"],
    "severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}],
    "database_specific":{"severity":"MODERATE"},"references":[{"type":"WEB","url":"https://example.org/1"}],
    "affected":[{"package":{"name":"other","ecosystem":"npm"},"ranges":[{"type":"SEMVER","events":[{"fixed":"9"}]}]},
    {"package":{"name":"lodash","ecosystem":"npm","purl":"pkg:npm/lodash"},"ranges":[
    {"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"3.1"}]},{"type":"SEMVER","events":[{"fixed":"4.2"}]},
    {"type":"GIT","events":[{"fixed":"abcdef"}]}]}]}"#;

fn report() -> String {
    format!(
        r#"{{"results":[{{"source":{{"path":"app:1","type":"docker"}},"packages":[
        {{"package":{{"name":"lodash","version":"3.0","ecosystem":"npm"}},"vulnerabilities":[{RECORD}],
        "groups":[{{"ids":["GHSA-1"],"aliases":["CVE-2021-1","GHSA-1"],"max_severity":"9.1"}}]}},
        {{"package":{{"name":"zlib","version":"1","ecosystem":"Debian:12"}},"licenses":["MIT"]}}]}}],
        "experimental_config":{{}}}}"#
    )
}

fn read_text(text: &str) -> Result<Document, ParseError> {
    read(text.as_bytes(), &Limits::STANDARD)
}

fn findings(text: &str) -> Vec<Finding> {
    let document = read_text(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let code = document.scan.unwrap_err().why_not().unwrap().code;
    assert_eq!(code, ReasonCode::ScanUnproven);
    document.unproven
}

#[test]
fn b14_osv_scanners_report_is_read() {
    let document = read_text(&report()).unwrap();
    assert_eq!(document.subject.name.as_deref(), Some("app:1"));
    let [finding] = document.unproven.as_slice() else { panic!() };
    assert_eq!(
        (finding.id.as_str(), &finding.severity),
        ("GHSA-1", &Severity::Critical),
        "the group's score is the worst"
    );
    assert!(finding.is("CVE-2021-1"));
    assert_eq!((finding.cvss_tenths, finding.url.as_deref()), (Some(91), Some("https://example.org/1")));
    let [package] = finding.packages.as_slice() else { panic!() };
    assert_eq!((package.name.as_str(), package.version.as_str()), ("lodash", "3.0"));
    assert_eq!((&package.fix, package.purl.as_deref()), (&Fix::In("3.1, 4.2".to_owned()), Some("pkg:npm/lodash@3.0")));
}

#[test]
fn b14_records_by_themselves_are_read() {
    for text in [RECORD.to_owned(), format!("[{RECORD}]")] {
        let found = findings(&text);
        let [finding] = found.as_slice() else { panic!() };
        assert_eq!((&finding.severity, finding.cvss_tenths), (&Severity::High, Some(75)));
        let [other, lodash] = finding.packages.as_slice() else { panic!() };
        assert_eq!((other.name.as_str(), &other.fix), ("other", &Fix::In("9".to_owned())));
        assert_eq!((lodash.version.as_str(), lodash.purl.as_deref()), ("", Some("pkg:npm/lodash")));
    }
    assert_eq!(findings(&format!(" [{RECORD},{RECORD}]")).len(), 2);
}

#[test]
fn s19_nothing_found_proves_nothing() {
    for text in [r#"{"results":[]}"#, r#"{"results":[{"packages":[]}]}"#, "[]"] {
        assert!(findings(text).is_empty());
    }
}

#[test]
fn b14_a_withdrawn_record_is_marked() {
    let text = RECORD.replacen('{', r#"{"withdrawn":"2024-02-02T00:00:00Z","#, 1);
    assert_eq!(findings(&text)[0].suppressed.as_deref(), Some("withdrawn by its source at 2024-02-02T00:00:00Z"));
    assert_eq!(findings(RECORD)[0].suppressed, None);
}

#[test]
fn s21_the_worst_of_words_and_scores_counts() {
    let vector = |text: &str| format!(r#""severity":[{{"type":"CVSS_V3","score":"{text}"}}]"#);
    let word = |json: &str| format!(r#""database_specific":{{"severity":{json}}}"#);
    let nine = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    let unknown = |word: &str| Severity::Unknown(word.to_owned());
    for (fields, severity, rating, tenths) in [
        (r#""x":1"#.to_owned(), Severity::Undefined, None, None),
        (word(r#""MODERATE""#), Severity::Medium, Some("MODERATE"), None),
        (word(r#""LOW""#), Severity::Low, None, None),
        (word(r#""dire""#), unknown("dire"), None, None),
        (word("null"), Severity::Undefined, None, None),
        (word(r#"["HIGH"]"#), unknown("database_specific.severity"), None, None),
        (format!("{},{}", word("7"), vector(nine)), Severity::Critical, None, Some(98)),
        (format!("{},{}", word(r#""LOW""#), vector(nine)), Severity::Critical, None, Some(98)),
        (format!("{},{}", word(r#""HIGH""#), vector("CVSS:3.1/x")), Severity::High, None, None),
        (vector("CVSS:3.1/x"), unknown("CVSS:3.1/x"), None, None),
        (vector("7.5"), Severity::High, None, Some(75)),
        (vector("75"), unknown("75"), None, None),
        (r#""severity":[{"type":"Ubuntu","score":"negligible"}]"#.to_owned(), Severity::Informational, None, None),
        (format!(r#""affected":[{{{}}}]"#, vector(nine)), Severity::Critical, None, Some(98)),
        (
            r#""affected":[{"ecosystem_specific":{"severity":"Important"}}]"#.to_owned(),
            Severity::High,
            Some("Important"),
            None,
        ),
    ] {
        let finding = findings(&format!(r#"[{{"id":"X-1",{fields}}}]"#)).remove(0);
        assert_eq!(
            (finding.severity, finding.rating.as_deref(), finding.cvss_tenths),
            (severity, rating, tenths),
            "{fields}"
        );
    }
    let malware = findings(r#"[{"id":"MAL-2023-1035"}]"#).remove(0);
    assert_eq!((malware.severity, malware.rating.as_deref()), (Severity::Critical, Some("malicious package")));
    assert_eq!(findings(&format!(r#"[{{"id":"MAL-1",{}}}]"#, word(r#""LOW""#)))[0].severity, Severity::Low);
    for none in ["", "N/A"] {
        assert_eq!(findings(&report().replace("9.1", none))[0].severity, Severity::High);
    }
}

#[test]
fn b14_fixes_and_package_urls_are_those_of_the_installed_package() {
    let of = |from: &str, to: &str| {
        let text = report();
        assert!(text.contains(from));
        findings(&text.replace(from, to)).remove(0).packages.remove(0)
    };
    assert_eq!(
        of(r#""type":"SEMVER","events":[{"fixed":"4.2"}]"#, r#""type":"SEMVER","events":[]"#).fix,
        Fix::In("3.1".into())
    );
    let only_commit = report().replace(r#"{"fixed":"3.1"}"#, "{}").replace(r#"{"fixed":"4.2"}"#, "{}");
    assert_eq!(findings(&only_commit)[0].packages[0].fix, Fix::Available);
    let none = only_commit.replace(r#"{"fixed":"abcdef"}"#, r#"{"last_affected":"5"}"#);
    assert_eq!(findings(&none)[0].packages[0].fix, Fix::NotSaid, "OSV never says that there is no fix");
    let renamed = of(r#""name":"lodash","version":"3.0""#, r#""name":"LODASH","version":"3.0""#);
    assert_eq!(renamed.fix, Fix::In("9, 3.1, 4.2".into()), "no entry is about it, so all count");
    let commit = of(r#""name":"lodash","version":"3.0","ecosystem":"npm""#, r#""commit":"abc""#);
    assert_eq!((commit.name.as_str(), commit.version.as_str(), commit.purl), ("abc", "abc", None));
    for (ecosystem, name, url) in [
        ("Debian:12", "openssl", Some("pkg:deb/debian/openssl@1")),
        ("Alpine:v3.10", "zlib", Some("pkg:apk/alpine/zlib@1")),
        ("Maven", "org.x:y", Some("pkg:maven/org.x/y@1")),
        ("Maven", "y", None),
        ("npm", "@a/b", Some("pkg:npm/%40a/b@1")),
        ("Go", "github.com/a/b", Some("pkg:golang/github.com/a/b@1")),
        ("crates.io", "time", Some("pkg:cargo/time@1")),
        ("Android", "x", None),
    ] {
        assert_eq!(ecosystem::purl(ecosystem, name, "1").as_deref(), url, "{ecosystem} {name}");
    }
}

#[test]
fn a5_what_cannot_be_read_is_refused() {
    let whole = report();
    for length in 0..whole.len() {
        assert!(read_text(&whole[..length]).is_err(), "cut at {length}");
    }
    for (from, to) in [
        (r#""results":["#, r#""results":null,"x":["#),
        (r#""results":["#, r#""results":[],"results":["#),
        (r#""results":["#, r#""Results":["#),
        (r#""results":["#, r#""results":[null,"#),
        (r#""packages":["#, r#""packages":null,"x":["#),
        (r#""vulnerabilities":["#, r#""vulnerabilities":null,"x":["#),
        (r#""vulnerabilities":["#, r#""vulnerabilities":[{},"#),
        (r#""vulnerabilities":["#, r#""vulnerabilities":["GHSA-1","#),
        (r#""package":{"name":"lodash","version""#, r#""x":{"name":"lodash","version""#),
        (r#""max_severity":"9.1""#, r#""max_severity":"91""#),
        (r#""max_severity":"9.1""#, r#""max_severity":"bad""#),
        (r#""max_severity":"9.1""#, r#""max_severity":9.1"#),
        (r#""id":"GHSA-1""#, r#""id":" ""#),
    ] {
        let text = whole.replacen(from, to, 1);
        assert_ne!(text, whole, "{from}");
        assert_eq!(read_text(&text).expect_err(&text).format, Some(FORMAT));
    }
    for bad in ["", "{}", "[[]]", "[null]", r#"[{"aliases":["CVE-1"]}]"#, r#"{"results":{}}"#] {
        assert!(read_text(bad).is_err(), "{bad}");
    }
    let few = Limits { findings: 0, ..Limits::STANDARD };
    assert!(read(whole.as_bytes(), &few).is_err());
}

#[test]
fn b14_reports_and_records_are_recognised_by_their_content() {
    for text in [report().as_str(), RECORD] {
        let document = crate::report::parse(text.as_bytes(), &Limits::STANDARD).unwrap();
        assert_eq!((document.scanner, document.unproven.len()), (Scanner::Osv, 1));
    }
}

proptest::proptest! {
    #[test]
    fn a5_any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = read(&bytes, &Limits::STANDARD);
    }

    #[test]
    fn a5_a_changed_report_is_never_a_scan(at in 0usize..2000, byte in proptest::prelude::any::<u8>()) {
        let mut bytes = report().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(document) = read(&bytes, &Limits::STANDARD) {
            proptest::prop_assert!(document.scan.is_err());
        }
    }
}

#[test]
fn b23_the_layer_of_a_package_is_that_of_the_step_that_brought_it() {
    let digest = model::Digest::of(b"layer");
    let layer = |index: &str| {
        let package = format!(r#""ecosystem":"npm","image_origin_details":{{"index":{index}}}}},"vulnerabilities""#);
        let history = format!(
            r#""image_metadata":{{"layer_metadata":[{{"diff_id":"","is_empty":true}},{{"diff_id":"{digest}"}}]}},"experimental_config""#
        );
        let text = report().replace(r#""ecosystem":"npm"},"vulnerabilities""#, &package);
        findings(&text.replace(r#""experimental_config""#, &history))[0].packages[0].layer.clone()
    };
    assert_eq!(layer("1").unwrap().diff_id, Some(digest.clone()));
    assert_eq!((layer("0"), layer("2")), (None, None), "a step without a layer, and none at all");
}
