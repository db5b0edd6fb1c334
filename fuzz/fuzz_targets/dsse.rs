//! What cosign attached before there were bundles: envelopes and simple signing payloads, with annotations. The input is the
//! layer, and after each 0xff byte one annotation.
#![no_main]

use std::collections::BTreeMap;

use fuzz::signed;
use model::SignatureFormat;

const NAMES: [&str; 5] = [
    "dev.cosignproject.cosign/signature",
    "dev.sigstore.cosign/bundle",
    "dev.sigstore.cosign/certificate",
    "dev.sigstore.cosign/chain",
    "dev.sigstore.cosign/rfc3161timestamp",
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0xff);
    let layer = parts.next().unwrap_or(&[]);
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    let annotations: BTreeMap<_, _> = NAMES.into_iter().map(str::to_owned).zip(parts.map(text)).collect();
    signed::verify(SignatureFormat::DsseEnvelope, layer, &annotations);
    signed::verify(SignatureFormat::CosignSignature, layer, &annotations);
});
