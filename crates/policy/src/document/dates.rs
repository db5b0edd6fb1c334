//! Dates in documents, in UTC: a day, or a moment. A day that something begins is meant from its first moment on, a day that
//! something ends until its last.

use std::borrow::Cow;

use model::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// The moment from which on something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Since(pub(crate) Timestamp);

/// The moment at which something ends: the first one at which it no longer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Until(pub(crate) Timestamp);

fn read(
    text: &str,
    day: impl Fn(jiff::civil::Date) -> Result<jiff::civil::Date, jiff::Error>,
) -> Result<Timestamp, String> {
    let wrong = || format!("{text:?} is not a date (2026-12-31) or a time (2026-12-31T12:00:00Z)");
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    // A time without a zone would be read as its whole day, which is not what was written.
    let date: jiff::civil::Date = match text.len() {
        10 => text.parse().map_err(|_| wrong())?,
        _ => return Err(wrong()),
    };
    let zoned = day(date).map_err(|_| wrong())?.to_zoned(jiff::tz::TimeZone::UTC);
    zoned.map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

/// The first moment at which something that ends on this day, or at this time, no longer holds.
///
/// # Errors
/// It is neither.
pub fn until(text: &str) -> Result<Timestamp, String> {
    read(text, jiff::civil::Date::tomorrow)
}

impl<'de> Deserialize<'de> for Since {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(&String::deserialize(deserializer)?, Ok).map(Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Until {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        until(&String::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

macro_rules! schema {
    ($type:ident) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                concat!("Date", stringify!($type)).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "examples": ["2026-12-31", "2026-12-31T12:00:00Z"] })
            }
        }
    };
}

schema!(Since);
schema!(Until);

/// For messages: the moment to the minute.
pub(crate) fn shown(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%MZ").to_string()
}
