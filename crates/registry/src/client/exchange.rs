//! One question to one host, to its end: logged in if asked to, sent again if the failure is a passing one, a redirect
//! followed by hand where that is allowed (never with credentials, never from https to http, S37), and every other answer
//! turned into the error it stands for.

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Request, Response, StatusCode, Url};

use super::Inner;
use crate::Reach;
use crate::auth::Login;
use crate::auth::challenge::Challenge;
use crate::error::{Asked, Error};
use crate::transport::patience::Patience;
use crate::transport::{Chosen, forbidden, is_loopback};

pub(crate) use super::answer::Failure;

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Question<'a> {
    pub(crate) method: Method,
    /// The host as image references name it.
    pub(crate) host: &'a str,
    pub(crate) url: Url,
    pub(crate) scope: String,
    pub(crate) asked: Asked,
    pub(crate) accept: Option<&'static str>,
    /// What is sent: its media type and bytes.
    pub(crate) body: Option<(String, Bytes)>,
    /// Whether a redirect is followed.
    pub(crate) follow: Follow,
}

/// What to do with a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// It is an error.
    No,
    /// Follow it to a copy of the registry: its refusals count as the registry's own.
    Registry,
    /// Follow it to a storage of blobs: its refusals say nothing about the registry.
    Storage,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header as text.
    pub(crate) fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Inner {
    /// Asks, and reads a body of at most `limit` bytes.
    pub(crate) async fn ask(&self, question: &Question<'_>, limit: u64) -> Result<Answer, Error> {
        let mut patience = Patience::new(&self.options);
        loop {
            match self.ask_once(question, limit).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure.or_wait(&mut patience).await?,
            }
        }
    }

    /// The same without repeating what fails: for questions that cannot be asked twice.
    pub(crate) async fn ask_once(&self, question: &Question<'_>, limit: u64) -> Result<Answer, Failure> {
        let response = self.response(question).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = if question.method == Method::HEAD {
            Bytes::new()
        } else {
            let body = self.transport.body(response, limit).await;
            body.map_err(|error| Failure::sending(&question.asked, error))?
        };
        Ok(Answer { status, headers, body })
    }

    /// Asks for a body that is read as it comes.
    pub(crate) async fn open(&self, question: &Question<'_>) -> Result<Response, Error> {
        let mut patience = Patience::new(&self.options);
        loop {
            match self.response(question).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure.or_wait(&mut patience).await?,
            }
        }
    }

    /// A successful answer, its body not yet read.
    async fn response(&self, question: &Question<'_>) -> Result<Response, Failure> {
        let response = self.logged_in(question).await?;
        if response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED {
            return self.redirected(question, response).await;
        }
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Failure::of(&question.asked, response, &self.transport).await)
    }

    /// Sends with the login that is there; makes one if the host asks for it; renews it once if it is refused.
    async fn logged_in(&self, question: &Question<'_>) -> Result<Response, Failure> {
        let login =
            Login { host: question.host, registry: &question.url, scope: &question.scope, asked: &question.asked };
        let mut grant = self.auth.ready(&self.transport, &login).await?;
        let mut renewed = false;
        loop {
            let header = grant.as_ref().map(|grant| grant.header.clone());
            let response = self.send(question, header).await?;
            let status = response.status();
            let refused = match status {
                StatusCode::UNAUTHORIZED => true,
                // Some registries answer 403 to a login that has run out; a login of nobody's cannot be at fault.
                StatusCode::FORBIDDEN => grant.as_ref().is_some_and(|grant| !grant.anonymous),
                _ => false,
            };
            if !refused || renewed {
                return Ok(response);
            }
            let known = || self.auth.known(question.host);
            let Some(challenge) = Challenge::of(response.headers()).or_else(known) else { return Ok(response) };
            let next = self.auth.login(&self.transport, &login, &challenge, grant.as_ref()).await?;
            if next.is_none() {
                return Ok(response);
            }
            renewed = grant.is_some();
            grant = next;
        }
    }

    async fn send(&self, question: &Question<'_>, authorization: Option<HeaderValue>) -> Result<Response, Failure> {
        let mut request = Request::new(question.method.clone(), question.url.clone());
        if let Some(accept) = question.accept {
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
        }
        if let Some(header) = authorization {
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        if let Some((media_type, bytes)) = &question.body {
            if let Ok(media_type) = media_type.parse() {
                request.headers_mut().insert(CONTENT_TYPE, media_type);
            }
            *request.body_mut() = Some(bytes.clone().into());
        }
        let response = self.transport.send(request, Chosen::Caller).await;
        response.map_err(|error| Failure::sending(&question.asked, error))
    }

    /// Follows redirects, each a new request that carries nothing of the first but what is accepted.
    async fn redirected(&self, question: &Question<'_>, mut response: Response) -> Result<Response, Failure> {
        let mut from = question.url.clone();
        for _ in 0..REDIRECTS {
            let target = self.target(question, &from, response.headers())?;
            let mut request = Request::new(question.method.clone(), target.clone());
            if let Some(accept) = question.accept {
                request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
            }
            let chosen = if self.is_insecure(&target) || self.is_listed_itself(question, &target) {
                Chosen::Caller
            } else {
                Chosen::Answer
            };
            response = self
                .transport
                .send(request, chosen)
                .await
                .map_err(|error| Failure::sending(&question.asked, error).at(&place(&target)))?;
            if response.status().is_success() {
                return Ok(response);
            }
            if !response.status().is_redirection() {
                let failure = Failure::of(&question.asked, response, &self.transport).await;
                let failure = if question.follow == Follow::Storage { failure.of_storage() } else { failure };
                return Err(failure.at(&place(&target)));
            }
            from = target;
        }
        Err(stop(question, format!("more than {REDIRECTS} times")))
    }

    /// Where a redirect leads, if it may be followed.
    fn target(&self, question: &Question<'_>, from: &Url, headers: &HeaderMap) -> Result<Url, Failure> {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(target) = location.and_then(|location| from.join(location).ok()) else {
            return Err(stop(question, "to no address that can be read".to_owned()));
        };
        let to = place(&target);
        if question.follow == Follow::No {
            return Err(stop(question, format!("to {to}, and this question is not asked elsewhere")));
        }
        match (from.scheme(), target.scheme()) {
            (_, "https") | ("http", "http") => {}
            ("https", "http") => return Err(stop(question, format!("to {to}, away from https"))),
            _ => return Err(stop(question, format!("to {to}, which is neither https nor http"))),
        }
        if !target.username().is_empty() || target.password().is_some() {
            return Err(stop(question, format!("to {to} with a user name in the address")));
        }
        match forbidden(&target) {
            Some(why) if !is_loopback(&question.url) && !self.is_insecure(&target) => {
                Err(stop(question, format!("to {to}, which is {why}")))
            }
            // Where registries are listed, every other port of this machine is somebody else's.
            Some(_) if self.is_neighbour(question, &target) && !self.is_insecure(&target) => {
                Err(stop(question, format!("to {to}, which is another service on this machine")))
            }
            // From a registry on this machine to this machine, but never to the link or a metadata service.
            Some(why) if !is_loopback(&target) && !self.is_insecure(&target) => {
                Err(stop(question, format!("to {to}, which is {why}")))
            }
            _ => Ok(target),
        }
    }

    /// True for another port of this machine that is not listed, where registries are.
    fn is_neighbour(&self, question: &Question<'_>, target: &Url) -> bool {
        let is_same = question.url.port_or_known_default() == target.port_or_known_default();
        let host = target.host_str().unwrap_or("");
        let named = target.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let reach = &self.options.reach;
        matches!(reach, Reach::Listed(_)) && is_loopback(target) && !is_same && !reach.allows(&named)
    }

    /// True for the registry itself, where it had to be listed to be asked: what was said of its address counts here too.
    fn is_listed_itself(&self, question: &Question<'_>, target: &Url) -> bool {
        matches!(self.options.reach, Reach::Listed(_)) && question.url.host_str() == target.host_str()
    }

    /// True if the caller lists this host as one that is spoken to in plain http.
    fn is_insecure(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or("");
        let listed = &self.options.insecure_hosts;
        url.port().map_or_else(|| listed.contains(host), |port| listed.contains(&format!("{host}:{port}")))
    }
}

/// Scheme, host and port: the rest of an address may hold a signature.
fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    url.port().map_or_else(|| format!("{}://{host}", url.scheme()), |port| format!("{}://{host}:{port}", url.scheme()))
}

fn stop(question: &Question<'_>, why: String) -> Failure {
    Failure::lasting(Error::Redirect { asked: question.asked.clone(), why })
}

#[cfg(test)]
mod tests;
