//! CycloneDX: ratings, packages, the image, what is refused.
//! A document never proves a scan, whatever is in it.

use model::{ReasonCode, Severity};

use super::*;
use crate::report::outside;

const DIGEST: &str = "sha256:c667ad018b538adadb5bd1db75836c8561b23bc7d31d9cd8941fa74f5df93802";
const CONFIG: &str = "sha256:961769676411f082461f9ef46626dd7a2d1e2b2a38e6a44364bcbecf51e66dd4";

fn whole() -> String {
    format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"metadata":{{"tools":{{"components":[
        {{"type":"application","name":"trivy","version":"0.59.1"}}]}},"component":{{"bom-ref":"root","type":"container",
        "name":"example.org/app:1","properties":[{{"name":"aquasecurity:trivy:ImageID","value":"{CONFIG}"}},
        {{"name":"aquasecurity:trivy:RepoDigest","value":"example.org/app@{DIGEST}"}}]}}}},
        "components":[{{"bom-ref":"os","type":"operating-system","name":"debian","components":[
        {{"bom-ref":"a","type":"library","name":"openssl","version":"1.1","purl":"pkg:deb/debian/openssl@1.1"}}]}},
        {{"bom-ref":"b","type":"library","group":"org.x","name":"y","version":"2","purl":"pkg:maven/org.x/y@2"}}],
        "vulnerabilities":[{{"id":"CVE-2021-1","source":{{"name":"debian","url":"https://example.org/1"}},
        "references":[{{"id":"GHSA-1"}},{{"id":"CVE-2021-1"}}],
        "ratings":[{{"severity":"medium","score":5.5,"method":"CVSSv31"}},{{"severity":"critical","score":9.8,"method":"CVSSv31"}}],
        "recommendation":"Upgrade openssl to version 1.2, 1.3; Upgrade other to version 9",
        "analysis":{{"state":"not_affected"}},"affects":[{{"ref":"a"}},{{"ref":"urn:cdx:1/1#b"}}]}}]}}"#
    )
}

fn read_text(text: &str) -> Result<Document, ParseError> {
    read(text.as_bytes(), &Limits::STANDARD)
}

/// The one finding of a document with a vulnerability of these fields.
fn one(fields: &str) -> Finding {
    let text = format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.4","vulnerabilities":[{{{fields}}}]}}"#);
    let mut document = read_text(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(document.unproven.len(), 1);
    document.unproven.remove(0)
}

#[test]
fn b14_ids_ratings_packages_and_the_image_are_read() {
    let document = read_text(&whole()).unwrap();
    assert_eq!(document.tool.as_deref(), Some("trivy 0.59.1"));
    assert_eq!(document.subject.manifests[0].as_str(), DIGEST);
    assert_eq!(document.subject.config.unwrap().as_str(), CONFIG);
    assert_eq!(document.subject.name.as_deref(), Some("example.org/app:1"));
    let [finding] = document.unproven.as_slice() else { panic!() };
    assert_eq!((finding.id.as_str(), &finding.severity), ("CVE-2021-1", &Severity::Critical));
    assert_eq!((finding.cvss_tenths, finding.url.as_deref()), (Some(98), Some("https://example.org/1")));
    assert_eq!(finding.aliases.iter().map(model::VulnerabilityId::as_str).collect::<Vec<_>>(), ["GHSA-1"]);
    let [openssl, y] = finding.packages.as_slice() else { panic!() };
    assert_eq!((openssl.name.as_str(), openssl.version.as_str()), ("openssl", "1.1"));
    assert_eq!(openssl.fix, Fix::In("1.2, 1.3".to_owned()));
    assert_eq!(openssl.purl.as_deref(), Some("pkg:deb/debian/openssl@1.1"));
    assert_eq!((y.name.as_str(), &y.fix), ("org.x:y", &Fix::NotSaid));
}

#[test]
fn s19_a_document_never_proves_a_scan() {
    let empty = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","vulnerabilities":[]}"#;
    for text in [whole().as_str(), empty] {
        let why = read_text(text).unwrap().scan.unwrap_err();
        assert_eq!(why.why_not().unwrap().code, ReasonCode::ScanUnproven);
    }
    let error = read_text(&empty.replace(r#","vulnerabilities":[]"#, "")).unwrap_err();
    assert!(error.cause.contains("bill of materials"), "{error}");
}

#[test]
fn s24_a_scanners_own_vex_is_not_applied() {
    for state in ["not_affected", "false_positive", "resolved", "in_triage"] {
        let finding = one(&format!(
            r#""id":"CVE-1","analysis":{{"state":"{state}"}},"rejected":"2022-01-01T00:00:00Z","ratings":[{{"severity":"high"}}]"#
        ));
        assert_eq!((finding.suppressed, finding.severity), (None, Severity::High));
    }
}

#[test]
fn s21_the_worst_rating_counts_whether_word_score_or_vector() {
    let vector = "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    let with_vector = |rest: &str| format!(r#"{{"vector":"{vector}"{rest}}}"#);
    let unknown = |word: &str| Severity::Unknown(word.to_owned());
    for (ratings, severity, word, tenths) in [
        (String::new(), Severity::Undefined, None, None),
        (r#"{"severity":"unknown"}"#.to_owned(), Severity::Undefined, Some("unknown"), None),
        (r#"{"severity":"none"},{"severity":"unknown"}"#.to_owned(), Severity::Informational, Some("none"), None),
        (r#"{"severity":"info"}"#.to_owned(), Severity::Informational, Some("info"), None),
        (r#"{"severity":"low"},{"severity":"high"}"#.to_owned(), Severity::High, None, None),
        (r#"{"severity":"grave"},{"severity":"critical"}"#.to_owned(), unknown("grave"), None, None),
        (r#"{"score":9.1,"method":"CVSSv3"}"#.to_owned(), Severity::Critical, None, Some(91)),
        (r#"{"severity":"unknown","score":7}"#.to_owned(), Severity::High, Some("unknown"), Some(70)),
        (r#"{"severity":"low","score":9.8,"method":"CVSSv31"}"#.to_owned(), Severity::Low, None, Some(98)),
        (r#"{"severity":"low","score":72,"method":"OWASP"}"#.to_owned(), Severity::Low, None, None),
        (with_vector(r#","method":"CVSSv3""#), Severity::Critical, None, Some(98)),
        (with_vector(r#","method":"CVSSv31""#), Severity::Critical, None, Some(98)),
        (with_vector(""), unknown(vector), None, None),
        (with_vector(r#","severity":"low""#), Severity::Low, None, None),
    ] {
        let finding = one(&format!(r#""id":"CVE-1","ratings":[{ratings}]"#));
        assert_eq!(
            (finding.severity, finding.rating.as_deref(), finding.cvss_tenths),
            (severity, word, tenths),
            "{ratings}"
        );
    }
}

#[test]
fn b14_what_a_reference_names_elsewhere_is_kept() {
    let finding =
        one(r#""references":[{"id":"CVE-9"}],"affects":[{"ref":"pkg:npm/%40a/b@1.0"},{"ref":"urn:cdx:2/1#zzz"}]"#);
    assert_eq!(finding.id.as_str(), "CVE-9");
    let named: Vec<_> =
        finding.packages.iter().map(|package| (package.name.as_str(), package.version.as_str())).collect();
    assert_eq!(named, [("b", "1.0"), ("urn:cdx:2/1#zzz", "")]);
    let twice = whole().replacen(r#""bom-ref":"b""#, r#""bom-ref":"a""#, 1);
    assert_eq!(read_text(&twice).unwrap().unproven[0].packages.len(), 3);
}

#[test]
fn s22_the_image_is_named_by_url_version_or_hash_of_a_container() {
    let of = |component: &str| {
        let text = format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.7","metadata":{{"tools":[{{"vendor":"x","name":"grype"}}],
            "component":{{"name":"app",{component}}}}},"vulnerabilities":[]}}"#
        );
        read_text(&text).unwrap().subject.manifests.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let hex = &DIGEST[7..];
    for (component, named) in [
        (format!(r#""type":"container","purl":"pkg:oci/app@sha256%3A{hex}?tag=1""#), true),
        (format!(r#""type":"container","version":"{DIGEST}""#), true),
        (format!(r#""type":"container","hashes":[{{"alg":"SHA-256","content":"{}"}}]"#, hex.to_uppercase()), true),
        (format!(r#""type":"container","hashes":[{{"alg":"SHA-1","content":"{hex}"}}]"#), false),
        (
            format!(r#""type":"application","version":"{DIGEST}","hashes":[{{"alg":"SHA-256","content":"{hex}"}}]"#),
            false,
        ),
        (r#""type":"container","version":"1.2","purl":"pkg:oci/app@1.2""#.to_owned(), false),
        (format!(r#""type":"library","purl":"pkg:npm/app@{DIGEST}""#), false),
    ] {
        let wanted = if named { vec![DIGEST.to_owned()] } else { vec![] };
        assert_eq!(of(&component), wanted, "{component}");
    }
}

#[test]
fn a5_what_cannot_be_read_is_refused() {
    let whole = whole();
    for length in 0..whole.len() {
        assert!(read_text(&whole[..length]).is_err(), "cut at {length}");
    }
    for (from, to) in [
        (r#""CycloneDX""#, r#""SPDX""#),
        (r#""specVersion":"1.6""#, r#""specVersion":"1.3""#),
        (r#""specVersion":"1.6""#, r#""specVersion":"2.0""#),
        (r#""specVersion":"1.6","#, ""),
        (r#""vulnerabilities":["#, r#""vulnerabilities":null,"x":["#),
        (r#""vulnerabilities":["#, r#""vulnerabilities":[],"vulnerabilities":["#),
        (r#""vulnerabilities":["#, r#""Vulnerabilities":["#),
        (r#""vulnerabilities":["#, r#""vulnerabilities":[null,"#),
        (r#""vulnerabilities":["#, r#""vulnerabilities":[{},"#),
        (r#""vulnerabilities":["#, r#""vulnerabilities":[["CVE-1"],"#),
        (r#""score":9.8"#, r#""score":98"#),
        (r#""score":9.8"#, r#""score":"9.8""#),
        (r#""severity":"critical""#, r#""severity":["critical"]"#),
        (CONFIG, "sha256:12"),
        (DIGEST, "latest"),
        (r#"{"ref":"a"}"#, r#"{"ref":null}"#),
    ] {
        let text = whole.replacen(from, to, 1);
        assert_ne!(text, whole, "{from}");
        assert_eq!(read_text(&text).expect_err(&text).format, Some(FORMAT));
    }
    for limits in [Limits { findings: 0, ..Limits::STANDARD }, Limits { entries: 3, ..Limits::STANDARD }] {
        assert!(read(whole.as_bytes(), &limits).is_err());
    }
    let deep =
        format!("{}{}", r#"{"bomFormat":"CycloneDX","components":[{"name":"a","components":["#.repeat(200), "]}]}");
    assert!(read_text(&deep).is_err());
}

#[test]
fn b14_the_example_of_the_specification_is_read() {
    let Some(bytes) = outside::data("sbom/valid-vulnerability-1.6.json") else { return };
    let document = read(&bytes, &Limits::STANDARD).unwrap();
    let [finding] = document.unproven.as_slice() else { panic!() };
    assert!(finding.is("CVE-2018-7489") && finding.is("SNYK-JAVA-COMFASTERXMLJACKSONCORE-32111"));
    assert_eq!((&finding.severity, finding.cvss_tenths), (&Severity::Critical, Some(98)));
    assert_eq!(finding.packages[0].name, "com.fasterxml.jackson.core:jackson-databind");
    let Some(bytes) = outside::data("sbom/valid-bom-1.6.json") else { return };
    assert!(read(&bytes, &Limits::STANDARD).is_err());
}

#[test]
fn b14_a_document_is_recognised_by_its_content() {
    let document = crate::report::parse(whole().as_bytes(), &Limits::STANDARD).unwrap();
    assert_eq!((document.scanner, document.unproven.len()), (Scanner::CycloneDx, 1));
}

#[test]
fn a5_components_that_share_a_reference_do_not_fill_the_memory() {
    let components = vec![r#"{"bom-ref":"a","name":"x"}"#; 300].join(",");
    let affects = vec![r#"{"ref":"a"}"#; 300].join(",");
    let text = format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{components}],
        "vulnerabilities":[{{"id":"CVE-1","affects":[{affects}]}}]}}"#
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
    fn a5_a_changed_document_is_never_a_scan(at in 0usize..2000, byte in proptest::prelude::any::<u8>()) {
        let mut bytes = whole().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(document) = read(&bytes, &Limits::STANDARD) {
            proptest::prop_assert!(document.scan.is_err());
            proptest::prop_assert_eq!(document.unproven.len(), 1);
        }
    }
}

#[test]
fn b23_the_layer_of_a_component_stands_in_the_properties_of_its_tool() {
    let layer = |properties: &str| {
        let of_b = format!(r#""purl":"pkg:maven/org.x/y@2","properties":[{properties}]"#);
        let text = whole().replace(r#""purl":"pkg:maven/org.x/y@2""#, &of_b);
        read_text(&text).unwrap().unproven[0].packages[1].layer.clone()
    };
    let property = |name: &str, value: &str| format!(r#"{{"name":"{name}","value":"{value}"}}"#);
    let trivy =
        [property("aquasecurity:trivy:LayerDiffID", CONFIG), property("aquasecurity:trivy:LayerDigest", DIGEST)];
    let named = layer(&trivy.join(",")).unwrap();
    assert_eq!((named.diff_id, named.digest), (Some(CONFIG.parse().unwrap()), Some(DIGEST.parse().unwrap())));
    let syft = [property("syft:location:0:layerID", CONFIG), property("syft:location:0:path", "/lib/apk/db/installed")];
    let named = layer(&syft.join(",")).unwrap();
    assert_eq!((named.diff_id, named.or_below), (Some(CONFIG.parse().unwrap()), true));
    assert_eq!(layer(&property("syft:package:type", "java")), None);
}
