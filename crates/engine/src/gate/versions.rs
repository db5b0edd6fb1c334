//! Policy versions in the store: kept, brought into force, rolled back, replayed. A version that cannot be used is refused before anything changes.

use std::sync::Arc;

use model::{Digest, Verdict};
use policy::{Exceptions, evaluate_beside};
use serde_json::{Value, json};
use store::{Activation, ActivationRow, Batch, NewJob, PolicyRow, Scope, Store, StoreError};

use super::actor::Actor;
use super::policies::{BUNDLE, Bundle, Flip, Loaded, PolicyVersion, Replayed};
use super::{GateError, Inner, recording};

/// Versions and activations that are looked through.
pub(super) const LOOKED_BACK: u32 = 1000;
/// Exceptions of files that an entry of the audit log lists; it says how many there are.
const TOLD: usize = 200;
/// Who activates what the gate is set up with.
const CONFIGURATION: &str = "configuration";

impl Inner {
    /// Checks a bundle and keeps it.
    pub(super) async fn upload(self: &Arc<Self>, bundle: Bundle, by: &str) -> Result<PolicyVersion, GateError> {
        let bytes = bundle.bytes()?;
        if bytes.len() > BUNDLE {
            return Err(GateError::invalid(format!("the bundle has {} bytes; at most {BUNDLE} are kept", bytes.len())));
        }
        let now = (self.settings.now)();
        let loaded = bundle.load()?;
        let policies: Vec<_> = loaded.policies.ids().into_iter().cloned().collect();
        let remarks = self.remarks(&bundle, &loaded);
        let digest = Digest::of(&bytes);
        let row = PolicyRow {
            digest: digest.clone(),
            names: policies.iter().map(|policy| policy.name.clone()).collect(),
            bundle: bytes,
            uploaded_at: now,
            uploaded_by: by.to_owned(),
        };
        let mut batch = Batch { policies: vec![row.clone()], ..Batch::default() };
        if self.store.policy(&digest).await?.is_none() {
            let body = json!({ "policyVersion": digest, "policies": policies, "by": by });
            batch.leaves.push(recording::leaf(uuid::Uuid::now_v7().to_string(), "policy.uploaded", None, now, body)?);
            self.store.write(batch).await?;
        }
        let version = self.versions(LOOKED_BACK).await?.into_iter().find(|version| version.digest == digest);
        let version = version.unwrap_or_else(|| PolicyVersion::of(row, None, false));
        Ok(PolicyVersion { policies, remarks, ..version })
    }

    /// Brings a version into force, on every replica within the lease.
    pub(super) async fn activate(
        self: &Arc<Self>,
        version: &Digest,
        believed: Option<&Digest>,
        reason: Option<String>,
        actor: &Actor,
    ) -> Result<PolicyVersion, GateError> {
        let row = self.store.policy(version).await?;
        let row = row.ok_or_else(|| GateError::NotFound { what: format!("policy version {version}") })?;
        let new = Bundle::read(&row.bundle)?.load()?;
        let last = self.store.activations(1).await?.into_iter().next();
        let changed = || GateError::Conflict { what: "the policy in force".to_owned() };
        if believed.is_some_and(|believed| last.as_ref().is_none_or(|last| last.policy != *believed)) {
            return Err(changed());
        }
        if last.as_ref().is_none_or(|last| last.policy != *version) {
            let now = (self.settings.now)();
            if self.takes_two(&new) {
                let why = (reason, &new.exceptions);
                let proposal = self.propose(version, last.map(|last| last.policy), why, actor).await?;
                let versions = self.versions(LOOKED_BACK).await?;
                let proposed = versions.into_iter().find(|known| known.digest == *version).ok_or_else(changed)?;
                return Ok(PolicyVersion { proposal: Some(proposal), ..proposed });
            }
            let files = new.exceptions.of_files().count();
            if files > 0 {
                tracing::warn!(policy = %version, exceptions = files, by = &*actor.identity, "exceptions in files come into force without a second person");
            }
            let by = By { name: actor.identity.to_string(), person: actor.person.clone(), confirmed: None };
            let brought = (version, &new.exceptions);
            let batch = activation(Batch::default(), brought, last.map(|last| last.id), reason, by, now)?;
            self.store.write(batch).await.map_err(|error| match error {
                StoreError::Conflict { .. } => changed(),
                error => error.into(),
            })?;
            // Acknowledged only when it is in force here; elsewhere it is within the lease.
            self.follower.catch_up().await?;
        }
        let versions = self.versions(LOOKED_BACK).await?;
        versions.into_iter().find(|known| known.digest == *version).ok_or_else(changed)
    }

    /// Brings the version back that was in force before.
    pub(super) async fn roll_back(
        self: &Arc<Self>,
        reason: Option<String>,
        actor: &Actor,
    ) -> Result<PolicyVersion, GateError> {
        let activations = self.store.activations(LOOKED_BACK).await?;
        let now = activations.first().ok_or_else(|| GateError::NotFound { what: "policy in force".to_owned() })?;
        let before = activations.iter().find(|earlier| earlier.policy != now.policy).ok_or_else(|| {
            GateError::NotFound { what: "earlier version: this is the first one that is in force".to_owned() }
        })?;
        let reason = reason.or_else(|| Some(format!("rolled back from {}", now.policy)));
        self.activate(&before.policy, Some(&now.policy), reason, actor).await
    }

    /// The newest first.
    pub(super) async fn versions(&self, limit: u32) -> Result<Vec<PolicyVersion>, GateError> {
        let activations = self.store.activations(LOOKED_BACK).await?;
        let in_force = activations.first().map(|activation| activation.policy.clone());
        let mut proposals = self.proposals(in_force.as_ref()).await?;
        let version = |row: PolicyRow| {
            let last = activations.iter().find(|activation| activation.policy == row.digest);
            let is_in_force = in_force.as_ref() == Some(&row.digest);
            let proposal = proposals.remove(&row.digest);
            let version = PolicyVersion::of(row, last.map(|last| (last.at, last.by.clone())), is_in_force);
            PolicyVersion { proposal, ..version }
        };
        Ok(self.store.policies(limit).await?.into_iter().map(version).collect())
    }

    pub(super) async fn version(&self, version: &Digest) -> Result<(PolicyVersion, Bundle), GateError> {
        let none = || GateError::NotFound { what: format!("policy version {version}") };
        let row = self.store.policy(version).await?.ok_or_else(none)?;
        let bundle = Bundle::read(&row.bundle)?;
        let loaded = bundle.load()?;
        let policies = loaded.policies.ids().into_iter().cloned().collect();
        let remarks = self.remarks(&bundle, &loaded);
        let known = self.versions(LOOKED_BACK).await?.into_iter().find(|known| known.digest == *version);
        let known = known.unwrap_or_else(|| PolicyVersion::of(row, None, false));
        Ok((PolicyVersion { policies, remarks, ..known }, bundle))
    }

    /// What is odd about it.
    fn remarks(&self, bundle: &Bundle, loaded: &Loaded) -> Vec<String> {
        let found = loaded.policies.lint(&bundle.documents, (self.settings.now)());
        let mut remarks: Vec<String> = found.iter().map(|remark| remark.about.to_string()).collect();
        let files = loaded.exceptions.of_files().count();
        if files > 0 && !self.approves_files() {
            remarks.push(format!(
                "{files} exceptions in its files count without a second person's approval: this service knows no people apart (`identities`)"
            ));
        }
        remarks
    }

    /// What a version would say of everything that was decided, on the facts of then.
    pub(super) async fn replay(
        &self,
        version: &Digest,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Replayed, GateError> {
        let row = self.store.policy(version).await?;
        let row = row.ok_or_else(|| GateError::NotFound { what: format!("policy version {version}") })?;
        let mut loaded = Bundle::read(&row.bundle)?.load()?;
        // What people granted stands whatever policy is in force.
        let force = self.follower.force();
        force.standing.grant(&mut loaded.exceptions);
        let after = after.map(cursor).transpose()?;
        let decided = self.store.decided(after, limit).await?;
        let next = (decided.len() == limit as usize).then(|| decided.last()).flatten();
        let next = next.map(|(repository, digest, environment)| format!("{repository} {digest} {environment}"));
        let mut replayed = Replayed { flips: Vec::new(), judged: 0, not_judged: 0, next };
        for (repository, digest, environment) in decided {
            let Some(last) = self.store.latest_decision(&repository, &digest, &environment).await? else { continue };
            let facts = match &last.facts {
                Some(facts) => self.store.evidence(facts).await?.and_then(|row| recording::read_facts(&row).ok()),
                None => None,
            };
            let Some(recorded) = facts else {
                replayed.not_judged += 1;
                continue;
            };
            replayed.judged += 1;
            // On the facts of then, at the time of then: what aged since is another matter.
            let judgement = evaluate_beside(
                &loaded.policies,
                &recorded.ask,
                &recorded.facts,
                &loaded.exceptions,
                &force.standing.denials,
                last.recorded_at,
            );
            if judgement.verdict != last.verdict {
                let reasons = judgement.reasons().into_iter().map(|reason| reason.message.clone()).take(20).collect();
                let (recorded, replayed_as): (Verdict, Verdict) = (last.verdict, judgement.verdict);
                replayed.flips.push(Flip { repository, digest, environment, recorded, replayed: replayed_as, reasons });
            }
        }
        Ok(replayed)
    }
}

/// Where a page ended: `REPOSITORY DIGEST ENVIRONMENT`.
pub(super) fn cursor(text: &str) -> Result<(String, Digest, String), GateError> {
    let wrong = || GateError::invalid("the cursor is none that was given out");
    let mut words = text.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some(repository), Some(digest), Some(environment)) => {
            Ok((repository.to_owned(), digest.parse().map_err(|_| wrong())?, environment.to_owned()))
        }
        _ => Err(wrong()),
    }
}

/// Sees to it that a policy is in force before anything is asked: the one the gate is set up with, if that is another one than at the last start;
/// else what the store has, or the built-in one.
pub(super) async fn first(
    store: &Store,
    policy: Option<&Bundle>,
    now: fn() -> model::Timestamp,
) -> Result<(), GateError> {
    let last = store.activations(1).await?.into_iter().next();
    let bundle = match (policy, &last) {
        (Some(bundle), _) => bundle.clone(),
        (None, Some(_)) => return Ok(()),
        (None, None) => Bundle::built_in(),
    };
    let bytes = bundle.bytes()?;
    let version = Digest::of(&bytes);
    // What came into force since by another way stays, as long as the configuration says what it said then.
    let activations = store.activations(LOOKED_BACK).await?;
    let said = activations.iter().find(|activation| activation.by == CONFIGURATION).map(|said| &said.policy);
    if last.as_ref().is_some_and(|last| last.policy == version) || said == Some(&version) {
        return Ok(());
    }
    let loaded = bundle.load()?;
    let names = loaded.policies.ids().iter().map(|policy| policy.name.clone()).collect();
    let (now, by) = (now(), CONFIGURATION.to_owned());
    let row = PolicyRow { digest: version.clone(), names, bundle: bytes, uploaded_at: now, uploaded_by: by.clone() };
    let batch = Batch { policies: vec![row], ..Batch::default() };
    let by = By { name: by, person: None, confirmed: None };
    let brought = (&version, &loaded.exceptions);
    let activated = store.write(activation(batch, brought, last.map(|last| last.id), None, by, now)?).await;
    match activated {
        // Another replica was first, with the same configuration or a newer one.
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Who brings a version into force.
pub(super) struct By {
    pub(super) name: String,
    pub(super) person: Option<Arc<str>>,
    /// S34: the proposal, and who confirmed it, with the person behind.
    pub(super) confirmed: Option<(String, String, Option<Arc<str>>)>,
}

/// S29: which exceptions came along in files, for the audit log.
pub(super) fn tell_exceptions(body: &mut Value, exceptions: &Exceptions) {
    let count = exceptions.of_files().count();
    if count > 0 {
        body["exceptions"] = json!(exceptions.of_files().take(TOLD).collect::<Vec<_>>());
        body["exceptionsCount"] = json!(count);
    }
}

/// What brings a version into force, with the exceptions that come along in files.
pub(super) fn activation(
    batch: Batch,
    (version, exceptions): (&Digest, &Exceptions),
    after: Option<String>,
    reason: Option<String>,
    by: By,
    now: model::Timestamp,
) -> Result<Batch, GateError> {
    let id = uuid::Uuid::now_v7().to_string();
    let mut body = json!({ "policyVersion": version, "by": by.name, "reason": reason });
    if let Some(person) = &by.person {
        body["person"] = json!(**person);
    }
    if let Some((proposal, name, person)) = &by.confirmed {
        body["proposal"] = json!(proposal);
        body["confirmedBy"] = json!(name);
        body["confirmedPerson"] = json!(person.as_deref());
    }
    tell_exceptions(&mut body, exceptions);
    let leaf = recording::leaf(id.clone(), "policy.activated", None, now, body)?;
    let row = ActivationRow { id, policy: version.clone(), at: now, by: by.name, reason };
    let reevaluate = NewJob {
        kind: "reevaluate".to_owned(),
        key: row.id.clone(),
        payload: json!({ "version": version }).to_string(),
        run_at: now,
    };
    Ok(Batch {
        activation: Some(Activation { row, after }),
        leaves: vec![leaf],
        changes: vec![Scope::Global],
        jobs: vec![reevaluate],
        ..batch
    })
}
