//! The endpoint itself: a listener on loopback, a thread for each connection, a script they share.
//!
//! It is not a web server: plain HTTP/1.1 with keep-alive and nothing a client of AWS doesn't send.

mod connection;
mod wire;

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::fixtures::REGION;
use crate::script::Chosen;
use crate::{Answer, Request, Script};

/// Variables that would lead a client away from this endpoint: remove them from the environment of a command under
/// test before setting [`Ecr::env`].
pub const FOREIGN_ENV: &[&str] = &[
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_OIDC_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

/// A running endpoint. Dropping it closes every connection, ends hangs and pauses, and waits for its threads.
#[derive(Debug)]
pub struct Ecr {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<Vec<Open>>>,
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    connections: AtomicUsize,
    stopping: Mutex<bool>,
    stopped: Condvar,
}

#[derive(Debug)]
struct State {
    script: Script,
    requests: Vec<Request>,
}

/// A connection the accepting thread has handed to a thread of its own.
#[derive(Debug)]
struct Open {
    stream: Option<TcpStream>,
    thread: JoinHandle<()>,
}

impl Ecr {
    /// Starts an endpoint on a free port of 127.0.0.1.
    pub fn start(script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("the address of a bound listener");
        let shared = Arc::new(Shared {
            state: Mutex::new(State { script, requests: Vec::new() }),
            connections: AtomicUsize::new(0),
            stopping: Mutex::new(false),
            stopped: Condvar::new(),
        });
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything asked so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state().requests.clone()
    }

    /// The operations asked so far, in order.
    pub fn operations(&self) -> Vec<String> {
        self.shared.state().requests.iter().map(|request| request.operation.clone()).collect()
    }

    /// How often an operation was asked.
    pub fn count(&self, operation: &str) -> usize {
        self.shared.state().requests.iter().filter(|request| request.operation == operation).count()
    }

    /// How many connections were opened since the start.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Replaces the script and forgets the requests: one endpoint serves many cases.
    pub fn set(&self, script: Script) {
        *self.shared.state() = State { script, requests: Vec::new() };
    }

    /// The environment that leads an AWS client here and nowhere else (see [`FOREIGN_ENV`] for what to remove).
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let text = str::to_owned;
        vec![
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_ACCESS_KEY_ID", text("AKIAIOSFODNN7EXAMPLE")),
            ("AWS_SECRET_ACCESS_KEY", text("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")),
            ("AWS_REGION", text(REGION)),
            ("AWS_DEFAULT_REGION", text(REGION)),
            ("AWS_EC2_METADATA_DISABLED", text("true")),
            ("AWS_CONFIG_FILE", text("/dev/null")),
            ("AWS_SHARED_CREDENTIALS_FILE", text("/dev/null")),
            ("NO_PROXY", text("127.0.0.1")),
        ]
    }
}

impl Drop for Ecr {
    fn drop(&mut self) {
        *locked(&self.shared.stopping) = true;
        self.shared.stopped.notify_all();
        // The listener wakes for one more connection and finds that it is over.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok();
        let Some(accepting) = self.accepting.take().filter(|_| woken) else { return };
        let open = accepting.join().unwrap_or_default();
        for stream in open.iter().filter_map(|connection| connection.stream.as_ref()) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for connection in open {
            let _ = connection.thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Notes the request and finds its answer; a function of the script is asked without any lock held.
    fn answer(&self, request: &Request) -> Answer {
        let chosen = {
            let mut state = self.state();
            let chosen = state.script.choose(request);
            state.requests.push(request.clone());
            chosen
        };
        match chosen {
            Some(Chosen::Ready(answer)) => answer,
            Some(Chosen::Computed(f)) => f(request),
            None => Answer::error(
                "UnknownOperationException",
                &format!("no script answers the operation '{}'", request.operation),
            ),
        }
    }

    /// Waits; false when the endpoint is being dropped.
    fn pause(&self, duration: Duration) -> bool {
        let stopping = locked(&self.stopping);
        if duration.is_zero() {
            return !*stopping;
        }
        let waited = self.stopped.wait_timeout_while(stopping, duration, |stopping| !*stopping);
        let (stopping, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !*stopping
    }
}

/// Hands each connection to a thread; gives back those still open when it ends.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) -> Vec<Open> {
    let mut open: Vec<Open> = Vec::new();
    for stream in listener.incoming() {
        if *locked(&shared.stopping) {
            break;
        }
        open.retain(|connection| !connection.thread.is_finished());
        let Ok(stream) = stream else {
            shared.pause(Duration::from_millis(10));
            continue;
        };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let handle = stream.try_clone().ok();
        let shared = Arc::clone(shared);
        let thread = thread::spawn(move || connection::serve(&stream, &shared));
        open.push(Open { stream: handle, thread });
    }
    open
}

/// The lock, whether or not a thread died with it: a test that already failed must not fail a second time.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
