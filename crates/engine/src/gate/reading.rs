//! What can be read of the gate: each for whoever sees it. Lists leave out what is not for the reader, and say nothing of it.

use bytes::Bytes;
use model::{Digest, Timestamp};
use store::{DecisionQuery, DecisionRow, LeafQuery, LogHead, PromotionRow, WorkloadRow};

use super::actor::{Actor, Right};
use super::asking::Asker;
use super::audit::{AuditProof, HistoryEntry};
use super::policies::{Bundle, PolicyVersion, Replayed};
use super::scope::{self, ImagePlace, LOOKED_THROUGH};
use super::{Gate, GateError, Submission, Submitted, packages};

/// Rows that are read at once where some may not be for the reader.
const PAGE: u32 = 500;

impl Gate {
    /// A decision on record.
    ///
    /// # Errors
    /// There is none with this id that the actor sees, or the store cannot be read.
    pub async fn decision(&self, id: &str, actor: &Actor) -> Result<DecisionRow, GateError> {
        let row = self.inner.store.decision(id).await?;
        let row = row.filter(|row| actor.sees(&row.repository, Some(&row.environment)));
        row.ok_or_else(|| scope::no_decision(id))
    }

    /// The answers that were given with a decision, the newest first.
    ///
    /// # Errors
    /// There is no such decision that the actor sees, or the store cannot be read.
    pub async fn answers(&self, decision: &str, limit: u32, actor: &Actor) -> Result<Vec<store::AnswerRow>, GateError> {
        self.decision(decision, actor).await?;
        Ok(self.inner.store.answers(decision, limit).await?)
    }

    /// The newest first, of one team's repositories if it is named; with the cursor of the next page.
    ///
    /// # Errors
    /// There is no such team, or the store cannot be read.
    pub async fn decisions(
        &self,
        query: &DecisionQuery,
        team: Option<&str>,
        actor: &Actor,
    ) -> Result<(Vec<DecisionRow>, Option<String>), GateError> {
        actor.somewhere_or_refused(Right::Read)?;
        let wanted_of = self.inner.of_team(team)?;
        let sees_all = actor.may_everywhere(Right::Read);
        let is_all = sees_all && wanted_of.is_all();
        let is_for = |row: &DecisionRow| {
            (sees_all || actor.sees(&row.repository, Some(&row.environment))) && wanted_of.has(&row.repository)
        };
        let mut query = query.clone();
        let is_first = query.before.is_none();
        let (wanted, mut seen, mut looked) = (query.limit as usize, Vec::new(), 0);
        query.limit = if is_all { query.limit } else { query.limit.max(PAGE) };
        loop {
            let rows = self.inner.store.decisions(&query).await?;
            let (read, last) = (rows.len(), rows.last().map(|row| row.id.clone()));
            seen.extend(rows.into_iter().filter(is_for));
            looked += query.limit;
            if seen.len() >= wanted {
                seen.truncate(wanted);
                let next = seen.last().map(|row| row.id.clone());
                return Ok((seen, next));
            }
            if read < query.limit as usize {
                // A name that is written wrong is no environment in which nothing was decided; one that was declared once has its decisions.
                if let (true, true, Some(environment)) = (seen.is_empty(), is_first, &query.environment) {
                    self.inner.follower.force().declares(environment)?;
                }
                return Ok((seen, None));
            }
            if looked >= LOOKED_THROUGH {
                return Ok((seen, last));
            }
            query.before = last;
        }
    }

    /// Everything that happened to an image, in order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn history(
        &self,
        digest: &Digest,
        repository: Option<&str>,
        after: Option<&str>,
        limit: u32,
        actor: &Actor,
    ) -> Result<Vec<HistoryEntry>, GateError> {
        actor.somewhere_or_refused(Right::Read)?;
        let mut query = LeafQuery {
            subject: Some(digest.clone()),
            repository: repository.map(str::to_owned),
            after: after.map(str::to_owned),
            limit: limit.max(PAGE),
        };
        let (mut entries, mut looked) = (Vec::new(), 0);
        loop {
            let found = self.inner.history(&query).await?;
            let (read, last) = (found.len(), found.last().map(|entry| entry.id.clone()));
            entries.extend(found.into_iter().filter(|entry| {
                actor.sees_entry(entry.repository.as_deref(), entry.entry.as_deref().unwrap_or("").as_bytes())
            }));
            looked += query.limit;
            // An image whose history is longer than is looked through belongs to others for the most part.
            if entries.len() >= limit as usize || read < query.limit as usize || looked >= LOOKED_THROUGH * 4 {
                entries.truncate(limit as usize);
                return Ok(entries);
            }
            query.after = last;
        }
    }

    /// Keeps a document about an image; the next look at the image reads it. It counts in the environments that the actor may hand in for.
    ///
    /// # Errors
    /// It cannot be read as what it is said to be, or not be kept; or the actor may not hand it in.
    pub async fn submit(&self, submission: Submission, by: &Asker, actor: &Actor) -> Result<Submitted, GateError> {
        scope::submit(actor, &submission)?;
        self.inner.submit(submission, by, actor).await
    }

    /// Checks a bundle and keeps it; it is not in force yet. The same bundle again is the same version.
    ///
    /// # Errors
    /// It cannot be used: where and why.
    pub async fn upload(&self, bundle: Bundle, actor: &Actor) -> Result<PolicyVersion, GateError> {
        actor.everywhere_or_refused(Right::Govern)?;
        self.inner.upload(bundle, &actor.identity).await
    }

    /// Brings a version into force, if the one in force is still the one the caller believes (`None`: whichever).
    ///
    /// # Errors
    /// There is no such version, or another one came into force meanwhile.
    pub async fn activate(
        &self,
        version: &Digest,
        believed: Option<&Digest>,
        reason: Option<String>,
        actor: &Actor,
    ) -> Result<PolicyVersion, GateError> {
        actor.everywhere_or_refused(Right::Govern)?;
        self.inner.activate(version, believed, reason, actor).await
    }

    /// S34: brings a version into force that somebody else proposed.
    ///
    /// # Errors
    /// It waits for nobody, or the actor is no second person.
    pub async fn confirm(&self, version: &Digest, actor: &Actor) -> Result<PolicyVersion, GateError> {
        actor.everywhere_or_refused(Right::Govern)?;
        self.inner.confirm(version, actor).await
    }

    /// S34: takes a proposal back.
    ///
    /// # Errors
    /// There is none with this id, it waits no longer, or somebody else made it and the actor neither governs nor administers.
    pub async fn withdraw_proposal(
        &self,
        id: &str,
        reason: Option<&str>,
        actor: &Actor,
    ) -> Result<PolicyVersion, GateError> {
        self.inner.withdraw_proposal(id, reason, actor).await
    }

    /// Brings the version back that was in force before.
    ///
    /// # Errors
    /// There is none, or another one came into force meanwhile.
    pub async fn roll_back(&self, reason: Option<String>, actor: &Actor) -> Result<PolicyVersion, GateError> {
        actor.everywhere_or_refused(Right::Govern)?;
        self.inner.roll_back(reason, actor).await
    }

    /// The newest first. Policies are for everybody who is judged by them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn versions(&self, limit: u32, actor: &Actor) -> Result<Vec<PolicyVersion>, GateError> {
        actor.somewhere_or_refused(Right::Read)?;
        self.inner.versions(limit).await
    }

    /// A version with all it holds.
    ///
    /// # Errors
    /// There is none.
    pub async fn version(&self, version: &Digest, actor: &Actor) -> Result<(PolicyVersion, Bundle), GateError> {
        actor.somewhere_or_refused(Right::Read)?;
        self.inner.version(version).await
    }

    /// What this version would say of everything that was decided: on the facts of then. It is about everything, so it is for whoever reads everything.
    ///
    /// # Errors
    /// There is no such version, or the store cannot be read.
    pub async fn replay(
        &self,
        version: &Digest,
        after: Option<&str>,
        limit: u32,
        actor: &Actor,
    ) -> Result<Replayed, GateError> {
        actor.everywhere_or_refused(Right::Read)?;
        self.inner.replay(version, after, limit).await
    }

    /// Images that hold a package, named by its package URL, of one version if the URL names one: repository, digest, version; and where the next page
    /// begins.
    ///
    /// # Errors
    /// It is no package URL, or the store cannot be read.
    pub async fn images_with(
        &self,
        purl: &str,
        after: Option<ImagePlace>,
        limit: u32,
        actor: &Actor,
    ) -> Result<(Vec<(String, Digest, String)>, Option<ImagePlace>), GateError> {
        actor.somewhere_or_refused(Right::Read)?;
        let purl = model::Purl::parse(purl).ok_or_else(|| {
            GateError::invalid(format!(
                "{purl:?} is no package URL, such as pkg:npm/left-pad or pkg:deb/debian/openssl"
            ))
        })?;
        let (package, version) = (packages::package(&purl), purl.full_version());
        let place = |row: &(String, Digest, String)| (row.0.clone(), row.1.clone());
        let (mut seen, mut after, page) = (Vec::new(), after, limit.saturating_add(1).max(PAGE));
        // To the end, or to a full page: a place between would name what the actor does not see.
        loop {
            let rows = self.inner.store.images_with(&package, version.as_deref(), after, page).await?;
            let (read, last) = (rows.len(), rows.last().map(place));
            seen.extend(rows.into_iter().filter(|(repository, ..)| actor.sees(repository, None)));
            // One more than asked for tells whether there is a next page.
            if seen.len() > limit as usize {
                seen.truncate(limit as usize);
                let next = seen.last().map(place);
                return Ok((seen, next));
            }
            if read < page as usize {
                return Ok((seen, None));
            }
            after = last;
        }
    }

    /// Where these images run.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn workloads(
        &self,
        digests: &[Digest],
        limit: u32,
        actor: &Actor,
    ) -> Result<Vec<WorkloadRow>, GateError> {
        actor.somewhere_or_refused(Right::Read)?;
        let read = if actor.may_everywhere(Right::Read) { limit } else { limit.max(LOOKED_THROUGH) };
        let mut rows = self.inner.store.workloads(digests, read).await?;
        rows.retain(|row| actor.sees(&row.repository, None));
        rows.truncate(limit as usize);
        Ok(rows)
    }

    /// The newest first: those to a place that the actor sees.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn promotions(
        &self,
        environment: Option<&str>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        limit: u32,
        actor: &Actor,
    ) -> Result<Vec<PromotionRow>, GateError> {
        actor.somewhere_or_refused(Right::Read)?;
        let read = if actor.may_everywhere(Right::Read) { limit } else { limit.max(LOOKED_THROUGH) };
        let mut rows = self.inner.store.promotions(environment, since, until, read).await?;
        rows.retain(|row| actor.sees(without_tag(&row.destination), Some(&row.environment)));
        rows.truncate(limit as usize);
        Ok(rows)
    }

    /// The newest signed checkpoint; `None` while nothing was logged. It tells of nothing that is in the log.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn checkpoint(&self) -> Result<Option<LogHead>, GateError> {
        Ok(self.inner.store.log_head().await?)
    }

    /// The log's public key, as a verifier key of C2SP signed notes.
    pub fn audit_key(&self) -> String {
        self.inner.log.verifier().to_string()
    }

    /// That an entry is in the tree of the newest checkpoint.
    ///
    /// # Errors
    /// There is no such entry that the actor sees.
    pub async fn inclusion(&self, entry: &str, actor: &Actor) -> Result<AuditProof, GateError> {
        self.inner.inclusion(entry, actor).await
    }

    /// That the tree of `to` leaves begins with the tree of `from`.
    ///
    /// # Errors
    /// The tree is not that large.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, GateError> {
        self.inner.consistency(from, to).await
    }

    /// Lines of an export from this index on: where it begins, at most `limit` entries, and where it reaches the end the checkpoint. Pages are put
    /// together by leaving out the first line of all but the first. It is about everything, so it is for whoever reads everything.
    ///
    /// # Errors
    /// The log does not have that many entries, or cannot be read.
    pub async fn export(&self, from: u64, limit: u32, actor: &Actor) -> Result<String, GateError> {
        actor.everywhere_or_refused(Right::Read)?;
        self.inner.export(from, limit).await
    }

    /// Metrics in the text format of OpenMetrics: about everything together.
    ///
    /// # Errors
    /// The actor does not read everything.
    pub fn metrics(&self, actor: &Actor) -> Result<Bytes, GateError> {
        actor.everywhere_or_refused(Right::Read)?;
        let metrics = &self.inner.settings.metrics;
        metrics.lease_age(self.inner.follower.age());
        metrics.write_queue(self.inner.store.at_risk());
        Ok(metrics.text().into())
    }
}

/// `host/repository` of `host/repository:tag`.
fn without_tag(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    }
}
