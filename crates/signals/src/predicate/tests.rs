//! Each type of predicate as the real tools write it, and what must not be read into one.

use model::{Scanner, VexStatus};
use serde_json::{Value, json};

use super::*;

fn image() -> Digest {
    Digest::of(b"image")
}

fn statement(predicate_type: &str, predicate: &Value) -> Statement {
    Statement {
        predicate_type: predicate_type.to_owned(),
        subjects: vec![image()],
        predicate: predicate.to_string().into_bytes(),
    }
}

fn content(predicate_type: &str, predicate: &Value) -> Result<Content, String> {
    read(&statement(predicate_type, predicate), &Limits::STANDARD).map_err(|error| error.to_string())
}

fn refused(predicate_type: &str, predicate: &Value) -> String {
    content(predicate_type, predicate).map(|content| format!("{content:?}")).expect_err(predicate_type)
}

fn cyclonedx() -> Value {
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": { "component": { "name": "app", "type": "container" } },
        "components": [{ "type": "library", "name": "a", "version": "1", "purl": "pkg:npm/a@1" }]
    })
}

fn spdx() -> Value {
    json!({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "app",
        "documentNamespace": "https://a.example/1",
        "creationInfo": { "created": "2026-01-01T00:00:00Z", "creators": ["Tool: x-1"] },
        "packages": [{ "SPDXID": "SPDXRef-a", "name": "a", "versionInfo": "1", "downloadLocation": "NOASSERTION" }]
    })
}

fn openvex() -> Value {
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://a.example/vex", "author": "security@acme.example",
        "timestamp": "2026-01-01T00:00:00Z", "version": 1,
        "statements": [{
            "vulnerability": { "name": "CVE-2026-1" }, "products": [{ "@id": "pkg:npm/a@1" }],
            "status": "not_affected", "justification": "component_not_present"
        }]
    })
}

fn trivy(metadata: &Value) -> Value {
    json!({
        "SchemaVersion": 2, "CreatedAt": "2026-03-01T00:00:00Z", "ArtifactName": "app", "ArtifactType": "container_image",
        "Metadata": metadata,
        "Results": [{ "Target": "app (alpine 3.19)", "Class": "os-pkgs", "Type": "alpine" }]
    })
}

/// As `cosign attest --type vuln` writes it.
fn cosign_vulnerabilities(report: &Value) -> Value {
    json!({
        "invocation": { "parameters": null, "uri": "", "event_id": "", "builder.id": "" },
        "scanner": { "uri": "", "version": "", "db": { "uri": "", "version": "" }, "result": report },
        "metadata": { "scanStartedOn": "2026-03-01T00:00:00Z", "scanFinishedOn": "2026-03-01T00:00:01Z" }
    })
}

fn measured(subject: &Digest) -> Value {
    json!({
        "schema": "ecr-gate.dev/measurement/v1", "subject": subject, "stage": "smoke", "tool": "k6",
        "at": "2026-03-01T00:00:00Z", "measurements": [{ "metric": "start_time", "unit": "ms", "samples": [10, 12] }]
    })
}

fn bill_of(predicate_type: &str, predicate: &Value) -> Sbom {
    match content(predicate_type, predicate) {
        Ok(Content::Sbom(sbom)) => *sbom,
        other => panic!("{predicate_type}: {other:?}"),
    }
}

fn report_of(predicate_type: &str, predicate: &Value) -> Document {
    match content(predicate_type, predicate) {
        Ok(Content::Report(document)) => *document,
        other => panic!("{predicate_type}: {other:?}"),
    }
}

#[test]
fn b19_bills_of_materials_as_tools_sign_them() {
    for (kind, predicate, format) in [
        ("https://cyclonedx.org/bom", cyclonedx(), "cyclonedx"),
        ("https://cyclonedx.org/bom/v1.6", cyclonedx(), "cyclonedx"),
        ("https://spdx.dev/Document", spdx(), "spdx"),
        ("https://spdx.dev/Document/v2.3", spdx(), "spdx"),
        // `cosign attest --type spdx`, and cosign before version 2.
        ("https://spdx.dev/Document", json!(format!("{}\n", spdx())), "spdx"),
        ("https://spdx.dev/Document", json!({ "Data": spdx(), "Timestamp": "" }), "spdx"),
        (
            "https://cyclonedx.org/bom",
            json!({ "Data": cyclonedx().to_string(), "Timestamp": "2026-01-01T00:00:00Z" }),
            "cyclonedx",
        ),
    ] {
        let sbom = bill_of(kind, &predicate);
        assert_eq!((sbom.format.as_str(), sbom.components.len(), sbom.components[0].name.as_str()), (format, 1, "a"));
        assert_eq!(sbom.describes, [image()], "it is about what the statement is about");
        assert_eq!(super::kind(kind), Kind::Sbom);
    }
    let mut named = cyclonedx();
    named["metadata"]["component"]["purl"] = json!(format!("pkg:oci/app@{}", Digest::of(b"other")));
    let mut both = vec![image(), Digest::of(b"other")];
    both.sort_unstable();
    assert_eq!(bill_of("https://cyclonedx.org/bom", &named).describes, both);
}

#[test]
fn b19_another_format_than_promised_is_refused() {
    for (kind, predicate) in [
        ("https://cyclonedx.org/bom", spdx()),
        ("https://spdx.dev/Document", cyclonedx()),
        ("https://cyclonedx.org/bom", openvex()),
        ("https://spdx.dev/Document", json!("SPDXVersion: SPDX-2.3\n")),
        ("https://spdx.dev/Document", json!({ "Data": spdx(), "Timestamp": "", "more": 1 })),
        ("https://spdx.dev/Document", json!({ "Data": spdx(), "spdxVersion": "SPDX-2.3", "packages": [] })),
        ("https://spdx.dev/Document", json!({ "Data": null })),
        ("https://cyclonedx.org/bom", json!({})),
        ("https://cyclonedx.org/bom", json!(null)),
        ("https://cyclonedx.org/bom", json!([cyclonedx()])),
        ("https://openvex.dev/ns/v0.2.0", cyclonedx()),
        ("https://openvex.dev/ns", json!({ "author": "x", "statements": [] })),
    ] {
        refused(kind, &predicate);
    }
}

#[test]
fn s24_vex_is_read_with_its_author() {
    for (kind, predicate) in [
        ("https://openvex.dev/ns", openvex()),
        ("https://openvex.dev/ns/v0.2.0", openvex()),
        ("https://openvex.dev/ns/v0.2.0", json!({ "Data": openvex().to_string(), "Timestamp": "" })),
    ] {
        let Ok(Content::Vex(document)) = content(kind, &predicate) else { panic!("{kind}") };
        assert_eq!(
            (document.author.as_str(), document.statements[0].status),
            ("security@acme.example", VexStatus::NotAffected)
        );
    }
}

#[test]
fn s22_a_report_is_bound_to_what_was_signed_or_to_its_own_word() {
    let of = |report: &Value| report_of(COSIGN_VULNERABILITIES, &cosign_vulnerabilities(report));
    let silent = of(&trivy(&json!({ "OS": { "Family": "alpine", "Name": "3.19" } })));
    assert_eq!((silent.scanner, silent.subject.manifests.as_slice()), (Scanner::Trivy, [image()].as_slice()));
    assert!(silent.scan.is_ok(), "{:?}", silent.scan);
    // A report of another image stays one of another image, whoever signed it for this one.
    let other = Digest::of(b"other");
    let named = of(&trivy(&json!({ "OS": { "Family": "alpine" }, "RepoDigests": [format!("app@{other}")] })));
    assert_eq!(named.subject.manifests, std::slice::from_ref(&other));
    let by_id = of(&trivy(&json!({ "OS": { "Family": "alpine" }, "ImageID": other.to_string() })));
    assert_eq!((by_id.subject.manifests.len(), by_id.subject.config), (0, Some(other)));
    // Without a word about completeness it is no scan, signed or not (S19).
    let mut findings = cyclonedx();
    findings["vulnerabilities"] = json!([{ "id": "CVE-2026-1", "ratings": [{ "severity": "high" }] }]);
    let findings = of(&findings);
    assert_eq!((findings.scan.is_err(), findings.unproven.len()), (true, 1));
    refused(COSIGN_VULNERABILITIES, &cosign_vulnerabilities(&cyclonedx()));
    for broken in [json!(null), json!([]), json!("x"), json!({}), json!({ "SchemaVersion": 2, "Results": null })] {
        refused(COSIGN_VULNERABILITIES, &cosign_vulnerabilities(&broken));
    }
    for broken in [json!({}), json!({ "scanner": {} }), json!({ "scanner": null }), trivy(&json!({}))] {
        refused(COSIGN_VULNERABILITIES, &broken);
    }
    let twice = cosign_vulnerabilities(&trivy(&json!({}))).to_string();
    let twice = twice.replacen("\"result\":", "\"result\":{},\"result\":", 1);
    let twice = Statement { predicate: twice.into_bytes(), ..statement(COSIGN_VULNERABILITIES, &json!({})) };
    assert!(read(&twice, &Limits::STANDARD).is_err());
}

#[test]
fn s19_the_vulnerabilities_of_in_toto_are_findings_of_what_was_signed() {
    let predicate = json!({ "scanner": { "uri": "pkg:github/anchore/grype@1", "result": [
        { "id": "CVE-2026-1", "severity": [{ "method": "nvd", "score": "high" }] }
    ] } });
    for kind in ["https://in-toto.io/attestation/vulns/v0.1", "https://in-toto.io/attestation/vulns/v0.2"] {
        let document = report_of(kind, &predicate);
        assert_eq!((document.scanner, document.unproven.len()), (Scanner::Grype, 1));
        assert_eq!(document.subject.manifests, [image()]);
        assert!(document.scan.is_err());
    }
}

#[test]
fn s23_a_measurement_is_of_what_was_signed() {
    let Ok(Content::Measurements(runs)) = content(MEASUREMENT, &measured(&image())) else { panic!("none") };
    assert_eq!((runs.len(), runs[0].samples.len(), &runs[0].subject), (1, 2, &image()));
    let error = refused(MEASUREMENT, &measured(&Digest::of(b"other")));
    assert!(error.contains("about another image"), "{error}");
    refused(MEASUREMENT, &json!({ "Data": measured(&image()).to_string(), "Timestamp": "" }));
}

#[test]
fn s27_provenance_is_read() {
    let predicate = json!({
        "builder": { "id": "https://b.example" }, "buildType": "x",
        "invocation": { "configSource": { "uri": "git+https://github.com/acme/app" } }
    });
    let Ok(Content::Provenance(read)) = content(provenance::V0_2, &predicate) else { panic!("none") };
    assert_eq!(read.source.map(|source| source.repository).as_deref(), Some("github.com/acme/app"));
    refused(provenance::V1, &predicate);
}

#[test]
fn s28_an_unknown_version_of_a_known_type_is_no_other_type() {
    for kind in [
        "https://slsa.dev/provenance",
        "https://slsa.dev/provenance/v0.1",
        "https://slsa.dev/provenance/v3",
        "https://slsa.dev/provenance/v1?draft",
        "https://in-toto.io/Provenance/v0.1",
        "https://cosign.sigstore.dev/attestation/vuln/v2",
        "https://cosign.sigstore.dev/attestation/vuln",
        "https://in-toto.io/attestation/vulns/v0.3",
        "https://in-toto.io/attestation/vulns",
        "https://ecr-gate.dev/measurement/v2",
    ] {
        assert_ne!(super::kind(kind), Kind::Other, "{kind}");
        assert_eq!(is_provenance(kind), kind.contains("rovenance"));
        assert!(refused(kind, &json!({})).contains("is not known"), "{kind}");
    }
    let mut other = openvex();
    other["@context"] = "https://openvex.dev/ns/v9".into();
    refused("https://openvex.dev/ns/v9", &other);
}

#[test]
fn s26_everything_else_is_other_whatever_it_holds() {
    for kind in [
        "https://slsa.dev/verification_summary/v1",
        "https://in-toto.io/attestation/test-result/v0.1",
        "https://cosign.sigstore.dev/attestation/v1",
        "https://sigstore.dev/cosign/sign/v1",
        "https://cyclonedx.org/bombastic",
        "https://spdx.dev/Documents",
        "http://cyclonedx.org/bom",
        "cyclonedx",
        "",
    ] {
        assert!(matches!(content(kind, &cyclonedx()), Ok(Content::Other)), "{kind}");
        assert_eq!(super::kind(kind), Kind::Other);
    }
    // Not even JSON has to be there.
    let odd = Statement { predicate: b"\xff".to_vec(), ..statement("https://a.example/x", &json!({})) };
    assert!(matches!(read(&odd, &Limits::STANDARD), Ok(Content::Other)));
}

#[test]
fn a5_a_statement_about_nothing_and_one_too_large_are_refused() {
    let about_nothing = Statement { subjects: Vec::new(), ..statement("https://cyclonedx.org/bom", &cyclonedx()) };
    assert!(read(&about_nothing, &Limits::STANDARD).unwrap_err().to_string().contains("no subject"));
    for (kind, predicate) in [
        ("https://cyclonedx.org/bom", cyclonedx()),
        ("https://openvex.dev/ns", openvex()),
        (MEASUREMENT, measured(&image())),
        (COSIGN_VULNERABILITIES, cosign_vulnerabilities(&trivy(&json!({})))),
    ] {
        let small = Limits { bytes: 50, ..Limits::STANDARD };
        assert!(read(&statement(kind, &predicate), &small).unwrap_err().cause.contains("at most 50"), "{kind}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(200))]
    #[test]
    fn a5_any_bytes_under_any_type_are_read_or_refused(
        number in 0_usize..FAMILIES.len(),
        version in "(/v[0-9.]{0,4})?",
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
    ) {
        let whole = Statement {
            predicate_type: format!("{}{version}", FAMILIES[number].0), subjects: vec![image()], predicate: bytes,
        };
        // Random bytes are no document of any kind.
        proptest::prop_assert!(read(&whole, &Limits::STANDARD).is_err());
    }

    #[test]
    fn a5_what_is_cut_off_is_refused(number in 0_usize..5, cut in 0_usize..1_000) {
        let (kind, predicate) = [
            ("https://cyclonedx.org/bom", cyclonedx()),
            ("https://spdx.dev/Document", json!(spdx().to_string())),
            ("https://openvex.dev/ns", json!({ "Data": openvex().to_string(), "Timestamp": "" })),
            (MEASUREMENT, measured(&image())),
            (COSIGN_VULNERABILITIES, cosign_vulnerabilities(&trivy(&json!({ "OS": { "Family": "alpine" } })))),
        ][number].clone();
        let mut statement = statement(kind, &predicate);
        proptest::prop_assert!(read(&statement, &Limits::STANDARD).is_ok());
        let end = cut.min(statement.predicate.len() - 1);
        statement.predicate.truncate(end);
        proptest::prop_assert!(read(&statement, &Limits::STANDARD).is_err());
    }
}
