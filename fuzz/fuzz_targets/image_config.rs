//! Image configurations, under a manifest that names them, and manifests over a configuration.
#![no_main]

use fuzz::{LIMITS, manifest_of, whole_or_nothing};
use model::Digest;
use serde_json::Value;

const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let layers = |json: &Value| json["rootfs"]["diff_ids"].as_array().map_or(0, Vec::len).min(LIMITS.entries);
    let read = |bytes: &[u8]| {
        let json = serde_json::from_slice(bytes).unwrap_or(Value::Null);
        let manifest = manifest_of(bytes, layers(&json));
        signals::image::config(&manifest, bytes, &Digest::of(bytes), &LIMITS)
    };
    whole_or_nothing(data, read);
    if let Ok(config) = read(data) {
        assert_eq!(config.layers.len(), config.diff_ids.len(), "layers without the digest of their content");
    }
    whole_or_nothing(data, |bytes| signals::image::config(bytes, CONFIG, &Digest::of(CONFIG), &LIMITS));
});
