//! Scanners' reports of every format.
#![no_main]

use fuzz::{LIMITS, whole_or_nothing};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    whole_or_nothing(data, |bytes| signals::report::parse(bytes, &LIMITS));
    if let Ok(document) = signals::report::parse(data, &LIMITS) {
        // What proves a scan holds its findings; what proves none never looks like one.
        assert!(document.scan.is_err() || document.unproven.is_empty(), "a scan with findings beside it");
        if let Ok(scan) = &document.scan {
            assert!(scan.findings().len() <= LIMITS.findings, "more findings than the limit");
        }
    }
});
