//! Image manifests, indexes, and what they refer to.
#![no_main]

use fuzz::{LIMITS, whole_or_nothing};
use signals::manifest::{Manifest, attestations, blobs, image_id, manifest};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    whole_or_nothing(data, |bytes| manifest(bytes, &LIMITS));
    whole_or_nothing(data, |bytes| image_id(bytes, &LIMITS));
    whole_or_nothing(data, |bytes| attestations(bytes, &LIMITS));
    whole_or_nothing(data, |bytes| blobs(bytes, &LIMITS));
    if let Ok(Manifest::Index(children)) = manifest(data, &LIMITS) {
        assert!(children.len() <= LIMITS.manifests, "more platforms than the limit");
    }
});
