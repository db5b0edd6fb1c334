//! Findings of Amazon Inspector: what is read, which image they are about, what is refused.
//! A list of findings never proves a scan.

use model::{Fix, Severity};

use super::*;
use crate::report::outside;

const DIGEST: &str = "sha256:c667ad018b538adadb5bd1db75836c8561b23bc7d31d9cd8941fa74f5df93802";

/// A finding about an image, with these fields after its status.
fn finding(status: &str, fields: &str) -> String {
    format!(
        r#"{{"findingArn":"arn:aws:inspector2:eu-west-1:123456789012:finding/1","type":"PACKAGE_VULNERABILITY",
        "severity":"HIGH","title":"CVE-2021-1 - openssl","status":"{status}"{fields},
        "packageVulnerabilityDetails":{{"vulnerabilityId":"CVE-2021-1","relatedVulnerabilities":["GHSA-1","CVE-2021-1","CVE-2021-2"],
        "sourceUrl":"https://example.org/1","cvss":[{{"baseScore":7.5}},{{"baseScore":8.1}}],"vulnerablePackages":[
        {{"name":"openssl","version":"1.1","release":"2","fixedInVersion":"0:1.2"}},{{"name":"libssl","version":"1.1"}}]}},
        "resources":[{{"type":"AWS_ECR_CONTAINER_IMAGE","id":"arn:aws:ecr:eu-west-1:123456789012:repository/team/app/{DIGEST}",
        "details":{{"awsEcrContainerImage":{{"imageHash":"{DIGEST}","registry":"123456789012","repositoryName":"team/app",
        "imageTags":["1"]}}}}}}]}}"#
    )
}

fn list(findings: &str) -> String {
    format!(r#"{{"findings":[{findings}]}}"#)
}

fn read_text(text: &str) -> Result<Document, ParseError> {
    read(text.as_bytes(), &Limits::STANDARD)
}

fn unproven(text: &str) -> Document {
    let document = read_text(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let code = document.scan.as_ref().unwrap_err().why_not().unwrap().code;
    assert_eq!(code, ReasonCode::ScanUnproven, "{text}");
    document
}

#[test]
fn b14_every_field_of_a_finding_is_read() {
    let fields = r#","exploitAvailable":"YES","fixAvailable":"YES","epss":{"score":0.5},"inspectorScore":9.1,
        "inspectorScoreDetails":{"adjustedCvss":{"score":6.0}}"#;
    for text in [list(&finding("ACTIVE", fields)), finding("ACTIVE", fields)] {
        let document = unproven(&text);
        let subject = document.subject;
        assert_eq!(subject.manifests[0].as_str(), DIGEST);
        assert_eq!(
            (subject.repository.as_deref(), subject.account.as_deref()),
            (Some("team/app"), Some("123456789012"))
        );
        assert_eq!(subject.tag.as_deref(), Some("1"));
        let [finding] = document.unproven.as_slice() else { panic!() };
        assert_eq!((finding.id.as_str(), &finding.severity), ("CVE-2021-1", &Severity::High));
        assert_eq!(finding.aliases.iter().map(model::VulnerabilityId::as_str).collect::<Vec<_>>(), ["GHSA-1"]);
        assert_eq!((finding.cvss_tenths, finding.epss_millionths), (Some(91), Some(500_000)));
        assert_eq!((finding.exploit_available, finding.url.as_deref()), (Some(true), Some("https://example.org/1")));
        assert_eq!(finding.packages[0].version, "1.1-2");
        assert_eq!(finding.packages[0].fix, Fix::In("0:1.2".to_owned()));
        assert_eq!(finding.packages[1].fix, Fix::Available);
        assert_eq!(finding.suppressed, None);
    }
}

#[test]
fn b14_only_inspectors_no_says_that_there_is_no_fix() {
    for (available, fixed, fix) in [
        (r#""NO""#, "", Fix::None),
        (r#""NO""#, "NotAvailable", Fix::None),
        (r#""PARTIAL""#, "NotAvailable", Fix::None),
        (r#""YES""#, "NotAvailable", Fix::Available),
        (r#""NO""#, "1.2", Fix::In("1.2".to_owned())),
        (r#""PARTIAL""#, "", Fix::NotSaid),
        ("null", "", Fix::NotSaid),
    ] {
        let text = finding("ACTIVE", &format!(r#","fixAvailable":{available}"#)).replace("0:1.2", fixed);
        assert_eq!(unproven(&list(&text)).unproven[0].packages[0].fix, fix, "{available} {fixed}");
    }
}

#[test]
fn s21_the_words_of_the_api_are_kept_and_others_are_unknown() {
    for (word, severity) in [
        ("UNTRIAGED", Severity::Untriaged),
        ("INFORMATIONAL", Severity::Informational),
        ("SEVERE", Severity::Unknown("SEVERE".to_owned())),
    ] {
        let text = finding("ACTIVE", "").replace("HIGH", word);
        assert_eq!(unproven(&list(&text)).unproven[0].severity, severity);
    }
}

#[test]
fn b14_an_advisory_is_about_the_cves_related_to_it() {
    let text = finding("ACTIVE", "").replace(r#""vulnerabilityId":"CVE-2021-1""#, r#""vulnerabilityId":"ALAS-2021-1""#);
    let finding = &unproven(&list(&text)).unproven[0];
    assert!(finding.mentions("CVE-2021-1") && finding.mentions("CVE-2021-2"));
    assert!(!finding.is("CVE-2021-1"), "it is about two");
}

#[test]
fn b14_closed_findings_are_none_and_suppressed_ones_are_marked() {
    let of = |status: &str| unproven(&list(&finding(status, ""))).unproven;
    assert!(of("CLOSED").is_empty());
    assert_eq!(of("SUPPRESSED")[0].suppressed.as_deref(), Some("suppressed by a rule in Amazon Inspector"));
    for counted in ["ACTIVE", "REOPENED", ""] {
        assert_eq!(of(counted)[0].suppressed, None, "{counted}");
    }
}

#[test]
fn b14_findings_about_code_and_network_go_by_their_title() {
    let text = finding("ACTIVE", "").replace("PACKAGE_VULNERABILITY", "CODE_VULNERABILITY");
    let text = text.replace(r#""vulnerabilityId":"CVE-2021-1","#, "");
    assert_eq!(unproven(&list(&text)).unproven[0].id.as_str(), "CVE-2021-1 - openssl");
}

#[test]
fn s19_an_empty_list_proves_nothing() {
    let document = unproven(r#"{"findings":[]}"#);
    assert!(document.unproven.is_empty() && document.subject.manifests.is_empty());
    assert!(unproven(r#"{"findings":[],"nextToken":null}"#).unproven.is_empty());
}

#[test]
fn a5_one_page_of_several_keeps_its_findings_and_says_so() {
    let text = list(&finding("ACTIVE", "")).replacen('{', r#"{"nextToken":"more","#, 1);
    let document = read_text(&text).unwrap();
    assert_eq!(document.unproven.len(), 1);
    assert_eq!(document.scan.unwrap_err().why_not().unwrap().code, ReasonCode::ScanPartial);
    // What `aws … --max-items` writes.
    let error = read_text(&text.replace("nextToken", "NextToken")).unwrap_err();
    assert!(error.cause.contains("without `--max-items`"), "{error}");
}

#[test]
fn s19_findings_of_several_images_or_of_no_image_are_refused() {
    let one = finding("ACTIVE", "");
    let twice = unproven(&list(&format!("{one},{one}")));
    assert_eq!((twice.unproven.len(), twice.subject.manifests.len()), (2, 1));
    let other_repository = one.replace("team/app", "team/copy");
    let copies = unproven(&list(&format!("{one},{other_repository}"))).subject;
    assert_eq!((copies.manifests.len(), copies.repository), (1, None), "one image in two repositories");
    let other = one.replace(DIGEST, &DIGEST.replace("c667", "d667"));
    let error = read_text(&list(&format!("{one},{other}"))).unwrap_err();
    assert_eq!(error.place, "findings[1].resources[0]");
    assert!(error.cause.contains("ecrImageHash"), "{error}");
    for (from, to) in [
        ("AWS_ECR_CONTAINER_IMAGE", "AWS_EC2_INSTANCE"),
        ("AWS_ECR_CONTAINER_IMAGE", "AWS_ECR_REPOSITORY"),
        (r#""imageHash":"sha256:c667"#, r#""imageHash":"sha256:d667"#),
        (r#""imageHash":"sha256:"#, r#""imageHash":"md5:"#),
    ] {
        let text = one.replacen(from, to, 1);
        assert_ne!(text, one);
        assert!(read_text(&list(&text)).is_err(), "{to}");
    }
    let by_arn = one.replacen(&format!(r#""imageHash":"{DIGEST}","#), "", 1);
    assert_eq!(unproven(&list(&by_arn)).subject.manifests[0].as_str(), DIGEST);
    let nameless = by_arn.replacen(&format!("/{DIGEST}"), "", 1);
    assert!(read_text(&list(&nameless)).unwrap_err().cause.contains("no digest"));
    let unbound = one.replacen(&one[one.find(r#""resources""#).unwrap()..], r#""resources":[]}"#, 1);
    assert!(unproven(&list(&unbound)).subject.manifests.is_empty());
}

#[test]
fn b14_arns_of_repositories_are_taken_apart() {
    for (text, named) in [
        ("arn:aws:ecr:eu-west-1:123456789012:repository/app", Some(("123456789012", "app"))),
        ("arn:aws-cn:ecr:cn-north-1:1:repository/a/b/c", Some(("1", "a/b/c"))),
        ("arn:aws:ecr:eu-west-1:1:repository/a/b/sha256:00", Some(("1", "a/b"))),
        ("arn:aws:ecr:eu-west-1:1:repository/", None),
        ("arn:aws:s3:::repository/a", None),
        ("app", None),
        ("", None),
    ] {
        assert_eq!(arn(text), named, "{text}");
    }
}

#[test]
fn a5_what_cannot_be_read_is_refused() {
    let whole = list(&finding("ACTIVE", r#","epss":{"score":0.5}"#));
    assert!(read_text(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(read_text(&whole[..length]).is_err(), "cut at {length}");
    }
    for (from, to) in [
        (r#""findings":["#, r#""findings":null,"x":["#),
        (r#""findings":["#, r#""findings":[null,"#),
        (r#""findings":["#, r#""findings":[],"findings":["#),
        (r#""findings":["#, r#""Findings":["#),
        (r#""findings":["#, r#""findingArn":"a","findings":["#),
        (r#""severity":"HIGH","#, ""),
        (r#""severity":"HIGH""#, r#""severity":3"#),
        (r#""vulnerabilityId":"CVE-2021-1","#, ""),
        (r#""vulnerabilityId":"CVE-2021-1""#, r#""vulnerabilityId":" ""#),
        (r#""baseScore":7.5"#, r#""baseScore":75"#),
        (r#""score":0.5"#, r#""score":5"#),
        (r#"{"name":"libssl","#, "{"),
        (r#"{"name":"libssl""#, r#"[{"name":"libssl"}],{"name":"x""#),
    ] {
        let text = whole.replacen(from, to, 1);
        assert_ne!(text, whole, "{from}");
        assert_eq!(read_text(&text).expect_err(&text).format, Some(FORMAT));
    }
    for bad in ["", "[]", "{}", r#"[[{"severity":"LOW"}],null]"#, r#"{"findings":{}}"#] {
        assert!(read_text(bad).is_err(), "{bad}");
    }
    let few = Limits { findings: 0, ..Limits::STANDARD };
    assert!(read(whole.as_bytes(), &few).is_err());
}

#[test]
fn b14_a_real_answer_is_read() {
    let Some(bytes) = outside::data("scanners/inspector2/aws_inspector2_one_vul.json") else { return };
    let document = read(&bytes, &Limits::STANDARD).unwrap();
    assert_eq!(document.subject.manifests[0].as_str(), DIGEST);
    let [finding] = document.unproven.as_slice() else { panic!() };
    assert_eq!((finding.id.as_str(), &finding.severity), ("CVE-2021-3744", &Severity::Medium));
    assert_eq!((finding.cvss_tenths, finding.epss_millionths), (Some(55), Some(750)));
    assert_eq!(finding.packages[0].fix, Fix::In("0:4.19.232-1".to_owned()));
}

#[test]
fn b14_findings_are_recognised_by_their_content() {
    for text in [list(&finding("ACTIVE", "")), finding("ACTIVE", "")] {
        let document = crate::report::parse(text.as_bytes(), &Limits::STANDARD).unwrap();
        assert_eq!((document.scanner, document.unproven.len()), (Scanner::Inspector, 1));
    }
}

proptest::proptest! {
    #[test]
    fn a5_any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = read(&bytes, &Limits::STANDARD);
    }

    #[test]
    fn a5_a_changed_answer_is_never_a_scan(at in 0usize..1500, byte in proptest::prelude::any::<u8>()) {
        let mut bytes = list(&finding("ACTIVE", "")).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(document) = read(&bytes, &Limits::STANDARD) {
            proptest::prop_assert!(document.scan.is_err());
            proptest::prop_assert_eq!(document.unproven.len(), 1);
        }
    }
}

#[test]
fn b23_the_layer_of_a_package_is_the_one_that_the_manifest_names() {
    let text =
        finding("ACTIVE", "").replace(r#""release":"2""#, &format!(r#""release":"2","sourceLayerHash":"{DIGEST}""#));
    let document = unproven(&text);
    let [openssl, libssl] = document.unproven[0].packages.as_slice() else { panic!() };
    let layer = openssl.layer.as_ref().unwrap();
    assert_eq!((layer.diff_id.as_ref(), layer.digest.as_ref().unwrap().as_str()), (None, DIGEST));
    assert_eq!(libssl.layer, None);
}
