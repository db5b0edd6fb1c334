//! A document from a fixed address, or to one, by the same way as everything: what identity providers publish, and what is told to others. One request,
//! no redirects, no credentials.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Request, Url};

use crate::transport::{Chosen, SendError, Transport, forbidden, is_loopback};
use crate::{Error, Options, Reach};

/// Fetches documents.
#[derive(Debug)]
pub struct Fetch(Transport);

impl Fetch {
    /// With more certificate authorities, each a PEM file's bytes, and the time that one request may take.
    ///
    /// # Errors
    /// An authority cannot be read.
    pub fn new(authorities: Vec<Vec<u8>>, timeout: Duration) -> Result<Self, Error> {
        Ok(Self(Transport::new(&Options { ca_pem: authorities, timeout, ..Options::default() })?))
    }

    /// The same for what is told to others: to no address of the link and to no metadata service, whatever name stands for it.
    ///
    /// # Errors
    /// An authority cannot be read.
    pub fn to_others(authorities: Vec<Vec<u8>>, timeout: Duration) -> Result<Self, Error> {
        let options = Options { ca_pem: authorities, timeout, reach: Reach::OffTheLink, ..Options::default() };
        Ok(Self(Transport::new(&options)?))
    }

    /// Whether an address may be asked at all: over TLS, or on this machine.
    ///
    /// # Errors
    /// Why not.
    pub fn permitted(url: &str) -> Result<(), String> {
        parsed(url).map(|_| ())
    }

    /// The document at an address that whoever runs the gate chose, or at one that an answer named (S37).
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn get(&self, url: &str, named_by_answer: bool, limit: u64) -> Result<Bytes, String> {
        let url = parsed(url)?;
        let chosen = if named_by_answer { Chosen::Answer } else { Chosen::Caller };
        if let Some(why) = forbidden(&url).filter(|_| named_by_answer) {
            return Err(format!("its address is {why}, where an answer from outside may not send us"));
        }
        let mut request = Request::new(Method::GET, url);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.0.send(request, chosen).await.map_err(words)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("the answer was {}", response.status()));
        }
        self.0.body(response, limit).await.map_err(words)
    }

    /// Hands JSON to an address that whoever runs the gate chose. What is answered is not read: its status says whether it was taken.
    ///
    /// # Errors
    /// It was not taken: why, in words that name neither the address nor a header.
    pub async fn post(&self, url: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> Result<(), String> {
        let mut request = Request::new(Method::POST, parsed(url)?);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            let value = HeaderValue::try_from(value).map_err(|_| format!("its header {name} cannot be written"))?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        *request.body_mut() = Some(body.into());
        let status = self.0.send(request, Chosen::Caller).await.map_err(words)?.status();
        if status.is_success() { Ok(()) } else { Err(format!("the answer was {status}")) }
    }
}

fn words(error: SendError) -> String {
    match error {
        SendError::Network(why) | SendError::Setup(why) | SendError::Forbidden(why) => why,
        SendError::TooLarge(limit) => format!("it has more than {limit} bytes"),
    }
}

/// True if both addresses are on one host and port.
pub fn same_host(one: &str, other: &str) -> bool {
    let place = |text: &str| {
        let url = Url::parse(text).ok()?;
        Some((url.scheme().to_owned(), url.host_str()?.to_owned(), url.port_or_known_default()))
    };
    place(one).is_some_and(|place_of_one| Some(place_of_one) == place(other))
}

fn parsed(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("it is no URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL holds a user name or a password".to_owned());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err("it is not asked without TLS: the URL has to begin with https://".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn s37_documents_come_over_tls_and_from_where_an_answer_may_send_us() {
        for bad in [
            "http://id.example/keys",
            "ftp://id.example/",
            "keys",
            "https://user:word@id.example/",
            "file:///etc/passwd",
        ] {
            assert!(Fetch::permitted(bad).is_err(), "{bad}");
        }
        assert!(Fetch::permitted("https://id.example/keys").is_ok() && Fetch::permitted("http://127.0.0.1:1/").is_ok());
        let fetch = Fetch::new(Vec::new(), Duration::from_secs(1)).unwrap();
        for inside in ["https://169.254.169.254/latest", "http://127.0.0.1:1/keys", "https://localhost/keys"] {
            let error = fetch.get(inside, true, 10).await.unwrap_err();
            assert!(error.contains("may not send us"), "{inside}: {error}");
        }
        let others = Fetch::to_others(Vec::new(), Duration::from_secs(1)).unwrap();
        for inside in ["https://169.254.169.254/hook", "https://[fe80::1]/hook", "http://id.example/hook"] {
            let error = others.post(inside, &[], Vec::new()).await.unwrap_err();
            assert!(!error.contains("hook"), "the path of a hook is its secret: {error}");
        }
        assert!(same_host("https://id.example/a", "https://id.example:443/b"));
        assert!(!same_host("https://id.example/a", "https://id.example.evil/a"));
    }
}
