//! VEX documents in all their formats (B19, S24).

mod csaf;
mod cyclonedx;
mod openvex;
mod outside;

use model::VexStatus;
use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<VexDocument, ParseError> {
    parse(text.as_bytes(), &Limits::STANDARD)
}

fn digest() -> Digest {
    Digest::of(b"manifest")
}

fn hex() -> String {
    digest().as_str().replace("sha256:", "")
}

fn product(digests: &[Digest], purl: Option<&str>, parts: &[&str]) -> VexProduct {
    VexProduct {
        digests: digests.to_vec(),
        purl: purl.map(str::to_owned),
        subcomponents: parts.iter().map(|part| (*part).to_owned()).collect(),
    }
}

/// The only product of the only statement.
fn only(text: &str) -> VexProduct {
    let mut document = read(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((document.statements.len(), document.statements[0].products.len()), (1, 1));
    document.statements.swap_remove(0).products.swap_remove(0)
}

fn statuses(document: &VexDocument) -> Vec<VexStatus> {
    document.statements.iter().map(|statement| statement.status).collect()
}

fn refused(text: &str, why: &str) {
    let error = read(text).expect_err(why);
    assert!(error.to_string().contains(why), "{why}: {error}");
}

#[test]
fn b19_what_is_no_vex_document_is_refused_and_named() {
    refused("", "EOF");
    refused("[]", "invalid");
    refused("{}", "none of the fields");
    refused(r#"{"spdxVersion":"SPDX-2.3"}"#, "SPDX");
    refused(r#"{"_type":"https://in-toto.io/Statement/v1","document":{}}"#, "in-toto");
    refused(r#"{"payloadType":"application/vnd.in-toto+json","payload":"e30="}"#, "verified first");
    refused(r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}"#, "bill of materials alone");
    refused(r#"{"@context":"https://example.com/ns","statements":[]}"#, "none of the fields");
}

#[test]
fn b19_what_is_over_the_limits_is_refused_not_cut() {
    for text in [openvex::text(), cyclonedx::text(), csaf::text()] {
        let bytes = Limits { bytes: text.len() - 1, ..Limits::STANDARD };
        assert!(parse(text.as_bytes(), &bytes).unwrap_err().cause.contains("bytes"));
        let entries = Limits { entries: 2, ..Limits::STANDARD };
        assert!(parse(text.as_bytes(), &entries).unwrap_err().cause.contains("more than 2"), "{text}");
    }
}

#[test]
fn b19_a_small_document_does_not_become_a_large_one() {
    let small = |text: &str| parse(text.as_bytes(), &Limits { bytes: text.len().max(2_000), ..Limits::STANDARD });
    let many = |text: &str, times: usize| vec![text; times].join(",");
    let parts = format!(
        r#"{{"@context":"https://openvex.dev/ns","author":"a","statements":[{{"vulnerability":"CVE-1","status":"fixed",
        "products":[{}],"subcomponents":[{}]}}]}}"#,
        many("\"x\"", 300),
        many("\"x\"", 300)
    );
    let subject = format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{{"component":{{"name":"x","purl":"pkg:npm/{}@1"}}}},
        "vulnerabilities":[{{"id":"CVE-1","analysis":{{"state":"resolved"}},"affects":[{}]}}]}}"#,
        "x".repeat(1000),
        many("{\"ref\":\"y\"}", 100)
    );
    let names = format!(
        r#"{{"document":{{"category":"csaf_vex","csaf_version":"2.0","publisher":{{"name":"x"}},"tracking":{{}}}},
        "product_tree":{{"full_product_names":[{{"product_id":"p","name":"p"}}]}},
        "vulnerabilities":[{{"ids":[{}],"product_status":{{"fixed":[{}]}}}}]}}"#,
        many("{\"text\":\"x\"}", 300),
        many("\"p\"", 300)
    );
    for text in [parts, subject, names] {
        assert!(small(&text).unwrap_err().cause.contains("repeats itself"), "{text}");
        assert!(read(&text).is_ok(), "what is no more than the limit is read");
    }
}

#[test]
fn s24_statements_stand_oldest_first() {
    for text in [openvex::text(), cyclonedx::text(), csaf::text()] {
        let document = read(&text).unwrap();
        assert!(document.statements.len() > 2 && document.statements.is_sorted_by_key(|statement| statement.at));
    }
}

/// What a statement softens: its vulnerabilities, and each of its products with its parts.
fn softened(document: &VexDocument) -> Vec<(String, VexProduct)> {
    let soft = document.statements.iter().filter(|statement| statement.softens());
    soft.flat_map(|statement| {
        let names: Vec<&str> = statement.vulnerabilities.iter().map(model::VulnerabilityId::as_str).collect();
        statement.products.iter().map(move |product| (names.join(" "), product.clone()))
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn b19_any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&bytes, &Limits::STANDARD).is_err());
    }

    #[test]
    fn b19_a_cut_document_is_refused(which in 0..3_usize, at in any::<prop::sample::Index>()) {
        let text = vec![openvex::text(), cyclonedx::text(), csaf::text()].swap_remove(which);
        prop_assert!(parse(&text.as_bytes()[..at.index(text.len())], &Limits::STANDARD).is_err());
    }

    #[test]
    fn s24_a_changed_key_never_widens_an_openvex_statement(at in any::<prop::sample::Index>(), byte in b'!'..b'~') {
        let whole = softened(&read(&openvex::text()).unwrap());
        let mut bytes = openvex::text().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(document) = parse(&bytes, &Limits::STANDARD) {
            for (_, product) in softened(&document) {
                // Whatever is softened as a whole was so before, or its name was changed.
                let is_new = !whole.iter().any(|(_, known)| known.digests == product.digests && known.purl == product.purl);
                let was_whole = whole.iter().any(|(_, known)| known.subcomponents.is_empty()
                    && known.digests == product.digests && known.purl == product.purl);
                prop_assert!(!product.subcomponents.is_empty() || was_whole || is_new, "{product:?}");
            }
        }
    }
}
