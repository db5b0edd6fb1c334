//! Who asks: bearer tokens, known by the SHA-256 of each. A token is never kept, logged or compared in a way that takes longer the more of it is
//! right.

mod first;

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};

use crate::errors::Fail;
use crate::routes::Access;

pub use first::{AdminToken, admin_token};

/// What a token's bearer may do; each includes those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Decide, and read.
    Read,
    /// Submit documents about images.
    Write,
    /// Change policies.
    Admin,
}

/// A token that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Who bears it: the name stands in records and in the audit log.
    pub name: String,
    /// The SHA-256 of the token.
    pub sha256: [u8; 32],
    /// What its bearer may do.
    pub role: Role,
}

impl Token {
    /// What is known of this token.
    pub fn of(name: &str, secret: &str, role: Role) -> Self {
        Self { name: name.to_owned(), sha256: hash(secret), role }
    }
}

fn hash(secret: &str) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    sha256
}

/// All tokens that are known.
#[derive(Debug)]
pub(crate) struct Tokens(Vec<(Arc<str>, [u8; 32], Role)>);

impl Tokens {
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        Self(tokens.into_iter().map(|token| (token.name.into(), token.sha256, token.role)).collect())
    }

    /// Compares with every token, whichever it is.
    fn bearer(&self, secret: &str) -> Option<Caller> {
        let sha256 = hash(secret);
        let mut found = None;
        for (name, known, role) in &self.0 {
            if verify_slices_are_equal(known, &sha256).is_ok() {
                found = Some(Caller { name: Some(Arc::clone(name)), role: *role });
            }
        }
        found
    }

    /// Who asks. A token that is not known is refused wherever it is used: who sends one means to be somebody.
    pub(crate) fn caller(&self, headers: &HeaderMap, uri: &Uri, anonymous_reads: bool) -> Result<Option<Caller>, Fail> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        if let Some(value) = given.next() {
            let secret = value.to_str().ok().and_then(|value| value.split_once(' ')).and_then(|(scheme, secret)| {
                scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim_start_matches(' '))
            });
            let known = secret.filter(|_| given.next().is_none()).and_then(|secret| self.bearer(secret));
            return known.map(Some).ok_or_else(|| Fail::unauthenticated(true));
        }
        Ok((anonymous_reads && named_locally(headers, uri)).then_some(Caller { name: None, role: Role::Read }))
    }
}

/// The caller reached us by an address or as `localhost`: no web page whose name was pointed here (DNS rebinding), and no proxy for others.
fn named_locally(headers: &HeaderMap, uri: &Uri) -> bool {
    let host = uri.host().or_else(|| {
        let host = headers.get(HOST)?.to_str().ok()?;
        let ends_with_port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        Some(ends_with_port.map_or(host, |(host, _)| host))
    });
    let Some(host) = host else { return false };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || address.parse::<std::net::IpAddr>().is_ok()
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The token's name; `None`: nobody said.
    pub name: Option<Arc<str>>,
    role: Role,
}

impl Caller {
    /// Whether this caller may ask for a route.
    pub(crate) fn may(&self, access: Access) -> Result<(), Fail> {
        let needed = match access {
            Access::Open => return Ok(()),
            Access::Read => Role::Read,
            Access::Write => Role::Write,
            Access::Admin => Role::Admin,
        };
        match (&self.name, needed) {
            // No anonymous writes, whatever anybody configures.
            (None, Role::Write | Role::Admin) => Err(Fail::unauthenticated(false)),
            _ if self.role >= needed => Ok(()),
            _ => Err(Fail::forbidden(needed)),
        }
    }

    /// What this caller may, as the gate knows it.
    pub(crate) fn actor(&self) -> engine::Actor {
        use engine::Role as Engine;
        let roles: &[Engine] = match self.role {
            Role::Read => &[Engine::Viewer, Engine::Developer],
            Role::Write => &[Engine::Viewer, Engine::Developer, Engine::Ci],
            Role::Admin => &Engine::ALL,
        };
        engine::Actor { person: self.name.clone(), ..engine::Actor::everywhere(self.by(), roles) }
    }

    /// The name under which a change is logged.
    pub(crate) fn by(&self) -> &str {
        self.name.as_deref().unwrap_or("anonymous")
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fail> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Fail::internal("a request came past the guard"))
    }
}

#[cfg(test)]
mod tests;
