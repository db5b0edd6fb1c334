//! Events of ECR and Amazon Inspector: what each means, what is refused.
//! None of them is a scan.

use model::{ReasonCode, Scanner, Severity, Signal};

use super::*;
use crate::report::outside;

const DIGEST: &str = "sha256:d4a96ee9443e641fc100e763a0c10928720b50c6e3ea3342d05d7c3435fc5355";

fn text(kind: &str, source: &str, detail: &str) -> String {
    format!(
        r#"{{"version":"0","id":"1","detail-type":"{kind}","source":"{source}","account":"123456789012",
        "time":"2025-06-01T12:00:00Z","region":"eu-north-1","resources":[],"detail":{detail}}}"#
    )
}

fn scan(status: &str) -> String {
    let detail = format!(
        r#"{{"scan-status":"{status}","repository-name":"team/app","image-digest":"{DIGEST}","image-tags":["1"],
        "finding-severity-counts":{{"CRITICAL":10,"HIGH":2,"LOW":0}}}}"#
    );
    text("ECR Image Scan", "aws.ecr", &detail)
}

fn inspector_scan() -> String {
    let detail = format!(
        r#"{{"scan-status":"INITIAL_SCAN_COMPLETE","repository-name":"arn:aws:ecr:eu-north-1:210987654321:repository/team/app",
        "image-digest":"{DIGEST}","image-tags":["1","latest"],"finding-severity-counts":{{"HIGH":1,"TOTAL":1}}}}"#
    );
    text("Inspector2 Scan", "aws.inspector2", &detail)
}

fn action(action: &str, tag: &str) -> String {
    let detail = format!(
        r#"{{"result":"SUCCESS","repository-name":"team/app","image-digest":"{DIGEST}","action-type":"{action}"{tag}}}"#
    );
    text("ECR Image Action", "aws.ecr", &detail)
}

fn finding() -> String {
    let detail = format!(
        r#"{{"findingArn":"a","type":"PACKAGE_VULNERABILITY","severity":"HIGH","status":"ACTIVE",
        "packageVulnerabilityDetails":{{"vulnerabilityId":"CVE-2021-1"}},"resources":[{{"type":"AWS_ECR_CONTAINER_IMAGE",
        "id":"arn:aws:ecr:eu-north-1:123456789012:repository/team/app/{DIGEST}"}}]}}"#
    );
    text("Inspector2 Finding", "aws.inspector2", &detail)
}

fn read_event(text: &str) -> Result<Event, ParseError> {
    event(text.as_bytes(), &Limits::STANDARD)
}

fn read_report(text: &str) -> Result<Document, ParseError> {
    read(text.as_bytes(), &Limits::STANDARD)
}

#[test]
fn f8_pushes_and_deletions_name_their_image() {
    let Ok(Event::Pushed(image)) = read_event(&action("PUSH", r#","image-tag":"1""#)) else { panic!() };
    assert_eq!((image.account.as_str(), image.region.as_str()), ("123456789012", "eu-north-1"));
    assert_eq!((image.repository.as_str(), image.digest.as_str()), ("team/app", DIGEST));
    assert_eq!(
        (image.tags.as_slice(), image.at.unwrap().to_string().as_str()),
        (&["1".to_owned()][..], "2025-06-01T12:00:00Z")
    );
    let Ok(Event::Deleted(image)) = read_event(&action("DELETE", "")) else { panic!() };
    assert!(image.tags.is_empty());
    for bad in [action("COPY", ""), action("PUSH", "").replace("SUCCESS", "FAILURE")] {
        assert!(read_event(&bad).is_err(), "{bad}");
    }
    for event in [action("PUSH", ""), action("DELETE", ""), action("PUSH", "").replace("sha256", "")] {
        let error = read_report(&event).unwrap_err();
        assert!(error.cause.contains("not of a scan"), "{error}");
    }
}

#[test]
fn f8_the_end_of_a_scan_names_image_status_and_counts() {
    let Ok(Event::ScanEnded(end)) = read_event(&scan("COMPLETE")) else { panic!() };
    assert_eq!((end.scanner, end.status.as_str(), end.has_result()), (Scanner::Ecr, "COMPLETE", true));
    assert_eq!(end.counts.get(&Severity::Critical), Some(&10));
    assert_eq!(end.image.account, "123456789012");
    let Ok(Event::ScanEnded(end)) = read_event(&inspector_scan()) else { panic!() };
    assert_eq!((end.scanner, end.has_result()), (Scanner::Inspector, true));
    assert_eq!((end.image.account.as_str(), end.image.repository.as_str()), ("210987654321", "team/app"));
    assert_eq!(end.counts.iter().collect::<Vec<_>>(), [(&Severity::High, &1)], "TOTAL is no severity");
    let Ok(Event::ScanEnded(end)) = read_event(&scan("FAILED")) else { panic!() };
    assert!(!end.has_result());
}

#[test]
fn s16_the_end_of_a_scan_is_no_scan() {
    for text in [scan("COMPLETE"), scan("ACTIVE"), inspector_scan()] {
        let document = read_report(&text).unwrap();
        assert!(document.unproven.is_empty());
        assert_eq!(document.subject.manifests[0].as_str(), DIGEST);
        let Err(Signal::Absent(why)) = document.scan else { panic!("{text}") };
        assert_eq!(why.code, ReasonCode::ScanPartial);
        assert!(why.remedy.contains(DIGEST), "{}", why.remedy);
    }
    let Err(Signal::Absent(why)) = read_report(&scan("COMPLETE")).unwrap().scan else { panic!() };
    assert!(why.message.contains("with 10 CRITICAL, 2 HIGH,"), "{}", why.message);
    for (status, code) in [
        ("FAILED", ReasonCode::ScanFailed),
        ("IN_PROGRESS", ReasonCode::ScanPending),
        ("PENDING", ReasonCode::ScanPending),
        ("UNSUPPORTED_IMAGE", ReasonCode::ScanUnsupported),
        ("IMAGE_ARCHIVED", ReasonCode::ScanImageArchived),
        ("FINDINGS_UNAVAILABLE", ReasonCode::ScanFindingsUnavailable),
        ("SCAN_ELIGIBILITY_EXPIRED", ReasonCode::ScanEligibilityExpired),
        ("LIMIT_EXCEEDED", ReasonCode::ScanLimitExceeded),
        ("complete", ReasonCode::ScanUnknownStatus),
    ] {
        let document = read_report(&scan(status)).unwrap();
        assert_eq!(document.scan.unwrap_err().why_not().unwrap().code, code, "{status}");
    }
}

#[test]
fn f8_a_finding_is_a_report_that_proves_nothing() {
    let Ok(Event::Finding(document)) = read_event(&finding()) else { panic!() };
    assert_eq!(document.unproven[0].id.as_str(), "CVE-2021-1");
    let document = read_report(&finding()).unwrap();
    assert_eq!((document.scanner, document.unproven.len()), (Scanner::Inspector, 1));
    assert_eq!(document.subject.repository.as_deref(), Some("team/app"));
    assert!(document.scan.is_err());
}

#[test]
fn a5_what_cannot_be_read_is_refused() {
    let (scan, push) = (scan("COMPLETE"), action("PUSH", ""));
    for (whole, from, to) in [
        (&scan, "ECR Image Scan", "ECR Scan Resource Change"),
        (&scan, r#""aws.ecr""#, r#""aws.inspector2""#),
        (&scan, r#""aws.ecr""#, r#""custom""#),
        (&scan, r#""source":"aws.ecr","#, ""),
        (&scan, r#""account":"123456789012","#, ""),
        (&scan, r#""region":"eu-north-1","#, ""),
        (&scan, r#""region":"eu-north-1","#, r#""region":" ","#),
        (&scan, r#""scan-status":"COMPLETE","#, ""),
        (&scan, r#""scan-status":"COMPLETE""#, r#""scan-status":"FAILED","scan-status":"COMPLETE""#),
        (&scan, r#""scan-status":"COMPLETE""#, r#""scan-status":"""#),
        (&scan, DIGEST, "sha256:d4a9"),
        (&scan, r#""HIGH":2"#, r#""HIGH":2,"high":0"#),
        (&scan, r#""HIGH":2"#, r#""HIGH":-2"#),
        (&scan, r#""HIGH":2"#, r#""HIGH":null"#),
        (&scan, r#""detail":{"#, r#""detail":null,"x":{"#),
        (&scan, r#""detail":{"#, r#""x":{"#),
        (&scan, r#""repository-name":"team/app","#, ""),
        (&push, r#""result":"SUCCESS","#, ""),
        (&push, DIGEST, "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234"),
    ] {
        let text = whole.replacen(from, to, 1);
        assert_ne!(&text, whole, "{from}");
        assert_eq!(read_event(&text).expect_err(&text).format, Some(FORMAT));
    }
    for whole in [scan, push, inspector_scan()] {
        for length in 0..whole.len() {
            assert!(read_event(&whole[..length]).is_err(), "cut at {length}");
        }
    }
}

#[test]
fn f8_the_events_of_the_documentation_are_read() {
    let Some(bytes) = outside::data("ecr/ecr-image-scan-event.json") else { return };
    let Ok(Event::ScanEnded(end)) = event(&bytes, &Limits::STANDARD) else { panic!() };
    assert_eq!(end.counts.values().sum::<u64>(), 24);
    assert_eq!(end.image.digest.as_str(), DIGEST);
    // Its digest is four digits short.
    let Some(bytes) = outside::data("ecr/ecr-image-push-event.json") else { return };
    assert_eq!(event(&bytes, &Limits::STANDARD).unwrap_err().place, "detail.image-digest");
    assert!(read(&bytes, &Limits::STANDARD).unwrap_err().cause.contains("not of a scan"));
}

#[test]
fn b14_events_are_recognised_by_their_content() {
    let parse = |text: &str| crate::report::parse(text.as_bytes(), &Limits::STANDARD);
    assert_eq!(parse(&finding()).unwrap().unproven.len(), 1);
    assert_eq!(parse(&scan("COMPLETE")).unwrap().scanner, Scanner::Ecr);
    assert_eq!(parse(&action("PUSH", "")).unwrap_err().format, Some(FORMAT));
}

proptest::proptest! {
    #[test]
    fn a5_any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = event(&bytes, &Limits::STANDARD);
    }

    #[test]
    fn a5_a_changed_event_is_never_a_scan(at in 0usize..800, byte in proptest::prelude::any::<u8>(), which in 0usize..3) {
        let mut bytes = [scan("COMPLETE"), inspector_scan(), finding()][which].clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(document) = read(&bytes, &Limits::STANDARD) {
            proptest::prop_assert!(document.scan.is_err());
        }
    }
}
