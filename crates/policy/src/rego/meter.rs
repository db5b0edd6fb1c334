//! How much an evaluation does, counted. The interpreter asks its time source at every step, and this is that source: each question
//! is a step, and builtins add steps by the size of what they are given. The same policy and input take the same number everywhere.
//!
//! The steps of the evaluation on this thread are counted on this thread. Once they are more than the limit, every further step is
//! an error, so that nothing goes on by trying the next definition; and what stopped is remembered here, so that an answer which
//! came all the same does not count.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use regorus::utils::limits::{ExecutionTimerConfig, TimeSource, monotonic_now, set_time_source};

/// Steps between two looks at the clock.
const LOOK_EVERY: u64 = 1 << 14;

/// Why an evaluation was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// More steps than the limit.
    Steps,
    /// A value of more parts or bytes than one may have.
    Size { usage: usize, limit: usize },
    /// The backstop. Another run may go on for longer or stop sooner.
    Time,
}

/// What is counted on one thread.
#[derive(Debug, Clone, Copy)]
struct Meter {
    steps: u64,
    limit: u64,
    look_at: u64,
    until: Option<Instant>,
    stop: Option<Stop>,
    /// Goes on from zero once the evaluation was stopped: time that passes.
    late: u64,
    now: i128,
}

impl Meter {
    const IDLE: Self = Self { steps: 0, limit: 0, look_at: 0, until: None, stop: None, late: 0, now: 0 };

    fn add(mut self, steps: u64) -> Self {
        self.steps = self.steps.saturating_add(steps);
        if self.stop.is_none() && self.steps > self.limit {
            self.stop = Some(Stop::Steps);
        }
        if self.stop.is_none() && self.steps >= self.look_at {
            self.look_at = self.steps.saturating_add(LOOK_EVERY);
            if self.until.is_none_or(|until| clock() >= until) {
                self.stop = Some(Stop::Time);
            }
        }
        self
    }
}

thread_local! {
    static METER: Cell<Meter> = const { Cell::new(Meter::IDLE) };
}

/// The time that the interpreter sees: none passes until the evaluation has to stop.
struct Steps;

impl TimeSource for Steps {
    fn now(&self) -> Option<Duration> {
        let mut meter = METER.get().add(1);
        if meter.stop.is_some() {
            meter.late = meter.late.saturating_add(1);
        }
        METER.set(meter);
        Some(Duration::from_nanos(meter.late))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the backstop for what no step counts: it can only refuse, the reason says that it was the clock, and such a judgement holds for its moment alone"
)]
fn clock() -> Instant {
    Instant::now()
}

/// Makes every evaluation of this process count its steps. False if they would not be counted: then nothing may be evaluated.
pub(super) fn install() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        let before = METER.get().steps;
        set_time_source(&Steps).is_ok() && monotonic_now().is_some() && METER.get().steps > before
    })
}

/// What makes the interpreter ask at every step, and end when time passes.
pub(super) const EVERY_STEP: ExecutionTimerConfig =
    ExecutionTimerConfig { limit: Duration::ZERO, check_interval: NonZeroU32::MIN };

/// Runs an evaluation with a number of steps and a backstop. `now` is the time that it sees. Gives what it gave, and why it was stopped
/// if it was.
pub(super) fn counted<T>(steps: u64, seconds: u64, now: i128, evaluate: impl FnOnce() -> T) -> (T, Option<Stop>) {
    let until = clock().checked_add(Duration::from_secs(seconds));
    METER.set(Meter { limit: steps, until, now, ..Meter::IDLE });
    let value = evaluate();
    (value, METER.replace(Meter::IDLE).stop)
}

/// Counts what a builtin is about to do.
pub(super) fn charge(steps: usize) {
    METER.set(METER.get().add(u64::try_from(steps).unwrap_or(u64::MAX)));
}

/// Stops the evaluation because a value would be too large.
pub(super) fn too_large(usage: usize, limit: usize) {
    let mut meter = METER.get();
    meter.stop.get_or_insert(Stop::Size { usage, limit });
    METER.set(meter);
}

/// The time of the decision, in nanoseconds.
pub(super) fn now() -> i128 {
    METER.get().now
}
