//! Saved answers of `aws ecr describe-image-scan-findings`.
#![no_main]

use fuzz::{LIMITS, whole_or_nothing};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    whole_or_nothing(data, |bytes| signals::ecr::report(bytes, &LIMITS));
});
