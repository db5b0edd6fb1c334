//! What every request shares: the gate, who may ask, and the limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::Gate;
use model::Timestamp;
use telemetry::Metrics;
use tokio::sync::Semaphore;

use crate::auth::{Token, Tokens};
use crate::rate::Rates;
use crate::routes::Table;
use crate::share::Shares;

/// How the API is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who may ask, and for what.
    pub tokens: Vec<Token>,
    /// Decide and read without a token. Only for a listener on loopback.
    pub anonymous_reads: bool,
    /// Bounds.
    pub limits: Limits,
    /// Where requests are counted: the same as the gate's.
    pub metrics: Metrics,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// Bounds of the API.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The gate's longest wait for one ask; an ask may take this long and `margin`.
    pub longest_wait: Duration,
    /// How long a request may take that is no ask.
    pub request: Duration,
    /// How long an upload or a replay may take.
    pub long_request: Duration,
    /// How long a request may take to arrive, headers and body each.
    pub receiving: Duration,
    /// What an ask may take besides its wait.
    pub margin: Duration,
    /// How many requests are worked on at the same time.
    pub concurrency: usize,
    /// How much one client may ask; `None`: as much as it likes.
    pub per_client: Option<PerClient>,
}

/// How much one client may ask: a bucket of `burst` requests that fills with `per_second`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerClient {
    /// Requests a second.
    pub per_second: u32,
    /// At once.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            longest_wait: Duration::from_mins(10),
            request: Duration::from_secs(30),
            long_request: Duration::from_mins(5),
            receiving: Duration::from_mins(1),
            margin: Duration::from_secs(15),
            concurrency: 1024,
            per_client: None,
        }
    }
}

/// The API. Clones share it.
#[derive(Debug, Clone)]
pub struct App {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) gate: Gate,
    pub(crate) tokens: Tokens,
    pub(crate) anonymous_reads: bool,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) now: fn() -> Timestamp,
    pub(crate) rates: Option<Rates>,
    pub(crate) working: Arc<Semaphore>,
    /// Of these, the places for what waits.
    pub(crate) waiting: Arc<Shares>,
    pub(crate) routes: Table,
    draining: AtomicBool,
}

impl App {
    /// The API of this gate.
    pub fn new(gate: Gate, settings: Settings) -> Self {
        let Settings { tokens, anonymous_reads, limits, metrics, now } = settings;
        let shared = Shared {
            gate,
            tokens: Tokens::new(tokens),
            anonymous_reads,
            metrics,
            now,
            rates: limits.per_client.map(Rates::new),
            working: Arc::new(Semaphore::new(limits.concurrency.min(Semaphore::MAX_PERMITS))),
            waiting: Arc::new(Shares::new(limits.concurrency)),
            routes: Table::new(),
            limits,
            draining: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    /// From now on the process says that it is not ready.
    pub(crate) fn drain(&self) {
        self.shared.draining.store(true, Ordering::Release);
    }

    pub(crate) fn draining(&self) -> bool {
        self.shared.draining.load(Ordering::Acquire)
    }
}
