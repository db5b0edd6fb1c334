//! The paper around a predicate. cosign writes a document that it does not know as JSON text: the whole of it
//! (`--type spdx`), or under `Data` beside a time (versions before 2).

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{FORMAT, wrong};
use crate::ParseError;

#[derive(Deserialize)]
struct Look {
    #[serde(rename = "Data")]
    data: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapper<'a> {
    #[serde(rename = "Data", borrow)]
    data: &'a RawValue,
    #[serde(rename = "Timestamp")]
    _timestamp: Option<IgnoredAny>,
}

/// The document inside.
pub(super) fn opened(predicate: &[u8]) -> Result<Cow<'_, [u8]>, ParseError> {
    let bytes = predicate.trim_ascii_start();
    if bytes.first() == Some(&b'"') {
        return text(bytes);
    }
    let is_object = bytes.first() == Some(&b'{');
    // What is no JSON is refused by whoever reads the document.
    let wrapped = is_object && serde_json::from_slice::<Look>(bytes).is_ok_and(|look| look.data.is_some());
    if !wrapped {
        return Ok(Cow::Borrowed(predicate));
    }
    let unreadable = |error: serde_json::Error| wrong("predicate.Data", ParseError::json(FORMAT, &error).cause);
    let Wrapper { data, .. } = serde_json::from_slice(bytes).map_err(unreadable)?;
    let inner = data.get().as_bytes();
    if inner.first() == Some(&b'"') { text(inner) } else { Ok(Cow::Borrowed(inner)) }
}

fn text(quoted: &[u8]) -> Result<Cow<'_, [u8]>, ParseError> {
    let text: String =
        serde_json::from_slice(quoted).map_err(|error| wrong("predicate", ParseError::json(FORMAT, &error).cause))?;
    Ok(Cow::Owned(text.into_bytes()))
}
