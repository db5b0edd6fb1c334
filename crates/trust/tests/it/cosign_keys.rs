//! Signatures and attestations that cosign 2 and 3 made with keys, without a log. They were made by:
//! `cosign sign --key K.key --tlog-upload=false -a build=42 IMAGE` and `cosign attest --type custom …` (version 2), and the
//! same with `--use-signing-config=false` (version 3).

use model::{Digest, ReasonCode, SignatureFormat, Signed, Signer};
use proptest::prelude::*;
use serde_json::Value;
use trust::{Material, PublicKey};

use crate::common::{Found, KINDS, changed, data, image, key, material, places};

fn every_signature() -> Vec<(&'static str, Found)> {
    let bundles = KINDS.map(|kind| (kind, Found::bundle(data(&format!("bundle-sign-{kind}.json")))));
    let layer = |kind| Found::layer(SignatureFormat::CosignSignature, &format!("legacy-sign-{kind}.json"));
    bundles.into_iter().chain(KINDS.map(|kind| (kind, layer(kind)))).collect()
}

fn every_attestation() -> Vec<(&'static str, Found)> {
    let layer = |kind| Found::layer(SignatureFormat::DsseEnvelope, &format!("legacy-attest-{kind}.json"));
    vec![
        ("p256", Found::bundle(data("bundle-attest-p256.json"))),
        ("p256", layer("p256")),
        ("ed25519", layer("ed25519")),
    ]
}

#[test]
fn s27_a_key_alone_verifies_what_cosign_signed_with_it() {
    for (kind, found) in every_signature() {
        // With Sigstore's root at hand or without: there is nothing to look up in it.
        for root in [false, true] {
            let authentic =
                found.verify(&material(&[kind], root), &image()).unwrap_or_else(|why| panic!("{kind}: {why:?}"));
            let proof = authentic.proof();
            let Signer::Key { key: id, algorithm } = &proof.signer else { panic!("{proof:?}") };
            assert_eq!((id, algorithm.as_str()), (key(kind).id(), key(kind).algorithm()));
            assert!(proof.proven.is_empty() && proof.log.is_none() && proof.window.is_none() && proof.notes.is_empty());
            let Signed::Image(signed) = authentic.content() else { panic!("{kind}: no signature on the image") };
            assert_eq!(signed.digest, image());
            assert_eq!(signed.annotations["build"], "42");
            let legacy = found.format == SignatureFormat::CosignSignature;
            assert_eq!(signed.reference.as_deref(), legacy.then_some("127.0.0.1:5771/acme/app"));
        }
        // Among several keys the right one is found, and named.
        let authentic = found.verify(&material(&KINDS, false), &image()).unwrap();
        assert!(matches!(&authentic.proof().signer, Signer::Key { key: id, .. } if id == key(kind).id()));
    }
}

#[test]
fn s27_an_attestation_is_no_signature_on_the_image() {
    for (kind, found) in every_attestation() {
        let authentic =
            found.verify(&material(&[kind], false), &image()).unwrap_or_else(|why| panic!("{kind}: {why:?}"));
        let Signed::Statement(statement) = authentic.content() else { panic!("{kind}: taken for a signature") };
        assert_eq!(statement.predicate_type, "https://cosign.sigstore.dev/attestation/v1");
        assert_eq!(statement.subjects, [image()]);
        let predicate: Value = serde_json::from_slice(&statement.predicate).unwrap();
        assert_eq!(predicate["Data"].as_str().unwrap().trim(), r#"{"Data":"a"}"#);
    }
}

#[test]
fn s27_another_key_and_another_image_are_told_apart() {
    let other = Digest::of(b"another image");
    for (kind, found) in every_signature().into_iter().chain(every_attestation()) {
        let others: Vec<_> = KINDS.into_iter().filter(|other| *other != kind).collect();
        assert_eq!(found.refused(&material(&others, false), &image()), ReasonCode::SignatureUnknownKey, "{kind}");
        assert_eq!(found.refused(&Material::none(), &image()), ReasonCode::SignatureUnknownKey, "{kind}");
        assert_eq!(found.refused(&material(&[kind], false), &other), ReasonCode::SignatureOtherImage, "{kind}");
        let sha512 = format!("sha512:{}", "0".repeat(128)).parse().unwrap();
        assert!(found.verify(&material(&[kind], false), &sha512).is_err());
    }
}

#[test]
fn s27_a_signature_is_never_taken_in_another_form() {
    let swapped = [
        (SignatureFormat::Bundle, "legacy-sign-p256.json"),
        (SignatureFormat::DsseEnvelope, "legacy-sign-p256.json"),
        (SignatureFormat::CosignSignature, "legacy-attest-p256.json"),
        (SignatureFormat::Bundle, "legacy-attest-p256.json"),
    ];
    for (format, name) in swapped {
        let found = Found::layer(format, name);
        assert_eq!(found.refused(&material(&KINDS, true), &image()), ReasonCode::SignatureMalformed, "{name}");
    }
    // cosign's own predicate makes a signature in a bundle, and a statement anywhere else.
    let bundle: Value = serde_json::from_slice(&data("bundle-sign-p256.json")).unwrap();
    let mut found = Found::bundle(bundle["dsseEnvelope"].to_string().into_bytes());
    found.format = SignatureFormat::DsseEnvelope;
    let authentic = found.verify(&material(&["p256"], false), &image()).unwrap();
    assert!(matches!(authentic.content(), Signed::Statement(_)));
}

#[test]
fn s28_p521_is_unsupported_as_a_key_and_nobody_elses() {
    let error = PublicKey::from_pem("release", &data("p521.pub")).unwrap_err().to_string();
    assert!(error.contains("unsupported") && error.contains("P-521") && error.starts_with("release"), "{error}");
    let found = Found::layer(SignatureFormat::CosignSignature, "legacy-sign-p521.json");
    assert_eq!(found.refused(&material(&KINDS, true), &image()), ReasonCode::SignatureUnknownKey);
}

#[test]
fn s27_every_field_of_a_bundle_counts() {
    for kind in KINDS {
        let document: Value = serde_json::from_slice(&data(&format!("bundle-sign-{kind}.json"))).unwrap();
        let mut found = Vec::new();
        places(&document, "", &mut found);
        assert!(found.len() >= 6, "{found:?}");
        for place in found.iter().filter(|place| !place.ends_with("/hint")) {
            for seed in [0, 1, 7, 11, 29, 97] {
                let Some(changed) = changed(&document, place, seed) else { continue };
                let answer = Found::bundle(changed.to_string().into_bytes()).verify(&material(&[kind], true), &image());
                let reasons = match answer {
                    Ok(authentic) => panic!("{place} of {kind} does not count: {authentic:?}"),
                    Err(reasons) => reasons,
                };
                assert!(reasons.iter().all(|reason| !reason.message.is_empty()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn s27_a_changed_layer_never_verifies(which in 0_usize..11, position in any::<usize>(), flip in 1_u8..) {
        let all: Vec<_> = every_signature().into_iter().chain(every_attestation()).collect();
        let (kind, mut found) = all[which % all.len()].clone();
        let position = position % found.bytes.len();
        found.bytes[position] ^= flip;
        let answer = found.verify(&material(&[kind], false), &image());
        // What is not signed may change: the hint, and how JSON and base64 are written.
        let signed = every_signature().into_iter().chain(every_attestation()).nth(which % all.len()).unwrap().1;
        if let Ok(authentic) = answer {
            let original = signed.verify(&material(&[kind], false), &image()).unwrap();
            prop_assert_eq!(authentic.content(), original.content());
            prop_assert_eq!(&authentic.proof().signer, &original.proof().signer);
            prop_assert!(found.format != SignatureFormat::CosignSignature, "a payload is signed as it is");
        }
    }

    #[test]
    fn s27_no_bytes_make_the_verifier_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512), text in "\\PC{0,200}") {
        for bytes in [bytes, text.into_bytes()] {
            for format in [SignatureFormat::Bundle, SignatureFormat::CosignSignature, SignatureFormat::DsseEnvelope] {
                let mut found = Found { format, ..Found::bundle(bytes.clone()) };
                prop_assert!(found.verify(&material(&["p256"], false), &image()).is_err());
                let text = String::from_utf8_lossy(&bytes).into_owned();
                for name in ["cosignproject.cosign/signature", "sigstore.cosign/certificate", "sigstore.cosign/bundle"] {
                    found.annotations.insert(format!("dev.{name}"), text.clone());
                }
                prop_assert!(found.verify(&material(&["p256"], false), &image()).is_err());
            }
        }
    }
}
