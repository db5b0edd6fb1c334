//! Certificates and keys in DER: as the signing certificate of a bundle, and as a key of a policy.
#![no_main]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fuzz::signed;
use model::SignatureFormat;
use serde_json::json;
use trust::PublicKey;

/// Sigstore's log, so that the certificate is looked at to the end.
const LOG: &str = "wNI9atQGlz+VWfO6LRygH4QUfY/8W4RFwiT5i5WRgB0=";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "verificationMaterial": {
            "x509CertificateChain": { "certificates": [{ "rawBytes": STANDARD.encode(data) }] },
            "tlogEntries": [{
                "logIndex": "1",
                "logId": { "keyId": LOG },
                "kindVersion": { "kind": "hashedrekord", "version": "0.0.1" },
                "integratedTime": "1700000000",
                "inclusionPromise": { "signedEntryTimestamp": "AAAA" },
                "canonicalizedBody": "e30=",
            }],
        },
        "messageSignature": { "signature": "AAAA" },
    });
    signed::verify(SignatureFormat::Bundle, bundle.to_string().as_bytes(), &BTreeMap::new());
    if let Ok(key) = PublicKey::from_der("the key", data) {
        assert_eq!(key.der(), data, "a key has one form");
        assert!(!key.algorithm().is_empty());
    }
    if let Ok(key) = PublicKey::from_pem("the key", data) {
        assert!(PublicKey::from_der("the key", key.der()).is_ok_and(|again| again.id() == key.id()));
    }
});
