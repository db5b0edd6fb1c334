//! Exceptions of the service (B11, S29): asked for by somebody, approved by somebody else, in force from then until they end, counted where they
//! change a decision. Each change is a revision of the item and an entry of the audit log, in one transaction.

mod authors;
mod ending;
mod front;
mod preview;
mod requesting;
mod scope;
mod settling;

use std::collections::BTreeMap;

use model::{Digest, Timestamp, Verdict};
use policy::{Granted, Waived};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Batch, ItemQuery, ItemRow, LeafRow, Scope as Change, StoreError};

use super::actor::Actor;
use super::{GateError, Inner, recording};

pub(super) use ending::{is_ours, on_fix};
pub use preview::{ExceptionChange, ExceptionPreview};
pub use requesting::ExceptionRequest;
pub use scope::ExceptionScope;
pub use settling::Settling;

/// What these items are called in the store.
pub(super) const KIND: &str = "exception";
/// Items that are looked through for one page of a list.
const LOOKED_THROUGH: u32 = 5_000;
/// Items that are read at once.
const PAGE: u32 = 200;

/// What became of an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExceptionState {
    /// It waits for somebody's approval.
    Requested,
    /// It counts until it ends.
    Approved,
    /// Somebody said no.
    Rejected,
    /// Whoever asked for it does not want it any more.
    Withdrawn,
    /// Somebody ended it.
    Revoked,
    /// Its time is over.
    Expired,
    /// There is a fix, until which it was.
    Fixed,
}

impl ExceptionState {
    const ALL: [Self; 7] =
        [Self::Requested, Self::Approved, Self::Rejected, Self::Withdrawn, Self::Revoked, Self::Expired, Self::Fixed];

    /// `requested`, `approved`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Fixed => "fixed",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hand {
    /// The identity.
    pub by: String,
    /// The person behind it, if that is known.
    pub person: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Why, if they said.
    pub reason: Option<String>,
    /// Whoever gave out the token that they showed, and whoever gave out theirs.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub vouched: Vec<String>,
}

impl Inner {
    fn hand(&self, actor: &Actor, at: Timestamp, reason: Option<String>) -> Hand {
        let person = actor.person.as_deref().map(str::to_owned);
        Hand { by: actor.identity.to_string(), person, at, reason, vouched: self.vouched(actor) }
    }
}

/// What is kept of an exception beside what the store looks items up by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Held {
    pub(super) scope: ExceptionScope,
    pub(super) until_fixed: bool,
    pub(super) reason: String,
    pub(super) ticket: Option<String>,
    pub(super) owner: String,
    pub(super) author: Option<String>,
    pub(super) decision: Option<String>,
    pub(super) expires: Timestamp,
    /// What it covers beyond one image, package and environment for 30 days.
    pub(super) wide: Vec<String>,
    /// Whoever asked for it, and whoever changed what was asked for: none of them approves it.
    pub(super) requested: Vec<Hand>,
    /// Whoever approved, rejected, withdrew or revoked it last.
    pub(super) settled: Option<Hand>,
}

/// An exception.
#[derive(Debug, Clone)]
pub struct Exception {
    /// Its id.
    pub id: String,
    /// Grows by one with each change; who changes it says which one they have seen.
    pub revision: i64,
    /// What became of it.
    pub state: ExceptionState,
    /// It counts now: approved, and its time is not over.
    pub in_force: bool,
    /// What it is about.
    pub scope: ExceptionScope,
    /// It ends where a source says that there is a fix.
    pub until_fixed: bool,
    /// Why.
    pub reason: String,
    /// The ticket it was agreed in.
    pub ticket: Option<String>,
    /// Who answers for it.
    pub owner: String,
    /// Who wrote the commit, as far as whoever asked for it said.
    pub author: Option<String>,
    /// The decision that it was asked for.
    pub decision: Option<String>,
    /// The first moment at which it no longer counts.
    pub expires: Timestamp,
    /// What it covers beyond one image, package and environment for 30 days.
    pub wide: Vec<String>,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// Whoever asked for it, and whoever changed what was asked for.
    pub requested: Vec<Hand>,
    /// Whoever approved, rejected, withdrew or revoked it last.
    pub settled: Option<Hand>,
    /// How many decisions it changed.
    pub uses: u64,
}

/// Which exceptions, the newest first. Every field that is given has to hold.
#[derive(Debug, Clone, Default)]
pub struct ExceptionQuery {
    /// In this state.
    pub state: Option<ExceptionState>,
    /// About this repository, exactly as they are asked for: `host/repository`, or the pattern.
    pub repository: Option<String>,
    /// About this image by its digest.
    pub digest: Option<Digest>,
    /// For this environment.
    pub environment: Option<String>,
    /// About repositories of this team.
    pub team: Option<String>,
    /// Only those before this one (its id).
    pub before: Option<String>,
    /// How many at most.
    pub limit: u32,
}

/// A decision that an exception changed.
#[derive(Debug, Clone)]
pub struct ExceptionUsed {
    /// Its id.
    pub decision: String,
    /// When it was made.
    pub at: Timestamp,
    /// The image, the environment and the verdict, as far as the decision is kept and the caller sees it.
    pub about: Option<(String, Digest, String, Verdict)>,
}

/// An item as it was read.
pub(super) struct Found {
    pub(super) row: ItemRow,
    pub(super) state: ExceptionState,
    pub(super) held: Held,
}

impl Found {
    pub(super) fn read(row: ItemRow) -> Result<Self, GateError> {
        let wrong = |why: String| StoreError::Unreadable { what: "exception", why };
        let held = serde_json::from_slice(&row.body).map_err(|error| wrong(error.to_string()))?;
        let state = ExceptionState::named(&row.state).ok_or_else(|| wrong(format!("its state is {:?}", row.state)))?;
        Ok(Self { row, state, held })
    }

    /// As it is at this moment: its end is put on record a little later than it is.
    fn at(self, now: Timestamp) -> Self {
        let is_open = matches!(self.state, ExceptionState::Approved | ExceptionState::Requested);
        if is_open && self.held.expires <= now { Self { state: ExceptionState::Expired, ..self } } else { self }
    }

    /// The next revision, and its entry in the audit log.
    fn next(
        &self,
        state: ExceptionState,
        held: Held,
        kind: &str,
        (hand, at): (Option<&Hand>, Timestamp),
    ) -> Result<(ItemRow, LeafRow), GateError> {
        written(&self.row.id, self.row.revision.saturating_add(1), self.row.created_at, state, held, kind, (hand, at))
    }
}

/// A revision of an exception, and its entry in the audit log.
fn written(
    id: &str,
    revision: i64,
    created_at: Timestamp,
    state: ExceptionState,
    held: Held,
    kind: &str,
    (hand, at): (Option<&Hand>, Timestamp),
) -> Result<(ItemRow, LeafRow), GateError> {
    let leaf = leaf(id, revision, &held, kind, (hand, at))?;
    let body = serde_json::to_vec(&held)
        .map_err(|error| GateError::invalid(format!("the exception cannot be written: {error}")))?;
    let row = ItemRow {
        kind: KIND.to_owned(),
        id: id.to_owned(),
        revision,
        state: state.as_str().to_owned(),
        repository: Some(held.scope.repository),
        digest: held.scope.digest,
        environment: held.scope.environment,
        created_at,
        until: Some(held.expires),
        body,
    };
    Ok((row, leaf))
}

/// What the audit log says of a change: who, why, and of what.
fn leaf(
    id: &str,
    revision: i64,
    held: &Held,
    kind: &str,
    (hand, at): (Option<&Hand>, Timestamp),
) -> Result<LeafRow, GateError> {
    let by = hand.map_or("ecr-gate", |hand| hand.by.as_str());
    let body: Value = json!({
        "exception": id, "revision": revision, "by": by, "person": hand.and_then(|hand| hand.person.as_deref()),
        "reason": hand.and_then(|hand| hand.reason.as_deref()), "why": held.reason, "ticket": held.ticket,
        "owner": held.owner, "author": held.author, "scope": held.scope, "wide": held.wide, "expires": held.expires,
        "untilFixed": held.until_fixed, "decision": held.decision,
    });
    let subject = held.scope.digest.as_ref().filter(|_| !held.scope.is_pattern);
    let subject = subject.map(|digest| (held.scope.repository.as_str(), digest));
    recording::leaf(uuid::Uuid::now_v7().to_string(), kind, subject, at, body)
}

/// An approved exception, as policies take it.
pub(super) fn granted(row: &ItemRow) -> Result<Granted, GateError> {
    let Found { held, .. } = Found::read(row.clone())?;
    Ok(held.granted(&row.id))
}

impl Held {
    fn granted(&self, id: &str) -> Granted {
        let ExceptionScope { cve, package, rule, repository, is_pattern, digest, environment } = self.scope.clone();
        let waived = match (cve, rule) {
            (Some(id), _) => Waived::Vulnerability { id, package },
            (None, rule) => {
                let rule = rule.unwrap_or_else(String::new);
                let (policy, rule) = rule.split_once('/').unwrap_or(("", &rule));
                Waived::Rule { policy: policy.to_owned(), rule: rule.to_owned() }
            }
        };
        Granted {
            id: id.to_owned(),
            waived,
            repository,
            is_pattern,
            digest,
            environment,
            until_fixed: self.until_fixed,
            reason: self.reason.clone(),
            owner: self.owner.clone(),
            expires: self.expires,
        }
    }
}

impl Inner {
    /// The exception of this id, if the caller sees it; what they may not see is not there.
    pub(super) async fn exception_found(&self, id: &str, actor: &Actor) -> Result<Found, GateError> {
        let none = || GateError::NotFound { what: format!("exception {id}") };
        let found = Found::read(self.store.item(KIND, id).await?.ok_or_else(none)?)?.at((self.settings.now)());
        if found.held.scope.is_seen_by(actor) { Ok(found) } else { Err(none()) }
    }

    pub(super) async fn exception(&self, id: &str, actor: &Actor) -> Result<Exception, GateError> {
        let found = self.exception_found(id, actor).await?;
        let uses = self.store.use_counts(std::slice::from_ref(&found.row.id)).await?;
        Ok(self.shown(found, &uses))
    }

    fn shown(&self, found: Found, uses: &BTreeMap<String, u64>) -> Exception {
        let Found { row, state, held } = found;
        let in_force = state == ExceptionState::Approved && (self.settings.now)() < held.expires;
        let uses = uses.get(&row.id).copied().unwrap_or(0);
        let Held { scope, until_fixed, reason, ticket, owner, author, decision, expires, wide, requested, settled } =
            held;
        Exception {
            id: row.id,
            revision: row.revision,
            state,
            in_force,
            scope,
            until_fixed,
            reason,
            ticket,
            owner,
            author,
            decision,
            expires,
            wide,
            created_at: row.created_at,
            requested,
            settled,
            uses,
        }
    }

    pub(super) async fn exceptions(
        &self,
        query: &ExceptionQuery,
        actor: &Actor,
    ) -> Result<(Vec<Exception>, Option<String>), GateError> {
        let (wanted, now) = (self.of_team(query.team.as_deref())?, (self.settings.now)());
        let mut before = query.before.clone();
        let (mut found, mut looked) = (Vec::new(), 0_u32);
        let next = loop {
            let page = ItemQuery {
                kind: KIND,
                state: query.state.map(|state| state.as_str().to_owned()),
                repository: query.repository.clone(),
                digest: query.digest.clone(),
                environment: query.environment.clone(),
                before: before.clone(),
                limit: PAGE,
            };
            let rows = self.store.items(&page).await?;
            let is_last = rows.len() < PAGE as usize;
            for row in rows {
                if found.len() == query.limit as usize {
                    break;
                }
                before = Some(row.id.clone());
                looked += 1;
                let one = Found::read(row)?.at(now);
                let is_asked_for = query.state.is_none_or(|state| state == one.state);
                if is_asked_for && one.held.scope.is_seen_by(actor) && wanted.has_scope(&one.held.scope) {
                    found.push(one);
                }
            }
            if found.len() == query.limit as usize || looked >= LOOKED_THROUGH {
                break before;
            }
            if is_last {
                break None;
            }
        };
        let ids: Vec<String> = found.iter().map(|one| one.row.id.clone()).collect();
        let uses = self.store.use_counts(&ids).await?;
        Ok((found.into_iter().map(|one| self.shown(one, &uses)).collect(), next))
    }

    pub(super) async fn exception_uses(
        &self,
        id: &str,
        before: Option<&str>,
        limit: u32,
        actor: &Actor,
    ) -> Result<(Vec<ExceptionUsed>, Option<String>), GateError> {
        let found = self.exception_found(id, actor).await?;
        let uses = self.store.uses(&found.row.id, before, limit).await?;
        let next = (uses.len() == limit as usize).then(|| uses.last().map(|(decision, _)| decision.clone())).flatten();
        let mut list = Vec::new();
        for (decision, at) in uses {
            let row = self.store.decision(&decision).await?;
            let row = row.filter(|row| actor.sees(&row.repository, Some(&row.environment)));
            let about = row.map(|row| (row.repository, row.digest, row.environment, row.verdict));
            list.push(ExceptionUsed { decision, at, about });
        }
        Ok((list, next))
    }

    /// Writes a revision over the one that the caller has seen. What concerns judgements is in force here when this returns, and elsewhere within
    /// the lease.
    async fn settle_exception(&self, batch: Batch, id: &str) -> Result<(), GateError> {
        let changes = batch.changes.contains(&Change::Global);
        self.store.write(batch).await.map_err(|error| match error {
            StoreError::Conflict { .. } => GateError::Conflict { what: format!("exception {id}") },
            error => error.into(),
        })?;
        if changes {
            self.follower.catch_up().await?;
        }
        Ok(())
    }
}
