//! Bundles with a bare signature over the image's manifest, by keys: verified as far as a digest is enough, and no signature
//! on the image, as cosign has it.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use model::{Digest, ReasonCode, TrustName};
use serde_json::{Value, json};
use trust::{Material, PublicKey};

use crate::authority::{Key, base64, sha256};
use crate::common::Found;

const MANIFEST: &[u8] = b"the manifest of the image";

fn bundle(key: &[u8], signature: &[u8], digest: Option<&Value>) -> Found {
    let mut message = json!({ "signature": base64(signature) });
    if let Some(digest) = digest {
        message["messageDigest"] = digest.clone();
    }
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "publicKey": { "hint": base64(&sha256(key)) } },
        "messageSignature": message,
    });
    Found::bundle(bundle.to_string().into_bytes())
}

fn material(keys: &[PublicKey]) -> Material {
    let name = |number: usize| TrustName { policy: "test".into(), signer: number.to_string() };
    let keys = keys.iter().cloned().enumerate().map(|(number, key)| (name(number), key)).collect();
    Material { keys, ..Material::none() }
}

fn digest_of(bytes: &[u8]) -> Value {
    json!({ "algorithm": "SHA2_256", "digest": base64(&sha256(bytes)) })
}

#[test]
fn s28_a_signature_over_the_bytes_of_the_manifest_is_none_on_the_image() {
    let key = Key::new();
    let material = material(&[Key::new().public(), key.public()]);
    let signature = key.sign(MANIFEST);
    for digest in [None, Some(digest_of(MANIFEST))] {
        let found = bundle(&key.der(), &signature, digest.as_ref());
        assert_eq!(
            found.refused(&material, &Digest::of(MANIFEST)),
            ReasonCode::SignatureUnsupported,
            "authentic, and no more"
        );
    }
    let named = bundle(&key.der(), &signature, Some(&digest_of(MANIFEST)));
    assert_eq!(named.refused(&material, &Digest::of(b"other")), ReasonCode::SignatureOtherImage);
    let unnamed = bundle(&key.der(), &signature, None);
    assert_eq!(unnamed.refused(&material, &Digest::of(b"other")), ReasonCode::SignatureInvalid);
    let lying = bundle(&key.der(), &signature, Some(&digest_of(b"other")));
    assert_eq!(lying.refused(&material, &Digest::of(b"other")), ReasonCode::SignatureInvalid);
    let longer = json!({ "algorithm": "SHA2_384", "digest": base64(&[0; 48]) });
    let longer = bundle(&key.der(), &signature, Some(&longer));
    assert_eq!(longer.refused(&material, &Digest::of(MANIFEST)), ReasonCode::SignatureUnsupported);
}

#[test]
fn s28_an_ed25519_signature_over_the_manifest_cannot_be_judged_by_its_digest() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let key = PublicKey::from_der("the key", der.as_ref()).unwrap();
    let found = bundle(key.der(), pair.sign(MANIFEST).as_ref(), Some(&digest_of(MANIFEST)));
    let other = Key::new();
    for keys in [vec![key.clone()], vec![other.public(), key.clone()]] {
        assert_eq!(found.refused(&material(&keys), &Digest::of(MANIFEST)), ReasonCode::SignatureUnsupported);
    }
    assert_eq!(found.refused(&material(&[other.public()]), &Digest::of(MANIFEST)), ReasonCode::SignatureUnknownKey);
    // Which key is meant is said, and it is not the one that cannot be judged.
    let wrong = bundle(&other.der(), b"wrong", Some(&digest_of(MANIFEST)));
    assert_eq!(wrong.refused(&material(&[other.public(), key]), &Digest::of(MANIFEST)), ReasonCode::SignatureInvalid);
}
