//! Checkpoints of an audit log and the keys they are opened with.
#![no_main]

use fuzz::log::{CHECKPOINT, key};
use trust::log::{Checkpoint, MAX_NOTE, UnverifiedCheckpoint, VerifierKey};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(read) = text.parse::<VerifierKey>() {
        assert_eq!(read.to_string(), text, "a key with two spellings");
    }
    if let Ok(read) = UnverifiedCheckpoint::read(text) {
        let head = read.unverified_head();
        assert!(text.len() <= MAX_NOTE && text.starts_with(&format!("{}\n{}\n", head.origin, head.size)));
    }
    // The key of the test data signed one checkpoint that stands there; lines of others may be added to it.
    if let Ok(open) = Checkpoint::open(text, key()) {
        assert_eq!(open.head(), Checkpoint::open(CHECKPOINT, key()).unwrap_or_else(|error| panic!("{error}")).head());
    }
});
