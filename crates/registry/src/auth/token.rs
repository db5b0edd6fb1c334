//! One conversation with a token service: GET with user name and password or with nothing, POST with a refresh token.
//! Source: distribution `spec/auth/token.md` and `oauth.md`. The answer's own clock is not believed: a token's life counts
//! from now, is cut a little short, and never longer than half a day.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, Url};
use serde::Deserialize;

use super::realm::{Realm, origin};
use super::{Login, basic, refusal};
use crate::auth::challenge::Bearer;
use crate::client::exchange::Failure;
use crate::credentials::{Credential, Secret};
use crate::error::Error;
use crate::transport::{SendError, Transport};

/// What the specification gives a token that does not say how long it lives.
const USUAL: u64 = 60;
const LONGEST: u64 = 12 * 60 * 60;
const CLIENT: &str = "ecr-gate";

/// A token and how long to use it.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) secret: Secret,
    pub(super) lifetime: Duration,
}

/// What is needed to fetch a token.
#[derive(Debug)]
pub(super) struct Fetch<'a> {
    pub(super) transport: &'a Transport,
    pub(super) login: &'a Login<'a>,
    pub(super) bearer: &'a Bearer,
    pub(super) realm: &'a Realm,
    pub(super) limit: u64,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<serde_json::Value>,
}

impl Fetch<'_> {
    pub(super) async fn token(&self, credential: &Credential) -> Result<Token, Failure> {
        let request = self.request(credential)?;
        let response = self.transport.send(request, self.realm.chosen).await.map_err(|error| self.failure(error))?;
        if !response.status().is_success() {
            let failure = Failure::of(self.login.asked, response, self.transport).await;
            let place = format!("{} (token service)", origin(&self.realm.url));
            return Err(failure.of_token_service().at(&place));
        }
        let body = self.transport.body(response, self.limit).await.map_err(|error| self.failure(error))?;
        let malformed = |why: &str| {
            let why = format!("the token service {} {why}", origin(&self.realm.url));
            Failure::lasting(Error::Malformed { asked: self.login.asked.clone(), why })
        };
        // What went wrong inside is not shown: it could quote the token.
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| malformed("answers with something else than a token"))?;
        let token = answer.token.filter(|token| !token.is_empty()).or(answer.access_token);
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Err(malformed("answers without a token"));
        };
        let seconds = answer.expires_in.as_ref().and_then(serde_json::Value::as_u64).unwrap_or(USUAL).min(LONGEST);
        Ok(Token { secret: Secret::new(token), lifetime: Duration::from_secs(seconds - (seconds / 4).min(30)) })
    }

    fn request(&self, credential: &Credential) -> Result<Request, Failure> {
        let scopes = self.bearer.scopes(self.login.scope);
        let mut url = self.realm.url.clone();
        url.set_fragment(None);
        if let Credential::IdentityToken(token) = credential {
            let fields = form(&[
                ("grant_type", "refresh_token"),
                ("service", self.bearer.service.as_deref().unwrap_or("")),
                ("scope", &scopes.join(" ")),
                ("client_id", CLIENT),
                ("refresh_token", token.expose()),
            ]);
            let mut request = Request::new(Method::POST, url);
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            *request.body_mut() = Some(fields.into());
            return Ok(request);
        }
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = &self.bearer.service {
                query.append_pair("service", service);
            }
            for scope in &scopes {
                query.append_pair("scope", scope);
            }
        }
        let mut request = Request::new(Method::GET, url);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        match credential {
            Credential::Anonymous => {}
            Credential::Basic { username, password } => {
                request.headers_mut().insert(AUTHORIZATION, basic(self.login, username, password)?);
            }
            Credential::Bearer(_) | Credential::IdentityToken(_) => {
                return Err(refusal(self.login, "a token is set up where a user name and password are needed"));
            }
        }
        Ok(request)
    }

    fn failure(&self, error: SendError) -> Failure {
        Failure::sending(self.login.asked, error).at(&format!("{} (token service)", origin(&self.realm.url)))
    }
}

/// The fields of a form, encoded.
fn form(fields: &[(&str, &str)]) -> String {
    // The library encodes forms as it encodes queries; the address is only there to be thrown away.
    Url::parse_with_params("form:", fields)
        .ok()
        .and_then(|url| url.query().map(str::to_owned))
        .unwrap_or_else(String::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded() {
        assert_eq!(
            form(&[("a", "x y&z"), ("b", "repository:a/b:pull,push")]),
            "a=x+y%26z&b=repository%3Aa%2Fb%3Apull%2Cpush"
        );
    }
}
