//! Signatures made by notation v1.3.2; how is told in `data/notation/README.md`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coset::CborSerializable;
use coset::cbor::value::Value as Cbor;
use model::{Digest, ReasonCode, Revocation, SignatureFormat, Signer, TimeSource};
use serde_json::{Value, json};
use trust::{StoreKind, TrustStore, Verifier};

use super::{Answer, codes, der, image, messages, store, verifier};

pub(super) const SELF_SIGNED_JWS: &[u8] = include_bytes!("../data/notation/self-signed.jws");
pub(super) const SELF_SIGNED_COSE: &[u8] = include_bytes!("../data/notation/self-signed.cose");
pub(super) const TIMESTAMPED_JWS: &[u8] = include_bytes!("../data/notation/es256-timestamp.jws");
pub(super) const TIMESTAMPED_COSE: &[u8] = include_bytes!("../data/notation/ps384-timestamp.cose");
pub(super) const ES384_JWS: &[u8] = include_bytes!("../data/notation/es384.jws");
const ES384_COSE: &[u8] = include_bytes!("../data/notation/es384.cose");
const ES512_JWS: &[u8] = include_bytes!("../data/notation/es512.jws");
const TOKEN: &str = "io.cncf.notary.timestampSignature";

pub(super) fn subject() -> Digest {
    "sha256:5e52742c8ec6d5137108d18815552740864243812d1c6feeed7e9b2ba971c744".parse().unwrap()
}

pub(super) fn root() -> Vec<u8> {
    der(include_str!("../data/notation/root.pem"))
}

pub(super) fn self_signed() -> Vec<u8> {
    der(include_str!("../data/notation/self-signed.pem"))
}

pub(super) fn tsa_root() -> Vec<u8> {
    der(include_str!("../data/notation/tsa-root.pem"))
}

fn with_clock(signer: &str, kind: StoreKind) -> TrustStore {
    TrustStore { timestamp_anchors: vec![tsa_root()], ..store(signer, kind, &[root()]) }
}

/// Trusts whoever made the files.
pub(super) fn trusting() -> Verifier {
    verifier(vec![with_clock("corp", StoreKind::Ca), store("acme", StoreKind::Ca, &[self_signed()])])
}

fn jws(verifier: &Verifier, bytes: &[u8]) -> Answer {
    super::verify(verifier, &subject(), SignatureFormat::NotationJws, bytes)
}

fn cose(verifier: &Verifier, bytes: &[u8]) -> Answer {
    super::verify(verifier, &subject(), SignatureFormat::NotationCose, bytes)
}

#[test]
fn s27_notation_s_signatures_verify_and_say_who_signed() {
    let verifier = trusting();
    let answer = jws(&verifier, SELF_SIGNED_JWS);
    let (signed, proof) = image(&answer);
    assert_eq!(signed.digest, subject());
    assert_eq!(signed.annotations.get("io.acme.build").map(String::as_str), Some("7"));
    let Signer::X509 { stores, subject, certificate, revocation, .. } = &proof.signer else { panic!("{proof:?}") };
    assert_eq!(stores.iter().map(ToString::to_string).collect::<Vec<_>>(), ["p/acme"]);
    assert_eq!(subject, "CN=acme.example,O=Notary,L=Seattle,ST=WA,C=US");
    assert_eq!(*certificate, Digest::of(&self_signed()));
    assert_eq!(*revocation, Revocation::NotChecked);
    let (from, to) = proof.window.unwrap();
    assert!(from < to && proof.claimed.is_some_and(|at| from <= at && at <= to), "{proof:?}");
    assert_eq!((proof.expires, proof.log.clone(), proof.proven.len()), (None, None, 0));

    let answer = cose(&verifier, SELF_SIGNED_COSE);
    let (signed, proof) = image(&answer);
    assert!(signed.annotations.is_empty());
    let lasts = proof.expires.unwrap().duration_since(proof.claimed.unwrap());
    assert_eq!(lasts.as_hours(), 876_000);

    for answer in [jws(&verifier, ES384_JWS), cose(&verifier, ES384_COSE)] {
        let (_, proof) = image(&answer);
        let Signer::X509 { subject, .. } = &proof.signer else { panic!("{proof:?}") };
        assert_eq!(subject, "CN=builder 3,O=acme\\, Inc.,ST=WA,C=US");
        assert!(proof.proven.is_empty() && proof.notes.is_empty());
    }
}

#[test]
fn s27_a_timestamp_by_a_trusted_authority_proves_the_time() {
    for answer in [jws(&trusting(), TIMESTAMPED_JWS), cose(&trusting(), TIMESTAMPED_COSE)] {
        let (_, proof) = image(&answer);
        let [proven] = proof.proven.as_slice() else { panic!("{proof:?}") };
        assert_eq!(proven.by, TimeSource::TimestampAuthority);
        let apart = proven.at.duration_since(proof.claimed.unwrap()).abs();
        assert!(apart.as_secs() < 60, "{proof:?}");
        assert!(proof.notes.is_empty());
    }
}

#[test]
fn s27_a_timestamp_that_nobody_is_trusted_for_proves_nothing() {
    let without = store("corp", StoreKind::Ca, &[root()]);
    let answer = jws(&verifier(vec![without.clone()]), TIMESTAMPED_JWS);
    let (_, proof) = image(&answer);
    assert!(proof.proven.is_empty());
    assert!(proof.notes.iter().any(|note| note.contains("p/corp names no timestamp authority")), "{proof:?}");

    // Two signers, and only one of them trusts the authority: the time is not taken for the other.
    let other = TrustStore { name: store("other", StoreKind::Ca, &[]).name, ..without };
    let answer = jws(&verifier(vec![with_clock("corp", StoreKind::Ca), other]), TIMESTAMPED_JWS);
    let (_, proof) = image(&answer);
    assert!(proof.proven.is_empty() && proof.notes.len() == 1, "{proof:?}");
    let Signer::X509 { stores, .. } = &proof.signer else { panic!("{proof:?}") };
    assert_eq!(stores.len(), 2);

    // An authority is named and it is another one: refused for that signer.
    let wrong = TrustStore { timestamp_anchors: vec![root()], ..store("wrong", StoreKind::Ca, &[root()]) };
    for answer in
        [jws(&verifier(vec![wrong.clone()]), TIMESTAMPED_JWS), cose(&verifier(vec![wrong.clone()]), TIMESTAMPED_COSE)]
    {
        assert_eq!(codes(answer), [ReasonCode::SignatureTimestamp]);
    }
    let answer = jws(&verifier(vec![with_clock("corp", StoreKind::Ca), wrong]), TIMESTAMPED_JWS);
    let (_, proof) = image(&answer);
    let Signer::X509 { stores, .. } = &proof.signer else { panic!("{proof:?}") };
    assert_eq!(stores.iter().map(|name| name.signer.as_str()).collect::<Vec<_>>(), ["corp"]);
    assert_eq!(proof.proven.len(), 1);
}

#[test]
fn s27_a_timestamp_of_another_signature_is_refused() {
    let token = serde_json::from_slice::<Value>(TIMESTAMPED_JWS).unwrap()["header"][TOKEN].clone();
    let mut moved: Value = serde_json::from_slice(ES384_JWS).unwrap();
    for (token, why) in [
        (token, "about another signature"),
        (json!(""), "cannot be read"),
        (json!(STANDARD.encode(b"token")), "cannot be read"),
        (json!(STANDARD.encode(root())), "cannot be read"),
    ] {
        moved["header"][TOKEN] = token;
        let answer = jws(&trusting(), moved.to_string().as_bytes());
        assert!(messages(answer.clone()).contains(why), "{answer:?}");
        assert_eq!(codes(answer), [ReasonCode::SignatureTimestamp]);
    }
    moved["header"][TOKEN] = json!(5);
    assert_eq!(codes(jws(&trusting(), moved.to_string().as_bytes())), [ReasonCode::SignatureMalformed]);
}

#[test]
fn s27_revocation_lists_by_openssl_are_read() {
    let (root_list, signing) =
        (include_bytes!("../data/notation/root.crl"), include_bytes!("../data/notation/signing.crl"));
    let revoking = include_bytes!("../data/notation/signing-builder-3.crl");
    let with = |lists: &[&[u8]]| {
        let revocation_lists = lists.iter().map(|list| list.to_vec()).collect();
        let store = TrustStore { revocation_lists, ..with_clock("corp", StoreKind::Ca) };
        let answer = jws(&verifier(vec![store]), ES384_JWS);
        let Signer::X509 { revocation, .. } = &image(&answer).1.signer else { panic!("{answer:?}") };
        revocation.clone()
    };
    assert!(matches!(with(&[root_list, signing]), Revocation::Good { .. }));
    assert_eq!(with(&[signing]), Revocation::NotChecked);
    assert!(matches!(with(&[root_list, revoking]), Revocation::Revoked { .. }));
    assert!(matches!(with(&[root_list, signing, revoking]), Revocation::Revoked { .. }));
}

#[test]
fn s27_a_revoked_timestamp_authority_proves_nothing() {
    let clock = include_bytes!("../data/notation/clock-1.crl").to_vec();
    let store = TrustStore { revocation_lists: vec![clock], ..with_clock("corp", StoreKind::Ca) };
    let verifier = verifier(vec![store]);
    assert!(messages(jws(&verifier, TIMESTAMPED_JWS)).contains("revoked since"));
    assert_eq!(codes(jws(&verifier, TIMESTAMPED_JWS)), [ReasonCode::SignatureTimestamp]);
    assert_eq!(image(&cose(&verifier, TIMESTAMPED_COSE)).1.proven.len(), 1, "by another authority");
}

#[test]
fn s27_only_the_anchors_of_the_right_type_are_believed() {
    let untrusted = [ReasonCode::SignatureUntrusted];
    let authority = verifier(vec![with_clock("corp", StoreKind::SigningAuthority)]);
    assert_eq!(codes(jws(&authority, ES384_JWS)), untrusted);
    assert!(messages(cose(&authority, ES384_COSE)).contains("another type"));
    let other = verifier(vec![store("other", StoreKind::Ca, &[self_signed(), tsa_root()])]);
    assert_eq!(codes(jws(&other, ES384_JWS)), untrusted);
    assert!(messages(jws(&verifier(Vec::new()), ES384_JWS)).contains("no trust store is given"));
}

#[test]
fn s27_a_signature_is_not_moved_to_another_image() {
    let other = Digest::of(b"another image");
    let answer = super::verify(&trusting(), &other, SignatureFormat::NotationJws, ES384_JWS);
    assert!(messages(answer.clone()).contains(subject().as_str()));
    assert_eq!(codes(answer), [ReasonCode::SignatureOtherImage]);
    let nobody = verifier(Vec::new());
    let answer = super::verify(&nobody, &other, SignatureFormat::NotationCose, ES384_COSE);
    assert_eq!(codes(answer), [ReasonCode::SignatureUntrusted, ReasonCode::SignatureOtherImage]);
}

#[test]
fn s28_p_521_is_unsupported() {
    assert_eq!(codes(jws(&trusting(), ES512_JWS)), [ReasonCode::SignatureUnsupported]);
}

#[test]
fn s28_labels_that_nobody_registered_are_unsupported() {
    let protected = |label: i64, value: Cbor| {
        let Cbor::Tag(tag, content) = Cbor::from_slice(ES384_COSE).unwrap() else { panic!("no tag") };
        let mut content = content.into_array().unwrap();
        let mut header = Cbor::from_slice(content[0].as_bytes().unwrap()).unwrap().into_map().unwrap();
        header.iter_mut().find(|(name, _)| *name == Cbor::from(label)).unwrap().1 = value;
        content[0] = Cbor::Bytes(Cbor::Map(header).to_vec().unwrap());
        codes(cose(&trusting(), &Cbor::Tag(tag, Box::new(Cbor::Array(content))).to_vec().unwrap()))
    };
    let unsupported = [ReasonCode::SignatureUnsupported];
    assert_eq!(protected(1, Cbor::from(4711)), unsupported);
    assert_eq!(protected(1, Cbor::from(-70_000)), unsupported);
    assert_eq!(protected(2, Cbor::Array(vec![Cbor::from(4711)])), unsupported);
    assert_eq!(protected(1, Cbor::from(-7)), [ReasonCode::SignatureInvalid]);
}

#[test]
fn s27_an_envelope_of_one_form_is_none_of_the_other() {
    assert_eq!(codes(cose(&trusting(), ES384_JWS)), [ReasonCode::SignatureMalformed]);
    assert_eq!(codes(jws(&trusting(), ES384_COSE)), [ReasonCode::SignatureMalformed]);
    let mut padded = ES384_COSE.to_vec();
    padded.push(0);
    assert_eq!(codes(cose(&trusting(), &padded)), [ReasonCode::SignatureMalformed]);
    let untagged = &ES384_COSE[1..];
    assert_eq!(codes(cose(&trusting(), untagged)), [ReasonCode::SignatureMalformed]);
    let mut long = ES384_JWS.to_vec();
    long.resize((1 << 20) + 1, b' ');
    assert_eq!(codes(jws(&trusting(), &long)), [ReasonCode::SignatureMalformed]);
}

#[test]
fn s27_trust_material_that_cannot_be_read_is_an_error() {
    let broken = [
        store("a", StoreKind::Ca, &[]),
        store("a", StoreKind::Ca, &[b"no certificate".to_vec()]),
        TrustStore { timestamp_anchors: vec![Vec::new()], ..store("a", StoreKind::Ca, &[root()]) },
        TrustStore { revocation_lists: vec![root()], ..store("a", StoreKind::Ca, &[root()]) },
    ];
    for store in broken {
        let material = trust::Material { stores: vec![store], ..trust::Material::none() };
        assert!(Verifier::new(&material).unwrap_err().to_string().contains("p/a"));
    }
}
