//! Rollbacks (B8, S33): what was promoted to a repository for an environment before, and one of those brought back. It is judged anew, by what is known
//! and in force now; nothing is brought back because it ran once.

use std::sync::Arc;
use std::time::Duration;

use model::{Digest, ImageReference, Tag, Timestamp, Verdict};
use store::PromotionRow;

use super::actor::{Actor, Right};
use super::asking::{Asked, Asker, Point};
use super::collecting::repository;
use super::promote::{BackTo, Plan, PromoteError, may};
use super::{Gate, GateError, Inner};

/// Promotions that are looked through.
const LOOKED_THROUGH: u32 = 1_000;
/// The environment where none is named (S7).
const USUAL: &str = "production";

/// A rollback that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// Where: `host/repository`
    pub repository: String,
    /// For which environment; `None` is `production` (S7).
    pub environment: Option<String>,
    /// To what; `None`: what was promoted there before the last one.
    pub to: Option<Digest>,
    /// The tag that it gets; `None`: none, who deploys by digest needs none.
    pub tag: Option<Tag>,
    /// Why.
    pub reason: Option<String>,
    /// How long to wait for what is pending.
    pub wait: Duration,
}

/// Something that can be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackCandidate {
    /// What.
    pub digest: Digest,
    /// It was promoted last, and is what runs as far as the gate knows.
    pub is_current: bool,
    /// When it was promoted last.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// `host/repository:tag`
    pub destination: String,
    /// The decision of then.
    pub decision: String,
    /// What was decided then; `None` if that is no longer on record.
    pub verdict: Option<Verdict>,
}

impl Gate {
    /// What was promoted to a repository for an environment, each digest once, the newest first.
    ///
    /// # Errors
    /// The repository's name cannot be read, the actor does not see it, or the store cannot be read.
    pub async fn rollback_candidates(
        &self,
        repository: &str,
        environment: Option<&str>,
        limit: u32,
        actor: &Actor,
    ) -> Result<Vec<RollbackCandidate>, PromoteError> {
        let environment = environment.unwrap_or(USUAL);
        let repository = super::promote::named(repository)?;
        let repository = super::collecting::repository(&repository);
        if !actor.sees(&repository, Some(environment)) {
            return Err(GateError::NotFound { what: format!("promotion to {repository} for {environment}") }.into());
        }
        let rows = self.inner.distinct(&repository, environment).await?;
        // What is not declared any more may have been.
        if rows.is_empty() {
            self.inner.follower.force().declares(environment)?;
        }
        let mut candidates = Vec::new();
        for (index, row) in rows.into_iter().take(limit as usize).enumerate() {
            let decision = self.inner.store.decision(&row.decision).await?;
            candidates.push(RollbackCandidate {
                is_current: index == 0,
                digest: row.digest,
                at: row.at,
                by: row.by,
                destination: row.destination,
                decision: row.decision,
                verdict: decision.map(|decision| decision.verdict),
            });
        }
        Ok(candidates)
    }

    /// Begins a rollback; [`Self::promotion`] tells of it.
    ///
    /// # Errors
    /// It cannot be meant so, there is nothing to go back to, or whoever wants it may not.
    pub async fn roll_back_to(&self, wanted: &Rollback, by: &Asker, actor: &Actor) -> Result<String, PromoteError> {
        let plan = self.inner.understand_rollback(wanted, by, actor).await?;
        self.begin(plan)
    }
}

impl Inner {
    /// Promotions to a repository for an environment, each digest once, the newest first.
    async fn distinct(&self, repository: &str, environment: &str) -> Result<Vec<PromotionRow>, GateError> {
        let rows = self.store.promotions_to(repository, Some(environment), LOOKED_THROUGH).await?;
        let mut seen = std::collections::BTreeSet::new();
        Ok(rows.into_iter().filter(|row| seen.insert(row.digest.clone())).collect())
    }

    async fn understand_rollback(&self, wanted: &Rollback, by: &Asker, actor: &Actor) -> Result<Plan, PromoteError> {
        let place = super::promote::named(&wanted.repository)?;
        let name = repository(&place);
        let environment = wanted.environment.clone().unwrap_or_else(|| USUAL.to_owned());
        may(actor, &[Right::Promote, Right::Override], &name, &environment)?;
        let known = self.distinct(&name, &environment).await?;
        let row = match &wanted.to {
            Some(digest) => known.iter().find(|row| row.digest == *digest),
            None => known.get(1),
        };
        let Some(row) = row else {
            let what = match &wanted.to {
                Some(digest) => format!("promotion of {digest} to {name} for {environment}"),
                None => format!("promotion to {name} for {environment} before the last one"),
            };
            return Err(PromoteError::NotFound(what));
        };
        // Judged where it came from: what was handed in about it is there.
        let source = format!("{}@{}", row.source, row.digest);
        // The registry has to be one that the gate asks, and the environment one that is declared.
        let asked = Asked {
            image: source,
            name: None,
            environment: Some(environment.clone()),
            wait: wanted.wait,
            dry_run: false,
        };
        let there = Asked { image: format!("{name}@{}", row.digest), ..asked.clone() };
        let source = self.understand(&asked)?.image;
        let may_override = actor.may(Right::Override, &name, Some(&environment));
        Ok(Plan {
            destination: ImageReference { digest: None, tag: wanted.tag.clone(), ..self.understand(&there)?.image },
            source,
            environment,
            wait: wanted.wait,
            allow_mutable: false,
            hands_on: actor.environments(Right::Submit, &name),
            rollback: Some(BackTo { reason: wanted.reason.clone(), may_override }),
            by: Asker { point: Point::Promotion, ..by.clone() },
            identity: Arc::clone(&actor.identity),
            person: actor.person.clone(),
        })
    }
}
