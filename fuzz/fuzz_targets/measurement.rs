//! Measurement documents.
#![no_main]

use fuzz::{LIMITS, whole_or_nothing};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    whole_or_nothing(data, |bytes| signals::measurement::parse(bytes, &LIMITS));
    for measurement in signals::measurement::parse(data, &LIMITS).into_iter().flatten() {
        assert!(!measurement.samples.is_empty(), "a measurement without samples");
    }
});
