//! When to try again, and when to give up: exponential waits with jitter, `Retry-After` obeyed, all inside a deadline.
//! A wait that would outlast the deadline is not begun: the answer would be the same, only later.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use tokio::time::Instant;

use crate::Options;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// The patience of one operation.
#[derive(Debug)]
pub(crate) struct Patience {
    left: u32,
    wait: Duration,
    end: Instant,
}

impl Patience {
    pub(crate) fn new(options: &Options) -> Self {
        Self { left: options.retries, wait: FIRST, end: Instant::now() + options.deadline }
    }

    /// The same with another number of repetitions.
    pub(crate) fn tries(self, left: u32) -> Self {
        Self { left, ..self }
    }

    /// The same without an end: for what takes as long as there are bytes.
    pub(crate) fn without_deadline(self) -> Self {
        Self { end: Instant::now() + Duration::from_hours(24), ..self }
    }

    /// Waits before the next try; false if there is none.
    pub(crate) async fn another(&mut self, retry_after: Option<Duration>) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        let wait = jittered(self.wait).max(retry_after.unwrap_or(Duration::ZERO));
        self.wait = (self.wait * 2).min(LONGEST);
        if Instant::now() + wait >= self.end {
            return false;
        }
        tokio::time::sleep(wait).await;
        true
    }
}

/// Between half of the time and all of it, so that many clients do not come back at once.
fn jittered(wait: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 1_000;
    wait / 2 + wait.mul_f64(f64::from(u32::try_from(random).unwrap_or(0)) / 2_000.0)
}

/// What `Retry-After` asks for. A date counts from the answer's own `Date`: no clock is needed, and none can be wrong.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let until = rfc2822::parse(asked).ok()?.timestamp();
    let now = rfc2822::parse(text(DATE)?).ok()?.timestamp();
    Duration::try_from(until.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let read = |retry: &str, date: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry.parse().unwrap());
            headers.insert(DATE, date.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(read("7", ""), Some(Duration::from_secs(7)));
        assert_eq!(
            read("Wed, 21 Oct 2026 07:28:10 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"),
            Some(Duration::from_secs(10))
        );
        for nonsense in [("soon", ""), ("-1", ""), ("Wed, 21 Oct 2026 07:28:10 GMT", "today"), ("99999999999", "")] {
            assert_eq!(read(nonsense.0, nonsense.1), None, "{nonsense:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_with_its_tries_and_never_outlasts_the_deadline() {
        let options = Options { retries: 3, deadline: Duration::from_mins(1), ..Options::default() };
        let mut patience = Patience::new(&options);
        let begin = Instant::now();
        for _ in 0..3 {
            assert!(patience.another(None).await);
        }
        assert!(!patience.another(None).await);
        let waited = begin.elapsed();
        assert!(waited >= Duration::from_millis(875) && waited <= Duration::from_millis(1_760), "{waited:?}");
        let begin = Instant::now();
        assert!(!Patience::new(&options).another(Some(Duration::from_secs(61))).await, "too long to begin");
        assert!(begin.elapsed() < Duration::from_secs(1));
    }
}
