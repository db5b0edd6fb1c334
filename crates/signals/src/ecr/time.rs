//! Times as AWS writes them: epoch seconds with a fraction on the wire, ISO 8601 in saved CLI output.

use std::fmt;

use model::Timestamp;
use serde::{Deserialize, Deserializer, de};

/// A time in either spelling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl de::Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time: epoch seconds or ISO 8601 with an offset")
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Time, E> {
        // Nothing in ECR is older than 2015; a zero or negative time is not a time.
        if seconds <= 0 {
            return Err(E::custom("a time must be after 1970"));
        }
        Timestamp::from_second(seconds).map(Time).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Time, E> {
        self.visit_i64(i64::try_from(seconds).map_err(E::custom)?)
    }

    #[allow(clippy::cast_possible_truncation)] // range-checked: whole microseconds below 2^53
    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Time, E> {
        if !(1.0..253_402_300_800.0).contains(&seconds) {
            return Err(E::custom("a time must lie between 1970 and 9999"));
        }
        let microseconds = (seconds * 1e6).round() as i64;
        Timestamp::from_microsecond(microseconds).map(Time).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
        text.parse().map(Time).map_err(|_| E::custom(format!("{text:?} is not a time in ISO 8601 with an offset")))
    }
}
