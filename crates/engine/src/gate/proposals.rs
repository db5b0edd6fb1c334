//! S34: a policy that judges for production comes into force, or goes, by two people: one proposes, another confirms. A proposal is about what was in
//! force when it was made, and ends by itself.

use std::sync::Arc;

use model::{Digest, SignedDuration, Timestamp};
use policy::PolicySet;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Batch, ItemQuery, ItemRow, StoreError};

use super::actor::Actor;
use super::policies::PolicyVersion;
use super::versions::{By, LOOKED_BACK, activation};
use super::{GateError, Inner, persons, recording};

/// The kind of its items.
const KIND: &str = "proposal";
/// The state in which it can be confirmed.
const OPEN: &str = "open";
/// How long it waits.
const WAITS: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Proposals that are looked through; more than people make in a week.
const MOST: u32 = 1_000;

/// A version that waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// UUIDv7.
    pub id: String,
    /// Who proposed it.
    pub by: String,
    /// The person behind.
    pub person: String,
    /// Until when it can be confirmed.
    pub until: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    version: Digest,
    /// What was in force.
    over: Option<Digest>,
    reason: Option<String>,
    by: String,
    person: String,
    /// Whoever gave out their token.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    vouched: Vec<String>,
}

impl Inner {
    /// Whether this needs a second person: where the policy in force judges for production, or the new one would.
    pub(super) fn takes_two(&self, new: &PolicySet) -> bool {
        self.settings.two_people && (new.judges_production() || self.follower.force().policies.judges_production())
    }

    /// Puts a version forward. The same by the same person again is the same.
    pub(super) async fn propose(
        &self,
        version: &Digest,
        over: Option<Digest>,
        reason: Option<String>,
        actor: &Actor,
    ) -> Result<Proposal, GateError> {
        let person = second(actor, "propose")?;
        let now = (self.settings.now)();
        if let Some((row, body)) = self.open(version, now).await?
            && body.over == over
            && actor.is_same_as(&body.by, Some(&body.person))
        {
            return proposal(&row, &body);
        }
        let (by, person, vouched) = (actor.identity.to_string(), person.to_string(), self.vouched(actor));
        let body = Body { version: version.clone(), over, reason, by, person, vouched };
        let id = uuid::Uuid::now_v7().to_string();
        let said = json!({ "proposal": id, "policyVersion": body.version, "over": body.over, "by": body.by,
            "person": body.person, "reason": body.reason });
        let leaf = recording::leaf(uuid::Uuid::now_v7().to_string(), "policy.proposed", None, now, said)?;
        let until = now.saturating_add(WAITS).map_err(|error| GateError::invalid(error.to_string()))?;
        let row = ItemRow {
            kind: KIND.to_owned(),
            id,
            revision: 1,
            state: OPEN.to_owned(),
            repository: None,
            digest: Some(version.clone()),
            environment: None,
            created_at: now,
            until: Some(until),
            body: serde_json::to_vec(&body).map_err(|error| GateError::invalid(error.to_string()))?,
        };
        let proposed = proposal(&row, &body)?;
        self.store.write(Batch { items: vec![row], leaves: vec![leaf], ..Batch::default() }).await?;
        Ok(proposed)
    }

    /// The newest proposal of a version that can be confirmed.
    async fn open(&self, version: &Digest, now: Timestamp) -> Result<Option<(ItemRow, Body)>, GateError> {
        let query = ItemQuery {
            kind: KIND,
            state: Some(OPEN.to_owned()),
            digest: Some(version.clone()),
            limit: MOST,
            ..ItemQuery::default()
        };
        let rows = self.store.items(&query).await?;
        let Some(row) = rows.into_iter().find(|row| row.until.is_some_and(|until| now < until)) else {
            return Ok(None);
        };
        let body = serde_json::from_slice(&row.body)
            .map_err(|error| StoreError::Unreadable { what: "proposal", why: error.to_string() })?;
        Ok(Some((row, body)))
    }

    /// Brings a version into force that another person proposed.
    pub(super) async fn confirm(self: &Arc<Self>, version: &Digest, actor: &Actor) -> Result<PolicyVersion, GateError> {
        let none = || GateError::NotFound { what: format!("policy version {version} that waits for a second person") };
        let now = (self.settings.now)();
        let (row, body) = self.open(version, now).await?.ok_or_else(none)?;
        let person = second(actor, "confirm")?;
        if actor.is_same_as(&body.by, Some(&body.person)) {
            let what = format!("{} proposed it: it takes another person to confirm it", body.person);
            return Err(GateError::Forbidden { what });
        }
        if !self.behind(actor).is_disjoint(&persons::names(&body.by, Some(&body.person), &body.vouched)) {
            let what = format!(
                "{} proposed it, and one of you gave out the other's token, or somebody else both: that is not two people; sign in as yourselves",
                body.person
            );
            return Err(GateError::Forbidden { what });
        }
        let bundle = self.store.policy(version).await?.ok_or_else(none)?;
        super::policies::Bundle::read(&bundle.bundle)?.load()?;
        let changed = || GateError::Conflict { what: "the policy in force".to_owned() };
        let last = self.store.activations(1).await?.into_iter().next();
        if last.as_ref().map(|last| &last.policy) != body.over.as_ref() {
            return Err(changed());
        }
        let by = By {
            name: body.by,
            person: Some(body.person.into()),
            confirmed: Some((row.id.clone(), actor.identity.to_string(), Some(person))),
        };
        let mut batch = activation(Batch::default(), version, last.map(|last| last.id), body.reason, by, now)?;
        batch.items.push(ItemRow { revision: row.revision + 1, state: "confirmed".to_owned(), ..row });
        self.store.write(batch).await.map_err(|error| match error {
            StoreError::Conflict { .. } => changed(),
            error => error.into(),
        })?;
        self.follower.catch_up().await?;
        let versions = self.versions(LOOKED_BACK).await?;
        versions.into_iter().find(|known| known.digest == *version).ok_or_else(changed)
    }
}

/// The person behind an identity: of two identities without one nobody knows that they are two people.
fn second(actor: &Actor, doing: &str) -> Result<Arc<str>, GateError> {
    actor.person.clone().ok_or_else(|| {
        let what = format!(
            "{} names no person: to {doing} a policy for production takes two people (`governance.twoPeople`)",
            actor.identity
        );
        GateError::Forbidden { what }
    })
}

fn proposal(row: &ItemRow, body: &Body) -> Result<Proposal, GateError> {
    let until =
        row.until.ok_or_else(|| StoreError::Unreadable { what: "proposal", why: "it has no end".to_owned() })?;
    Ok(Proposal { id: row.id.clone(), by: body.by.clone(), person: body.person.clone(), until })
}
