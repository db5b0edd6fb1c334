//! S29, S34: who may be behind an identity. A token of the gate is worth as much as the word of whoever gave it out: they may have kept it, and may have
//! made up its person. So what takes two people takes two of whom neither gave out the other's token, and whose tokens nobody gave out to both.

use std::collections::BTreeSet;

use super::Inner;
use super::actor::{Actor, folded};

/// The most that are behind one token: tokens given out by tokens, and so on.
pub(super) const MOST: usize = 100;

impl Inner {
    /// Whoever gave out the token that somebody shows, whoever gave out theirs, and so on; nobody for those whom others vouch for.
    pub(super) fn vouched(&self, actor: &Actor) -> Vec<String> {
        self.follower.force().tokens.behind(&actor.identity)
    }

    /// Everybody who may be behind an identity, by names as they are compared.
    pub(super) fn behind(&self, actor: &Actor) -> BTreeSet<String> {
        names(&actor.identity, actor.person.as_deref(), &self.vouched(actor))
    }
}

/// Everybody who may have done something, by names as they are compared.
pub(super) fn names(identity: &str, person: Option<&str>, vouched: &[String]) -> BTreeSet<String> {
    let all = std::iter::once(identity).chain(person).chain(vouched.iter().map(String::as_str));
    all.map(folded).collect()
}
