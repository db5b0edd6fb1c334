//! What the targets of the audit log share: the test data of crates/trust, and the key that signed it.

use std::sync::OnceLock;

use trust::log::VerifierKey;

/// An export that verifies.
pub const EXPORT: &str = include_str!("../../crates/trust/tests/it/data/log/export.jsonl");
/// The checkpoint at its end.
pub const CHECKPOINT: &str = include_str!("../../crates/trust/tests/it/data/log/checkpoint.txt");

/// The key of that log.
///
/// # Panics
/// If it cannot be read: then the targets would test nothing.
pub fn key() -> &'static VerifierKey {
    static KEY: OnceLock<VerifierKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let text = "gate.example/audit+af47b622+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    })
}
