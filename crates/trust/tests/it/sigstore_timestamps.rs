//! RFC 3161 timestamps of signatures by keys: they prove a time where a trusted root names their authority, are refused where
//! it names others only, and are told where nobody named any. Made with `openssl ts` (data/cosign/README.md).

use model::{ReasonCode, SignatureFormat, TimeSource};
use serde_json::{Value, json};
use trust::{Material, SigstoreRoot};

use crate::authority::base64;
use crate::common::{Found, data, image, material};

/// A root that names nothing but the timestamp authority of data/cosign, for these years.
fn root(valid_for: &Value) -> SigstoreRoot {
    let text = String::from_utf8(data("timestamp-authority.pem")).unwrap();
    let bodies = text.split("-----").skip(2).step_by(4).map(|body| body.replace('\n', ""));
    let certificates: Vec<_> = bodies.map(|body| json!({ "rawBytes": body })).collect();
    assert_eq!(certificates.len(), 2);
    let root = json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [], "certificateAuthorities": [], "ctlogs": [],
        "timestampAuthorities": [{ "certChain": { "certificates": certificates }, "validFor": valid_for }],
    });
    SigstoreRoot::parse("timestamps", root.to_string().as_bytes()).unwrap()
}

fn ours() -> SigstoreRoot {
    root(&json!({ "start": "2026-01-01T00:00:00Z" }))
}

fn with(roots: &[SigstoreRoot]) -> Material {
    Material { roots: roots.to_vec(), ..material(&["p256"], false) }
}

fn bundle(token: &[u8]) -> Found {
    let mut bundle: Value = serde_json::from_slice(&data("bundle-sign-p256.json")).unwrap();
    let timestamps = json!({ "rfc3161Timestamps": [{ "signedTimestamp": base64(token) }] });
    bundle["verificationMaterial"]["timestampVerificationData"] = timestamps;
    Found::bundle(bundle.to_string().into_bytes())
}

fn attestation(token: &[u8]) -> Found {
    let mut found = Found::layer(SignatureFormat::DsseEnvelope, "legacy-attest-p256.json");
    let timestamp = json!({ "SignedRFC3161Timestamp": base64(token) }).to_string();
    found.annotations.insert("dev.sigstore.cosign/rfc3161timestamp".into(), timestamp);
    found
}

#[test]
fn s27_a_timestamp_proves_a_time_where_its_authority_is_named() {
    let (signature, envelope) = (data("timestamp-bundle-sign-p256.tsr"), data("timestamp-legacy-attest-p256.tsr"));
    for (found, other) in [(bundle(&signature), bundle(&envelope)), (attestation(&envelope), attestation(&signature))] {
        let authentic = found.verify(&with(&[ours()]), &image()).unwrap();
        let [time] = authentic.proof().proven.as_slice() else { panic!("{:?}", authentic.proof()) };
        assert_eq!(time.by, TimeSource::TimestampAuthority);
        assert!(time.at.to_string().starts_with("2026-11-22T"), "{}", time.at);
        assert!(authentic.proof().notes.is_empty() && authentic.proof().log.is_none());
        assert_eq!(
            other.refused(&with(&[ours()]), &image()),
            ReasonCode::SignatureTimestamp,
            "it is over something else"
        );
    }
}

#[test]
fn s27_a_timestamp_by_another_authority_is_refused_and_one_that_nobody_can_judge_is_told() {
    let found = bundle(&data("timestamp-bundle-sign-p256.tsr"));
    let public = SigstoreRoot::public_good().unwrap();
    assert_eq!(found.refused(&with(std::slice::from_ref(&public)), &image()), ReasonCode::SignatureTimestamp);
    assert_eq!(found.verify(&with(&[public, ours()]), &image()).unwrap().proof().proven.len(), 1);
    let ended = root(&json!({ "start": "2026-01-01T00:00:00Z", "end": "2026-06-01T00:00:00Z" }));
    assert_eq!(found.refused(&with(std::slice::from_ref(&ended)), &image()), ReasonCode::SignatureTimestamp);
    assert!(found.verify(&with(&[ended, ours()]), &image()).is_ok(), "the newer root knows the authority's whole time");
    let authentic = found.verify(&with(&[]), &image()).unwrap();
    assert!(authentic.proof().proven.is_empty(), "nothing is proven");
    assert!(authentic.proof().notes[0].contains("timestamp"), "{:?}", authentic.proof().notes);
}

#[test]
fn s27_a_changed_timestamp_is_refused_or_proves_the_same() {
    let token = data("timestamp-bundle-sign-p256.tsr");
    let whole = bundle(&token).verify(&with(&[ours()]), &image()).unwrap();
    let mut refused = 0;
    for position in (0..token.len()).step_by(7) {
        let mut changed = token.clone();
        changed[position] ^= 0x55;
        match bundle(&changed).verify(&with(&[ours()]), &image()) {
            Ok(authentic) => assert_eq!(authentic.proof().proven, whole.proof().proven, "byte {position}"),
            Err(reasons) => {
                assert_eq!(reasons.first().code, ReasonCode::SignatureTimestamp);
                refused += 1;
            }
        }
    }
    assert!(refused > token.len() / 14, "only {refused} of the changes count");
}
