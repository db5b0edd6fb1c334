//! Which certificates say in the required form who they are for.

use model::ReasonCode;
use rcgen::{CertificateParams, CustomExtension, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P521_SHA512, SanType};

use super::*;

const V1: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1, 1];
const V2: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1, 8];
const REPOSITORY: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1, 12];
const ISSUER: &str = "https://token.example.com";

fn utf8(text: &str) -> Vec<u8> {
    Utf8StringRef::new(text).unwrap().to_der().unwrap()
}

fn extension(oid: &[u64], content: Vec<u8>) -> CustomExtension {
    CustomExtension::from_oid_content(oid, content)
}

/// A certificate with these names, and an issuer in both of Fulcio's forms.
fn certificate(names: Vec<SanType>, change: impl FnOnce(&mut CertificateParams)) -> DerCertificate {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    params.custom_extensions = vec![
        extension(V1, ISSUER.as_bytes().to_vec()),
        extension(V2, utf8(ISSUER)),
        extension(REPOSITORY, utf8("https://github.com/acme/app")),
    ];
    change(&mut params);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    DerCertificate::from_bytes(params.self_signed(&key).unwrap().der())
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn email(text: &str) -> SanType {
    SanType::Rfc822Name(text.try_into().unwrap())
}

fn refused(names: Vec<SanType>, change: impl FnOnce(&mut CertificateParams)) -> String {
    let reason = UnverifiedHolder::read(&certificate(names, change)).unwrap_err();
    assert_eq!(reason.code, ReasonCode::SignatureCertificate, "{}", reason.message);
    reason.message
}

#[test]
fn s27_each_kind_of_name_keeps_its_kind() {
    let user = || SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 57264, 1, 7], "robot!example.com".into()));
    for (name, identity) in [
        (uri("https://ci.example.com/a"), CertificateIdentity::Uri("https://ci.example.com/a".into())),
        (email("a@example.com"), CertificateIdentity::Email("a@example.com".into())),
        (user(), CertificateIdentity::UserName("robot!example.com".into())),
    ] {
        let holder = UnverifiedHolder::read(&certificate(vec![name], |_| {})).unwrap();
        assert_eq!(holder.identity, identity);
        assert_eq!(holder.issuer, ISSUER);
        assert_eq!(
            holder.claims,
            BTreeMap::from([("sourceRepositoryUri".into(), "https://github.com/acme/app".into())])
        );
        assert!(holder.window.0 < holder.window.1);
    }
}

#[test]
fn s27_a_certificate_with_several_names_says_nothing() {
    let good = "https://ci.example.com/a";
    assert!(refused(vec![uri(good), uri("https://ci.example.com/b")], |_| {}).contains("2 subject alternative names"));
    assert!(refused(vec![email("a@example.com"), uri(good)], |_| {}).contains("exactly 1"));
    assert!(
        refused(vec![uri(good), SanType::DnsName("example.com".try_into().unwrap())], |_| {}).contains("exactly 1")
    );
    assert!(refused(Vec::new(), |_| {}).contains("nobody"));
}

#[test]
fn s27_other_names_and_hidden_characters_say_nothing() {
    refused(vec![SanType::DnsName("*.example.com".try_into().unwrap())], |_| {});
    refused(vec![SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 57264, 1, 9], "robot".into()))], |_| {});
    for hidden in ["https://ci.example.com/a\0.evil.example", "https://ci.example.com/a\n", ""] {
        let message = refused(vec![uri(hidden)], |_| {});
        assert!(message.contains("control characters"), "{message}");
    }
    // A wildcard is a name like any other: it stands for nothing.
    let holder = UnverifiedHolder::read(&certificate(vec![uri("https://*")], |_| {})).unwrap();
    assert_eq!(holder.identity.as_str(), "https://*");
}

#[test]
fn s27_the_issuer_is_named_once() {
    let one = || vec![uri("https://ci.example.com/a")];
    assert!(refused(one(), |it| it.custom_extensions.clear()).contains("no OIDC issuer"));
    let two = refused(one(), |it| it.custom_extensions[0] = extension(V1, b"https://evil.example".to_vec()));
    assert!(two.contains("two issuers"), "{two}");
    assert!(refused(one(), |it| it.custom_extensions[1] = extension(V2, utf8(""))).contains("issuer"));
    let twice = refused(one(), |it| it.custom_extensions.push(extension(REPOSITORY, utf8("x"))));
    assert!(twice.contains("twice"), "{twice}");
    // Certificates of 2021 have the first form only.
    let old = certificate(one(), |it| it.custom_extensions.truncate(1));
    assert_eq!(UnverifiedHolder::read(&old).unwrap().issuer, ISSUER);
}

#[test]
fn s28_a_key_that_cannot_be_judged_is_unsupported() {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri("https://ci.example.com/a")];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap();
    let certificate = DerCertificate::from_bytes(params.self_signed(&key).unwrap().der());
    let reason = UnverifiedHolder::read(&certificate).unwrap_err();
    assert_eq!(reason.code, ReasonCode::SignatureUnsupported);
    assert!(reason.message.contains("P-521"), "{}", reason.message);
    let reason = UnverifiedHolder::read(&DerCertificate::from_bytes(b"no certificate")).unwrap_err();
    assert_eq!(reason.code, ReasonCode::SignatureMalformed);
}
