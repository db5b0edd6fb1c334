//! What an exception changes: the latest decisions that it is about, judged on the facts of then, without it and with it.

use std::sync::Arc;

use model::{Digest, Verdict};
use policy::{Exceptions, evaluate_beside};

use super::Held;
use crate::gate::actor::Actor;
use crate::gate::force::InForce;
use crate::gate::{GateError, Inner, recording};

/// Decisions that are looked at, and those that are told.
const LOOKED_AT: u64 = 2_000;
const TOLD: usize = 200;
/// Decisions that are listed at once.
const PAGE: u32 = 200;
const PAGES: u32 = 100;
/// Comes before every other digest.
const LOWEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What an exception changes.
#[derive(Debug, Clone)]
pub struct ExceptionPreview {
    /// The revision that was looked at.
    pub revision: i64,
    /// Decisions in which it covers something.
    pub changes: Vec<ExceptionChange>,
    /// How many it covers something in.
    pub covered: u64,
    /// How many of them get another verdict.
    pub flipped: u64,
    /// How many decisions that it may be about were judged.
    pub judged: u64,
    /// How many could not be: their facts were not kept, or cannot be read.
    pub not_judged: u64,
    /// Every latest decision it is about was looked at.
    pub is_whole: bool,
}

/// A decision in which it covers something.
#[derive(Debug, Clone)]
pub struct ExceptionChange {
    /// The decision.
    pub decision: String,
    /// `host/repository`
    pub repository: String,
    /// The image.
    pub digest: Digest,
    /// The environment.
    pub environment: String,
    /// What is said without it.
    pub without: Verdict,
    /// What is said with it.
    pub with: Verdict,
    /// How much it covers.
    pub findings: u64,
    /// What still stands against the image, in words.
    pub reasons: Vec<String>,
}

/// The two sets of exceptions that are compared.
struct Compared<'a> {
    id: &'a str,
    force: &'a InForce,
    without: Exceptions,
    with: Exceptions,
}

impl Inner {
    pub(in crate::gate) async fn preview_exception(
        self: &Arc<Self>,
        id: &str,
        actor: &Actor,
    ) -> Result<ExceptionPreview, GateError> {
        let found = self.exception_found(id, actor).await?;
        let force = self.follower.force();
        let without = force.exceptions.without(id);
        let mut with = without.clone();
        with.grant(&found.held.granted(id)).map_err(GateError::invalid)?;
        let compared = Compared { id, force: &force, without, with };
        let mut preview = ExceptionPreview {
            revision: found.row.revision,
            changes: Vec::new(),
            covered: 0,
            flipped: 0,
            judged: 0,
            not_judged: 0,
            is_whole: false,
        };
        let mut after = first(&found.held)?;
        for _ in 0..PAGES {
            let page = self.store.decided(Some(after.clone()), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            for (repository, digest, environment) in page {
                let held = &found.held;
                let is_beyond = if held.scope.is_pattern {
                    !repository.starts_with(begin(&held.scope.repository))
                } else {
                    repository != held.scope.repository || held.scope.digest.as_ref().is_some_and(|one| *one != digest)
                };
                if is_beyond {
                    preview.is_whole = true;
                    return Ok(preview);
                }
                after = (repository.clone(), digest.clone(), environment.clone());
                let is_asked = held.scope.environment.as_ref().is_none_or(|one| *one == environment);
                if !is_asked || !actor.sees(&repository, Some(&environment)) {
                    continue;
                }
                if preview.judged + preview.not_judged >= LOOKED_AT {
                    return Ok(preview);
                }
                self.compare(&compared, &mut preview, &after).await?;
            }
            if is_last {
                preview.is_whole = true;
                return Ok(preview);
            }
        }
        Ok(preview)
    }

    async fn compare(
        &self,
        compared: &Compared<'_>,
        preview: &mut ExceptionPreview,
        (repository, digest, environment): &(String, Digest, String),
    ) -> Result<(), GateError> {
        let Some(last) = self.store.latest_decision(repository, digest, environment).await? else { return Ok(()) };
        let facts = match &last.facts {
            Some(facts) => self.store.evidence(facts).await?.and_then(|row| recording::read_facts(&row).ok()),
            None => None,
        };
        let Some(recorded) = facts else {
            preview.not_judged += 1;
            return Ok(());
        };
        preview.judged += 1;
        // On the facts of then, at the time of then: what aged since is another matter.
        let judge = |exceptions| {
            evaluate_beside(
                &compared.force.policies,
                &recorded.ask,
                &recorded.facts,
                exceptions,
                &compared.force.standing.denials,
                last.recorded_at,
            )
        };
        let with = judge(&compared.with);
        let used = with.inputs.exceptions.iter().find(|used| used.id == compared.id);
        let Some(findings) = used.map(|used| used.findings) else { return Ok(()) };
        let without = judge(&compared.without).verdict;
        preview.covered += 1;
        preview.flipped += u64::from(without != with.verdict);
        if preview.changes.len() < TOLD {
            preview.changes.push(ExceptionChange {
                decision: last.id,
                repository: repository.clone(),
                digest: digest.clone(),
                environment: environment.clone(),
                without,
                with: with.verdict,
                findings,
                reasons: with.reasons().into_iter().map(|reason| reason.message.clone()).take(20).collect(),
            });
        }
        Ok(())
    }
}

/// Just before the first decision that it may be about: decisions are listed in the order of repository and digest, byte by byte.
fn first(held: &Held) -> Result<(String, Digest, String), GateError> {
    let scope = &held.scope;
    let lowest = || LOWEST.parse().map_err(|_| GateError::invalid("the lowest digest is none"));
    if scope.is_pattern {
        return Ok((begin(&scope.repository).to_owned(), lowest()?, String::new()));
    }
    let digest = scope.digest.clone().map_or_else(lowest, Ok)?;
    Ok((scope.repository.clone(), digest, String::new()))
}

/// What comes before the first star.
fn begin(pattern: &str) -> &str {
    pattern.split('*').next().unwrap_or(pattern)
}
