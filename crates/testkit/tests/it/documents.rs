//! The documents of `fixtures` are what they claim to be.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testkit::fixtures::{self, Scan, Vulnerability, digest};

const NOW: i64 = 1_700_000_000;

#[test]
fn digests_are_well_formed_and_distinct() {
    let digests: std::collections::BTreeSet<_> = (0..100).map(digest).collect();
    assert_eq!(digests.len(), 100);
    for digest in &digests {
        let hex = digest.strip_prefix("sha256:").unwrap();
        assert!(hex.len() == 64 && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{digest}");
    }
    assert_eq!(fixtures::sha256(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(fixtures::image("v1", ""), "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1");
}

#[test]
fn a_basic_scan_has_the_shape_of_ecr() {
    let value = Scan::basic(&digest(1), NOW).finding("CVE-2024-1", "HIGH").finding("CVE-2024-2", "HIGH").value();
    assert_eq!(value["imageScanStatus"]["status"], "COMPLETE");
    let findings = &value["imageScanFindings"];
    assert_eq!(findings["findingSeverityCounts"], json!({ "HIGH": 2 }));
    assert_eq!(findings["imageScanCompletedAt"], json!(1_700_000_000.0));
    assert_eq!(findings["findings"][1]["name"], "CVE-2024-2");
    assert!(findings.get("enhancedFindings").is_none() && value.get("nextToken").is_none());
}

#[test]
fn an_enhanced_scan_has_the_shape_of_inspector() {
    let wanted = Vulnerability::new("CVE-2024-1", "CRITICAL").package("zlib", "1.2").unfixed().exploit_available("YES");
    let value = Scan::enhanced(&digest(1), NOW).vulnerability(&wanted).finding("CVE-2024-2", "UNTRIAGED").value();
    let findings = &value["imageScanFindings"];
    assert_eq!(findings["findingSeverityCounts"], json!({ "CRITICAL": 1, "UNTRIAGED": 1 }));
    let first = &findings["enhancedFindings"][0];
    assert_eq!(first["packageVulnerabilityDetails"]["vulnerabilityId"], "CVE-2024-1");
    assert_eq!(first["packageVulnerabilityDetails"]["vulnerablePackages"][0]["name"], "zlib");
    assert_eq!((&first["fixAvailable"], &first["exploitAvailable"]), (&json!("NO"), &json!("YES")));
    assert_eq!(first["firstObservedAt"], json!(1_699_913_600.0));
}

#[test]
fn pages_carry_the_counts_of_the_whole() {
    let scan = Scan::basic(&digest(1), NOW).findings(5, "LOW");
    let pages = scan.pages(2);
    let lengths: Vec<_> =
        pages.iter().map(|page| page["imageScanFindings"]["findings"].as_array().unwrap().len()).collect();
    assert_eq!(lengths, [2, 2, 1]);
    assert!(pages.iter().all(|page| page["imageScanFindings"]["findingSeverityCounts"]["LOW"] == 5));
    let tokens: Vec<_> = pages.iter().map(|page| page["nextToken"].is_string()).collect();
    assert_eq!(tokens, [true, true, false]);
    assert_eq!(scan.pages(5), [scan.value()]);
    assert_eq!(Scan::basic(&digest(1), NOW).pages(100).len(), 1);
}

#[test]
fn the_command_line_prints_times_as_text() {
    let output = Scan::enhanced(&digest(1), NOW).finding("CVE-2024-1", "LOW").next_token("t").as_cli_output();
    assert_eq!(output["imageScanFindings"]["imageScanCompletedAt"], "2023-11-14T22:13:20+00:00");
    assert_eq!(output["imageScanFindings"]["enhancedFindings"][0]["lastObservedAt"], "2023-11-14T22:13:20+00:00");
    assert_eq!(output["imageScanFindings"]["enhancedFindings"][0]["score"], json!(3.3));
    assert!(output.get("nextToken").is_none());
}

#[test]
fn an_index_has_the_digest_of_its_text() {
    let (amd, arm, attestation) = (digest(1), digest(2), digest(3));
    let (text, index_digest) = fixtures::index(&[("linux", "amd64", &amd), ("linux", "arm/v7", &arm)], &[&attestation]);
    assert_eq!(index_digest, fixtures::sha256(text.as_bytes()));
    let index: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(index["manifests"][1]["platform"], json!({ "os": "linux", "architecture": "arm", "variant": "v7" }));
    let last = &index["manifests"][2];
    assert_eq!(last["platform"], json!({ "os": "unknown", "architecture": "unknown" }));
    assert_eq!(last["annotations"]["vnd.docker.reference.type"], "attestation-manifest");
    assert_eq!(last["annotations"]["vnd.docker.reference.digest"], amd);
    let answer = fixtures::batch_get_image(&index_digest, &text, fixtures::OCI_INDEX);
    assert_eq!(answer["images"][0]["imageManifest"], text);
    assert_ne!(fixtures::manifest(1), fixtures::manifest(2));
}

/// Needs the service model: `ecr/service-2.json` in the folder `ECR_GATE_TESTDATA` names.
#[test]
fn the_lists_agree_with_the_service_model() {
    let Some(folder) = std::env::var_os("ECR_GATE_TESTDATA") else {
        eprintln!("skipped 1 check: ECR_GATE_TESTDATA is not set");
        return;
    };
    let text = fs::read_to_string(Path::new(&folder).join("ecr/service-2.json")).unwrap();
    let model: Value = serde_json::from_str(&text).unwrap();
    for (operation, errors) in fixtures::ERRORS {
        assert_eq!(fixtures::service_errors(&model, operation), *errors, "{operation}");
    }
    assert_eq!(fixtures::scan_statuses(&model), fixtures::STATUSES);
    assert_eq!(model["shapes"]["FindingSeverity"]["enum"], json!(fixtures::SEVERITIES));
    let mut spoiled = Vec::new();
    for scan in [Scan::basic(&digest(1), NOW), Scan::enhanced(&digest(1), NOW)] {
        let value = scan.finding("CVE-2024-1", "HIGH").tag("v1").next_token("t").value();
        conform(&model, "DescribeImageScanFindingsResponse", &value, &mut spoiled);
    }
    conform(&model, "DescribeImagesResponse", &fixtures::describe_images(&digest(1), &["v1"], NOW), &mut spoiled);
    conform(&model, "StartImageScanResponse", &fixtures::start_image_scan(&digest(1), "IN_PROGRESS"), &mut spoiled);
    conform(&model, "BatchGetImageResponse", &fixtures::batch_get_image("d", "{}", "m"), &mut spoiled);
    conform(
        &model,
        "BatchGetImageResponse",
        &fixtures::batch_get_image_failure("d", "ImageNotFound", "no"),
        &mut spoiled,
    );
    assert!(spoiled.is_empty(), "{spoiled:#?}");
}

/// Notes every member the shape doesn't have and every value of another type or outside the enum.
fn conform(model: &Value, shape_name: &str, value: &Value, wrong: &mut Vec<String>) {
    let shape = &model["shapes"][shape_name];
    let fits = match shape["type"].as_str().unwrap() {
        "structure" => value.as_object().is_some_and(|fields| {
            for (name, field) in fields {
                match shape["members"][name]["shape"].as_str() {
                    Some(member) => conform(model, member, field, wrong),
                    None => wrong.push(format!("{shape_name} has no member {name}")),
                }
            }
            true
        }),
        "list" => value.as_array().is_some_and(|elements| {
            let member = shape["member"]["shape"].as_str().unwrap();
            for element in elements {
                conform(model, member, element, wrong);
            }
            true
        }),
        "map" => value.is_object(),
        "string" => value.is_string() && shape["enum"].as_array().is_none_or(|values| values.contains(value)),
        "timestamp" | "double" => value.is_number(),
        "integer" | "long" => value.is_i64(),
        other => panic!("{shape_name} is a {other}"),
    };
    if !fits {
        wrong.push(format!("{shape_name} can't be {value}"));
    }
}
