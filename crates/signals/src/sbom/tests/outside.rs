//! Documents of others, from the folder that `ECR_GATE_TESTDATA` names.

use std::path::PathBuf;

use super::*;

#[expect(clippy::disallowed_methods, reason = "tests read documents of others")]
fn outside(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("ECR_GATE_TESTDATA") else {
        println!("skipped: ECR_GATE_TESTDATA is not set, {name} is not read");
        return None;
    };
    Some(std::fs::read(PathBuf::from(folder).join(name)).expect(name))
}

#[test]
fn b19_cyclonedx_examples_of_its_makers() {
    let Some(bytes) = outside("sbom/valid-bom-1.6.json") else { return };
    let sbom = parse(&bytes, &Limits::STANDARD).unwrap();
    assert_eq!(sbom.name.as_deref(), Some("Acme Application"));
    assert_eq!(sbom.tools, ["Awesome Tool 9.1.2"]);
    assert_eq!(
        lines(&sbom),
        [
            "pkg:maven/com.acme/tomcat-catalina@9.0.14?packaging=jar tomcat-catalina 9.0.14 [Apache-2.0]",
            "pkg:maven/com.example/myapplication@1.0.0?packaging=war mylibrary 1.0.0 [EPL-2.0 OR GPL-2.0-with-classpath-exception]",
            "pkg:maven/com.example/myframework@1.0.0?packaging=war myframework 1.0.0 [Some random license]",
        ]
    );
    let with_vulnerabilities = outside("sbom/valid-vulnerability-1.6.json").unwrap();
    assert_eq!(parse(&with_vulnerabilities, &Limits::STANDARD).unwrap().components.len(), 1);
    let error = parse(&outside("sbom/invalid-bomformat-1.6.json").unwrap(), &Limits::STANDARD).unwrap_err();
    assert!(error.to_string().contains("AnotherFormat"), "{error}");
}

#[test]
fn b19_spdx_example_of_vexctl() {
    let Some(bytes) = outside("vex/csaf/sbom.spdx.json") else { return };
    let sbom = parse(&bytes, &Limits::STANDARD).unwrap();
    let described = "sha256:603a6c7216a53d02889d4da068703478dc570644f9f76b1a99f6683775f9abeb";
    assert_eq!((sbom.name.as_deref(), sbom.describes.as_slice()), (Some("image"), &[described.parse().unwrap()][..]));
    assert_eq!(sbom.components.len(), 3);
    assert_eq!(sbom.components[1].purl.as_deref(), Some("pkg:generic/component2@2.39.0-r1"));
}
