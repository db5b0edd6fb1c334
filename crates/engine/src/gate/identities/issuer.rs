//! The keys of an issuer: fetched when they are first needed, again when they are old or one is not known, but not more often than it bears. While the
//! issuer is away the last keys count for a while.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use registry::Fetch;
use serde::Deserialize;
use trust::jwt::{self, Claims, KeyList, TokenError, Wanted};

use super::IssuerSettings;
use crate::gate::authenticating::AuthenticationError;

/// How long keys are taken for what the issuer publishes: one that it takes back counts no longer.
const FRESH: Duration = Duration::from_mins(10);
/// How long they count while it is away.
const LAST_GOOD: Duration = Duration::from_hours(6);
/// Between two tries while there are no keys at all.
const RETRY: Duration = Duration::from_secs(5);
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer.
const LARGEST: u64 = 1 << 20;

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct Keys {
    fetch: Fetch,
    known: RwLock<Option<(Arc<KeyList>, Instant)>>,
    /// The last try, and what went wrong. One at a time.
    tried: tokio::sync::Mutex<Option<(Instant, Option<String>)>>,
}

#[derive(Debug, Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl Keys {
    pub(super) fn new(settings: &IssuerSettings) -> Result<Self, String> {
        let fetch = Fetch::new(settings.authorities.clone(), TIMEOUT).map_err(|error| error.to_string())?;
        Ok(Self { fetch, known: RwLock::default(), tried: tokio::sync::Mutex::default() })
    }

    /// What a token claims, if it is believed. A key that is not known may be new.
    pub(super) async fn verified(
        &self,
        settings: &IssuerSettings,
        token: &str,
        wanted: &Wanted<'_>,
    ) -> Result<Claims, AuthenticationError> {
        let refused = |error: TokenError| AuthenticationError::Refused(error.to_string());
        let keys = self.keys(settings).await?;
        match jwt::verify(token, &keys, wanted) {
            Err(TokenError::UnknownKey(_)) => {
                let mut tried = self.tried.lock().await;
                // Somebody else may have fetched them while we waited.
                if self.known().is_some_and(|(newer, _)| Arc::ptr_eq(&newer, &keys)) {
                    self.refresh(settings, &mut tried, settings.pause).await;
                }
                drop(tried);
                let keys = self.known().map_or(keys, |(newer, _)| newer);
                jwt::verify(token, &keys, wanted).map_err(refused)
            }
            verified => verified.map_err(refused),
        }
    }

    fn known(&self) -> Option<(Arc<KeyList>, Instant)> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn keys(&self, settings: &IssuerSettings) -> Result<Arc<KeyList>, AuthenticationError> {
        match self.known() {
            Some((keys, at)) if at.elapsed() < FRESH => return Ok(keys),
            // One looks whether there are newer ones; the others go on with these.
            Some(_) => {
                if let Ok(mut tried) = self.tried.try_lock() {
                    self.refresh(settings, &mut tried, settings.pause).await;
                }
            }
            None => {
                let mut tried = self.tried.lock().await;
                if self.known().is_none() {
                    self.refresh(settings, &mut tried, RETRY.min(settings.pause)).await;
                }
            }
        }
        if let Some((keys, at)) = self.known()
            && at.elapsed() < LAST_GOOD
        {
            return Ok(keys);
        }
        let why = self.tried.lock().await.as_ref().and_then(|(_, why)| why.clone());
        let why = why.unwrap_or_else(|| "they were asked for a moment ago".to_owned());
        Err(AuthenticationError::Keys { issuer: settings.name.clone(), why })
    }

    /// Fetches the keys, unless that was tried a moment ago.
    async fn refresh(&self, settings: &IssuerSettings, tried: &mut Option<(Instant, Option<String>)>, pause: Duration) {
        if tried.as_ref().is_some_and(|(at, _)| at.elapsed() < pause) {
            return;
        }
        let at = Instant::now();
        let why = match self.fetched(settings).await {
            Ok(keys) => {
                // It was asked and answered: what it took back counts no longer.
                if keys.is_empty() {
                    tracing::warn!(issuer = settings.name, "an identity provider lists no key for signatures");
                }
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some((Arc::new(keys), at));
                None
            }
            Err(why) => {
                tracing::warn!(issuer = settings.name, cause = why, "the keys of an identity provider cannot be had");
                Some(why)
            }
        };
        *tried = Some((at, why));
    }

    async fn fetched(&self, settings: &IssuerSettings) -> Result<KeyList, String> {
        if let Some(url) = &settings.keys {
            return KeyList::parse(&self.fetch.get(url, false, LARGEST).await?);
        }
        let issuer = &settings.issuer;
        let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let bytes = self.fetch.get(&place, false, LARGEST).await?;
        let found: Discovered = serde_json::from_slice(&bytes)
            .map_err(|_| "its configuration names no issuer and no `jwks_uri`".to_owned())?;
        if found.issuer != *issuer {
            return Err(format!("its configuration is of {:?}", found.issuer.chars().take(200).collect::<String>()));
        }
        let named_by_answer = !registry::same_host(&found.jwks_uri, issuer);
        KeyList::parse(&self.fetch.get(&found.jwks_uri, named_by_answer, LARGEST).await?)
    }
}
