//! Content digests, as the OCI image specification writes them (`algorithm:hex`, image-spec `descriptor.md`).

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::text::read_as_text;

/// A content digest: `sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Digest(String);

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestError {
    /// There is no `:` between algorithm and hexadecimal digits.
    NoAlgorithm,
    /// An algorithm other than sha256 and sha512.
    UnknownAlgorithm(String),
    /// The wrong number of digits, or something else than lower-case hexadecimal digits.
    NotHex {
        /// The algorithm named.
        algorithm: &'static str,
        /// How many digits it takes.
        digits: usize,
    },
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAlgorithm => f.write_str("a digest is written sha256:<64 hexadecimal digits>"),
            Self::UnknownAlgorithm(name) => write!(f, "unknown digest algorithm {name:?}; sha256 and sha512 are known"),
            Self::NotHex { algorithm, digits } => {
                write!(f, "a {algorithm} digest has exactly {digits} lower-case hexadecimal digits")
            }
        }
    }
}

impl std::error::Error for DigestError {}

impl Digest {
    /// The sha256 digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
    }

    /// `sha256:…` as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 hexadecimal digits: enough to recognise, never enough to compare.
    pub fn short(&self) -> &str {
        let hex = self.0.split_once(':').map_or(self.0.as_str(), |(_, hex)| hex);
        hex.get(..12).unwrap_or(hex)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestError::NoAlgorithm)?;
        let (algorithm, digits) = match algorithm {
            "sha256" => ("sha256", 64),
            "sha512" => ("sha512", 128),
            other => return Err(DigestError::UnknownAlgorithm(other.chars().take(32).collect())),
        };
        let is_hex = hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex.len() == digits && is_hex {
            Ok(Self(text.to_owned()))
        } else {
            Err(DigestError::NotHex { algorithm, digits })
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

read_as_text!(Digest, "A content digest: `sha256:` and 64, or `sha512:` and 128 hexadecimal digits.", |text| text
    .parse()
    .map_err(|error: DigestError| error.to_string()));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lower_case_digests_parse() {
        let good = Digest::of(b"");
        assert_eq!(good.as_str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(good.as_str().parse::<Digest>(), Ok(good.clone()));
        assert_eq!(good.short(), "e3b0c44298fc");
        let upper = good.as_str().to_uppercase().replace("SHA256", "sha256");
        for bad in ["", "sha256", "sha256:", "sha256:abc", "md5:0123", &good.as_str()[..70], &upper] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
