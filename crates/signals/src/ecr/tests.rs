//! ECR answers: what is read, what is refused, what is "not yet".

use model::{Fix, ReasonCode, Severity};

use super::*;
use crate::Limits;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn read(text: &str) -> Result<Page, model::Reason> {
    page(text.as_bytes(), &Limits::STANDARD)
}

fn answer(status: &str, findings: &str) -> String {
    format!(
        r#"{{"registryId":"123456789012","repositoryName":"app","imageId":{{"imageDigest":"{DIGEST}"}},
            "imageScanStatus":{{"status":"{status}","description":"said"}}{}{findings}}}"#,
        if findings.is_empty() { "" } else { r#","imageScanFindings":"# }
    )
}

#[test]
fn a12_every_status_means_what_the_documentation_says() {
    let result = r#"{"imageScanCompletedAt":1700000000.5,"findings":[]}"#;
    for status in ScanStatus::KNOWN {
        let state = read(&answer(status.as_str(), result)).unwrap().state();
        let code = match &state {
            PageState::Result => None,
            PageState::Wait(reason) | PageState::NoResult(reason) | PageState::Unsupported(reason) => Some(reason.code),
        };
        let wanted = match status {
            ScanStatus::Complete | ScanStatus::Active => None,
            ScanStatus::InProgress | ScanStatus::Pending => Some(ReasonCode::ScanPending),
            ScanStatus::Failed => Some(ReasonCode::ScanFailed),
            ScanStatus::UnsupportedImage => Some(ReasonCode::ScanUnsupported),
            ScanStatus::ScanEligibilityExpired => Some(ReasonCode::ScanEligibilityExpired),
            ScanStatus::FindingsUnavailable => Some(ReasonCode::ScanFindingsUnavailable),
            ScanStatus::LimitExceeded => Some(ReasonCode::ScanLimitExceeded),
            ScanStatus::ImageArchived => Some(ReasonCode::ScanImageArchived),
            ScanStatus::Unknown(_) => unreachable!(),
        };
        assert_eq!(code, wanted, "{}", status.as_str());
    }
    for odd in ["complete", "COMPLETED", "", "DONE"] {
        let PageState::NoResult(reason) = read(&answer(odd, result)).unwrap().state() else { panic!("{odd}") };
        assert_eq!(reason.code, ReasonCode::ScanUnknownStatus);
    }
}

#[test]
fn a5_a_finished_status_without_findings_is_not_yet() {
    for status in ["COMPLETE", "ACTIVE"] {
        for findings in [
            "",
            "null",
            "{}",
            r#"{"findingSeverityCounts":{}}"#,
            r#"{"findings":[]}"#,
            r#"{"findings":null,"imageScanCompletedAt":1}"#,
        ] {
            let state = read(&answer(status, findings)).unwrap().state();
            let PageState::Wait(reason) = state else { panic!("{status} {findings}: {state:?}") };
            assert_eq!(reason.code, ReasonCode::ScanNoFindingsYet);
        }
    }
}

#[test]
fn a5_what_cannot_be_read_is_refused() {
    let whole = answer(
        "COMPLETE",
        r#"{"imageScanCompletedAt":1,"findings":[{"name":"CVE-1","severity":"LOW"}],"findingSeverityCounts":{"LOW":1}}"#,
    );
    assert!(read(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "cut at {length}");
    }
    for (from, to) in [
        (r#""name":"CVE-1""#, r#""name":"""#),
        (r#""name":"CVE-1","#, ""),
        (r#""severity":"LOW""#, r#""severity":3"#),
        (r#","severity":"LOW""#, ""),
        (r#""LOW":1"#, r#""LOW":-1"#),
        (r#""LOW":1"#, r#""LOW":null"#),
        (r#""imageScanCompletedAt":1"#, r#""imageScanCompletedAt":0"#),
        (r#""imageScanCompletedAt":1"#, r#""imageScanCompletedAt":"yesterday""#),
        (r#""findings":["#, r#""findings":[null,"#),
        (r#""imageScanStatus":{"status":"COMPLETE""#, r#""imageScanStatus":{"status":null"#),
        (r#""imageScanStatus""#, r#""status""#),
        (r#""registryId""#, r#""registryId":"1","registryId""#),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole);
        assert_eq!(read(&changed).expect_err(&changed).code, ReasonCode::ScanMalformed);
    }
}

#[test]
fn a5_a_list_is_no_object_even_if_its_elements_are_the_fields_in_order() {
    let whole = answer("COMPLETE", r#"{"imageScanCompletedAt":1,"findings":[{"name":"CVE-1","severity":"LOW"}]}"#);
    assert!(read(&whole).is_ok());
    for (from, to) in [
        (r#"{"status":"COMPLETE","description":"said"}"#.to_owned(), r#"["COMPLETE","said"]"#.to_owned()),
        (
            r#"{"imageScanCompletedAt":1,"findings":[{"name":"CVE-1","severity":"LOW"}]}"#.to_owned(),
            "[1,1,{},[],null]".to_owned(),
        ),
        (r#"{"name":"CVE-1","severity":"LOW"}"#.to_owned(), r#"["CVE-1","LOW",null,null]"#.to_owned()),
        (format!(r#"{{"imageDigest":"{DIGEST}"}}"#), format!(r#"["{DIGEST}",null]"#)),
        (
            whole.clone(),
            r#"["1","app",null,{"status":"COMPLETE"},{"imageScanCompletedAt":1,"findings":[]},null]"#.to_owned(),
        ),
    ] {
        let changed = whole.replacen(&from, &to, 1);
        assert_ne!(changed, whole);
        assert_eq!(read(&changed).expect_err(&changed).code, ReasonCode::ScanMalformed);
    }
    let enhanced = |details: &str| {
        let finding = format!(r#"{{"severity":"LOW","title":"t","packageVulnerabilityDetails":{details}}}"#);
        read(&answer("ACTIVE", &format!(r#"{{"enhancedFindings":[{finding}]}}"#)))
    };
    assert!(enhanced(r#"{"vulnerabilityId":"CVE-1"}"#).is_ok());
    assert!(enhanced(r#"["CVE-1",null,null,null]"#).is_err());
}

#[test]
fn a5_a_severity_that_is_counted_twice_is_refused() {
    let counts = |counts: &str| read(&answer("COMPLETE", &format!(r#"{{"findingSeverityCounts":{counts}}}"#)));
    assert!(counts(r#"{"CRITICAL":1,"HIGH":0}"#).is_ok());
    for twice in [r#"{"CRITICAL":1,"CRITICAL":0}"#, r#"{"CRITICAL":1,"critical":0}"#, r#"{"X":1,"X":1}"#] {
        assert_eq!(counts(twice).expect_err(twice).code, ReasonCode::ScanMalformed);
    }
}

#[test]
fn a5_bytes_that_are_no_text_are_refused_wherever_they_stand() {
    let whole = answer(
        "COMPLETE",
        r#"{"imageScanCompletedAt":1,"findings":[{"name":"CVE-1","severity":"LOW","description":"said"}]}"#,
    );
    for (place, _) in whole.match_indices(|character: char| character.is_ascii_alphabetic()) {
        let mut bytes = whole.clone().into_bytes();
        bytes[place] = 0xff;
        assert_eq!(page(&bytes, &Limits::STANDARD).unwrap_err().code, ReasonCode::ScanMalformed, "at {place}");
    }
}

#[test]
fn both_spellings_of_time_and_every_enhanced_field_are_read() {
    let text = answer(
        "ACTIVE",
        r#"{"imageScanCompletedAt":"2025-06-09T07:08:40.144000+00:00","vulnerabilitySourceUpdatedAt":1749452920.144,
          "findingSeverityCounts":{"HIGH":1},"enhancedFindings":[{"title":"CVE-2 - x","severity":"HIGH","score":7.5,
          "fixAvailable":"YES","exploitAvailable":"YES","epss":{"score":0.5},"status":"ACTIVE",
          "packageVulnerabilityDetails":{"vulnerabilityId":"CVE-2","sourceUrl":"https://example.org","cvss":[{"baseScore":8.1}],
          "vulnerablePackages":[{"name":"libx","version":"1.0","release":"2","fixedInVersion":"0:1.1",
            "sourceLayerHash":"sha256:9d48c3bd43c520dc2784e868a780e976b207cbf493eaff8c6596eb871cbd9609"},
            {"name":"liby","version":"1","fixedInVersion":"NotAvailable"}]}}]}"#,
    );
    let findings = read(&text).unwrap().findings.unwrap();
    assert_eq!(findings.completed_at, findings.source_updated_at);
    let (kind, list) = findings.list.unwrap();
    assert_eq!(kind, Kind::Enhanced);
    let finding = &list[0];
    assert_eq!((finding.id.as_str(), &finding.severity), ("CVE-2", &Severity::High));
    assert_eq!((finding.cvss_tenths, finding.epss_millionths), (Some(81), Some(500_000)));
    assert_eq!(finding.exploit_available, Some(true));
    assert_eq!(finding.packages[0].version, "1.0-2");
    assert_eq!(finding.packages[0].fix, Fix::In("0:1.1".into()));
    assert_eq!(finding.packages[1].fix, Fix::Available);
    let layers =
        finding.packages.iter().map(|package| package.layer.as_ref().map(|layer| layer.digest.as_ref().unwrap()));
    let layers: Vec<_> = layers.map(|digest| digest.map(model::Digest::short)).collect();
    assert_eq!(layers, [Some("9d48c3bd43c5"), None], "as the manifest names it");
}

#[test]
fn a17_pages_are_put_together_and_endless_ones_refused() {
    let part = |cve: &str, token: &str| {
        let text = answer(
            "COMPLETE",
            &format!(
                r#"{{"imageScanCompletedAt":5,"findings":[{{"name":"{cve}","severity":"LOW"}}],"findingSeverityCounts":{{"LOW":2}}}},"nextToken":{token}"#
            ),
        );
        read(&text).unwrap()
    };
    let mut reading = Reading::start(part("CVE-1", r#""a""#)).unwrap();
    assert_eq!(reading.next_token(), Some("a"));
    assert!(reading.complete(None, 1).is_err(), "half a reading is never complete");
    assert_eq!(
        reading.clone().add(part("CVE-2", r#""a""#), &Limits::STANDARD).unwrap_err().code,
        ReasonCode::ScanPagesEndless
    );
    assert_eq!(reading.add(part("CVE-2", "null"), &Limits::STANDARD), Ok(true));
    assert_eq!(reading.next_token(), None);
    let scan = reading.complete(None, 1).unwrap();
    assert_eq!(scan.findings().len(), 2);
    assert!(scan.disagreements().is_empty());
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = page(&bytes, &Limits::STANDARD);
    }
}

#[test]
fn a5_one_page_of_several_is_no_report() {
    // The API writes nextToken; `aws … --max-items` writes NextToken.
    for key in ["nextToken", "NextToken"] {
        let text = answer(
            "COMPLETE",
            &format!(r#"{{"imageScanCompletedAt":5,"findings":[{{"name":"CVE-1","severity":"LOW"}}]}},"{key}":"more"#),
        );
        let text = text.replacen(r#""more}"#, r#""more"}"#, 1);
        let reason = report(text.as_bytes(), &Limits::STANDARD).expect_err(&text);
        assert_eq!(reason.code, ReasonCode::ScanPartial, "{text}");
    }
}
