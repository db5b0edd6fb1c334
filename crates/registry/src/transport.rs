//! The one place that sends HTTP requests: counted, limited per host, in time, without following redirects. Loopback hosts
//! are never reached through a proxy; other hosts are, if the environment names one. `guard` judges the addresses (S37): those that an answer chose
//! (redirects, token services), and for a service all of them.

mod guard;
pub(crate) mod patience;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ipnet::IpNet;
use reqwest::{Certificate, Request, Response, Url};
use tokio::sync::Semaphore;

use guard::{Guard, Refused};
pub(crate) use guard::{forbidden, is_loopback};

use crate::reach::without_port;
use crate::{Error, Options, Reach};

/// How long to wait for a connection; shorter than the time of a whole request, so that there is time for another try.
const CONNECT: Duration = Duration::from_secs(10);
/// The most hosts whose requests are counted apart. Those beyond share one count.
const HOSTS: usize = 1024;

/// How often the time of a request may pass without a byte of an upload before it is given up.
const SILENCES: u32 = 4;

/// Sends requests.
#[derive(Debug)]
pub(crate) struct Transport {
    certificates: Vec<Certificate>,
    user_agent: String,
    timeout: Duration,
    concurrency: usize,
    // Built when first needed: loading the system's certificates takes longer than a request to a neighbour.
    clients: Mutex<HashMap<Way, Result<reqwest::Client, String>>>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
    others: Arc<Semaphore>,
    reach: Reach,
    networks: Arc<[IpNet]>,
    /// Addresses that are listed by themselves.
    addresses: HashSet<IpAddr>,
    /// `localhost` is listed.
    localhost: bool,
    sent: AtomicU64,
}

/// What a connection needs; each kind has an HTTP client of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Way {
    /// To this machine, where no proxy is used.
    is_loopback: bool,
    /// Which addresses a name may stand for.
    guard: Guard,
    /// With TLS: without it no certificates are loaded, and none need be installed.
    is_tls: bool,
    /// The answer may come long after the question began.
    is_upload: bool,
}

/// Who chose the address of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// The caller: it goes where it was told.
    Caller,
    /// An answer: it goes to no address that is special on this machine or its link.
    Answer,
}

/// Why nothing, or not everything, came back.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The network or the other side failed, in words.
    Network(String),
    /// The answer is larger than the limit.
    TooLarge(u64),
    /// The client cannot be built.
    Setup(String),
    /// The address is not connected to (S37).
    Forbidden(String),
}

impl Transport {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let mut certificates = Vec::new();
        for pem in &options.ca_pem {
            let bundle = Certificate::from_pem_bundle(pem)
                .map_err(|error| Error::Setup(format!("a CA file is not in PEM form: {}", words(error))))?;
            if bundle.is_empty() {
                return Err(Error::Setup("a CA file holds no certificate".to_owned()));
            }
            certificates.extend(bundle);
        }
        let listed: Vec<&str> = listed(options).collect();
        Ok(Self {
            addresses: listed.iter().filter_map(|host| guard::address(without_port(host))).collect(),
            localhost: listed.iter().any(|host| without_port(host) == "localhost"),
            networks: options.reach.networks().into(),
            reach: options.reach.clone(),
            others: Arc::new(Semaphore::new(options.concurrency.max(1))),
            certificates,
            user_agent: options.user_agent.clone(),
            timeout: options.timeout,
            concurrency: options.concurrency.max(1),
            clients: Mutex::default(),
            hosts: Mutex::default(),
            sent: AtomicU64::new(0),
        })
    }

    /// How many requests were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends one request and gives what comes back, whatever it is, as soon as its head is there.
    pub(crate) async fn send(&self, mut request: Request, chosen: Chosen) -> Result<Response, SendError> {
        let guard = self.prepare(&mut request, chosen)?;
        let client = self.client(request.url(), guard, false)?;
        let gate = self.gate(request.url());
        let answer = async {
            // The gate is never closed; a request beyond the limit would be the lesser evil if it were.
            let _permit = gate.acquire().await;
            self.sent.fetch_add(1, Ordering::Relaxed);
            client.execute(request).await
        };
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(failed(error)),
            Err(_) => Err(SendError::Network(self.silence())),
        }
    }

    /// Sends a request whose body comes as it is read elsewhere: it may take as long as bytes go out, which are counted in `sent`. It waits for nobody
    /// at this host: who copies bounds how much at a time.
    pub(crate) async fn upload(&self, mut request: Request, sent: &AtomicU64) -> Result<Response, SendError> {
        let guard = self.prepare(&mut request, Chosen::Caller)?;
        let client = self.client(request.url(), guard, true)?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut answer = std::pin::pin!(client.execute(request));
        let (mut before, mut silent) = (0, 0);
        loop {
            if let Ok(answered) = tokio::time::timeout(self.timeout, &mut answer).await {
                return answered.map_err(failed);
            }
            let now = sent.load(Ordering::Relaxed);
            silent = if now == before { silent + 1 } else { 0 };
            before = now;
            // A registry may take a while to put away what it was sent.
            if silent >= SILENCES {
                return Err(SendError::Network(self.silence()));
            }
        }
    }

    /// What every request has, and to which addresses it may go.
    fn prepare(&self, request: &mut Request, chosen: Chosen) -> Result<Guard, SendError> {
        if let Ok(agent) = self.user_agent.parse() {
            request.headers_mut().insert(reqwest::header::USER_AGENT, agent);
        }
        let guard = self.guard(request.url(), chosen);
        if let Some(address) = guard::literal(request.url())
            && let Some(why) = guard.refuses(address, &self.networks)
        {
            return Err(SendError::Forbidden(Refused::new(guard, &address.to_string(), why).to_string()));
        }
        Ok(guard)
    }

    /// Which addresses this host may stand for.
    fn guard(&self, url: &Url, chosen: Chosen) -> Guard {
        match (chosen, &self.reach) {
            // Whether an answer may send us to this machine was asked before.
            (Chosen::Answer, _) if is_loopback(url) => Guard::Open,
            (Chosen::Answer, Reach::Anywhere | Reach::OffTheLink) => Guard::Foreign,
            (Chosen::Caller, Reach::Anywhere) => Guard::Open,
            (Chosen::Caller, _) if guard::literal(url).is_some_and(|address| self.addresses.contains(&address)) => {
                Guard::Open
            }
            (Chosen::Caller, Reach::OffTheLink) => Guard::OffTheLink,
            (Chosen::Caller, Reach::Listed(_)) if self.localhost && url.host_str() == Some("localhost") => {
                Guard::OffTheLink
            }
            (Chosen::Caller | Chosen::Answer, Reach::Listed(_)) => Guard::Public,
        }
    }

    /// Reads a body of at most `limit` bytes.
    pub(crate) async fn body(&self, mut response: Response, limit: u64) -> Result<Bytes, SendError> {
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(SendError::TooLarge(limit));
        }
        let read = async {
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| SendError::Network(words(error)))? {
                if (body.len() + chunk.len()) as u64 > limit {
                    return Err(SendError::TooLarge(limit));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body.freeze())
        };
        tokio::time::timeout(self.timeout, read).await.unwrap_or_else(|_| Err(SendError::Network(self.silence())))
    }

    fn silence(&self) -> String {
        format!("no whole answer within {} s", self.timeout.as_secs_f32())
    }

    fn gate(&self, url: &Url) -> Arc<Semaphore> {
        let host = format!("{}:{}", url.host_str().unwrap_or(""), url.port_or_known_default().unwrap_or(0));
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= HOSTS && !hosts.contains_key(&host) {
            // Nobody asks a host that only the table knows.
            hosts.retain(|_, gate| Arc::strong_count(gate) > 1);
            if hosts.len() >= HOSTS {
                return Arc::clone(&self.others);
            }
        }
        Arc::clone(hosts.entry(host).or_insert_with(|| Arc::new(Semaphore::new(self.concurrency))))
    }

    fn client(&self, url: &Url, guard: Guard, is_upload: bool) -> Result<reqwest::Client, SendError> {
        let way = Way { is_loopback: is_loopback(url), guard, is_tls: url.scheme() == "https", is_upload };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(way).or_insert_with(|| self.built(way)).clone();
        client.map_err(|why| SendError::Setup(format!("the HTTP client cannot be built: {why}")))
    }

    fn built(&self, way: Way) -> Result<reqwest::Client, String> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT.min(self.timeout));
        if !way.is_upload {
            builder = builder.read_timeout(self.timeout);
        }
        builder = if way.is_tls {
            builder.https_only(true).tls_certs_merge(self.certificates.iter().cloned())
        } else {
            builder.tls_certs_only(std::iter::empty())
        };
        if way.is_loopback {
            builder = builder.no_proxy();
        }
        if way.guard != Guard::Open {
            builder = builder.dns_resolver(guard::Resolver::new(way.guard, Arc::clone(&self.networks)));
        }
        builder.build().map_err(words)
    }
}

fn failed(error: reqwest::Error) -> SendError {
    match Refused::of(&error) {
        Some(why) => SendError::Forbidden(why),
        None => SendError::Network(plainer(words(error))),
    }
}

/// What answers a TLS greeting with something else speaks plain http, as far as anybody can tell.
fn plainer(words: String) -> String {
    if words.contains("InvalidContentType") {
        return format!(
            "it does not speak TLS ({words}); if it is a registry of plain http, say so with --insecure-registry, or `registries.insecure` of a service"
        );
    }
    words
}

/// Every host that the caller listed by itself, for whatever purpose.
fn listed(options: &Options) -> impl Iterator<Item = &str> {
    let mirrors = options.mirrors.values().flatten().map(|mirror| mirror.split('/').next().unwrap_or(mirror));
    let rest = options.insecure_hosts.iter().chain(&options.token_realms).map(String::as_str);
    options.reach.names().chain(mirrors).chain(rest)
}

/// An error of the HTTP library with all its causes and without the address, whose query may hold a signature.
pub(crate) fn words(error: reqwest::Error) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_of_plain_http_is_told_by_what_can_be_done() {
        let said = plainer("error sending request: received corrupt message of type InvalidContentType".to_owned());
        assert!(said.contains("--insecure-registry") && said.contains("InvalidContentType"), "{said}");
        assert_eq!(plainer("connection refused".to_owned()), "connection refused");
    }

    #[test]
    fn hosts_that_nobody_asks_are_forgotten_and_the_rest_share() {
        let transport = Transport::new(&Options::default()).unwrap();
        let gate = |number: usize| transport.gate(&Url::parse(&format!("https://h{number}.example/")).unwrap());
        let held = || transport.hosts.lock().unwrap().len();
        for number in 0..3 * HOSTS {
            gate(number);
        }
        assert!(held() <= HOSTS, "{}", held());
        let busy: Vec<_> = (0..HOSTS).map(gate).collect();
        let (one, other) = (gate(HOSTS), gate(HOSTS + 1));
        assert!(Arc::ptr_eq(&one, &other) && !Arc::ptr_eq(&one, &busy[0]), "those beyond have one count");
        assert!(Arc::ptr_eq(&gate(7), &busy[7]), "who is busy keeps its own");
        assert_eq!(held(), HOSTS);
        drop(busy);
        assert!(!Arc::ptr_eq(&gate(HOSTS), &transport.others), "then there is room again");
    }
}
