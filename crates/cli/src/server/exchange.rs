//! Requests to the service: bounded in time and size, without redirects, tried again while that can help. Once the time is up the
//! last trouble is the answer.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::problem::{Problem, Trouble};
use super::{is_loopback, not_understood};
use crate::clock::now;
use crate::env;
use crate::failure::Failure;
use crate::output::logged;
use crate::ui::Ui;

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The largest answer that says what went wrong.
const PROBLEM: usize = 64 << 10;
/// The longest the service is believed that it needs to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// How long everything may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// One call.
    pub call: Duration,
    /// All of them, with the waiting between them.
    pub whole: Duration,
    /// How long a service that is not there is tried.
    pub away: Duration,
}

/// A service.
#[derive(Debug)]
pub(crate) struct Server {
    base: Url,
    token: Option<HeaderValue>,
    http: reqwest::Client,
    patience: Patience,
    deadline: Instant,
    tells: Option<Ui>,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    media_type: &'static str,
    headers: Vec<(&'static str, HeaderValue)>,
    limit: usize,
    longer: Duration,
    is_repeatable: bool,
    goes_on: bool,
}

/// An answer with status 200 or 201; with 202 where that was expected.
#[derive(Debug)]
pub(crate) struct Reply {
    pub body: Vec<u8>,
    /// When to ask again, if that was said.
    pub retry_after: Option<Duration>,
}

impl Ask {
    /// Reads something.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            body: None,
            media_type: "application/json",
            headers: Vec::new(),
            limit: 16 << 20,
            longer: Duration::ZERO,
            is_repeatable: true,
            goes_on: false,
        }
    }

    /// Hands something over; the same twice must be the same as once, unless [`Self::once`] says otherwise.
    pub(crate) fn post(path: impl Into<String>, body: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Failure::internal(format!("the request cannot be written as JSON: {error}")))?;
        Ok(Self { method: Method::POST, body: Some(body), ..Self::get(path) })
    }

    /// Hands a document over as it is.
    pub(crate) fn document(path: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { method: Method::POST, body: Some(bytes), media_type: "application/octet-stream", ..Self::get(path) }
    }

    /// Puts something in the place of what is there.
    pub(crate) fn put(path: impl Into<String>, body: &impl Serialize) -> Result<Self, Failure> {
        Ok(Self { method: Method::PUT, ..Self::post(path, body)? })
    }

    /// A request that does something else when it is done again.
    pub(crate) fn once(mut self) -> Self {
        self.is_repeatable = false;
        self
    }

    /// A request that is accepted with 202, and goes on behind.
    pub(crate) fn goes_on(mut self) -> Self {
        self.goes_on = true;
        self
    }

    /// A part of the query; left out if there is none.
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: Option<String>) -> Self {
        self.headers.extend(value.and_then(|value| Some((name, HeaderValue::try_from(value).ok()?))));
        self
    }

    /// The largest answer that is read.
    pub(crate) fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// The service is asked to wait for so long before it answers.
    pub(crate) fn longer(mut self, wait: Duration) -> Self {
        self.longer = wait;
        self
    }
}

impl Reply {
    /// The answer, read.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Trouble::NotUnderstood(format!("its answer cannot be read: {error}")))
    }

    /// The answer as text.
    pub(crate) fn text(self) -> Result<String, Trouble> {
        String::from_utf8(self.body).map_err(|_| Trouble::NotUnderstood("its answer is no UTF-8 text".to_owned()))
    }
}

impl Server {
    pub(super) fn new(
        base: Url,
        token: Option<HeaderValue>,
        authorities: Vec<reqwest::Certificate>,
        patience: Patience,
    ) -> Result<Self, Failure> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("ecr-gate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT.min(patience.call));
        builder = if base.scheme() == "https" {
            builder.https_only(true).tls_certs_merge(authorities)
        } else {
            // Without TLS no certificates are loaded, and none need be installed.
            builder.tls_certs_only(std::iter::empty())
        };
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| Failure::configuration(format!("the HTTP client cannot be built: {}", words(error))))?;
        Ok(Self { base, token, http, patience, deadline: Instant::now() + patience.whole, tells: None })
    }

    /// Whom to tell that it is tried again.
    pub(super) fn telling(mut self, ui: Ui) -> Self {
        self.tells = Some(ui);
        self
    }

    /// The address, for people.
    pub(crate) fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// What is left of the time.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Begins the time anew: for a next page, which may take as long as the first.
    pub(crate) fn take_time(&mut self) {
        self.deadline = Instant::now() + self.patience.whole;
    }

    /// Sends it, and again while that can help.
    pub(crate) async fn send(&self, ask: &Ask) -> Result<Reply, Trouble> {
        let away_until = self.deadline.min(Instant::now() + self.patience.away);
        let mut failures = 0_u32;
        loop {
            let (trouble, wanted) = match self.attempt(ask).await {
                Ok(reply) => return Ok(reply),
                Err(trouble) => trouble,
            };
            let until = match &trouble {
                Trouble::Away { is_lasting: true, .. } => return Err(trouble),
                Trouble::Away { is_sure, .. } if *is_sure || ask.is_repeatable => away_until,
                Trouble::Problem(Problem { status: 429 | 503, .. }) => self.deadline,
                Trouble::Problem(Problem { status: 502 | 504, .. }) if ask.is_repeatable => away_until,
                _ => return Err(trouble),
            };
            failures += 1;
            let pause = wanted.unwrap_or(Duration::ZERO).max(backoff(failures));
            // A pause that leaves no time for an answer is not worth waiting for.
            if Instant::now() + pause >= until {
                return Err(trouble);
            }
            if let (1, Some(ui), Trouble::Away { why, .. }) = (failures, self.tells, &trouble) {
                let left = until.saturating_duration_since(Instant::now()).as_secs();
                let (address, why) = (self.address(), logged(why, 500));
                ui.say(&format!("{address} cannot be reached: {why}; trying again for up to {left} s"));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, ask: &Ask) -> Result<Reply, (Trouble, Option<Duration>)> {
        let time = (self.patience.call + ask.longer).min(self.left());
        if let Ok(answer) = tokio::time::timeout(time, self.exchange(ask)).await {
            return answer;
        }
        let why = format!("it gave no whole answer within {:.1} s", time.as_secs_f64());
        Err((Trouble::Away { why, is_sure: false, is_lasting: false }, None))
    }

    async fn exchange(&self, ask: &Ask) -> Result<Reply, (Trouble, Option<Duration>)> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/api/v1/{}", self.base.path().trim_end_matches('/'), ask.path));
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        let mut request = reqwest::Request::new(ask.method.clone(), url);
        let headers = request.headers_mut();
        headers.extend(self.token.clone().map(|token| (AUTHORIZATION, token)));
        if let Some(trace) = env::TRACEPARENT.get().and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert("traceparent", trace);
        }
        for (name, value) in &ask.headers {
            headers.insert(*name, value.clone());
        }
        if let Some(body) = &ask.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(ask.media_type));
            *request.body_mut() = Some(body.clone().into());
        }
        let away = |error: reqwest::Error| {
            let is_sure = error.is_connect();
            let why = words(error);
            let is_lasting = is_sure && why.contains("certificate");
            (Trouble::Away { why, is_sure, is_lasting }, None)
        };
        let mut response = self.http.execute(request).await.map_err(away)?;
        let status = response.status();
        let retry_after = pause(response.headers());
        let is_answer =
            matches!(status, StatusCode::OK | StatusCode::CREATED) || (ask.goes_on && status == StatusCode::ACCEPTED);
        let limit = if is_answer { ask.limit } else { PROBLEM };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            if body.len() + chunk.len() > limit {
                if is_answer {
                    let why = format!("its answer is larger than {limit} bytes");
                    return Err((Trouble::NotUnderstood(why), None));
                }
                break;
            }
            body.extend_from_slice(&chunk);
        }
        if is_answer {
            return Ok(Reply { body, retry_after });
        }
        if status.is_client_error() || status.is_server_error() {
            return Err((Trouble::Problem(Problem::read(status.as_u16(), &body)), retry_after));
        }
        let why = if status.is_redirection() {
            "it redirects to another address, which is not followed: the token is for this one".to_owned()
        } else {
            format!("it answers with status {}, which is no answer", status.as_u16())
        };
        Err((Trouble::NotUnderstood(why), None))
    }
}

/// The pause that the service asks for: seconds, or a date.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = if let Ok(seconds) = text.parse::<u64>() {
        seconds
    } else {
        let then = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        u64::try_from(then.duration_since(now()).as_secs()).unwrap_or(0)
    };
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// From a quarter of a second, doubling, to 15 s, and up to half of that less: jobs that start together spread.
fn backoff(failures: u32) -> Duration {
    let whole = Duration::from_millis(250 << failures.saturating_sub(1).min(6)).min(Duration::from_secs(15));
    let spread = uuid::Uuid::now_v7().as_u64_pair().1 % 512;
    whole.mul_f64(1.0 - f64::from(u16::try_from(spread).unwrap_or(0)) / 1024.0)
}

/// An error of the HTTP library with all its causes and without the address, which is said before it.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = inner.source();
    }
    words
}

impl Trouble {
    /// What a command says that cannot go on without the answer.
    pub(crate) fn failure(self, server: &Server) -> Failure {
        let address = server.address();
        match self {
            Self::Away { why, .. } => {
                let hint = if why.contains("UnknownIssuer") {
                    "its certificate is of an authority that this machine does not know: name the authority's certificate with --server-ca FILE, or ECR_GATE_SERVER_CA"
                } else {
                    "check the address, the network between here and there, and the service's own log"
                };
                Failure::internal(format!("the decision service {address} cannot be reached: {why}")).hint(hint)
            }
            Self::NotUnderstood(why) => {
                not_understood(format!("the decision service {address} is not understood: {why}"))
            }
            Self::Problem(problem) => problem.failure(address),
        }
    }
}
