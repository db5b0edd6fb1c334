//! The endpoint itself: a listener on loopback, a thread for each connection, a script they share.
//!
//! It is not a web server: plain HTTP/1.1 with keep-alive and nothing a client of AWS doesn't send.

mod connection;
mod wire;

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::fixtures::REGION;
use crate::listener::{Listener, Stop, locked};
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
    listener: Listener,
    shared: Arc<Shared>,
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    stop: Arc<Stop>,
}

#[derive(Debug)]
struct State {
    script: Script,
    requests: Vec<Request>,
}

impl Ecr {
    /// Starts an endpoint on a free port of 127.0.0.1.
    pub fn start(script: Script) -> Self {
        let stop = Arc::new(Stop::default());
        let state = Mutex::new(State { script, requests: Vec::new() });
        let shared = Arc::new(Shared { state, stop: Arc::clone(&stop) });
        let serving = Arc::clone(&shared);
        let listener = Listener::start(stop, |_| move |stream: &TcpStream| connection::serve(stream, &serving));
        Self { listener, shared }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
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
        self.shared.stop.connections()
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
        self.stop.pause(duration)
    }
}
