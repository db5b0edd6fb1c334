//! Damage to a document, for the tests that show what it never leads to: every change of a single byte that is likely to
//! matter, at every place.

/// The document with one byte changed, left out, or put in.
pub(super) fn every_single_change(document: &str) -> impl Iterator<Item = Vec<u8>> {
    const BYTES: &[u8] = b"\"x,}0";
    let whole = document.as_bytes().to_vec();
    (0..whole.len()).flat_map(move |place| {
        let whole = whole.clone();
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = whole.clone();
            change(&mut bytes);
            bytes
        };
        let mut all = vec![changed(&|bytes| {
            bytes.remove(place);
        })];
        for byte in BYTES {
            all.push(changed(&|bytes| bytes[place] = *byte));
            all.push(changed(&|bytes| bytes.insert(place, *byte)));
        }
        // The other case of a letter: the key that Go would still read.
        all.push(changed(&|bytes| bytes[place] ^= if bytes[place].is_ascii_alphabetic() { 0x20 } else { 0 }));
        all
    })
}
