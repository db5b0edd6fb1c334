//! Bills of materials: CycloneDX and SPDX.
#![no_main]

use fuzz::{LIMITS, whole_or_nothing};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    whole_or_nothing(data, |bytes| signals::sbom::parse(bytes, &LIMITS));
    if let Ok(sbom) = signals::sbom::parse(data, &LIMITS) {
        assert!(sbom.components.len() <= LIMITS.entries, "more components than the limit");
        let _ = model::os_packages(&sbom);
    }
});
