//! What runs behind: jobs of the store, taken by whichever replica is free. A job that fails is tried again later and rarer; one that never works
//! is kept as dead, with what was wrong.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use model::{Digest, ReasonCode, SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use store::{Batch, Job, NewJob, StoreError};

use super::asking::{Asked, Asker};
use super::{GateError, Inner, attaching, exceptions, notices, overrides, proposals, recording, versions};

/// How long a job is ours.
const LEASE: Duration = Duration::from_mins(5);
/// How often due jobs are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// Jobs that are taken at once.
const TAKEN: u32 = 8;
/// After so many failures a job is dead.
const ATTEMPTS: i64 = 10;
/// After so many looks at what stays pending nobody waits for it any more; whoever asks, looks.
const LOOKS: i64 = 40;
/// Images that are judged anew in one job.
const PAGE: u32 = 200;

#[derive(Deserialize)]
struct Collect {
    image: String,
    /// The tag beside the digest, which is a name alone.
    #[serde(default)]
    name: Option<String>,
    environment: String,
}

#[derive(Deserialize)]
struct Reevaluate {
    version: Digest,
    #[serde(default)]
    after: Option<String>,
}

impl Inner {
    /// Does what is due, for as long as the gate runs.
    pub(super) async fn work(self: &Arc<Self>) {
        loop {
            let taken = match self.store.take_jobs((self.settings.now)(), LEASE, TAKEN).await {
                Ok(taken) => taken,
                Err(error) => {
                    tracing::warn!(%error, "jobs cannot be taken");
                    Vec::new()
                }
            };
            if taken.is_empty() {
                tokio::time::sleep(EVERY).await;
            }
            futures_util::future::join_all(taken.into_iter().map(|job| self.run(job))).await;
        }
    }

    async fn run(self: &Arc<Self>, job: Job) {
        let done = match job.kind.as_str() {
            "collect" => self.collect_job(&job).await,
            "reevaluate" => self.reevaluate(&job).await,
            attaching::KIND => self.attach_job(&job).await,
            overrides::ENDS => self.override_job(&job).await,
            proposals::ENDS => self.proposal_job(&job).await,
            notices::KIND => self.notice_job(&job).await,
            kind if exceptions::is_ours(kind) => self.exception_job(&job).await,
            other => Err(GateError::invalid(format!("no job of the kind {other:?} is known to this version"))),
        };
        let ended = match done {
            Ok(batch) => {
                let batch = Batch { done: vec![job.id.clone()], ..batch };
                self.store.write(batch).await.map(|_| ())
            }
            Err(error) if matches!(&error, GateError::Pending) => {
                let again = (job.attempts < LOOKS).then(|| self.later(job.attempts));
                self.store.fail_job(&job.id, again, &error.to_string()).await
            }
            Err(error) => {
                let again = match job.kind.as_str() {
                    notices::KIND => notices::again(job.attempts, (self.settings.now)()),
                    _ => (job.attempts < ATTEMPTS).then(|| self.later(job.attempts)),
                };
                tracing::warn!(kind = job.kind, attempts = job.attempts, dead = again.is_none(), %error, "a job failed");
                self.store.fail_job(&job.id, again, &error.to_string()).await
            }
        };
        if let Err(error) = ended {
            tracing::warn!(kind = job.kind, %error, "a job's end is not on record; it will be done again");
        }
    }

    /// Doubling from 15 s to an hour.
    fn later(&self, attempts: i64) -> Timestamp {
        let doublings = u32::try_from(attempts.clamp(0, 8)).unwrap_or(8);
        let wait = SignedDuration::from_secs(15 * 2_i64.pow(doublings)).min(SignedDuration::from_hours(1));
        let now = (self.settings.now)();
        now.checked_add(wait).unwrap_or(now)
    }

    /// F5: what was pending is looked at again, so that its decision is there when somebody asks.
    async fn collect_job(self: &Arc<Self>, job: &Job) -> Result<Batch, GateError> {
        let Collect { image, name, environment } = payload(job)?;
        let name = name.map(|name| name.parse()).transpose();
        let name = name.map_err(|error| GateError::invalid(format!("a job's tag cannot be read: {error}")))?;
        let wait = self.settings.pace.timeout;
        let asked = Asked { image, name, environment: Some(environment), wait, dry_run: false };
        let by = Asker::gate();
        let answered = self.ask(asked, &by).await.map_err(|error| GateError::invalid(error.to_string()))?;
        if answered.retry_after.is_some() {
            return Err(GateError::Pending);
        }
        Ok(Batch::default())
    }

    /// What the version in force says of everything that was decided by others, on the facts of then: what flips is recorded, so that what
    /// reads decisions sees it without asking. Whoever acts on an image asks anew, and is answered from facts of today.
    async fn reevaluate(self: &Arc<Self>, job: &Job) -> Result<Batch, GateError> {
        let Reevaluate { version, after } = payload(job)?;
        // The job is there with the activation; what is known here may be older.
        self.follower.catch_up().await?;
        let force = self.follower.force();
        // A later version has a job of its own.
        if force.version != version {
            return Ok(Batch::default());
        }
        let after = after.as_deref().map(versions::cursor).transpose()?;
        let decided = self.store.decided(after, PAGE).await?;
        let mut batch = Batch::default();
        for (repository, digest, environment) in &decided {
            let Some(last) = self.store.latest_decision(repository, digest, environment).await? else { continue };
            if last.policy == version {
                continue;
            }
            let Some(facts) = &last.facts else { continue };
            let row = match self.store.evidence(facts).await {
                Ok(Some(row)) => row,
                // Facts that cannot be read keep no other image from being judged anew.
                Ok(None) | Err(StoreError::Unreadable { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let Ok(recorded) = recording::read_facts(&row) else { continue };
            let now = (self.settings.now)();
            let judgement = force.judge(&recorded.ask, &recorded.facts, now);
            if judgement.verdict != last.verdict {
                let reasons: Vec<_> = judgement.reasons().into_iter().take(20).map(|reason| &reason.message).collect();
                let mut body = json!({ "environment": environment, "policyVersion": version, "decision": last.id,
                    "from": last.verdict, "to": judgement.verdict, "reasons": reasons });
                // What was added to the deny list or lifted since is no work of the policy.
                let denied_now = judgement.reasons().into_iter().any(|reason| is_of_the_deny_list(reason.code));
                if denied_now != was_denied_by_name(&last.record) {
                    body["denyList"] = denied_now.into();
                }
                let subject = Some((repository.as_str(), digest));
                let id = uuid::Uuid::now_v7().to_string();
                batch.leaves.push(recording::leaf(id, "verdict.flips", subject, now, body)?);
                batch.jobs.push(NewJob {
                    kind: "collect".to_owned(),
                    key: format!("{repository}@{digest} {environment}"),
                    payload: json!({ "image": format!("{repository}@{digest}"), "environment": environment })
                        .to_string(),
                    run_at: now,
                });
            }
        }
        if let (true, Some((repository, digest, environment))) = (decided.len() == PAGE as usize, decided.last()) {
            let after = format!("{repository} {digest} {environment}");
            batch.jobs.push(NewJob {
                kind: "reevaluate".to_owned(),
                key: format!("{} {after}", job.key.split(' ').next().unwrap_or_default()),
                payload: json!({ "version": version, "after": after }).to_string(),
                run_at: (self.settings.now)(),
            });
        }
        Ok(batch)
    }
}

fn is_of_the_deny_list(code: ReasonCode) -> bool {
    matches!(code, ReasonCode::DenyListed | ReasonCode::DenyQuarantined)
}

/// Whether a decision on record denied because of an entry of the deny list.
fn was_denied_by_name(record: &[u8]) -> bool {
    let record: Option<crate::record::Record> = serde_json::from_slice(record).ok();
    record.is_some_and(|record| record.reasons.iter().any(|reason| is_of_the_deny_list(reason.reason.code)))
}

/// What runs behind runs for as long as the gate: where it ends, by a fault of ours, it is said and begun anew.
pub(super) async fn always<F: Future<Output = ()> + Send>(what: &'static str, run: impl Fn() -> F + Send) {
    loop {
        if AssertUnwindSafe(run()).catch_unwind().await.is_err() {
            tracing::error!("{what} panicked; it begins anew");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

pub(super) fn payload<'a, T: Deserialize<'a>>(job: &'a Job) -> Result<T, GateError> {
    serde_json::from_str(&job.payload)
        .map_err(|error| GateError::invalid(format!("the job's payload cannot be read: {error}")))
}
