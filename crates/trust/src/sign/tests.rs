//! Keys in every form that is read, what is refused, what is signed, and that nothing of a key is shown.

use std::collections::BTreeMap;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{Digest, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::key::PublicKey;

/// Made by `cosign generate-key-pair` (v3.1.3) with the password `pw`, and the fingerprint of its public half.
const BY_COSIGN: &str = r#"{"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1},"salt":"YidvcO6wBowAw0CqiVQZbQZjqh6Yg6pIN8tblmy7Oaw="},"cipher":{"name":"nacl/secretbox","nonce":"my9xyrcmY1PEcsxA/pzfyy1vyVbWnNh3"},"ciphertext":"m4q4EZ0Smfs3CzhlhqYDCP0GwGjnavtDcdOMjDci6xY3Xjevv++5bvPUl+EZifsvhLwby+SIZ2fQspcQ30f5z424J4VFx1oI7x+ZRJf29Xoqdlz/GSgtm020emcI6C2LgUnXWsCe3Dso3pLDm20JM8aJ4F2aVP75MpEfcEpk4QIaLncjCcw3afEP718YbW+D+BEvKJRfdtsj1Q=="}"#;
const BY_COSIGN_PUBLIC: &str = "sha256:7b44b44627e122116fe47917eb9909f3338f766fd57bda0e2eddbf7609f9c803";

fn subject() -> Digest {
    Digest::of(b"an image")
}

/// One private key of every kind that signs, as files, with the scheme each has.
fn kinds() -> Vec<(String, Scheme)> {
    let p256 = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let p384 = || EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
    let ed25519 = || Ed25519KeyPair::generate().unwrap();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let sec1 = |pair: &EcdsaKeyPair| pem::encode("EC PRIVATE KEY", pair.private_key().as_der().unwrap().as_ref());
    let pkcs8 = |der: &[u8]| pem::encode("PRIVATE KEY", der);
    vec![
        (pkcs8(p256().to_pkcs8v1().unwrap().as_ref()).to_string(), Scheme::EcdsaP256Sha256),
        (sec1(&p256()).to_string(), Scheme::EcdsaP256Sha256),
        (
            format!("-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n{}", *sec1(&p384())),
            Scheme::EcdsaP384Sha384,
        ),
        (pkcs8(p384().to_pkcs8v1().unwrap().as_ref()).replace('\n', "\r\n"), Scheme::EcdsaP384Sha384),
        (pkcs8(ed25519().to_pkcs8v1().unwrap().as_ref()).to_string(), Scheme::Ed25519),
        (pkcs8(ed25519().to_pkcs8().unwrap().as_ref()).to_string(), Scheme::Ed25519),
        (pkcs8(rsa.as_der().unwrap().as_ref()).to_string(), Scheme::RsaPkcs1Sha256),
    ]
}

fn refused(file: &[u8], password: Option<&[u8]>) -> String {
    SigningKey::from_pem(file, password).unwrap_err().to_string()
}

#[test]
fn s27_every_kind_of_key_signs_a_bundle_and_only_its_own_signature_makes_one() {
    let statement = statement("app", &subject(), "https://example.com/t/v1", &json!({"a": 1})).unwrap();
    let mut before: Option<Vec<u8>> = None;
    for (file, scheme) in kinds() {
        let key = SigningKey::from_pem(file.as_bytes(), None).unwrap();
        let public = key.public().unwrap();
        assert_eq!(Scheme::of(&public), Ok(scheme));
        let message = to_be_signed(&statement);
        let signature = key.sign(&message).unwrap();
        assert!(scheme.verifies(&public, &message, &signature));
        assert!(!scheme.verifies(&public, &statement, &signature), "the statement alone is not what is signed");
        assert_eq!(scheme.digest(&message).is_none(), scheme == Scheme::Ed25519);

        let made: Value = serde_json::from_slice(&bundle(&public, &statement, &signature).unwrap()).unwrap();
        assert_eq!(made["mediaType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
        assert_eq!(made["dsseEnvelope"]["payload"], STANDARD.encode(&statement));
        assert_eq!(made["dsseEnvelope"]["payloadType"], PAYLOAD_TYPE);
        let hint = STANDARD.decode(made["verificationMaterial"]["publicKey"]["hint"].as_str().unwrap()).unwrap();
        assert_eq!(format!("sha256:{}", hex::encode(hint)), Digest::of(public.der()).as_str());
        assert_eq!(made["verificationMaterial"].as_object().unwrap().len(), 1, "no empty list of log entries");

        assert!(bundle(&public, b"another statement", &signature).is_err());
        if let Some(other) = before.replace(signature) {
            assert!(bundle(&public, &statement, &other).is_err(), "a signature by another key");
        }
    }
}

#[test]
fn s27_generated_keys_are_read_back_with_their_password_only() {
    let plain = SigningKey::generate(None).unwrap();
    assert!(plain.private.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let read = SigningKey::from_pem(plain.private.as_bytes(), Some(b"not needed")).unwrap();
    assert_eq!(*pem::encode("PUBLIC KEY", read.public().unwrap().der()), plain.public);

    let sealed = SigningKey::generate(Some(b"secret")).unwrap();
    assert!(sealed.private.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    assert!(sealed.private.lines().all(|line| line.len() <= 64));
    let file = sealed.private.as_bytes();
    let read = SigningKey::from_pem(file, Some(b"secret")).unwrap();
    assert_eq!(*pem::encode("PUBLIC KEY", read.public().unwrap().der()), sealed.public);
    assert!(refused(file, None).contains("is encrypted: give its password"));
    assert!(refused(file, Some(b"Secret")).contains("the password is another one"));
    assert_ne!(plain.public, sealed.public);
}

#[test]
fn s27_a_key_that_cosign_encrypted_is_read_under_both_of_its_names() {
    for label in [encrypted::LABEL, encrypted::OLD_LABEL] {
        let file = pem::encode(label, BY_COSIGN.as_bytes());
        let key = SigningKey::from_pem(file.as_bytes(), Some(b"pw")).unwrap();
        assert_eq!(Digest::of(key.public().unwrap().der()).as_str(), BY_COSIGN_PUBLIC);
    }
}

#[test]
fn s27_what_is_no_usable_private_key_is_refused_with_the_cause() {
    let text = |label: &str, contents: &[u8]| pem::encode(label, contents).to_string();
    let public = SigningKey::generate(None).unwrap().public;
    let tiny = Value::from("AAAA");
    let changed = |pointer: &str, value: Value| {
        let mut sealed: Value = serde_json::from_str(BY_COSIGN).unwrap();
        *sealed.pointer_mut(pointer).unwrap() = value;
        text(encrypted::LABEL, sealed.to_string().as_bytes())
    };
    for (file, cause) in [
        (String::new(), "no private key in PEM"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n".to_owned(), "cut off"),
        ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n".to_owned(), "not base64"),
        (text("PRIVATE KEY", b"nothing"), "cannot be used"),
        (text("EC PRIVATE KEY", b"nothing"), "cannot be used"),
        (text("RSA PRIVATE KEY", b"nothing"), "cannot be used"),
        (public, "holds a PUBLIC KEY"),
        (text("CERTIFICATE", b""), "holds a CERTIFICATE"),
        (text("OPENSSH PRIVATE KEY", b""), "no private key that is known"),
        (text("ENCRYPTED PRIVATE KEY", b""), "openssl pkey"),
        (
            "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n".to_owned(),
            "openssl pkey",
        ),
        (text(encrypted::LABEL, b"{}"), "cannot be read: missing field"),
        (text(encrypted::LABEL, &BY_COSIGN.as_bytes()[1..]), "cannot be read"),
        (changed("/kdf/name", Value::from("pbkdf2")), "not encrypted with scrypt"),
        (changed("/cipher/name", Value::from("aes")), "not encrypted with scrypt"),
        (changed("/cipher/nonce", tiny.clone()), "24 bytes"),
        (changed("/ciphertext", tiny), "too short"),
        (changed("/kdf/params/N", Value::from(1_u32 << 30)), "parameters of scrypt"),
        (changed("/kdf/params/N", Value::from(65_535)), "parameters of scrypt"),
        (changed("/kdf/params/N", Value::from(0)), "parameters of scrypt"),
        (changed("/kdf/params/r", Value::from(0)), "parameters of scrypt"),
        (changed("/kdf/params/r", Value::from(u32::MAX)), "parameters of scrypt"),
        (changed("/kdf/params/p", Value::from(1000)), "parameters of scrypt"),
        ("a".repeat(100_000), "at most"),
    ] {
        let message = refused(file.as_bytes(), Some(b"pw"));
        assert!(message.contains(cause), "{cause:?}: {message}");
    }
    let p521 = EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P521_SHA512_ASN1_SIGNING).unwrap();
    assert!(
        refused(text("PRIVATE KEY", p521.to_pkcs8v1().unwrap().as_ref()).as_bytes(), None).contains("another kind")
    );
}

#[test]
fn s27_nothing_of_a_key_is_shown() {
    let file = SigningKey::generate(None).unwrap();
    let secret: String = file.private.lines().nth(1).unwrap().to_owned();
    let key = SigningKey::from_pem(file.private.as_bytes(), None).unwrap();
    for shown in [format!("{file:?}"), format!("{key:?}"), format!("{key:#?}")] {
        assert!(!shown.contains(&secret) && !shown.contains("PRIVATE"), "{shown}");
    }
    assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.public().unwrap().id()));
    let broken = file.private.replacen(&secret, &format!("{}!", &secret[..secret.len() - 1]), 1);
    let message = refused(broken.as_bytes(), None);
    assert!(!message.contains(&secret[..16]), "{message}");
}

#[test]
fn s26_a_statement_is_the_same_bytes_whatever_the_order_of_its_predicate() {
    let one: Value = serde_json::from_str(r#"{"b":{"y":1,"x":[{"d":1,"c":2}]},"a":1.5}"#).unwrap();
    let other: Value = serde_json::from_str(r#"{"a":1.5,"b":{"x":[{"c":2,"d":1}],"y":1}}"#).unwrap();
    let signed = |predicate: &Value| statement("app:1", &subject(), "https://example.com/t/v1", predicate).unwrap();
    assert_eq!(signed(&one), signed(&other));
    let hex = &subject().as_str()["sha256:".len()..].to_owned();
    assert_eq!(
        String::from_utf8(signed(&one)).unwrap(),
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"app:1","digest":{{"sha256":"{hex}"}}}}],"predicateType":"https://example.com/t/v1","predicate":{{"a":1.5,"b":{{"x":[{{"c":2,"d":1}}],"y":1}}}}}}"#
        )
    );
    assert_eq!(
        pre_authentication_encoding("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(to_be_signed(b"{}"), b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
    for kind in ["", "vuln", ":x", "https:", "1http://x", "https://exam ple.com", "https://example.com/\n"] {
        assert!(statement("app", &subject(), kind, &json!({})).is_err(), "{kind:?}");
    }
    for predicate in [json!(null), json!([]), json!("x"), json!(1)] {
        assert!(statement("app", &subject(), "https://example.com/t", &predicate).is_err(), "{predicate}");
    }
}

fn summary(verdict: Verdict, levels: &[String]) -> Option<Value> {
    verification_summary(&VerificationSummary {
        verifier: "https://gate.example.com",
        versions: &BTreeMap::from([("ecr-gate".to_owned(), "0.1.0".to_owned())]),
        verified_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        resource: "registry.example.com/app",
        policy: "policy.yaml",
        policy_digest: &Digest::of(b"policy"),
        inputs: &[
            (Some("registry.example.com/app@sha256:00".to_owned()), Digest::of(b"one")),
            (None, Digest::of(b"two")),
        ],
        verdict,
        levels,
        environment: "production",
        decision: "0192",
        valid_until: (verdict == Verdict::Allow).then(|| "2026-03-02T00:00:00Z".parse().unwrap()),
    })
}

#[test]
fn s26_a_summary_passes_or_fails_and_says_nothing_of_what_is_pending() {
    let hex = |bytes: &[u8]| Digest::of(bytes).as_str()["sha256:".len()..].to_owned();
    assert_eq!(
        summary(Verdict::Allow, &["SLSA_BUILD_LEVEL_3".to_owned()]).unwrap(),
        json!({
            "verifier": {"id": "https://gate.example.com", "version": {"ecr-gate": "0.1.0"}},
            "timeVerified": "2026-03-01T12:00:00Z",
            "resourceUri": "registry.example.com/app",
            "policy": {"uri": "policy.yaml", "digest": {"sha256": hex(b"policy")}},
            "inputAttestations": [
                {"uri": "registry.example.com/app@sha256:00", "digest": {"sha256": hex(b"one")}},
                {"digest": {"sha256": hex(b"two")}},
            ],
            "verificationResult": "PASSED",
            "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
            "slsaVersion": "1.0",
            "ecrGate_environment": "production",
            "ecrGate_verdict": "allow",
            "ecrGate_decision": "0192",
            "ecrGate_validUntil": "2026-03-02T00:00:00Z",
        })
    );
    let warned = summary(Verdict::Warn, &[]).unwrap();
    assert_eq!((&warned["verificationResult"], &warned["ecrGate_verdict"]), (&json!("PASSED"), &json!("warn")));
    assert_eq!(warned["verifiedLevels"], json!(["SLSA_BUILD_LEVEL_UNEVALUATED"]));
    assert!(warned.get("ecrGate_validUntil").is_none());
    let denied = summary(Verdict::Deny, &["SLSA_BUILD_LEVEL_3".to_owned()]).unwrap();
    assert_eq!((&denied["verificationResult"], &denied["verifiedLevels"]), (&json!("FAILED"), &json!(["FAILED"])));
    assert_eq!(summary(Verdict::Pending, &[]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn s27_no_bytes_make_reading_a_key_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), label in "(EC |RSA |ENCRYPTED SIGSTORE |)PRIVATE KEY") {
        prop_assert!(SigningKey::from_pem(&bytes, None).is_err());
        prop_assert!(SigningKey::from_pem(pem::encode(&label, &bytes).as_bytes(), Some(b"")).is_err());
    }

    #[test]
    fn s27_a_changed_bit_of_statement_or_signature_makes_no_bundle(at in any::<proptest::sample::Index>(), bit in 0..8_u8, in_signature: bool) {
        let key = SigningKey::from_pem(SigningKey::generate(None).unwrap().private.as_bytes(), None).unwrap();
        let public: PublicKey = key.public().unwrap();
        let mut payload = statement("app", &subject(), "https://example.com/t", &json!({})).unwrap();
        let mut signature = key.sign(&to_be_signed(&payload)).unwrap();
        prop_assert!(bundle(&public, &payload, &signature).is_ok());
        let changed = if in_signature { &mut signature } else { &mut payload };
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        prop_assert!(bundle(&public, &payload, &signature).is_err());
    }
}
