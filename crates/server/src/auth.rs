//! Who asks: tokens of the configuration, known by the SHA-256 of each; everything else the engine knows. A token is never kept, logged or compared
//! in a way that takes longer the more of it is right.

mod first;

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use engine::{Actor, Right};

use crate::app::Shared;
use crate::errors::Fail;
use crate::routes::Access;

pub use first::{AdminToken, admin_token};

/// One of these somewhere opens a route that reads or asks.
const READS: &[Right] = &[Right::Read, Right::Ask, Right::Inspect];
/// One that changes something about images.
const WRITES: &[Right] = &[
    Right::Submit,
    Right::Promote,
    Right::Request,
    Right::Approve,
    Right::Label,
    Right::Override,
    Right::Govern,
    Right::Administer,
];
/// One that changes what holds for others.
const ADMINISTERS: &[Right] = &[Right::Approve, Right::Override, Right::Govern, Right::Administer];

/// What a token's bearer may do, in three words for everything; each includes those before. Finer: grants, of [`engine::Actor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads, asks for decisions, requests exceptions: `viewer` and `developer`.
    Read,
    /// Submits documents about images and promotes them: `ci`.
    Write,
    /// Everything, on all repositories. What takes a person (to approve) takes a token that names one.
    Admin,
}

impl Role {
    /// The roles it stands for.
    pub fn roles(self) -> &'static [engine::Role] {
        use engine::Role::{Ci, Developer, Viewer};
        match self {
            Self::Read => &[Viewer, Developer],
            Self::Write => &[Viewer, Developer, Ci],
            Self::Admin => &engine::Role::ALL,
        }
    }
}

/// A token that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The SHA-256 of the token.
    pub sha256: [u8; 32],
    /// Who bears it, and what they may. Their identity stands in records and in the audit log.
    pub actor: Arc<Actor>,
}

impl Token {
    /// What is known of this token.
    pub fn of(name: &str, secret: &str, role: Role) -> Self {
        Self { sha256: hash(secret), actor: Arc::new(Actor::everywhere(name, role.roles())) }
    }
}

fn hash(secret: &str) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    sha256
}

/// The tokens of the configuration.
#[derive(Debug)]
pub(crate) struct Tokens(Vec<Token>);

impl Tokens {
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        Self(tokens)
    }

    /// Compares with every token, whichever it is.
    fn bearer(&self, secret: &str) -> Option<Caller> {
        let sha256 = hash(secret);
        let mut found = None;
        for token in &self.0 {
            if verify_slices_are_equal(&token.sha256, &sha256).is_ok() {
                found = Some(Caller::known(Arc::clone(&token.actor)));
            }
        }
        found
    }
}

/// What a request brings to say who sends it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credentials<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) uri: &'a Uri,
    /// The client's certificate, in DER, which the connection verified.
    pub(crate) certificate: Option<&'a [u8]>,
}

/// Who asks. A token that is not known is refused wherever it is used: who sends one means to be somebody.
pub(crate) async fn caller(shared: &Shared, given: Credentials<'_>) -> Result<Option<Caller>, Fail> {
    let Credentials { headers, uri, certificate } = given;
    let mut values = headers.get_all(AUTHORIZATION).iter();
    if let Some(value) = values.next() {
        let secret =
            value.to_str().ok().and_then(|value| value.split_once(' ')).and_then(|(scheme, secret)| {
                scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim_start_matches(' '))
            });
        let secret = secret.filter(|_| values.next().is_none()).ok_or_else(|| Fail::unauthenticated(true))?;
        return match shared.tokens.bearer(secret) {
            Some(caller) => Ok(Some(caller)),
            None => Ok(Some(Caller::known(shared.gate.authenticate(secret).await?))),
        };
    }
    if let Some(certificate) = certificate {
        return Ok(Some(Caller::known(shared.gate.authenticate_certificate(certificate)?)));
    }
    Ok((shared.anonymous_reads && named_locally(headers, uri)).then(Caller::anonymous))
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
    /// Under which name they stand in records; `None`: nobody said.
    pub name: Option<Arc<str>>,
    actor: Arc<Actor>,
}

impl Caller {
    fn known(actor: Arc<Actor>) -> Self {
        Self { name: Some(Arc::clone(&actor.identity)), actor }
    }

    fn anonymous() -> Self {
        Self { name: None, actor: Arc::new(Actor::anonymous()) }
    }

    /// Whether this caller gets to a route at all. What they may do there, and about what, the engine says.
    pub(crate) fn may(&self, access: Access) -> Result<(), Fail> {
        let needed = match access {
            Access::Open => return Ok(()),
            Access::Named if self.name.is_none() => return Err(Fail::unauthenticated(false)),
            // What they may is for the engine to say.
            Access::Named => return Ok(()),
            Access::Read => READS,
            Access::Write => WRITES,
            Access::Admin => ADMINISTERS,
        };
        match &self.name {
            // No anonymous writes, whatever anybody configures.
            None if access != Access::Read => Err(Fail::unauthenticated(false)),
            _ if needed.iter().any(|right| self.actor.may_somewhere(*right)) => Ok(()),
            _ => Err(Fail::forbidden(&self.actor)),
        }
    }

    /// The name under which a change is logged.
    pub(crate) fn by(&self) -> &str {
        self.name.as_deref().unwrap_or("anonymous")
    }

    /// Who that is to the engine.
    pub(crate) fn actor(&self) -> &Arc<Actor> {
        &self.actor
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
