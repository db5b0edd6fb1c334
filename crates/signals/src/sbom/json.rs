//! What all readers of documents share: the size is looked at first, then the fields that say which format it is.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::{Limits, ParseError};

/// The fields that tell the formats apart.
#[derive(Debug, Deserialize)]
pub(crate) struct Head {
    #[serde(rename = "bomFormat")]
    pub(crate) bom_format: Option<Value>,
    #[serde(rename = "specVersion")]
    pub(crate) spec_version: Option<Value>,
    #[serde(rename = "spdxVersion")]
    pub(crate) spdx_version: Option<Value>,
    #[serde(rename = "@context")]
    pub(crate) context: Option<Value>,
    #[serde(rename = "_type")]
    pub(crate) statement_type: Option<Value>,
    #[serde(rename = "payloadType")]
    payload_type: Option<Value>,
    pub(crate) document: Option<de::IgnoredAny>,
}

impl Head {
    /// Reads the head of a document that is not too large.
    pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        if bytes.len() > limits.bytes {
            return Err(unknown(format!("it has {} bytes; at most {} are read", bytes.len(), limits.bytes)));
        }
        let text = without_mark(bytes);
        if text.first() == Some(&b'<') {
            return Err(unknown("it is XML; only JSON is read, so write it as JSON"));
        }
        if text.starts_with(b"SPDXVersion:") {
            return Err(unknown("it is SPDX in tag-value form; only JSON is read, so write it as JSON"));
        }
        serde_json::from_slice(text).map_err(|error| ParseError { format: None, ..ParseError::json("", &error) })
    }

    pub(crate) fn is_statement(&self) -> bool {
        self.statement_type.as_ref().and_then(Value::as_str).is_some_and(|kind| kind.starts_with("https://in-toto.io/"))
    }

    pub(crate) fn is_spdx3(&self) -> bool {
        let is_spdx = |context: &Value| context.as_str().is_some_and(|address| address.contains("spdx.org/rdf/3."));
        match &self.context {
            Some(Value::Array(list)) => list.iter().any(is_spdx),
            Some(context) => is_spdx(context),
            None => false,
        }
    }

    /// A document in none of the formats that are wanted.
    pub(crate) fn unknown(&self, wanted: &str) -> ParseError {
        let hint = if self.payload_type.is_some() {
            "it is a signed envelope (DSSE), which has to be verified first"
        } else if self.is_statement() {
            "it is an in-toto statement"
        } else if self.bom_format.is_some() {
            "it is a CycloneDX document"
        } else if self.spdx_version.is_some() || self.is_spdx3() {
            "it is an SPDX document"
        } else {
            "it has none of the fields that say what it is"
        };
        unknown(format!("this is not {wanted}: {hint}"))
    }
}

/// Reads a document whose size was looked at.
pub(crate) fn read<'a, T: Deserialize<'a>>(format: &'static str, bytes: &'a [u8]) -> Result<T, ParseError> {
    serde_json::from_slice(without_mark(bytes)).map_err(|error| ParseError::json(format, &error))
}

/// A list that may be missing, but not null: null would be taken for "there is none".
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Vec<T>>, D::Error> {
    Vec::deserialize(from).map(Some)
}

/// A time; none of the formats allows one without an offset.
pub(crate) fn time(format: &'static str, place: &str, text: &str) -> Result<Timestamp, ParseError> {
    text.trim()
        .parse()
        .map_err(|_| ParseError::new(format, place, format!("{} is no time such as 2025-01-31T12:00:00Z", shown(text))))
}

/// The same for a time that may be missing.
pub(crate) fn maybe_time(
    format: &'static str,
    place: &str,
    text: Option<&String>,
) -> Result<Option<Timestamp>, ParseError> {
    text.map(|text| time(format, place, text)).transpose()
}

/// What was seen, for a message: quoted, and not too long.
pub(crate) fn shown(text: &str) -> String {
    let start: String = text.chars().take(100).collect();
    format!("{start:?}")
}

/// Counts entries against the limit.
pub(crate) fn count(format: &'static str, what: &str, number: usize, limits: &Limits) -> Result<(), ParseError> {
    if number > limits.entries {
        return Err(ParseError::new(format, what, format!("there are more than {} entries", limits.entries)));
    }
    Ok(())
}

/// How much may be copied while a document is read: where many entries point to one text, a small document could
/// otherwise become a very large one.
pub(crate) struct Budget {
    format: &'static str,
    left: usize,
    all: usize,
}

impl Budget {
    pub(crate) fn new(format: &'static str, limits: &Limits) -> Self {
        Self { format, left: limits.bytes, all: limits.bytes }
    }

    /// Takes so many copies of so many bytes.
    pub(crate) fn take(&mut self, copies: usize, bytes: usize) -> Result<(), ParseError> {
        let left = copies.checked_mul(bytes).and_then(|taken| self.left.checked_sub(taken));
        self.left = left.ok_or_else(|| {
            let cause = format!("it repeats itself too often; read out it has more than {} bytes", self.all);
            ParseError::new(self.format, "", cause)
        })?;
        Ok(())
    }
}

fn unknown(cause: impl Into<String>) -> ParseError {
    ParseError { format: None, place: String::new(), cause: cause.into() }
}

/// Without the byte order mark that some tools on Windows write.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}
