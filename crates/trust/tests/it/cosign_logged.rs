//! cosign's signatures of before there were bundles, with certificates and log entries, under a Sigstore of our own.

use model::{Digest, ReasonCode, Signed, Signer, TrustName};
use serde_json::{Value, json};
use trust::Material;

use crate::authority::{Authority, Key, base64, pem};
use crate::common::{Found, image};

fn payload() -> Value {
    json!({
        "critical": {
            "identity": { "docker-reference": "registry.example.com/acme/app" },
            "image": { "docker-manifest-digest": image() },
            "type": "cosign container image signature",
        },
        "optional": null,
    })
}

fn keyless(authority: &Authority) -> Found {
    let holder = authority.holder(&|_| {}, true);
    let certificate = pem("CERTIFICATE", &holder.certificate);
    let mut found = authority.simple(&|message| holder.sign(message), &certificate, &payload());
    found.annotations.insert("dev.sigstore.cosign/certificate".into(), certificate);
    found
}

fn by_key(authority: &Authority, key: &Key) -> Found {
    authority.simple(&|message| key.sign(message), &pem("PUBLIC KEY", &key.der()), &payload())
}

fn material(authority: Option<&Authority>, key: &Key) -> Material {
    let name = TrustName { policy: "test".into(), signer: "key".into() };
    let roots = authority.map(|authority| authority.root("own")).into_iter().collect();
    Material { keys: vec![(name, key.public())], roots, stores: Vec::new() }
}

#[test]
fn s27_a_logged_signature_verifies_as_its_bundle_would() {
    let (authority, key) = (Authority::new(), Key::new());
    for (found, with_key) in [(keyless(&authority), false), (by_key(&authority, &key), true)] {
        let authentic = found.verify(&material(Some(&authority), &key), &image()).unwrap();
        let proof = authentic.proof();
        assert_eq!(matches!(proof.signer, Signer::Key { .. }), with_key);
        assert_eq!(proof.proven.len(), 1);
        assert_eq!(proof.log.as_ref().unwrap().index, 7);
        let Signed::Image(signed) = authentic.content() else { panic!("no signature on the image") };
        assert_eq!((&signed.digest, signed.reference.as_deref()), (&image(), Some("registry.example.com/acme/app")));
        let other = found.refused(&material(Some(&authority), &key), &Digest::of(b"other"));
        assert_eq!(other, ReasonCode::SignatureOtherImage);
    }
    let found = by_key(&authority, &key);
    let authentic = found.verify(&material(None, &key), &image()).unwrap();
    assert!(authentic.proof().log.is_none() && authentic.proof().notes.len() == 1);
    assert_eq!(keyless(&authority).refused(&material(None, &key), &image()), ReasonCode::TrustRootMissing);
}

#[test]
fn s27_a_changed_annotation_is_refused() {
    let (authority, key) = (Authority::new(), Key::new());
    let entry = "dev.sigstore.cosign/bundle";
    let material = material(Some(&authority), &key);
    for found in [keyless(&authority), by_key(&authority, &key)] {
        for (pointer, value) in [
            ("/Payload/integratedTime", json!(1_749_988_801)),
            ("/Payload/logIndex", json!(8)),
            ("/SignedEntryTimestamp", json!(base64(b"another"))),
        ] {
            let mut found = found.clone();
            let mut logged: Value = serde_json::from_str(&found.annotations[entry]).unwrap();
            *logged.pointer_mut(pointer).unwrap() = value;
            found.annotations.insert(entry.into(), logged.to_string());
            assert_eq!(found.refused(&material, &image()), ReasonCode::SignatureLogInvalid, "{pointer}");
        }
        // The entry of another signature over the same payload, by another key.
        let mut moved = found.clone();
        moved.annotations.insert(entry.into(), by_key(&authority, &Key::new()).annotations[entry].clone());
        assert_eq!(moved.refused(&material, &image()), ReasonCode::SignatureLogInvalid);
        let mut changed = found.clone();
        *changed.bytes.last_mut().unwrap() = b' ';
        assert!(changed.verify(&material, &image()).is_err());
    }
    let mut bare = keyless(&authority);
    bare.annotations.remove(entry);
    assert_eq!(bare.refused(&material, &image()), ReasonCode::SignatureLogMissing);
    let mut anonymous = keyless(&authority);
    anonymous.annotations.remove("dev.sigstore.cosign/certificate");
    assert_eq!(anonymous.refused(&material, &image()), ReasonCode::SignatureUnknownKey);
}
