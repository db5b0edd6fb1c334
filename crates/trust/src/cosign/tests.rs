//! Which payloads and annotations are read.

use model::SignatureFormat;
use serde_json::{Value, json};

use super::*;
use crate::sigstore::read::Material;

fn image() -> Digest {
    Digest::of(b"image")
}

fn payload() -> Value {
    json!({
        "critical": {
            "identity": { "docker-reference": "registry.example.com/acme/app" },
            "image": { "docker-manifest-digest": image() },
            "type": PAYLOAD_TYPE,
        },
        "optional": { "build": "42", "number": 1 },
    })
}

fn read(payload: &Value) -> Result<UnverifiedPayload, Reason> {
    UnverifiedPayload::read(payload.to_string().as_bytes())
}

#[test]
fn s27_a_payload_says_which_image_is_signed() {
    let mut notes = Vec::new();
    let signed = read(&payload()).unwrap().signed(&image(), &mut notes).unwrap();
    assert_eq!(signed.digest, image());
    assert_eq!(signed.reference.as_deref(), Some("registry.example.com/acme/app"));
    assert_eq!(signed.annotations, BTreeMap::from([("build".to_owned(), "42".to_owned())]));
    assert!(notes.len() == 1 && notes[0].contains("number"), "what is left out is told: {notes:?}");
    let reason = read(&payload()).unwrap().signed(&Digest::of(b"other"), &mut notes).unwrap_err();
    assert_eq!(reason.code, ReasonCode::SignatureOtherImage);
    let mut bare = payload();
    bare["optional"] = Value::Null;
    bare["critical"]["identity"]["docker-reference"] = "".into();
    let signed = read(&bare).unwrap().signed(&image(), &mut notes).unwrap();
    assert!(signed.reference.is_none() && signed.annotations.is_empty());
}

#[test]
fn s28_another_type_of_payload_is_unsupported() {
    let mut atomic = payload();
    atomic["critical"]["type"] = "atomic container signature".into();
    let Err(reason) = read(&atomic) else { panic!() };
    assert_eq!(reason.code, ReasonCode::SignatureUnsupported);
    assert!(reason.message.contains("atomic"));
}

#[test]
fn s27_a_broken_payload_is_malformed() {
    let twice = payload().to_string().replace("\"critical\":", "\"critical\":{},\"critical\":");
    for broken in ["", "{}", r#"{"critical":{}}"#, twice.as_str()] {
        let Err(reason) = UnverifiedPayload::read(broken.as_bytes()) else { panic!("{broken}") };
        assert_eq!(reason.code, ReasonCode::SignatureMalformed);
    }
    // Upper-case digits are another digest, as cosign has it.
    let mut upper = payload();
    upper["critical"]["image"]["docker-manifest-digest"] = image().as_str().to_uppercase().replace("SHA", "sha").into();
    assert!(read(&upper).unwrap().signed(&image(), &mut Vec::new()).is_err());
}

fn converted(annotations: &[(&str, &str)]) -> Result<UnverifiedBundle, Reason> {
    let annotations: BTreeMap<_, _> =
        annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let bytes = payload().to_string().into_bytes();
    let media_type = "application/vnd.dev.cosign.simplesigning.v1+json";
    signature(&Artifact {
        format: SignatureFormat::CosignSignature,
        media_type,
        bytes: &bytes,
        annotations: &annotations,
    })
}

const LOGGED: &str = r#"{"SignedEntryTimestamp":"AAAA","Payload":{"body":"eyJhcGlWZXJzaW9uIjoiMC4wLjEiLCJraW5kIjoiaGFzaGVkcmVrb3JkIiwic3BlYyI6e319","integratedTime":1700000000,"logIndex":7,"logID":"c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d"}}"#;

#[test]
fn s27_annotations_become_a_bundle() {
    let bundle = converted(&[(SIGNATURE, "AAAA")]).unwrap();
    assert!(matches!(&bundle.material, Material::Key(hint) if hint.is_empty()));
    assert!(bundle.entries.is_empty() && bundle.timestamps.is_empty() && bundle.stamped.is_none());
    let bundle =
        converted(&[(SIGNATURE, "AAAA"), (LOG_ENTRY, LOGGED), (TIMESTAMP, r#"{"SignedRFC3161Timestamp":"AAAA"}"#)])
            .unwrap();
    let entry = &bundle.entries[0];
    assert_eq!((entry.kind.as_str(), entry.version.as_str()), ("hashedrekord", "0.0.1"));
    assert!(entry.has_promise && !entry.has_proof);
    assert_eq!(hex::encode(&entry.log), "c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d");
    assert_eq!(bundle.timestamps.len(), 1);
    // Empty annotations are none.
    assert!(converted(&[(SIGNATURE, "AAAA"), (LOG_ENTRY, ""), (TIMESTAMP, "null"), (CERTIFICATE, "")]).is_ok());
}

#[test]
fn s27_broken_annotations_are_malformed() {
    let without_signature: &[(&str, &str)] = &[];
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let two = certificate.repeat(2);
    let key = certificate.replace("CERTIFICATE", "PUBLIC KEY");
    for annotations in [
        without_signature,
        &[(SIGNATURE, "")],
        &[(SIGNATURE, "not base64!")],
        &[(SIGNATURE, "AAAA"), (LOG_ENTRY, "{}")],
        &[(SIGNATURE, "AAAA"), (LOG_ENTRY, &LOGGED.replace("c0d2", "zzzz"))],
        &[(SIGNATURE, "AAAA"), (LOG_ENTRY, &LOGGED.replace("\"logIndex\":7", "\"logIndex\":7,\"logIndex\":8"))],
        &[(SIGNATURE, "AAAA"), (LOG_ENTRY, &LOGGED.replace("eyJ", "***"))],
        &[(SIGNATURE, "AAAA"), (TIMESTAMP, "[]")],
        &[(SIGNATURE, "AAAA"), (CERTIFICATE, "no certificate")],
        &[(SIGNATURE, "AAAA"), (CERTIFICATE, &two)],
        &[(SIGNATURE, "AAAA"), (CERTIFICATE, &key)],
    ] {
        let reason = converted(annotations).unwrap_err();
        assert_eq!(reason.code, ReasonCode::SignatureMalformed, "{annotations:?}");
    }
    // A kind of entry that cannot be judged is told apart (S28).
    let intoto = "eyJhcGlWZXJzaW9uIjoiMC4wLjEiLCJraW5kIjoiaW50b3RvIiwic3BlYyI6e319";
    let mut entry: Value = serde_json::from_str(LOGGED).unwrap();
    entry["Payload"]["body"] = intoto.into();
    let bundle = converted(&[(SIGNATURE, "AAAA"), (LOG_ENTRY, &entry.to_string())]).unwrap();
    assert_eq!(bundle.whole().unwrap_err().code, ReasonCode::SignatureUnsupported);
}
