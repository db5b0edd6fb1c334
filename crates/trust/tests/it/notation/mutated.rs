//! Envelopes by notation with something changed: refused, or what was changed is nothing that anything was read from.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use model::SignatureFormat;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Answer;
use super::made::{SELF_SIGNED_COSE, SELF_SIGNED_JWS, TIMESTAMPED_COSE, TIMESTAMPED_JWS, subject, trusting};

const TOKEN: &str = "io.cncf.notary.timestampSignature";

fn made() -> [(SignatureFormat, &'static [u8]); 4] {
    [
        (SignatureFormat::NotationJws, SELF_SIGNED_JWS),
        (SignatureFormat::NotationJws, TIMESTAMPED_JWS),
        (SignatureFormat::NotationCose, SELF_SIGNED_COSE),
        (SignatureFormat::NotationCose, TIMESTAMPED_COSE),
    ]
}

fn verify(format: SignatureFormat, bytes: &[u8]) -> Answer {
    super::verify(&trusting(), &subject(), format, bytes)
}

/// Every answer but a refusal has to be the one to the unchanged envelope. Its timestamp may be gone, as nobody signed that
/// there is one: then nothing proves the time.
fn refused_or_the_same(format: SignatureFormat, original: &[u8], changed: &[u8]) {
    let Ok(changed) = verify(format, changed) else { return };
    let original = verify(format, original).expect("the original verifies");
    let mut expected = original.proof().clone();
    if changed.proof().proven.is_empty() {
        expected.proven.clear();
    }
    assert_eq!(changed.content(), original.content(), "a changed envelope verifies as something else");
    assert_eq!(*changed.proof(), expected, "a changed envelope proves something else");
}

fn flipped(bytes: &[u8], at: usize, bit: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = at % bytes.len();
    bytes[at] ^= 1 << (bit % 8);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn b15_a_changed_bit_never_changes_what_an_envelope_proves(which in 0usize..4, at in any::<usize>(), bit in 0u8..8) {
        let (format, original) = made()[which];
        refused_or_the_same(format, original, &flipped(original, at, bit));
    }

    #[test]
    fn b15_envelopes_that_are_cut_or_grown_never_panic(which in 0usize..4, at in any::<usize>(), junk in proptest::collection::vec(any::<u8>(), 0..40)) {
        let (format, original) = made()[which];
        let at = at % original.len();
        prop_assert!(verify(format, &original[..at]).is_err());
        let mut grown = original.to_vec();
        grown.splice(at..at, junk);
        refused_or_the_same(format, original, &grown);
    }

    #[test]
    fn b15_no_bytes_panic_the_readers_of_envelopes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for format in [SignatureFormat::NotationJws, SignatureFormat::NotationCose] {
            prop_assert!(verify(format, &bytes).is_err());
        }
    }

    /// Each field by itself, decoded, so that the change is not caught by its encoding.
    #[test]
    fn s27_every_field_of_a_jws_envelope_is_guarded(field in 0usize..6, at in any::<usize>(), bit in 0u8..8) {
        let mut envelope: Value = serde_json::from_slice(TIMESTAMPED_JWS).unwrap();
        let name = ["payload", "protected", "signature"].get(field).copied();
        if let Some(name) = name {
            let content = URL_SAFE_NO_PAD.decode(envelope[name].as_str().unwrap()).unwrap();
            envelope[name] = json!(URL_SAFE_NO_PAD.encode(flipped(&content, at, bit)));
        } else {
            let certificate = &mut envelope["header"]["x5c"][field - 3];
            let content = STANDARD.decode(certificate.as_str().unwrap()).unwrap();
            *certificate = json!(STANDARD.encode(flipped(&content, at, bit)));
        }
        prop_assert!(verify(SignatureFormat::NotationJws, envelope.to_string().as_bytes()).is_err());
    }

    #[test]
    fn s27_a_changed_timestamp_is_refused_or_proves_the_same(at in any::<usize>(), bit in 0u8..8) {
        let mut envelope: Value = serde_json::from_slice(TIMESTAMPED_JWS).unwrap();
        let token = STANDARD.decode(envelope["header"][TOKEN].as_str().unwrap()).unwrap();
        envelope["header"][TOKEN] = json!(STANDARD.encode(flipped(&token, at, bit)));
        refused_or_the_same(SignatureFormat::NotationJws, TIMESTAMPED_JWS, envelope.to_string().as_bytes());
    }

    #[test]
    fn s27_every_field_of_a_cose_envelope_is_guarded(field in 0usize..3, at in any::<usize>(), bit in 0u8..8) {
        use coset::cbor::value::Value as Cbor;
        use coset::{CborSerializable, CoseSign1, Label, TaggedCborSerializable};
        let mut message = Cbor::from_slice(TIMESTAMPED_COSE).unwrap();
        if let Some(part) = [0, 2, 3].get(field) {
            let Cbor::Tag(_, array) = &mut message else { panic!("no tag") };
            let Cbor::Bytes(content) = &mut array.as_array_mut().unwrap()[*part] else { panic!("no bytes") };
            *content = flipped(content, at, bit);
        }
        let changed = message.to_vec().unwrap();
        prop_assert!(verify(SignatureFormat::NotationCose, &changed).is_err());
        let mut message = CoseSign1::from_tagged_slice(TIMESTAMPED_COSE).unwrap();
        let chain = message.unprotected.rest.iter_mut().find(|(label, _)| *label == Label::Int(33)).unwrap();
        let Cbor::Bytes(certificate) = &mut chain.1.as_array_mut().unwrap()[field] else { panic!("no bytes") };
        *certificate = flipped(certificate, at, bit);
        prop_assert!(verify(SignatureFormat::NotationCose, &message.to_tagged_vec().unwrap()).is_err());
    }
}

/// The name of the tool that signed is nobody's word; nothing is read from it.
#[test]
fn s27_the_signing_agent_is_not_evaluated() {
    let mut envelope: Value = serde_json::from_slice(SELF_SIGNED_JWS).unwrap();
    envelope["header"]["io.cncf.notary.signingAgent"] = json!("another/1.0");
    let changed = envelope.to_string();
    assert!(verify(SignatureFormat::NotationJws, changed.as_bytes()).is_ok());
    refused_or_the_same(SignatureFormat::NotationJws, SELF_SIGNED_JWS, changed.as_bytes());
}
