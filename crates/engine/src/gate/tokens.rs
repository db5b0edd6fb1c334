//! Tokens that the gate gives out: made here, shown once, kept as the SHA-256 alone. Each ends by itself, and is over everywhere within the lease once
//! it is revoked.

mod body;
mod making;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{Digest, Timestamp};
use store::{ItemQuery, ItemRow, Store, StoreError};

use super::GateError;
use super::actor::{Actor, Grant};
use super::authenticating::AuthenticationError;
use body::Body;

pub use making::bootstrap;

/// The kind of its items.
pub(super) const KIND: &str = "token";
/// The state in which it is good.
const ACTIVE: &str = "active";
/// How every token begins, so that whoever finds one knows what it is.
const PREFIX: &str = "egt_";
/// How many random bytes it has.
const RANDOM: usize = 32;
/// How long they are, written.
const WRITTEN: usize = 43;
/// How long the check after them is: hexadecimal digits.
const CHECK: usize = 8;
/// The most tokens that are good at once.
const MOST: usize = 5_000;
/// Tokens that are read at once.
const PAGE: u32 = 500;

/// A token to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewToken {
    /// What it is for: its bearer stands in records as `token:NAME#ID`.
    pub name: String,
    /// What its bearer may.
    pub grants: Vec<Grant>,
    /// The person who bears it.
    pub person: Option<String>,
    /// When it ends.
    pub until: Timestamp,
}

/// A token as it may be seen.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenSeen {
    /// UUIDv7.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What its bearer may.
    pub grants: Vec<Grant>,
    /// The person who bears it.
    pub person: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it ends.
    pub until: Timestamp,
    /// `active`, `expired`, `revoked`, or `used` of the first one.
    pub state: String,
    /// Who revoked it, if somebody did.
    pub revoked_by: Option<String>,
}

/// A token that was just made.
pub struct TokenMade {
    /// What it is.
    pub token: TokenSeen,
    /// The token itself: nobody can say it again.
    pub secret: String,
}

impl std::fmt::Debug for TokenMade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenMade").field("token", &self.token).finish_non_exhaustive()
    }
}

/// The hash of a text that is written as one of our tokens; `None` if it is none: then nobody need look.
pub(super) fn hash(secret: &str) -> Option<Digest> {
    let rest = secret.strip_prefix(PREFIX)?;
    let sound = rest.is_ascii() && rest.len() == WRITTEN + CHECK && rest[WRITTEN..] == check(&rest[..WRITTEN]);
    sound.then(|| Digest::of(secret.as_bytes()))
}

/// What tells a mistyped token from one that is not known.
fn check(random: &str) -> String {
    Digest::of(random.as_bytes()).as_str().trim_start_matches("sha256:").chars().take(CHECK).collect()
}

fn secret() -> Result<String, GateError> {
    let mut random = [0; RANDOM];
    let failed = |_| GateError::invalid("the machine gives no random numbers");
    rand::fill(&mut random).map_err(failed)?;
    let written = URL_SAFE_NO_PAD.encode(random);
    Ok(format!("{PREFIX}{written}{}", check(&written)))
}

/// The tokens that are good, by their hashes; and whoever gave them out, by the identities of their bearers.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    bearers: HashMap<Digest, (Arc<Actor>, Timestamp)>,
    behind: HashMap<Arc<str>, Vec<String>>,
}

impl Tokens {
    /// All that were not revoked. Were there more than can be, none would be left out: the load fails.
    pub(super) async fn load(store: &Store) -> Result<Self, GateError> {
        let mut tokens = Self::default();
        for row in active(store).await? {
            let Some(until) = row.until else { return Err(unreadable("it has no end")) };
            let body = Body::read(&row)?;
            let hash = body.sha256.clone();
            let actor = Arc::new(body.actor(&row.id)?);
            tokens.behind.insert(Arc::clone(&actor.identity), body.vouched());
            tokens.bearers.insert(hash, (actor, until));
        }
        Ok(tokens)
    }

    /// Whoever gave out the token of this identity, and whoever is behind them; nobody for what is no token of ours.
    pub(super) fn behind(&self, identity: &str) -> Vec<String> {
        self.behind.get(identity).cloned().unwrap_or_else(Vec::new)
    }

    /// Who bears the token of this hash.
    pub(super) fn bearer(&self, hash: &Digest, now: Timestamp) -> Result<Arc<Actor>, AuthenticationError> {
        let (actor, until) = self.bearers.get(hash).ok_or(AuthenticationError::Unknown)?;
        if now >= *until {
            return Err(AuthenticationError::Refused(format!("the token ended at {until}")));
        }
        Ok(Arc::clone(actor))
    }
}

/// Every token that was not revoked, the newest first.
async fn active(store: &Store) -> Result<Vec<ItemRow>, GateError> {
    let mut query = ItemQuery { kind: KIND, state: Some(ACTIVE.to_owned()), limit: PAGE, ..ItemQuery::default() };
    let mut rows = Vec::new();
    loop {
        let page = store.items(&query).await?;
        let is_last = page.len() < PAGE as usize;
        query.before = page.last().map(|row| row.id.clone());
        rows.extend(page);
        if is_last {
            return Ok(rows);
        }
        if rows.len() > MOST * 2 {
            return Err(unreadable("there are more tokens than can be"));
        }
    }
}

fn unreadable(why: &str) -> GateError {
    StoreError::Unreadable { what: "token", why: why.to_owned() }.into()
}
