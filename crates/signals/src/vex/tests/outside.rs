//! Documents of others, from the folder that `ECR_GATE_TESTDATA` names.

use std::path::PathBuf;

use super::*;

#[expect(clippy::disallowed_methods, reason = "tests read documents of others")]
fn outside(name: &str) -> Option<VexDocument> {
    let Some(folder) = std::env::var_os("ECR_GATE_TESTDATA") else {
        println!("skipped: ECR_GATE_TESTDATA is not set, {name} is not read");
        return None;
    };
    Some(parse(&std::fs::read(PathBuf::from(folder).join(name)).expect(name), &Limits::STANDARD).expect(name))
}

#[test]
fn b19_openvex_documents_of_its_makers() {
    let Some(demo) = outside("vex/openvex/demo.vex.json") else { return };
    assert_eq!((demo.author.as_str(), statuses(&demo)), ("Wolfi J Inkinson", vec![VexStatus::Fixed]));
    let products: Vec<&str> =
        demo.statements[0].products.iter().filter_map(|product| product.purl.as_deref()).collect();
    assert_eq!(products, ["pkg:apk/distro/git@2.39.0-r1?arch=armv7", "pkg:apk/distro/git@2.39.0-r1?arch=x86_64"]);
    let first = outside("vex/openvex/document1.vex.json").unwrap();
    let second = outside("vex/openvex/document2.vex.json").unwrap();
    let finding = model::Finding {
        packages: vec![model::Package {
            name: "bash".to_owned(),
            version: "1.0.0".to_owned(),
            fix: model::Fix::NotSaid,
            purl: Some("pkg:apk/wolfi/bash@1.0.0?arch=x86_64".to_owned()),
            layer: None,
        }],
        ..model::Finding::new(model::VulnerabilityId::new("CVE-1234-5678").unwrap(), model::Severity::High)
    };
    let word = model::last_word([&second, &first], &finding, &[]).unwrap();
    assert_eq!((word.statement.status, word.document.id.as_ref()), (VexStatus::Fixed, second.id.as_ref()));
    let other = outside("vex/csaf/openvex.json").unwrap();
    assert_eq!(other.statements[0].products, [product(&[], Some("pkg:generic/component2@2.39.0-r1"), &[])]);
}

#[test]
fn b19_csaf_document_of_its_makers() {
    let Some(document) = outside("vex/csaf/csaf.json") else { return };
    assert_eq!((document.format.as_str(), document.author.as_str()), ("csaf", "Example Company"));
    assert_eq!(statuses(&document), [VexStatus::NotAffected]);
    let said = &document.statements[0];
    assert_eq!(said.products, [product(&[], Some("pkg:generic/component1@1.3.4"), &[])]);
    assert_eq!(
        (said.justification.as_deref(), said.softens()),
        (None, false),
        "an impact in words is no justification"
    );
    assert!(said.note.as_deref().is_some_and(|note| note.contains("removed before shipping")));
}

#[test]
fn b19_cyclonedx_document_of_its_makers() {
    let Some(document) = outside("sbom/valid-vulnerability-1.6.json") else { return };
    let said = &document.statements[0];
    assert_eq!(said.products, [product(&[], Some("pkg:maven/com.fasterxml.jackson.core/jackson-databind@2.9.4"), &[])]);
    assert_eq!((said.status, said.justification.as_deref()), (VexStatus::NotAffected, Some("code_not_reachable")));
}
