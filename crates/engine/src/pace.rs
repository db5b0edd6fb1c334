//! How long to wait, and the one place that waits. Bounds: [`Pace::timeout`] over everything, [`Pace::call_timeout`]
//! over one call. The arithmetic is pure; jitter comes from a seed.

use std::time::Duration;

use model::{Reason, ReasonCode};
use tokio::time::Instant;

/// How patient a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Over everything.
    pub timeout: Duration,
    /// Over one call to AWS.
    pub call_timeout: Duration,
    /// Between two looks at a scan that is not done.
    pub poll_interval: Duration,
    /// The shortest distance of two looks; ECR throttles more.
    pub floor: Duration,
    /// Where the jitter starts.
    pub seed: u64,
}

/// A started clock.
#[derive(Debug)]
pub(crate) struct Pacer {
    pace: Pace,
    started: Instant,
    deadline: Instant,
    random: u64,
    last_look: bool,
}

impl Pacer {
    pub(crate) fn start(pace: Pace) -> Self {
        let started = Instant::now();
        Self { pace, started, deadline: started + pace.timeout, random: pace.seed | 1, last_look: false }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long one call may take now.
    fn call_timeout(&self) -> Duration {
        self.pace.call_timeout.min(self.deadline.saturating_duration_since(Instant::now()))
    }

    /// Runs one call within the bounds; `None` if it did not end in time.
    pub(crate) async fn bounded<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.call_timeout(), call).await.ok()
    }

    /// The time that is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// True if there is no time left.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// The wait until the next look, if there is time for one: `wanted` with jitter, or one last look shortly before
    /// the time is up.
    pub(crate) fn fit(&mut self, wanted: Duration) -> Option<Duration> {
        let wanted = wanted + self.jitter(wanted);
        let left = self.deadline.saturating_duration_since(Instant::now());
        // A look needs some time itself.
        let reserve = (left / 4).min(Duration::from_secs(2));
        let last = left.saturating_sub(reserve);
        if wanted <= last {
            return Some(wanted);
        }
        if self.last_look || last.is_zero() || last < self.pace.floor {
            return None;
        }
        self.last_look = true;
        Some(last)
    }

    /// The only sleep of a check.
    pub(crate) async fn pause(&self, until: Instant) {
        tokio::time::sleep_until(until).await;
    }

    /// Up to a fifth more, never less: the floor is kept.
    fn jitter(&mut self, of: Duration) -> Duration {
        // xorshift64: spreads jobs that start together; nothing depends on its quality.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let thousandths = u32::try_from(self.random % 200).unwrap_or(0);
        of * thousandths / 1000
    }
}

/// The wait after the n-th failure in a row (from 1): doubling from 2 s to 60 s when throttled, from 1 s to 8 s when
/// the network or AWS fails; never longer than four poll intervals at first.
pub(crate) fn backoff(throttled: bool, failures: u32, poll_interval: Duration) -> Duration {
    let (first, most) = if throttled { (2, 60) } else { (1, 8) };
    let first = Duration::from_secs(first).min(poll_interval);
    (first * 2_u32.saturating_pow(failures.saturating_sub(1).min(10))).min(Duration::from_secs(most))
}

/// How many failures of network or AWS in a row end the check before its time.
pub(crate) const MOST_FAILURES: u32 = 6;

/// Time ran out during a call.
pub(crate) fn out_of_time(doing: &str) -> Reason {
    Reason::new(ReasonCode::Deadline, format!("no answer to {doing} before the time was up"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a2_backoff_doubles_and_is_bounded() {
        let seconds = |throttled, n| backoff(throttled, n, Duration::from_secs(15)).as_secs();
        assert_eq!((1..=7).map(|n| seconds(true, n)).collect::<Vec<_>>(), [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!((1..=5).map(|n| seconds(false, n)).collect::<Vec<_>>(), [1, 2, 4, 8, 8]);
        assert_eq!(seconds(true, u32::MAX), 60);
    }

    #[tokio::test]
    async fn a2_waits_keep_the_floor_and_the_deadline() {
        let pace = Pace {
            timeout: Duration::from_mins(10),
            call_timeout: Duration::from_secs(30),
            poll_interval: Duration::from_secs(15),
            floor: Duration::from_secs(10),
            seed: 7,
        };
        let mut pacer = Pacer::start(pace);
        for _ in 0..1000 {
            let wait = pacer.fit(Duration::from_secs(15)).unwrap();
            assert!((15.0..=18.0).contains(&wait.as_secs_f64()), "{wait:?}");
        }
        let mut pacer = Pacer::start(Pace { timeout: Duration::from_secs(13), ..pace });
        assert!(pacer.fit(Duration::from_secs(15)).is_some_and(|wait| wait < Duration::from_secs(13)));
        let mut pacer = Pacer::start(Pace { timeout: Duration::from_secs(8), ..pace });
        assert_eq!(pacer.fit(Duration::from_secs(15)), None);
    }
}
