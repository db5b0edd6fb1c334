//! Logging in: which header proves who we are at a host, for a scope. Source: distribution-spec and the token
//! specification of distribution (`spec/auth/token.md`, `oauth.md`). One login at a time per host and scope; a login that
//! was refused is renewed once, with credentials fetched anew; a password goes to the registry or its own token service
//! and to nobody else (S37).

pub(crate) mod challenge;
mod realm;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use tokio::time::Instant;

use crate::auth::challenge::Challenge;
use crate::client::exchange::Failure;
use crate::credentials::{Credential, Credentials, Secret};
use crate::error::{Asked, Error};
use crate::transport::Transport;
use crate::{Limits, Options};

/// For how long a renewed login that is refused too is not renewed again: it is the permission that lacks.
const RENEWED: Duration = Duration::from_mins(1);

/// The most logins that are remembered.
const LOGINS: usize = 4096;

/// What is known about logins, for all hosts.
#[derive(Debug)]
pub(crate) struct Auth {
    credentials: Arc<dyn Credentials>,
    rules: realm::Rules,
    limits: Limits,
    challenges: Mutex<HashMap<String, Challenge>>,
    /// By host and scope.
    slots: Mutex<HashMap<(String, String), Shared>>,
}

type Shared = Arc<tokio::sync::Mutex<Slot>>;

/// The login of one host and scope.
#[derive(Debug, Default)]
struct Slot {
    grant: Option<Grant>,
    /// What the host asked for when it gave this login: its own idea of the scope is kept.
    challenge: Option<Challenge>,
    serial: u64,
    /// The login that was made anew because one was refused, and when.
    renewed: Option<(u64, Instant)>,
}

/// A header that a login gave.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    /// The value of `Authorization`, marked as sensitive.
    pub(crate) header: HeaderValue,
    /// True for a token that anybody gets.
    pub(crate) anonymous: bool,
    expires: Option<Instant>,
    serial: u64,
}

impl Grant {
    fn is_fresh(&self) -> bool {
        self.expires.is_none_or(|expires| Instant::now() < expires)
    }
}

impl Auth {
    pub(crate) fn new(options: &Options, credentials: Arc<dyn Credentials>) -> Self {
        Self {
            credentials,
            rules: realm::Rules::new(options),
            limits: options.limits.clone(),
            challenges: Mutex::default(),
            slots: Mutex::default(),
        }
    }

    /// The login that is there for this host and scope. If the host's way to log in is known, one that is not there or has
    /// run out is made; if not, nothing is sent but the question itself.
    pub(crate) async fn ready(&self, transport: &Transport, login: &Login<'_>) -> Result<Option<Grant>, Failure> {
        let Some(challenge) = self.known(login.host) else { return Ok(None) };
        let kept = self.slot(login).lock().await.challenge.clone();
        self.login(transport, login, &kept.unwrap_or(challenge), None).await
    }

    /// Logs in as the host asks, or renews the login that it `refused`. `None` if there is no other login to try.
    pub(crate) async fn login(
        &self,
        transport: &Transport,
        login: &Login<'_>,
        challenge: &Challenge,
        refused: Option<&Grant>,
    ) -> Result<Option<Grant>, Failure> {
        let slot = self.slot(login);
        let mut slot = slot.lock().await;
        if let Some(grant) = &slot.grant
            && grant.is_fresh()
            && refused.is_none_or(|refused| refused.serial != grant.serial)
        {
            return Ok(Some(grant.clone()));
        }
        if let Some(refused) = refused
            && slot.renewed.is_some_and(|(serial, at)| serial == refused.serial && at.elapsed() < RENEWED)
        {
            return Ok(None);
        }
        let (header, lifetime, anonymous) = self.header(transport, login, challenge, refused.is_some()).await?;
        slot.serial += 1;
        slot.renewed = refused.map(|_| (slot.serial, Instant::now()));
        slot.challenge = Some(challenge.clone());
        let grant = Grant {
            header,
            expires: lifetime.map(|lifetime| Instant::now() + lifetime),
            serial: slot.serial,
            anonymous,
        };
        slot.grant = Some(grant.clone());
        let mut challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        if challenges.len() >= LOGINS {
            challenges.clear();
        }
        challenges.insert(login.host.to_owned(), challenge.clone());
        drop(challenges);
        Ok(Some(grant))
    }

    fn slot(&self, login: &Login<'_>) -> Shared {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= LOGINS {
            // What nobody uses at the moment is made anew when it is needed.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry((login.host.to_owned(), login.scope.to_owned())).or_default())
    }

    /// The host's way to log in, as it was last seen.
    pub(crate) fn known(&self, host: &str) -> Option<Challenge> {
        let challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.get(host).map(Challenge::without_scope)
    }

    /// The header, how long it lives, and whether it is nobody's in particular.
    async fn header(
        &self,
        transport: &Transport,
        login: &Login<'_>,
        challenge: &Challenge,
        refresh: bool,
    ) -> Result<(HeaderValue, Option<Duration>, bool), Failure> {
        let credential = self.credential(login, refresh).await?;
        let anonymous = credential == Credential::Anonymous;
        let bearer = match challenge {
            Challenge::Basic => {
                return match credential {
                    Credential::Anonymous => {
                        Err(refusal(login, "it asks for a user name and password, and none are set up"))
                    }
                    Credential::Basic { username, password } => Ok((basic(login, &username, &password)?, None, false)),
                    Credential::Bearer(_) | Credential::IdentityToken(_) => {
                        Err(refusal(login, "it asks for a user name and password, and a token is set up"))
                    }
                };
            }
            Challenge::Bearer(bearer) => bearer,
        };
        if let Credential::Bearer(token) = &credential {
            return Ok((sensitive(login, format!("Bearer {}", token.expose()))?, None, false));
        }
        let realm = self.rules.realm(login, bearer)?;
        let fetch = token::Fetch { transport, login, bearer, realm: &realm, limit: self.limits.token_bytes };
        let token = match fetch.token(&credential).await {
            // A source may keep credentials that have run out since.
            Err(failure) if matches!(*failure.error, Error::Denied { .. }) && !refresh && !anonymous => {
                fetch.token(&self.credential(login, true).await?).await?
            }
            other => other?,
        };
        let header = sensitive(login, format!("Bearer {}", token.secret.expose()))?;
        Ok((header, Some(token.lifetime), anonymous))
    }

    async fn credential(&self, login: &Login<'_>, refresh: bool) -> Result<Credential, Failure> {
        let credential = self.credentials.for_host(login.host, refresh).await;
        credential.map_err(|source| Failure::lasting(Error::Credentials { asked: login.asked.clone(), source }))
    }
}

/// For what a login is needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login<'a> {
    /// The host as image references name it: that is how credentials are filed.
    pub(crate) host: &'a str,
    /// What the registry answers under, as opposed to how it is named.
    pub(crate) registry: &'a reqwest::Url,
    /// Such as `repository:a/b:pull`.
    pub(crate) scope: &'a str,
    /// What is being asked.
    pub(crate) asked: &'a Asked,
}

pub(crate) fn refusal(login: &Login<'_>, why: &str) -> Failure {
    Failure::lasting(Error::Denied { asked: login.asked.clone(), status: 401, message: format!(": {why}") })
}

fn basic(login: &Login<'_>, username: &str, password: &Secret) -> Result<HeaderValue, Failure> {
    sensitive(login, format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.expose()))))
}

fn sensitive(login: &Login<'_>, text: String) -> Result<HeaderValue, Failure> {
    let mut header = HeaderValue::try_from(text)
        .map_err(|_| refusal(login, "the token holds characters that cannot be sent in a header"))?;
    header.set_sensitive(true);
    Ok(header)
}
