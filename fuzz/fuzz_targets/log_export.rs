//! Exports of an audit log. With an even first byte the rest is an export; with an odd one it says how to change one that verifies: of each three
//! bytes, where and to what.
#![no_main]

use fuzz::log::{EXPORT, key};
use trust::log::export::{ExportError, ExportVerifier, Verified};

fn verify(export: &[u8], piece: usize, signed: bool) -> Result<Verified, ExportError> {
    let mut verifier = ExportVerifier::new(signed.then(|| key().clone()));
    for piece in export.chunks(piece) {
        verifier.feed(piece)?;
    }
    verifier.finish()
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((how, data)) = data.split_first() else { return };
    let piece = usize::from(*how) + 1;
    let mut export = data.to_vec();
    if how % 2 == 1 {
        export = EXPORT.as_bytes().to_vec();
        for change in data.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % export.len();
            export[at] = change[2];
        }
        assert_eq!(verify(&export, piece, true).is_ok(), export == EXPORT.as_bytes(), "a change that is not found");
    }
    for signed in [false, true] {
        let answer = verify(&export, piece, signed);
        assert_eq!(answer, verify(&export, usize::MAX, signed), "the same bytes in other pieces");
        if let Ok(verified) = answer {
            let entries = verified.kinds.values().sum::<u64>() + verified.dropped;
            assert_eq!(verified.from + entries, verified.head.size);
            assert_eq!(entries + 2, export.iter().filter(|byte| **byte == b'\n').count() as u64);
            assert_eq!(verified.signed_by.is_some(), signed);
        }
    }
});
