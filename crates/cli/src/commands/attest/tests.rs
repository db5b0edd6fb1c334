//! What may be stated.

use super::predicate::{predicate_type, read};
use crate::exit::Exit;

#[test]
fn s27_types_are_cosigns_words_or_uris() {
    assert_eq!(predicate_type("slsaprovenance").unwrap(), "https://slsa.dev/provenance/v0.2");
    assert_eq!(predicate_type("slsaprovenance1").unwrap(), "https://slsa.dev/provenance/v1");
    assert_eq!(predicate_type("spdxjson").unwrap(), "https://spdx.dev/Document");
    assert_eq!(predicate_type("https://example.com/t/v1").unwrap(), "https://example.com/t/v1");
    for wrong in ["", "sbom", "CycloneDX", ":x", "https://a b"] {
        assert_eq!(predicate_type(wrong).unwrap_err().exit, Exit::Usage, "{wrong:?}");
    }
}

#[test]
fn s27_what_is_signed_is_what_was_read() {
    let value = read("p", br#"{"a": [1, -2, 0.5, null, true, "x"], "b": {"c": 18446744073709551615}}"#).unwrap();
    assert_eq!(value.to_string(), r#"{"a":[1,-2,0.5,null,true,"x"],"b":{"c":18446744073709551615}}"#);
    for (wrong, why) in [
        (r#"{"a": 1, "a": 2}"#, "there twice"),
        (r#"{"a": {"b": 1, "b": 1}}"#, "there twice"),
        (r#"{"a": 18446744073709551616}"#, "too large to be kept exactly"),
        ("[]", "no JSON object"),
        ("{} {}", "trailing"),
        ("{\"a\": ", "EOF"),
        ("", "EOF"),
        (r#"{"_type": "https://in-toto.io/Statement/v1", "predicate": {}}"#, "whole in-toto statement"),
        (r#"{"payloadType": "x", "payload": "", "signatures": []}"#, "signed envelope already"),
        (r#"{"mediaType": "x", "dsseEnvelope": {}}"#, "signed envelope already"),
    ] {
        let failure = read("p", wrong.as_bytes()).unwrap_err();
        assert_eq!(failure.exit, Exit::Configuration);
        assert!(failure.what.contains(why), "{wrong}: {}", failure.what);
    }
}
