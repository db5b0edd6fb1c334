//! Time as an argument. Every comparison with a moment goes through one [`Clock`], which remembers the earliest moment
//! at which a comparison would turn out otherwise: the judgement's `valid_until` (S8).

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};

/// The time of a judgement and how long its comparisons hold.
#[derive(Debug)]
pub struct Clock {
    now: Timestamp,
    horizon: Cell<Option<Timestamp>>,
}

impl Clock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { now, horizon: Cell::new(None) }
    }

    /// The time of the judgement.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// True if `moment` has come (`now >= moment`). If not, the judgement holds no longer than until then.
    pub fn reached(&self, moment: Timestamp) -> bool {
        if self.now >= moment {
            return true;
        }
        self.horizon.set(Some(self.horizon.get().map_or(moment, |earlier| earlier.min(moment))));
        false
    }

    /// True if what happened at `since` is older than `limit`. A `since` in the future is not old.
    pub fn older_than(&self, since: Timestamp, limit: SignedDuration) -> bool {
        // Beyond the calendar's end means never.
        since.checked_add(limit).is_ok_and(|end| self.reached(end))
    }

    /// The judgement holds for this moment alone: it rests on a comparison that nobody sees.
    pub fn now_only(&self) {
        self.horizon.set(Some(self.now));
    }

    /// The earliest moment at which time alone could change an answer given so far; `None` if no time was compared.
    pub fn horizon(&self) -> Option<Timestamp> {
        self.horizon.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_horizon_is_the_earliest_moment_not_yet_reached() {
        let second = |s| Timestamp::from_second(s).unwrap();
        let clock = Clock::at(second(100));
        assert!(clock.reached(second(100)));
        assert_eq!(clock.horizon(), None);
        assert!(!clock.reached(second(300)));
        assert!(!clock.older_than(second(90), SignedDuration::from_secs(60)));
        assert!(clock.older_than(second(10), SignedDuration::from_secs(60)));
        assert_eq!(clock.horizon(), Some(second(150)));
    }
}
