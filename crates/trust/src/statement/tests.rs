//! Which statements are read, and what they are about.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn image() -> Digest {
    Digest::of(b"image")
}

fn hex(digest: &Digest) -> &str {
    digest.as_str().trim_start_matches("sha256:")
}

fn document() -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            { "name": "other", "digest": { "sha256": hex(&Digest::of(b"other")) } },
            { "name": "app", "digest": { "sha256": hex(&image()), "gitCommit": "abc" }, "annotations": { "a": "b", "n": 1 } },
        ],
        "predicateType": "https://example.com/p",
        "predicate": { "b": 1, "a": [2.50] },
    })
}

fn read(document: &Value) -> Result<UnverifiedStatement, Reason> {
    UnverifiedStatement::read(PAYLOAD_TYPE, document.to_string().as_bytes())
}

fn refused(change: impl FnOnce(&mut Value)) -> ReasonCode {
    let mut document = document();
    change(&mut document);
    read(&document).unwrap_err().code
}

#[test]
fn s27_a_statement_is_about_its_subjects_and_nothing_else() {
    let statement = read(&document()).unwrap();
    assert!(statement.about(&image()) && !statement.about(&Digest::of(b"third")));
    let reason = statement.signed(&Digest::of(b"third"), false).unwrap_err();
    assert_eq!(reason.code, ReasonCode::SignatureOtherImage);
    assert!(
        reason.message.contains("and 1 more") && reason.message.contains("https://example.com/p"),
        "{}",
        reason.message
    );
    let Signed::Statement(statement) = read(&document()).unwrap().signed(&image(), true).unwrap() else { panic!() };
    assert_eq!(statement.subjects, [Digest::of(b"other"), image()]);
    assert_eq!(statement.predicate_type, "https://example.com/p");
    assert_eq!(serde_json::from_slice::<Value>(&statement.predicate).unwrap(), document()["predicate"]);
}

#[test]
fn s27_a_predicate_keeps_its_bytes_and_one_left_out_is_empty() {
    let text = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v0.1","subject":[{{"digest":{{"sha256":"{}"}}}}],"predicateType":"p","predicate":{{ "a" : 2.50 }}}}"#,
        hex(&image())
    );
    let signed =
        |text: &str| match UnverifiedStatement::read(PAYLOAD_TYPE, text.as_bytes()).unwrap().signed(&image(), true) {
            Ok(Signed::Statement(statement)) => String::from_utf8(statement.predicate).unwrap(),
            other => panic!("{other:?}"),
        };
    assert_eq!(signed(&text), r#"{ "a" : 2.50 }"#);
    assert_eq!(signed(&text.replace(r#","predicate":{ "a" : 2.50 }"#, "")), "{}");
}

#[test]
fn s27_only_cosigns_predicate_is_a_signature_on_the_image() {
    let mut document = document();
    document["predicateType"] = COSIGN_SIGN.into();
    let Signed::Image(signed) = read(&document).unwrap().signed(&image(), true).unwrap() else { panic!() };
    assert_eq!((signed.digest, signed.reference.as_deref()), (image(), Some("app")));
    assert_eq!(signed.annotations, BTreeMap::from([("a".to_owned(), "b".to_owned())]), "those of its own subject");
    assert!(matches!(read(&document).unwrap().signed(&image(), false).unwrap(), Signed::Statement(_)));
    document["predicateType"] = "https://sigstore.dev/cosign/sign/v2".into();
    assert!(matches!(read(&document).unwrap().signed(&image(), true).unwrap(), Signed::Statement(_)));
}

#[test]
fn s28_other_payloads_and_versions_are_unsupported() {
    let reason = UnverifiedStatement::read("application/json", document().to_string().as_bytes()).unwrap_err();
    assert_eq!(reason.code, ReasonCode::SignatureUnsupported);
    assert!(reason.message.contains("application/json"));
    assert_eq!(refused(|it| it["_type"] = "https://in-toto.io/Statement/v2".into()), ReasonCode::SignatureUnsupported);
}

#[test]
fn s27_what_is_no_statement_is_malformed() {
    let cases: [fn(&mut Value); 8] = [
        |it| it["subject"] = json!([]),
        |it| it["subject"] = json!("app"),
        |it| it["subject"][0]["digest"] = json!({ "sha256": "AB".repeat(32) }),
        |it| it["subject"][0]["digest"] = json!({ "sha256": "" }),
        |it| it["subject"][0]["digest"] = Value::Null,
        |it| it["predicateType"] = "".into(),
        |it| it["subject"] = vec![it["subject"][0].clone(); MAX_SUBJECTS + 1].into(),
        |it| {
            let many: serde_json::Map<_, _> = (0..=MAX_DIGESTS).map(|n| (n.to_string(), Value::from(""))).collect();
            it["subject"][0]["digest"] = many.into();
        },
    ];
    for case in cases {
        assert_eq!(refused(case), ReasonCode::SignatureMalformed);
    }
    let twice = document().to_string().replacen("\"name\":\"other\"", "\"name\":\"other\",\"name\":\"app\"", 1);
    let reason = UnverifiedStatement::read(PAYLOAD_TYPE, twice.as_bytes()).unwrap_err();
    assert_eq!(reason.code, ReasonCode::SignatureMalformed);
    assert!(reason.message.contains("twice"), "{}", reason.message);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn s27_no_bytes_make_reading_a_statement_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256), cut in 0_usize..300) {
        prop_assert!(UnverifiedStatement::read(PAYLOAD_TYPE, &bytes).is_err());
        let text = document().to_string();
        prop_assert!(UnverifiedStatement::read(PAYLOAD_TYPE, &text.as_bytes()[..cut.min(text.len() - 1)]).is_err());
    }
}
