//! Notary Project signatures: made by notation itself, made by others, minted here with every fault, and mutated.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a helper may fail one, and skips are told"
)]

mod made;
mod mint;
mod minted;
mod mutated;
mod outside;
mod revoked;
mod tokens;

use model::{Authentic, Digest, NonEmpty, Proof, Reason, ReasonCode, SignatureFormat, Signed, SignedImage, TrustName};
use std::collections::BTreeMap;
use trust::{Artifact, Material, StoreKind, TrustStore, Verifier};

type Answer = Result<Authentic<Signed>, NonEmpty<Reason>>;

fn store(signer: &str, kind: StoreKind, anchors: &[Vec<u8>]) -> TrustStore {
    TrustStore {
        name: TrustName { policy: "p".to_owned(), signer: signer.to_owned() },
        kind,
        anchors: anchors.to_vec(),
        timestamp_anchors: Vec::new(),
        revocation_lists: Vec::new(),
    }
}

fn verifier(stores: Vec<TrustStore>) -> Verifier {
    Verifier::new(&Material { stores, ..Material::none() }).expect("the trust stores can be used")
}

fn verify(verifier: &Verifier, subject: &Digest, format: SignatureFormat, bytes: &[u8]) -> Answer {
    let annotations = BTreeMap::new();
    verifier.verify(subject, &Artifact { format, media_type: "", bytes, annotations: &annotations })
}

fn image(answer: &Answer) -> (&SignedImage, &Proof) {
    match answer {
        Ok(authentic) => match authentic.content() {
            Signed::Image(image) => (image, authentic.proof()),
            Signed::Statement(_) => panic!("a statement"),
        },
        Err(reasons) => panic!("refused: {reasons:?}"),
    }
}

fn codes(answer: Answer) -> Vec<ReasonCode> {
    match answer {
        Ok(authentic) => panic!("verified: {authentic:?}"),
        Err(reasons) => reasons.iter().map(|reason| reason.code).collect(),
    }
}

fn messages(answer: Answer) -> String {
    let reasons = answer.expect_err("refused").into_vec();
    reasons.into_iter().map(|reason| reason.message).collect::<Vec<_>>().join("; ")
}

/// The certificate of a PEM file.
fn der(pem: &str) -> Vec<u8> {
    use base64::Engine;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).expect("base64")
}
