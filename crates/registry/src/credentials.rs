//! Who we are at a registry: the trait that sources of credentials implement, and the secrets it hands over.
//! A secret is shown by nothing that formats it; how it is used is decided in `auth`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A source of credentials.
pub trait Credentials: Send + Sync + fmt::Debug {
    /// The credential for a host as image references name it (Docker Hub is `docker.io`). `refresh` says that the one
    /// given before was refused: a source that keeps credentials fetches them anew.
    fn for_host<'a>(&'a self, host: &'a str, refresh: bool) -> BoxFuture<'a, Result<Credential, CredentialError>>;
}

/// What proves who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing: ask as anybody would.
    Anonymous,
    /// A user name and a password or access token.
    Basic {
        /// User name.
        username: String,
        /// Password or access token.
        password: Secret,
    },
    /// A token that the registry itself takes.
    Bearer(Secret),
    /// A refresh token that the token service changes for an access token.
    IdentityToken(Secret),
}

/// Why no credential could be had, although one should be there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CredentialError {
    /// What happened, without the secret.
    pub message: String,
    /// What to do next, if the source knows.
    pub hint: Option<String>,
}

impl CredentialError {
    /// An error without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same with the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A text that no formatting shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the wire and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Nobody in particular, everywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anonymous;

impl Credentials for Anonymous {
    fn for_host<'a>(&'a self, _host: &'a str, _refresh: bool) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(std::future::ready(Ok(Credential::Anonymous)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s37_no_formatting_shows_a_secret() {
        let secret = || Secret::new("hunter2");
        for credential in [
            Credential::Basic { username: "ci".into(), password: secret() },
            Credential::Bearer(secret()),
            Credential::IdentityToken(secret()),
        ] {
            let shown = format!("{credential:?} {credential:#?}");
            assert!(!shown.contains("hunter2") && shown.contains("hidden"), "{shown}");
        }
    }
}
