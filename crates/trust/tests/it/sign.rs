//! What is signed here is read here: bundles of every kind of key verify as statements by that key, and by no other.

use std::collections::BTreeMap;

use model::{Digest, SignatureFormat, Signed, Signer, TrustName};
use serde_json::json;
use trust::{Artifact, Material, PublicKey, SUMMARY_TYPE, SigningKey, Verifier, bundle, statement, to_be_signed};

#[test]
fn s26_a_bundle_made_here_is_a_statement_by_the_key_that_made_it() {
    let (key, other) = (SigningKey::generate(None).unwrap(), SigningKey::generate(None).unwrap());
    let signing = SigningKey::from_pem(key.private.as_bytes(), None).unwrap();
    let subject = Digest::of(b"an image");
    let signed = statement("app", &subject, SUMMARY_TYPE, &json!({"verificationResult": "PASSED"})).unwrap();
    let made = bundle(&signing.public().unwrap(), &signed, &signing.sign(&to_be_signed(&signed)).unwrap()).unwrap();
    let artifact = Artifact {
        format: SignatureFormat::Bundle,
        media_type: "application/vnd.dev.sigstore.bundle.v0.3+json",
        bytes: &made,
        annotations: &BTreeMap::new(),
    };
    let verifier = |pem: &str| {
        let name = TrustName { policy: "p".to_owned(), signer: "s".to_owned() };
        let keys = vec![(name, PublicKey::from_pem("s.pub", pem.as_bytes()).unwrap())];
        Verifier::new(&Material { keys, ..Material::none() }).unwrap()
    };
    let found = verifier(&key.public).verify(&subject, &artifact).unwrap();
    assert!(matches!(found.content(), Signed::Statement(statement) if statement.predicate_type == SUMMARY_TYPE));
    assert!(matches!(&found.proof().signer, Signer::Key { key, .. } if key == signing.public().unwrap().id()));

    assert!(verifier(&other.public).verify(&subject, &artifact).is_err());
    assert!(verifier(&key.public).verify(&Digest::of(b"another image"), &artifact).is_err());
}
