//! Overrides (B12, S31): an image that is denied runs all the same, for a while, because somebody who may says so and why. It is no allow: the verdict
//! stays, every answer says on what it rests, and what is denied everywhere stays denied.

mod effect;
mod rollback;

use std::sync::Arc;

use model::{Digest, ImageReference, Reason, ReasonCode, SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Batch, ItemQuery, ItemRow, Job, NewJob, Scope, Store, StoreError};

use super::actor::{Actor, Right};
use super::admission::Seat;
use super::collecting::repository;
use super::denials::sound_reason;
use super::scope::LOOKED_THROUGH;
use super::understanding::canonical;
use super::{GateError, Inner, recording};
pub(super) use rollback::of_rollback;

pub(super) const KIND: &str = "override";
const ACTIVE: &str = "active";
/// The state of one that a rollback went by: for that alone, whatever its time is. Nobody who asks is given it.
const ROLLBACK: &str = "rollback";
/// The job that ends one, and its entry in the audit log.
pub(super) const ENDS: &str = "override.ended";
/// The longest time box.
const LONGEST: SignedDuration = SignedDuration::from_hours(72);
/// The most that are in force.
const MOST: usize = 10_000;
const PAGE: u32 = 1000;

/// What is to be let through.
#[derive(Debug, Clone)]
pub struct NewOverride {
    /// `host/repository@sha256:…`
    pub image: String,
    /// For this environment.
    pub environment: String,
    /// Why.
    pub reason: String,
    /// The incident or ticket.
    pub ticket: Option<String>,
    /// For how long.
    pub lasts: SignedDuration,
    /// For what this owns alone; `None`: wherever it runs in the environment.
    pub owner: Option<OverrideOwner>,
}

/// Whose containers an override is for: those of one object in a cluster (S31).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverrideOwner {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
    /// `Deployment/web`
    pub workload: String,
    /// The override that it follows from, for what the object of that one made in turn.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub follows: Option<String>,
}

/// An override.
#[derive(Debug, Clone)]
pub struct OverrideEntry {
    /// Its id.
    pub id: String,
    /// 1 for a new one.
    pub revision: i64,
    /// `active`, `revoked`, `ended`; `rollback` was for that rollback and nothing else. Whoever asks compares times: one whose end is not on record yet lets nothing through.
    pub state: String,
    /// `host/repository`
    pub repository: String,
    /// The image.
    pub digest: Digest,
    /// The environment.
    pub environment: String,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// The rest.
    pub body: OverrideBody,
    /// How many decisions it changed.
    pub uses: u64,
    /// What whoever granted it should know; said once.
    pub warnings: Vec<String>,
}

/// What is kept of an override.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverrideBody {
    /// Why.
    pub reason: String,
    /// The incident or ticket.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ticket: Option<String>,
    /// Who granted it.
    pub by: String,
    /// The person behind that, if it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<String>,
    /// For what this owns alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<OverrideOwner>,
    /// Who ended it before its time, when, and why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked: Option<super::denials::Lifted>,
}

/// An override that is in force, as asks look for it.
#[derive(Debug, Clone)]
pub(super) struct InForceOverride {
    pub(super) id: String,
    repository: String,
    digest: Digest,
    environment: String,
    owner: Option<OverrideOwner>,
    pub(super) until: Timestamp,
}

impl InForceOverride {
    /// Whether it is for what stands in this place.
    fn is_for(&self, seat: Option<&Seat>) -> bool {
        let Some(owner) = &self.owner else { return true };
        seat.is_some_and(|seat| {
            seat.cluster == owner.cluster
                && seat.namespace == owner.namespace
                && seat.owner.as_ref() == Some(&owner.uid)
        })
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Overrides(Vec<InForceOverride>);

impl Overrides {
    /// The one that lets this image through now; of several the one that lasts longest.
    pub(super) fn of(
        &self,
        repository: &str,
        digest: &Digest,
        environment: &str,
        seat: Option<&Seat>,
        now: Timestamp,
    ) -> Option<&InForceOverride> {
        let is_in_force = |one: &InForceOverride| now < one.until;
        let fits = |one: &&InForceOverride| {
            one.digest == *digest
                && one.repository == repository
                && one.environment == environment
                && is_in_force(one)
                && one.is_for(seat)
                // What follows from another ends with it.
                && one.owner.as_ref().and_then(|owner| owner.follows.as_ref()).is_none_or(|first| {
                    self.0.iter().any(|other| other.id == *first && is_in_force(other))
                })
        };
        self.0.iter().filter(fits).max_by_key(|one| one.until)
    }

    /// The one with this id, whether it is over or not.
    pub(super) fn with_id(&self, id: &str) -> Option<&InForceOverride> {
        self.0.iter().find(|one| one.id == id)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// S6: what is denied by name, quarantine and revocation come before any override: the gate's deny list, and those of policies.
pub(super) fn may_be_overridden<'a>(reasons: impl IntoIterator<Item = &'a Reason>) -> bool {
    use ReasonCode::{DenyListed, DenyQuarantined, PackagesDenied, SbomDeniedPackage, SignatureRevoked, VulnDenied};
    let above = [DenyListed, DenyQuarantined, SignatureRevoked, VulnDenied, PackagesDenied, SbomDeniedPackage];
    !reasons.into_iter().any(|reason| above.contains(&reason.code))
}

impl Inner {
    /// Grants an override: in force on every replica within the lease.
    pub(super) async fn grant_override(
        self: &Arc<Self>,
        new: NewOverride,
        actor: &Actor,
    ) -> Result<OverrideEntry, GateError> {
        let reason = sound_reason(&new.reason)?;
        let ticket = new.ticket.as_deref().map(sound_reason).transpose()?;
        let image: ImageReference =
            new.image.parse().map_err(|error| GateError::invalid(format!("`image` is no image reference: {error}")))?;
        let image = canonical(image);
        let (Some(digest), Some(_)) = (image.digest.clone(), &image.host) else {
            return Err(GateError::usage(
                "an override is for one image in one registry: HOST/REPOSITORY@sha256:…",
                None,
            ));
        };
        let repository = repository(&image);
        actor.may_or_refused(Right::Override, &repository, Some(&new.environment))?;
        let force = self.follower.force();
        force.declares(&new.environment)?;
        if new.lasts <= SignedDuration::ZERO || new.lasts > LONGEST {
            return Err(GateError::usage(
                "an override lasts up to 72 hours; what has to last longer is an exception",
                None,
            ));
        }
        let decided = self.store.latest_decision(&repository, &digest, &new.environment).await?;
        let warnings = effect::of(&force, &repository, &digest, decided.as_ref())?;
        if force.standing.overrides.len() >= MOST {
            return Err(GateError::invalid(format!("{MOST} overrides are in force; revoke some first")));
        }
        let now = (self.settings.now)();
        let until = now.checked_add(new.lasts).map_err(|error| GateError::invalid(error.to_string()))?;
        // Whole seconds: what is told now is what the store says later.
        let until = Timestamp::from_second(until.as_second()).unwrap_or(until);
        let body = OverrideBody {
            reason,
            ticket,
            by: actor.identity.to_string(),
            person: actor.person.as_deref().map(str::to_owned),
            owner: new.owner,
            revoked: None,
        };
        let entry = OverrideEntry {
            id: uuid::Uuid::now_v7().to_string(),
            revision: 1,
            state: ACTIVE.to_owned(),
            repository,
            digest,
            environment: new.environment,
            granted_at: now,
            until,
            body,
            uses: 0,
            warnings,
        };
        self.settle_override(&entry, "override.granted", now).await?;
        tracing::warn!(
            r#override = entry.id, by = entry.body.by, digest = %entry.digest, environment = entry.environment, until = %entry.until,
            reason = entry.body.reason, "an image that is denied is let through by an override"
        );
        Ok(entry)
    }

    /// S31: what the object of an override made in turn, such as a Deployment's ReplicaSet, may run what the override is for, until that ends.
    pub(super) async fn pass_on(self: &Arc<Self>, id: &str, seat: &Seat, heir: &str) -> Result<(), GateError> {
        let force = self.follower.force();
        let overrides = &force.standing.overrides;
        let Some(first) = overrides.with_id(id) else { return Ok(()) };
        let Some(owner) = &first.owner else { return Ok(()) };
        let follows = owner.follows.clone().unwrap_or_else(|| first.id.clone());
        let mut all = overrides.0.iter().filter_map(|one| one.owner.as_ref());
        if all.any(|one| one.uid == heir && one.follows.as_ref() == Some(&follows)) {
            return Ok(());
        }
        let now = (self.settings.now)();
        let entry = OverrideEntry {
            id: uuid::Uuid::now_v7().to_string(),
            revision: 1,
            state: ACTIVE.to_owned(),
            repository: first.repository.clone(),
            digest: first.digest.clone(),
            environment: first.environment.clone(),
            granted_at: now,
            until: first.until,
            body: OverrideBody {
                reason: format!("follows from override {follows}, which is for {}", owner.workload),
                ticket: None,
                by: "ecr-gate".to_owned(),
                person: None,
                owner: Some(OverrideOwner { follows: Some(follows), ..seat.owned_by(heir) }),
                revoked: None,
            },
            uses: 0,
            warnings: Vec::new(),
        };
        self.settle_override(&entry, "override.granted", now).await
    }

    /// Ends an override before its time: whoever may grant it, or who governs.
    pub(super) async fn revoke_override(
        self: &Arc<Self>,
        id: &str,
        reason: &str,
        actor: &Actor,
    ) -> Result<OverrideEntry, GateError> {
        let reason = sound_reason(reason)?;
        let mut entry = self.an_override(id, actor).await?;
        let (repository, environment) = (entry.repository.clone(), entry.environment.clone());
        if !actor.may(Right::Govern, &repository, Some(&environment)) {
            actor.may_or_refused(Right::Override, &repository, Some(&environment))?;
        }
        if entry.state != ACTIVE {
            return Err(GateError::Conflict { what: format!("override {id}, which is over,") });
        }
        let now = (self.settings.now)();
        "revoked".clone_into(&mut entry.state);
        entry.revision += 1;
        entry.body.revoked = Some(super::denials::Lifted { at: now, by: actor.identity.to_string(), reason });
        self.settle_override(&entry, "override.revoked", now).await?;
        Ok(entry)
    }

    /// An override that the actor sees.
    pub(super) async fn an_override(&self, id: &str, actor: &Actor) -> Result<OverrideEntry, GateError> {
        let none = || GateError::NotFound { what: format!("override {id}") };
        let row = self.store.item(KIND, id).await?.ok_or_else(none)?;
        let mut entry = entry(row)?;
        if !actor.sees(&entry.repository, Some(&entry.environment)) {
            return Err(none());
        }
        entry.uses = self.store.use_counts(std::slice::from_ref(&entry.id)).await?.remove(&entry.id).unwrap_or(0);
        Ok(entry)
    }

    /// Overrides that the actor sees, the newest first, and where the next page begins.
    pub(super) async fn overrides(
        &self,
        digest: Option<Digest>,
        team: Option<&str>,
        mut before: Option<String>,
        limit: u32,
        actor: &Actor,
    ) -> Result<(Vec<OverrideEntry>, Option<String>), GateError> {
        let wanted = self.of_team(team)?;
        let (mut entries, mut looked) = (Vec::new(), 0);
        let next = loop {
            let query = ItemQuery {
                kind: KIND,
                digest: digest.clone(),
                before,
                limit: PAGE.max(limit),
                ..ItemQuery::default()
            };
            let rows = self.store.items(&query).await?;
            let (count, last) = (rows.len(), rows.last().map(|row| row.id.clone()));
            for row in rows {
                let entry = entry(row)?;
                if actor.sees(&entry.repository, Some(&entry.environment)) && wanted.has(&entry.repository) {
                    entries.push(entry);
                }
            }
            looked += query.limit;
            if entries.len() > limit as usize {
                entries.truncate(limit as usize);
                break entries.last().map(|entry| entry.id.clone());
            }
            if count < query.limit as usize {
                break None;
            }
            if looked >= LOOKED_THROUGH {
                break last;
            }
            before = last;
        };
        let ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
        let mut counts = self.store.use_counts(&ids).await?;
        for entry in &mut entries {
            entry.uses = counts.remove(&entry.id).unwrap_or(0);
        }
        Ok((entries, next))
    }

    async fn settle_override(
        self: &Arc<Self>,
        entry: &OverrideEntry,
        what: &str,
        now: Timestamp,
    ) -> Result<(), GateError> {
        let logged = json!({ "override": entry.id, "environment": entry.environment, "until": entry.until, "granted": entry.body });
        let subject = Some((entry.repository.as_str(), &entry.digest));
        let leaf = recording::leaf(uuid::Uuid::now_v7().to_string(), what, subject, now, logged)?;
        let row = ItemRow {
            kind: KIND.to_owned(),
            id: entry.id.clone(),
            revision: entry.revision,
            state: entry.state.clone(),
            repository: Some(entry.repository.clone()),
            digest: Some(entry.digest.clone()),
            environment: Some(entry.environment.clone()),
            created_at: entry.granted_at,
            until: Some(entry.until),
            body: serde_json::to_vec(&entry.body).map_err(|error| GateError::invalid(error.to_string()))?,
        };
        let ends = (entry.state == ACTIVE).then(|| NewJob {
            kind: ENDS.to_owned(),
            key: entry.id.clone(),
            payload: json!({ "override": entry.id }).to_string(),
            run_at: entry.until,
        });
        let batch = Batch {
            items: vec![row],
            leaves: vec![leaf],
            jobs: ends.into_iter().collect(),
            changes: vec![Scope::Global],
            ..Batch::default()
        };
        self.store.write(batch).await?;
        self.follower.catch_up().await?;
        Ok(())
    }

    /// Writes down that an override is over.
    pub(super) async fn override_job(self: &Arc<Self>, job: &Job) -> Result<Batch, GateError> {
        #[derive(Deserialize)]
        struct About {
            r#override: String,
        }
        let about: About = serde_json::from_str(&job.payload)
            .map_err(|error| GateError::invalid(format!("the job's payload cannot be read: {error}")))?;
        let Some(row) = self.store.item(KIND, &about.r#override).await? else { return Ok(Batch::default()) };
        let entry = entry(row.clone())?;
        let now = (self.settings.now)();
        if entry.state != ACTIVE {
            return Ok(Batch::default());
        }
        if now < entry.until {
            return Err(GateError::Pending);
        }
        let uses = self.store.use_counts(std::slice::from_ref(&entry.id)).await?.remove(&entry.id).unwrap_or(0);
        let body =
            json!({ "override": entry.id, "environment": entry.environment, "until": entry.until, "decisions": uses });
        let subject = Some((entry.repository.as_str(), &entry.digest));
        let leaf = recording::leaf(uuid::Uuid::now_v7().to_string(), ENDS, subject, now, body)?;
        let row = ItemRow { state: "ended".to_owned(), revision: row.revision + 1, ..row };
        Ok(Batch { items: vec![row], leaves: vec![leaf], changes: vec![Scope::Global], ..Batch::default() })
    }
}

/// Every override that was not revoked; asks compare times.
pub(super) async fn load(store: &Store) -> Result<Overrides, GateError> {
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let query =
            ItemQuery { kind: KIND, state: Some(ACTIVE.to_owned()), before, limit: PAGE, ..ItemQuery::default() };
        let rows = store.items(&query).await?;
        let count = rows.len();
        before = rows.last().map(|row| row.id.clone());
        for row in rows {
            let OverrideEntry { id, repository, digest, environment, until, body, .. } = entry(row)?;
            all.push(InForceOverride { id, repository, digest, environment, owner: body.owner, until });
        }
        if count < PAGE as usize {
            return Ok(Overrides(all));
        }
        if all.len() > 2 * MOST {
            let why = format!("more than {MOST} are in force");
            return Err(StoreError::Unreadable { what: "overrides", why }.into());
        }
    }
}

fn entry(row: ItemRow) -> Result<OverrideEntry, GateError> {
    let wrong = |why: String| StoreError::Unreadable { what: "override", why };
    let body = serde_json::from_slice(&row.body).map_err(|error| wrong(error.to_string()))?;
    let missing = || wrong("a part of it is missing".to_owned());
    let until = row.until.ok_or_else(missing)?;
    Ok(OverrideEntry {
        id: row.id,
        revision: row.revision,
        state: row.state,
        repository: row.repository.ok_or_else(missing)?,
        digest: row.digest.ok_or_else(missing)?,
        environment: row.environment.ok_or_else(missing)?,
        granted_at: row.created_at,
        until,
        body,
        uses: 0,
        warnings: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
