//! What the tests share: a client for scripted registries, and a source of credentials that remembers who asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use registry::{BoxFuture, Client, Credential, CredentialError, Credentials, Descriptor, Location, Options, Secret};
use testkit::oci::{Registry, Stored};

/// Options for a loopback registry: plain http, short times.
pub(crate) fn options(registries: &[&Registry]) -> Options {
    Options {
        insecure_hosts: registries.iter().map(|registry| registry.host()).collect(),
        timeout: Duration::from_secs(2),
        deadline: Duration::from_secs(5),
        retries: 2,
        ..Options::default()
    }
}

/// A client without credentials.
pub(crate) fn client(registry: &Registry) -> Client {
    Client::new(options(&[registry]), Arc::new(registry::Anonymous)).unwrap()
}

pub(crate) fn at(registry: &Registry, repository: &str) -> Location {
    Location::new(registry.host(), repository.parse().unwrap())
}

pub(crate) fn subject(content: &impl Stored) -> Descriptor {
    let root = content.root();
    Descriptor::new(root.media_type.as_str(), root.digest.parse().unwrap(), root.bytes.len() as u64)
}

/// Gives one credential first and another after a refresh; remembers what it was asked.
#[derive(Debug)]
pub(crate) struct Wallet {
    pub(crate) first: Credential,
    pub(crate) refreshed: Credential,
    asked: Mutex<Vec<(String, bool)>>,
}

impl Wallet {
    pub(crate) fn of(credential: Credential) -> Arc<Self> {
        Self::changing(credential.clone(), credential)
    }

    pub(crate) fn changing(first: Credential, refreshed: Credential) -> Arc<Self> {
        Arc::new(Self { first, refreshed, asked: Mutex::default() })
    }

    pub(crate) fn asked(&self) -> Vec<(String, bool)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Credentials for Wallet {
    fn for_host<'a>(&'a self, host: &'a str, refresh: bool) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        self.asked.lock().unwrap().push((host.to_owned(), refresh));
        let credential = if refresh { self.refreshed.clone() } else { self.first.clone() };
        Box::pin(std::future::ready(Ok(credential)))
    }
}

pub(crate) fn basic(username: &str, password: &str) -> Credential {
    Credential::Basic { username: username.to_owned(), password: Secret::new(password) }
}
