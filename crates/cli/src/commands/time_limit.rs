//! Bounds on time, as they are given on the command line.

use std::time::Duration;

use model::{SignedDuration, parse_duration};

use crate::failure::Failure;

/// A bound on time: more than nothing, and a day at most. `name` is the flag or variable it was given by.
pub(crate) fn time_limit(name: &str, text: &str) -> Result<Duration, Failure> {
    let parsed = parse_duration(text).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    if parsed <= SignedDuration::ZERO || parsed > SignedDuration::from_hours(24) {
        return Err(Failure::usage(format!("{name}: {text} is not between 1ms and 24h")));
    }
    Duration::try_from(parsed).map_err(|error| Failure::usage(format!("{name}: {error}")))
}
