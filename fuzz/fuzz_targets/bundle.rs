//! Sigstore bundles.
#![no_main]

use std::collections::BTreeMap;

use fuzz::signed;
use model::SignatureFormat;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    signed::verify(SignatureFormat::Bundle, data, &BTreeMap::new());
});
