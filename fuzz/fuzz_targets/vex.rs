//! VEX documents: OpenVEX, CycloneDX and CSAF.
#![no_main]

use fuzz::{LIMITS, whole_or_nothing};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    whole_or_nothing(data, |bytes| signals::vex::parse(bytes, &LIMITS));
});
