//! Which keys are taken, and what they verify.

use super::*;

const P256: &str = include_str!("../../tests/it/data/cosign/p256.pub");
const P384: &str = include_str!("../../tests/it/data/cosign/p384.pub");
const P521: &str = include_str!("../../tests/it/data/cosign/p521.pub");
const ED25519: &str = include_str!("../../tests/it/data/cosign/ed25519.pub");
const RSA: &str = include_str!("../../tests/it/data/cosign/rsa.pub");

fn der(pem: &str) -> Vec<u8> {
    pem::blocks(pem).unwrap().remove(0).der
}

fn pem_of(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn refused(pem: &str) -> String {
    let error = PublicKey::from_pem("release-key", pem.as_bytes()).unwrap_err();
    assert_eq!(error.what, "release-key");
    error.why
}

#[test]
fn s27_the_supported_kinds_are_read_and_named() {
    for (pem, algorithm) in [(P256, "ecdsa-p256"), (P384, "ecdsa-p384"), (ED25519, "ed25519"), (RSA, "rsa-2048")] {
        let key = PublicKey::from_pem("k", pem.as_bytes()).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.der(), der(pem));
        assert_eq!(*key.id(), Digest::of(&der(pem)), "the id is that of the SubjectPublicKeyInfo in DER");
        assert_eq!(PublicKey::from_der("k", &der(pem)).unwrap().id(), key.id());
    }
    // A bare RSA key is the same key.
    let spki = der(RSA);
    let bare = SubjectPublicKeyInfoRef::from_der(&spki).unwrap().subject_public_key.raw_bytes();
    let key = PublicKey::from_pem("k", pem_of("RSA PUBLIC KEY", bare).as_bytes()).unwrap();
    assert_eq!(key.der(), spki);
}

#[test]
fn s28_kinds_that_cannot_be_judged_say_so_by_name() {
    let why = refused(P521);
    assert!(why.contains("unsupported") && why.contains("P-521") && why.contains("P-256"), "{why}");
    let mut short = der(RSA);
    // The modulus, and with it everything around it, cut to 1024 bits.
    let bare = SubjectPublicKeyInfoRef::from_der(&short).unwrap().subject_public_key.raw_bytes().to_vec();
    let mut small = vec![0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00];
    small.extend_from_slice(&bare[9..9 + 128]);
    small.extend_from_slice(&[0x02, 0x03, 0x01, 0x00, 0x01]);
    short = from_pkcs1("k", &small).unwrap();
    let why = PublicKey::from_der("k", &short).unwrap_err().why;
    assert!(why.contains("1024 bits") && why.contains("unsupported"), "{why}");
}

#[test]
fn s27_exactly_one_public_key_is_one() {
    for (file, named) in [
        (String::new(), "BEGIN PUBLIC KEY"),
        (format!("{P256}{P384}"), "2 PEM blocks"),
        (pem_of("CERTIFICATE", b"x"), "certificate"),
        (pem_of("PRIVATE KEY", b"x"), "private key"),
        (pem_of("ENCRYPTED SIGSTORE PRIVATE KEY", b"x"), "private key"),
        (pem_of("PUBLIC KEY", b"not DER"), "SubjectPublicKeyInfo"),
        (pem_of("RSA PUBLIC KEY", b"not DER"), "RSA"),
        (pem_of("PUBLIC KEY", &[der(P256).as_slice(), b"x"].concat()), "SubjectPublicKeyInfo"),
    ] {
        let why = refused(&file);
        assert!(why.contains(named), "{why}");
    }
    assert!(PublicKey::from_pem("k", &[0xff, 0xfe]).is_err());
}

#[test]
fn s27_a_point_beside_the_curve_is_no_key() {
    for pem in [P256, P384] {
        let mut broken = der(pem);
        *broken.last_mut().unwrap() ^= 1;
        let file = pem_of("PUBLIC KEY", &broken);
        assert!(refused(&file).contains("broken"));
        assert!(has_form_of_key(file.as_bytes()), "it has the form of one");
    }
    assert!(!has_form_of_key(b"something else") && !has_form_of_key(pem_of("PUBLIC KEY", b"x").as_bytes()));
}

#[test]
fn s27_a_key_verifies_its_own_signature_over_its_own_message() {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        KeyPair as _,
    };
    use aws_lc_rs::{encoding::AsDer as _, encoding::PublicKeyX509Der};
    let ways: [(&'static EcdsaSigningAlgorithm, SigningScheme); 2] = [
        (&ECDSA_P256_SHA256_ASN1_SIGNING, SigningScheme::EcdsaP256Sha256),
        (&ECDSA_P384_SHA384_ASN1_SIGNING, SigningScheme::EcdsaP384Sha384),
    ];
    for (algorithm, scheme) in ways {
        let pair = EcdsaKeyPair::generate(algorithm).unwrap();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let key = PublicKey::from_der("k", der.as_ref()).unwrap();
        let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
        assert_eq!(key.verify(b"message", signature.as_ref()), Ok(Scheme::Common(scheme)));
        assert_eq!(key.verify(b"massage", signature.as_ref()), Err(WrongSignature));
        assert_eq!(key.verify(b"message", &[]), Err(WrongSignature));
        let digest = sha2::Sha256::digest(b"message");
        let by_digest = key.verify_sha256(&digest, signature.as_ref());
        assert_eq!(by_digest.is_ok(), scheme != SigningScheme::EcdsaP384Sha384, "{scheme:?}");
        assert_eq!(key.verify_sha256(&digest[1..], signature.as_ref()), Err(WrongSignature));
        assert!(!key.needs_message());
    }
    assert!(PublicKey::from_pem("k", ED25519.as_bytes()).unwrap().needs_message());
}

/// What cosign signed with the key of this kind, before there were bundles.
fn by_cosign(layer: &str) -> (Vec<u8>, Vec<u8>) {
    use base64::Engine as _;
    let layer: serde_json::Value = serde_json::from_str(layer).unwrap();
    let signature = layer["annotations"]["dev.cosignproject.cosign/signature"].as_str().unwrap();
    let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
    (layer["text"].as_str().unwrap().as_bytes().to_vec(), signature)
}

#[test]
fn s27_cosigns_own_ways_of_signing_are_known() {
    let p384 = include_str!("../../tests/it/data/cosign/legacy-sign-p384.json");
    let ed25519 = include_str!("../../tests/it/data/cosign/legacy-sign-ed25519.json");
    for (pem, layer, scheme) in
        [(P384, p384, Scheme::Common(SigningScheme::EcdsaP384Sha384)), (ED25519, ed25519, Scheme::Ed25519Prehashed)]
    {
        let (message, signature) = by_cosign(layer);
        let key = PublicKey::from_pem("k", pem.as_bytes()).unwrap();
        assert_eq!(key.verify(&message, &signature), Ok(scheme));
        assert_eq!(key.verify(&message[1..], &signature), Err(WrongSignature));
        let mut changed = signature;
        changed[8] ^= 1;
        assert_eq!(key.verify(&message, &changed), Err(WrongSignature));
    }
}

#[test]
fn s27_plain_ed25519_is_known_too() {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use aws_lc_rs::{encoding::AsDer as _, encoding::PublicKeyX509Der};
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let key = PublicKey::from_der("k", der.as_ref()).unwrap();
    let signature = pair.sign(b"message");
    assert_eq!(key.verify(b"message", signature.as_ref()), Ok(Scheme::Common(SigningScheme::Ed25519)));
    assert_eq!(key.verify_sha256(&sha2::Sha256::digest(b"message"), signature.as_ref()), Err(WrongSignature));
}

#[test]
fn s27_a_p384_signature_over_sha256_is_known() {
    use base64::Engine as _;
    // `openssl dgst -sha256 -sign p384.pem`, as cosign signed before it took the curve's own hash.
    let signature = "MGYCMQCDMNaqDylgPnlvE96SQiunYZduKmMiNKa1Mi5gro9lB9VKutmNeiAgm3UtTJ4GkI4CMQCit3MwBNTCUdPv1n9DV+q5bZ90HJbH0sOxYgb9rJZjahuWi3L1sLhcffbw3uMM7Mk=";
    let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
    let key = PublicKey::from_pem("k", P384.as_bytes()).unwrap();
    let scheme = Ok(Scheme::Common(SigningScheme::EcdsaP384Sha256));
    assert_eq!(key.verify(b"message", &signature), scheme);
    assert_eq!(key.verify_sha256(&sha2::Sha256::digest(b"message"), &signature), scheme);
    assert_eq!(key.verify(b"massage", &signature), Err(WrongSignature));
}
