//! How long it takes to verify a thousand different keyless bundles in one process, side by side with nothing but the ECDSA
//! verifications that they contain. `make bench` runs it; a release build tells something, a debug build does not.

#![allow(clippy::disallowed_methods, clippy::cast_precision_loss)] // it measures time, and prints ratios

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use model::{Digest, SignatureFormat};
use testkit::authority::{Authority, Request};
use trust::{Artifact, Material, SigstoreRoot, Verifier};

const BUNDLES: usize = 1000;
/// The certificate by its issuer, its publication (SCT), the log's promise and checkpoint, and the envelope.
const SIGNATURES: usize = 5;
const TURNS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    let authority = Authority::new("bench");
    let root = SigstoreRoot::parse("bench", &authority.trusted_root())?;
    let verifier = Verifier::new(&Material { roots: vec![root], ..Material::none() })?;
    let bundles: Vec<(Digest, Vec<u8>)> = (0..BUNDLES)
        .map(|number| {
            let digest = Digest::of(&number.to_be_bytes());
            let bundle = authority.bundle(&Request::image(digest.as_str()));
            (digest, bundle)
        })
        .collect();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let message = vec![7_u8; 512];
    let signature = key.sign(&SystemRandom::new(), &message)?;
    let public = key.public_key().as_ref().to_vec();
    let (mut whole, mut bare) = (f64::MAX, f64::MAX);
    let none = BTreeMap::new();
    for _ in 0..TURNS {
        let started = Instant::now();
        for (digest, bytes) in &bundles {
            let media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
            let artifact = Artifact { format: SignatureFormat::Bundle, media_type, bytes, annotations: &none };
            if let Err(reasons) = verifier.verify(digest, &artifact) {
                return Err(format!("a bundle does not verify: {reasons:?}").into());
            }
        }
        whole = whole.min(started.elapsed().as_secs_f64());
        let started = Instant::now();
        for _ in 0..BUNDLES * SIGNATURES {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &public).verify(&message, signature.as_ref())?;
        }
        bare = bare.min(started.elapsed().as_secs_f64());
    }
    let each = |seconds: f64| seconds * 1e6 / BUNDLES as f64;
    writeln!(out, "{BUNDLES} keyless bundles, best of {TURNS} turns:")?;
    writeln!(out, "  verified             {:8.1} µs each", each(whole))?;
    writeln!(out, "  {SIGNATURES} bare ECDSA checks  {:8.1} µs each", each(bare))?;
    writeln!(out, "  ratio                {:8.2}  (goal: at most 3)", whole / bare)?;
    Ok(())
}
