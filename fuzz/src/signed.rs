//! What the targets of crates/trust share: the key and the image of its test data. Whatever verifies with them is content that
//! was signed then; everything else is refused with a reason.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use model::{Digest, SignatureFormat, Signed, Signer, TrustName};
use trust::{Artifact, Material, PublicKey, SigstoreRoot, Verifier};

const KEY: &[u8] = include_bytes!("../../crates/trust/tests/it/data/cosign/p256.pub");
const IMAGE: &str = "sha256:01b5c1a23e1542fd87fc35afbc14028d0b3b36ca4a1b1ed320d1182986771c0c";

/// The only image that the key of the test data signed anything about.
fn image() -> Digest {
    IMAGE.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn verifier() -> &'static Verifier {
    static VERIFIER: OnceLock<Verifier> = OnceLock::new();
    VERIFIER.get_or_init(|| {
        let key = PublicKey::from_pem("the key of the test data", KEY).unwrap_or_else(|error| panic!("{error}"));
        let root = SigstoreRoot::public_good().unwrap_or_else(|error| panic!("{error}"));
        let name = TrustName { policy: "fuzz".to_owned(), signer: "key".to_owned() };
        let material = Material { keys: vec![(name, key)], roots: vec![root], stores: Vec::new() };
        Verifier::new(&material).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Verifies an artifact: the same answer twice, a reason for every refusal, and nothing authentic about another image.
///
/// # Panics
/// If the verifier breaks one of these promises.
pub fn verify(format: SignatureFormat, bytes: &[u8], annotations: &BTreeMap<String, String>) {
    let artifact = Artifact { format, media_type: "application/octet-stream", bytes, annotations };
    let answer = verifier().verify(&image(), &artifact);
    assert_eq!(answer, verifier().verify(&image(), &artifact), "the same bytes are judged differently");
    match answer {
        Ok(authentic) => {
            assert!(matches!(authentic.proof().signer, Signer::Key { .. }), "nobody but the key signed: {authentic:?}");
            match authentic.content() {
                Signed::Image(signed) => assert_eq!(signed.digest, image()),
                Signed::Statement(statement) => assert!(statement.subjects.contains(&image())),
            }
            let other = verifier().verify(&Digest::of(b"another image"), &artifact);
            assert!(other.is_err(), "it verifies for another image too: {other:?}");
        }
        Err(reasons) => assert!(reasons.iter().all(|reason| !reason.message.is_empty())),
    }
}
