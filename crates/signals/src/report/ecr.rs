//! A saved answer of `aws ecr describe-image-scan-findings` among the reports of other scanners. Recognised by
//! `imageScanStatus` and `imageScanFindings` at the top; read by [`crate::ecr`], which knows what proves a scan (S16).

use model::{Finding, Scanner, Signal};

use super::{Document, Subject};
use crate::ecr::{self, Page};
use crate::{Limits, ParseError};

const FORMAT: &str = "ECR scan findings";

/// Reads the answer. Findings that come with no proof of a scan (one page of several, an expired scan) still count.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let page = ecr::page(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), limits)
        .map_err(|reason| ParseError::new(FORMAT, "", reason.message))?;
    let scan = match ecr::report(bytes, limits) {
        Ok(report) => report.scan,
        Err(reason) => Err(Signal::Failed(reason)),
    };
    let subject = subject(&page.subject);
    let unproven = if scan.is_ok() { Vec::new() } else { listed(page) };
    Ok(Document { scanner: Scanner::Ecr, tool: None, subject, scan, unproven })
}

fn subject(image: &ecr::Subject) -> Subject {
    Subject {
        manifests: image.digest.iter().cloned().collect(),
        config: None,
        repository: image.repository.clone(),
        account: image.account.clone(),
        tag: image.tag.clone(),
        name: image.repository.clone(),
    }
}

fn listed(page: Page) -> Vec<Finding> {
    page.findings.and_then(|findings| findings.list).map_or_else(Vec::new, |(_, list)| list)
}

#[cfg(test)]
mod tests {
    use model::ReasonCode;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn answer(status: &str, findings: &str, rest: &str) -> String {
        format!(
            r#"{{"registryId":"123456789012","repositoryName":"app","imageId":{{"imageDigest":"{DIGEST}","imageTag":"1"}},
            "imageScanStatus":{{"status":"{status}"}},"imageScanFindings":{findings}{rest}}}"#
        )
    }

    const ONE: &str = r#"{"imageScanCompletedAt":5,"findings":[{"name":"CVE-1","severity":"LOW"}]}"#;

    fn read_text(text: &str) -> Result<Document, ParseError> {
        read(text.as_bytes(), &Limits::STANDARD)
    }

    #[test]
    fn s16_a_whole_answer_is_a_scan_of_the_image_it_names() {
        for text in [answer("COMPLETE", ONE, ""), format!("\u{feff}{}", answer("COMPLETE", ONE, ""))] {
            let document = read_text(&text).unwrap();
            assert_eq!(document.scan.unwrap().findings().len(), 1);
            assert!(document.unproven.is_empty());
            let subject = document.subject;
            assert_eq!(subject.manifests[0].as_str(), DIGEST);
            assert_eq!(subject.repository.as_deref(), Some("app"));
            assert_eq!((subject.account.as_deref(), subject.tag.as_deref()), (Some("123456789012"), Some("1")));
        }
    }

    #[test]
    fn s19_what_proves_no_scan_keeps_its_findings() {
        let code = |text: &str| {
            let document = read_text(text).unwrap();
            let why = document.scan.unwrap_err();
            (why.why_not().unwrap().code, document.unproven.len())
        };
        assert_eq!(code(&answer("COMPLETE", ONE, r#","nextToken":"a""#)), (ReasonCode::ScanPartial, 1));
        assert_eq!(code(&answer("SCAN_ELIGIBILITY_EXPIRED", ONE, "")), (ReasonCode::ScanEligibilityExpired, 1));
        assert_eq!(code(&answer("IN_PROGRESS", ONE, "")), (ReasonCode::ScanPending, 1));
        let nameless = answer("COMPLETE", ONE, "").replace("imageDigest", "digest");
        assert_eq!(code(&nameless), (ReasonCode::ScanOtherImage, 1));
        let empty = r#"{"imageScanCompletedAt":5,"enhancedFindings":[]}"#;
        assert_eq!(code(&answer("ACTIVE", empty, "")), (ReasonCode::ScanUnconfirmed, 0));
        assert_eq!(code(&answer("COMPLETE", "null", "")), (ReasonCode::ScanNoFindingsYet, 0));
    }

    #[test]
    fn b14_an_answer_is_recognised_by_its_content() {
        let text = answer("COMPLETE", ONE, "");
        let document = crate::report::parse(text.as_bytes(), &Limits::STANDARD).unwrap();
        assert!(document.scanner == Scanner::Ecr && document.scan.is_ok());
    }

    #[test]
    fn a5_a_cut_answer_is_refused_and_names_its_format() {
        let whole = answer("COMPLETE", ONE, "");
        for length in 0..whole.len() {
            let error = read_text(&whole[..length]).expect_err(&whole[..length]);
            assert_eq!(error.format, Some(FORMAT));
        }
    }
}
