//! SLSA provenance, both versions. A source that is named has one spelling: no two repositories become one.
#![no_main]

use fuzz::{LIMITS, whole_or_nothing};
use signals::provenance::{V0_2, V1, parse};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for kind in [V0_2, V1] {
        whole_or_nothing(data, |bytes| parse(kind, bytes, &LIMITS));
        let Ok(provenance) = parse(kind, data, &LIMITS) else { continue };
        assert!(!provenance.builder.trim().is_empty() && !provenance.build_type.trim().is_empty(), "nobody built it");
        let Some(source) = provenance.source else { continue };
        let odd = |text: &str| text.contains("//") || text.contains(['@', '#', '%', '?', ' ', '\\']) || text.ends_with('/');
        assert!(source.repository.contains('/') && !odd(&source.repository), "{source:?}");
        assert!(source.commit.is_none_or(|commit| matches!(commit.len(), 40 | 64)), "a commit is whole");
    }
});
