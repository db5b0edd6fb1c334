//! What caches go by in the place of names, which take much more room: ten thousand images have long names, in several caches each.

use aws_lc_rs::digest::{Context, SHA256};

/// SHA-256 over some texts: two lists of texts that differ have different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of these; one that is not there differs from an empty one.
    pub(super) fn of<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut hashed = Context::new(&SHA256);
        for text in texts {
            let length = text.map_or(u64::MAX, |text| text.len() as u64);
            hashed.update(&length.to_le_bytes());
            hashed.update(text.unwrap_or("").as_bytes());
        }
        let mut bytes = [0; 32];
        for (byte, hash) in bytes.iter_mut().zip(hashed.finish().as_ref()) {
            *byte = *hash;
        }
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_have_another_fingerprint() {
        let lists: [&[Option<&str>]; 8] = [
            &[],
            &[None],
            &[Some("")],
            &[Some("ab")],
            &[Some("a"), Some("b")],
            &[Some("ab"), None],
            &[None, Some("ab")],
            &[Some("ab"), Some("")],
        ];
        let all: std::collections::HashSet<Fingerprint> =
            lists.iter().map(|texts| Fingerprint::of(texts.iter().copied())).collect();
        assert_eq!(all.len(), lists.len());
        assert_eq!(Fingerprint::of([Some("ab")]), Fingerprint::of([Some("ab")]));
    }
}
