//! Timestamps with one fault each, put into envelopes that have none. How they were made is told in
//! `data/notation/README.md`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{ReasonCode, SignatureFormat};
use serde_json::{Value, json};
use trust::{StoreKind, TrustStore};

use super::made::{ES384_JWS, SELF_SIGNED_JWS, root, self_signed, subject, tsa_root};
use super::{Answer, codes, image, messages, store, verifier};

macro_rules! token {
    ($name:literal) => {
        include_bytes!(concat!("../data/notation/tokens/", $name, ".tst"))
    };
}

fn with(envelope: &[u8], token: &[u8]) -> Answer {
    let mut envelope: Value = serde_json::from_slice(envelope).unwrap();
    envelope["header"]["io.cncf.notary.timestampSignature"] = json!(STANDARD.encode(token));
    let anchored = store("corp", StoreKind::Ca, &[root(), self_signed()]);
    let verifier = verifier(vec![TrustStore { timestamp_anchors: vec![tsa_root()], ..anchored }]);
    super::verify(&verifier, &subject(), SignatureFormat::NotationJws, envelope.to_string().as_bytes())
}

#[test]
fn s27_timestamps_with_one_fault_are_refused() {
    let good = token!("good");
    assert_eq!(image(&with(ES384_JWS, good)).1.proven.len(), 1);
    let cases: [(&[u8], &str); 5] = [
        (token!("sha1"), "hash algorithm 1.3.14.3.2.26"),
        (token!("signing-certificate-v1"), "1.2.840.113549.1.9.16.2.47 not exactly once"),
        (token!("no-key-usage"), "has no key usage"),
        (token!("no-certificate"), "lacks the certificate"),
        (token!("not-yet-valid"), "CertNotValidYet"),
    ];
    for (token, why) in cases {
        let answer = with(ES384_JWS, token);
        assert!(messages(answer.clone()).contains(why), "{why}: {answer:?}");
        assert_eq!(codes(answer), [ReasonCode::SignatureTimestamp]);
    }
    // The signature comes last in a token.
    let mut forged = good.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    assert!(messages(with(ES384_JWS, &forged)).contains("its signature does not verify"));
    // The time that is signed.
    let mut moved = good.to_vec();
    let at = moved.windows(9).position(|window| window == b"202611220").unwrap();
    moved[at + 3] = b'5';
    assert!(messages(with(ES384_JWS, &moved)).contains("not what was signed"));
}

#[test]
fn s27_a_timestamp_after_the_certificates_end_does_not_help() {
    let answer = with(SELF_SIGNED_JWS, token!("late"));
    assert!(messages(answer.clone()).contains("2026-12-01T"), "{answer:?}");
    assert_eq!(codes(answer), [ReasonCode::SignatureCertificateTime]);
}
