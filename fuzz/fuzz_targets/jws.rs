//! Notary Project signatures in JWS envelopes: nothing verifies that notation did not sign.
#![no_main]

use std::sync::LazyLock;

use fuzz::notation::Envelopes;
use model::SignatureFormat;

static ENVELOPES: LazyLock<Envelopes> = LazyLock::new(|| Envelopes::new(SignatureFormat::NotationJws));

libfuzzer_sys::fuzz_target!(|data: &[u8]| ENVELOPES.check(data));
