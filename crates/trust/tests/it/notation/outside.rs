//! Signatures of others, from the folder that `ECR_GATE_TESTDATA` names.
#![allow(clippy::disallowed_methods)] // tests alone: the crate itself reads no files and no surroundings

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{Digest, SignatureFormat, Signer, TimeSource};
use serde_json::Value;
use trust::{StoreKind, TrustStore, Verifier};

use super::{der, image, store, verifier};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("ECR_GATE_TESTDATA");
    if folder.is_none() {
        eprintln!("skipped 1 check: ECR_GATE_TESTDATA is not set");
    }
    folder.map(|folder| Path::new(&folder).join("notation"))
}

fn certificates(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.iter().map(|path| std::fs::read(path).unwrap());
    files
        .map(|bytes| match String::from_utf8(bytes) {
            Ok(pem) => der(&pem),
            Err(error) => error.into_bytes(),
        })
        .collect()
}

fn trusting(folder: &Path) -> Verifier {
    let x509 = folder.join("truststore/x509");
    let clocks = certificates(&x509.join("tsa/test-timestamp"));
    let of = |signer: &str, kind, name: &str| TrustStore {
        timestamp_anchors: clocks.clone(),
        ..store(signer, kind, &certificates(&x509.join(name)))
    };
    verifier(vec![
        of("ca", StoreKind::Ca, "ca/valid-trust-store"),
        of("sa", StoreKind::SigningAuthority, "signingAuthority/valid-trust-store"),
    ])
}

fn subject_of_jws(bytes: &[u8]) -> Digest {
    let envelope: Value = serde_json::from_slice(bytes).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    payload["targetArtifact"]["digest"].as_str().unwrap().parse().unwrap()
}

#[test]
fn s27_jws_signatures_of_both_schemes_verify() {
    let Some(folder) = folder() else { return };
    let verifier = trusting(&folder);
    for (name, signer) in [("ca_valid_sig_env.json", "ca"), ("sa_valid_sig_env.json", "sa")] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let answer = super::verify(&verifier, &subject_of_jws(&bytes), SignatureFormat::NotationJws, &bytes);
        let (_, proof) = image(&answer);
        let Signer::X509 { stores, .. } = &proof.signer else { panic!("{proof:?}") };
        assert_eq!(stores.iter().map(|name| name.signer.as_str()).collect::<Vec<_>>(), [signer]);
        let proven: Vec<_> = proof.proven.iter().map(|proven| (proven.by, proven.at.to_string())).collect();
        match signer {
            "sa" => assert_eq!(proven, [(TimeSource::SigningAuthority, "2020-11-09T07:00:00Z".to_owned())]),
            _ => assert_eq!((proven.len(), proof.claimed.unwrap().to_string().as_str()), (0, "2020-11-09T07:00:00Z")),
        }
        assert_eq!(proof.expires.unwrap().to_string(), "2120-11-09T07:00:00Z");
    }
}

#[test]
fn s27_a_cose_signature_with_a_timestamp_verifies() {
    let Some(folder) = folder() else { return };
    let bytes = std::fs::read(folder.join("coseWithTimestamp.sig")).unwrap();
    let start = bytes.windows(7).position(|window| window == b"sha256:").unwrap();
    let subject: Digest = std::str::from_utf8(&bytes[start..start + 71]).unwrap().parse().unwrap();
    let answer = super::verify(&trusting(&folder), &subject, SignatureFormat::NotationCose, &bytes);
    let (_, proof) = image(&answer);
    let [proven] = proof.proven.as_slice() else { panic!("{proof:?}") };
    assert_eq!((proven.by, proven.at.to_string().as_str()), (TimeSource::TimestampAuthority, "2024-06-18T06:27:16Z"));
    let Signer::X509 { subject, .. } = &proof.signer else { panic!("{proof:?}") };
    assert_eq!(subject, "CN=alpine,O=Notary,L=Seattle,ST=WA,C=US");
}
