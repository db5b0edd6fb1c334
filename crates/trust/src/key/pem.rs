//! PEM (RFC 7468), read as the field writes it: any line width, either line ending, text around the blocks. Which blocks
//! there may be, and how many, is for the reader of the material to say.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

/// As OpenSSL and Go read it: bits behind the last byte count for nothing.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// More blocks than any chain has.
const MAX_BLOCKS: usize = 32;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// One block: its label and what it encodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) label: String,
    pub(crate) der: Vec<u8>,
}

/// Every block of a text, in order.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        if found.len() == MAX_BLOCKS {
            return Err(format!("it has more than {MAX_BLOCKS} PEM blocks"));
        }
        let (label, after) = after
            .split_once(DASHES)
            .filter(|(label, _)| label.len() <= 64 && !label.contains(['\n', '\r']))
            .ok_or("a PEM block has no name")?;
        let end = format!("-----END {label}-----");
        let (body, after) = after.split_once(&end).ok_or_else(|| format!("PEM block {label} does not end"))?;
        if body.contains(DASHES) {
            return Err(format!("PEM block {label} holds another one"));
        }
        let body: String = body.split_ascii_whitespace().collect();
        let der = BASE64.decode(&body).map_err(|error| format!("PEM block {label} is not base64: {error}"))?;
        found.push(Block { label: label.to_owned(), der });
        rest = after;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f4_blocks_are_read_whole_or_refused() {
        let one = "-----BEGIN A-----\nYWJj\n-----END A-----\n";
        assert_eq!(blocks(one).unwrap(), [Block { label: "A".into(), der: b"abc".to_vec() }]);
        assert_eq!(blocks(&one.replace('\n', "\r\n")).unwrap().len(), 1);
        assert_eq!(blocks(&format!("Bag Attributes\n{one}{one}")).unwrap().len(), 2);
        assert_eq!(blocks("no block").unwrap(), []);
        for broken in [
            "-----BEGIN A-----\nYWJj\n",
            "-----BEGIN A-----\nYWJj\n-----END B-----\n",
            "-----BEGIN A-----\nYW*j\n-----END A-----\n",
            "-----BEGIN A-----\nYWJj\n-----BEGIN A-----\nYWJj\n-----END A-----\n",
            "-----BEGIN A",
        ] {
            assert!(blocks(broken).is_err(), "{broken}");
        }
        assert!(blocks(&one.repeat(MAX_BLOCKS + 1)).is_err());
    }
}
