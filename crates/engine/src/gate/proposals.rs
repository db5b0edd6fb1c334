//! S34: a policy that judges for production comes into force, or goes, by two people: one proposes, another confirms. A proposal is about what was in
//! force when it was made, and ends by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Digest, SignedDuration, Timestamp};
use policy::Exceptions;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Batch, ItemQuery, ItemRow, Job, NewJob, StoreError};

use super::actor::{Actor, Right};
use super::jobs::payload;
use super::policies::{Loaded, PolicyVersion};
use super::versions::{By, LOOKED_BACK, activation, tell_exceptions};
use super::{GateError, Inner, persons, recording};

/// The kind of its items.
const KIND: &str = "proposal";
/// The state in which it can be confirmed.
const OPEN: &str = "open";
/// The job that ends one that nobody confirmed, and its entry in the audit log.
pub(super) const ENDS: &str = "policy.expired";
/// How long it waits.
const WAITS: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Proposals that are looked through; more than people make in a week.
const MOST: u32 = 1_000;

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalState {
    /// It waits for a second person.
    Open,
    /// A second person brought it into force.
    Confirmed,
    /// Somebody took it back.
    Withdrawn,
    /// Nobody confirmed it in time.
    Expired,
}

impl ProposalState {
    const ALL: [Self; 4] = [Self::Open, Self::Confirmed, Self::Withdrawn, Self::Expired];

    /// `open`, `confirmed`, `withdrawn`, `expired`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => OPEN,
            Self::Confirmed => "confirmed",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// A version that somebody put forward.
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
    /// What became of it.
    pub state: ProposalState,
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
    /// Whether this needs a second person: where the policy in force judges for production, or the new one would (S34); and where files with exceptions
    /// come along, as for every other exception (S29).
    pub(super) fn takes_two(&self, new: &Loaded) -> bool {
        let judges = || new.policies.judges_production() || self.follower.force().policies.judges_production();
        (self.settings.two_people && judges()) || (self.approves_files() && new.exceptions.of_files().next().is_some())
    }

    /// Whether there are people to approve of exceptions in files.
    pub(super) fn approves_files(&self) -> bool {
        self.settings.knows_people || self.settings.two_people
    }

    /// Puts a version forward. What waits already goes on waiting, whoever puts it forward once more: to confirm is a word of its own.
    pub(super) async fn propose(
        &self,
        version: &Digest,
        over: Option<Digest>,
        (reason, exceptions): (Option<String>, &Exceptions),
        actor: &Actor,
    ) -> Result<Proposal, GateError> {
        let person = second(actor, "propose")?;
        let now = (self.settings.now)();
        if let Some((row, body)) = self.open(version, now).await?
            && body.over == over
        {
            return proposal(&row, &body, now);
        }
        let (by, person, vouched) = (actor.identity.to_string(), person.to_string(), self.vouched(actor));
        let body = Body { version: version.clone(), over, reason, by, person, vouched };
        let id = uuid::Uuid::now_v7().to_string();
        let mut said = json!({ "proposal": id, "policyVersion": body.version, "over": body.over, "by": body.by,
            "person": body.person, "reason": body.reason });
        tell_exceptions(&mut said, exceptions);
        let leaf = recording::leaf(uuid::Uuid::now_v7().to_string(), "policy.proposed", None, now, said)?;
        let until = now.saturating_add(WAITS).map_err(|error| GateError::invalid(error.to_string()))?;
        // Whole seconds: what is told now is what the store says later.
        let until = Timestamp::from_second(until.as_second()).unwrap_or(until);
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
        let proposed = proposal(&row, &body, now)?;
        let ends = NewJob {
            kind: ENDS.to_owned(),
            key: row.id.clone(),
            payload: json!({ "proposal": row.id }).to_string(),
            run_at: until,
        };
        let batch = Batch { items: vec![row], leaves: vec![leaf], jobs: vec![ends], ..Batch::default() };
        self.store.write(batch).await?;
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
        let body = read(&row)?;
        Ok(Some((row, body)))
    }

    /// The newest proposal of each version. One over another policy than this, which is in force, waits no longer: it cannot be confirmed.
    pub(super) async fn proposals(&self, in_force: Option<&Digest>) -> Result<BTreeMap<Digest, Proposal>, GateError> {
        let query = ItemQuery { kind: KIND, limit: MOST, ..ItemQuery::default() };
        let now = (self.settings.now)();
        let mut newest = BTreeMap::new();
        for row in self.store.items(&query).await? {
            let body = read(&row)?;
            let found = proposal(&row, &body, now)?;
            let waits_in_vain = found.state == ProposalState::Open && body.over.as_ref() != in_force;
            if !waits_in_vain && !newest.contains_key(&body.version) {
                newest.insert(body.version.clone(), found);
            }
        }
        Ok(newest)
    }

    /// Takes a proposal back: whoever made it, or who governs or administers.
    pub(super) async fn withdraw_proposal(
        &self,
        id: &str,
        reason: Option<&str>,
        actor: &Actor,
    ) -> Result<PolicyVersion, GateError> {
        let none = || GateError::NotFound { what: format!("proposal {id}") };
        let row = self.store.item(KIND, id).await?.ok_or_else(none)?;
        let (body, now) = (read(&row)?, (self.settings.now)());
        let is_own = actor.is_same_as(&body.by, Some(&body.person));
        if !is_own && !actor.may_everywhere(Right::Administer) {
            actor.everywhere_or_refused(Right::Govern)?;
        }
        let found = proposal(&row, &body, now)?;
        if found.state != ProposalState::Open {
            return Err(GateError::Conflict { what: format!("proposal {id}, which is {},", found.state.as_str()) });
        }
        let said = json!({ "proposal": id, "policyVersion": body.version, "by": &*actor.identity,
            "person": actor.person.as_deref(), "proposedBy": body.by, "reason": reason });
        let batch = over(row, ProposalState::Withdrawn, "policy.withdrawn", said, now)?;
        self.store.write(batch).await.map_err(|error| match error {
            StoreError::Conflict { .. } => GateError::Conflict { what: format!("proposal {id}") },
            error => error.into(),
        })?;
        self.version(&body.version).await.map(|(version, _)| PolicyVersion {
            proposal: Some(Proposal { state: ProposalState::Withdrawn, ..found }),
            ..version
        })
    }

    /// Writes down that nobody confirmed a proposal in time.
    pub(super) async fn proposal_job(&self, job: &Job) -> Result<Batch, GateError> {
        #[derive(Deserialize)]
        struct About {
            proposal: String,
        }
        let About { proposal: id } = payload(job)?;
        let Some(row) = self.store.item(KIND, &id).await? else { return Ok(Batch::default()) };
        let (body, now) = (read(&row)?, (self.settings.now)());
        if row.state != OPEN {
            return Ok(Batch::default());
        }
        if row.until.is_some_and(|until| now < until) {
            return Err(GateError::Pending);
        }
        let said = json!({ "proposal": id, "policyVersion": body.version, "proposedBy": body.by, "until": row.until });
        over(row, ProposalState::Expired, ENDS, said, now)
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
        let new = super::policies::Bundle::read(&bundle.bundle)?.load()?;
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
        let brought = (version, &new.exceptions);
        let mut batch = activation(Batch::default(), brought, last.map(|last| last.id), body.reason, by, now)?;
        let state = ProposalState::Confirmed.as_str().to_owned();
        batch.items.push(ItemRow { revision: row.revision + 1, state, ..row });
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
            "{} names no person: to {doing} a policy for production (`governance.twoPeople`), or one with files of exceptions, takes two people",
            actor.identity
        );
        GateError::Forbidden { what }
    })
}

fn read(row: &ItemRow) -> Result<Body, GateError> {
    let wrong = |error: serde_json::Error| StoreError::Unreadable { what: "proposal", why: error.to_string() };
    Ok(serde_json::from_slice(&row.body).map_err(wrong)?)
}

/// One whose time is over is expired, whether that is on record yet or not.
fn proposal(row: &ItemRow, body: &Body, now: Timestamp) -> Result<Proposal, GateError> {
    let wrong = |why: &str| StoreError::Unreadable { what: "proposal", why: why.to_owned() };
    let until = row.until.ok_or_else(|| wrong("it has no end"))?;
    let state = ProposalState::ALL.into_iter().find(|state| state.as_str() == row.state);
    let state = match state.ok_or_else(|| wrong("its state is none that is known"))? {
        ProposalState::Open if until <= now => ProposalState::Expired,
        state => state,
    };
    Ok(Proposal { id: row.id.clone(), by: body.by.clone(), person: body.person.clone(), until, state })
}

/// The end of a proposal, and its entry in the audit log.
fn over(
    row: ItemRow,
    state: ProposalState,
    kind: &str,
    said: serde_json::Value,
    now: Timestamp,
) -> Result<Batch, GateError> {
    let leaf = recording::leaf(uuid::Uuid::now_v7().to_string(), kind, None, now, said)?;
    let row = ItemRow { revision: row.revision + 1, state: state.as_str().to_owned(), ..row };
    Ok(Batch { items: vec![row], leaves: vec![leaf], ..Batch::default() })
}
