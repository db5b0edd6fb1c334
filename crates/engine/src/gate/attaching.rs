//! Decisions on images, attached to them: a verification summary signed by the gate's own key (B4, S26). It is attached when something changed and before
//! it ends, by a job, so that a registry that is away holds nobody up. What is pending says nothing; a flip says FAILED.

use std::sync::Arc;
use std::time::Duration;

use model::{Digest, SignedDuration, Timestamp, Verdict};
use serde::Deserialize;
use serde_json::json;
use store::{Batch, Job, NewJob};

use super::asking::{AskError, Asked, Asker, Point, RecordedDecision};
use super::jobs::payload;
use super::{GateError, Inner, recording};
use crate::attest::StatementKey;
use crate::record::Record;
use crate::summary::{AttachedDecision, Decided, Said, attach_said, leave_at_most};

/// The kind of the job.
pub(super) const KIND: &str = "attach";
/// How many summaries of ours there are about one environment.
const MOST: usize = 2;
/// A summary is of today: those who read it limit its age.
const RENEWED: SignedDuration = SignedDuration::from_hours(23);
/// For so long after somebody asked about an image its summary is renewed.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The last answers about a decision that are looked at.
const ANSWERS: u32 = 50;

/// Who signs decisions, and as whom.
#[derive(Debug)]
pub struct AttachSettings {
    /// The key.
    pub key: StatementKey,
    /// The verifier's id, a URI: whoever reads summaries tells verifiers apart by it.
    pub verifier: String,
    /// The version of this program.
    pub version: String,
}

#[derive(Deserialize)]
struct Attach {
    repository: String,
    digest: Digest,
    environment: String,
}

impl Inner {
    /// The job that attaches what was decided; none if the gate is not set up for it, or nothing is decided.
    pub(super) fn attach_later(&self, decision: &RecordedDecision, at: Timestamp) -> Option<NewJob> {
        let RecordedDecision { repository, digest, environment, verdict, .. } = decision;
        let wanted = self.settings.attach.is_some() && *verdict != Verdict::Pending;
        wanted.then(|| NewJob {
            kind: KIND.to_owned(),
            key: format!("{repository}@{digest} {environment}"),
            payload: json!({ "repository": repository, "digest": digest, "environment": environment }).to_string(),
            run_at: at,
        })
    }

    /// Judges what is so now, and attaches it.
    pub(super) async fn attach_job(self: &Arc<Self>, job: &Job) -> Result<Batch, GateError> {
        let Some(settings) = self.settings.attach.clone() else { return Ok(Batch::default()) };
        let Attach { repository, digest, environment } = payload(job)?;
        let image = format!("{repository}@{digest}");
        let asked = Asked {
            image: image.clone(),
            name: None,
            environment: Some(environment.clone()),
            wait: Duration::ZERO,
            dry_run: false,
        };
        let by = Asker::gate();
        let answered = match self.ask(asked, &by).await {
            Ok(answered) => answered,
            // It is gone, or the policy no longer knows the environment: there is nothing to say.
            Err(AskError::Refused(reason)) if reason.code.class() == Some(model::UnknownClass::NotFound) => {
                return Ok(Batch::default());
            }
            Err(AskError::Usage { .. } | AskError::NotSetUp { .. }) => return Ok(Batch::default()),
            Err(error) => return Err(GateError::invalid(error.to_string())),
        };
        let decision = &answered.decision;
        // Of a platform that its index answers for, the index carries the summary; what is pending is attached when it is decided.
        if decision.digest != digest || decision.verdict == Verdict::Pending {
            return Ok(Batch::default());
        }
        let record: Record = serde_json::from_slice(&decision.record)
            .map_err(|error| GateError::invalid(format!("the decision on record cannot be read: {error}")))?;
        let now = (self.settings.now)();
        let said = Said {
            name: &repository,
            digest: &digest,
            environment: &environment,
            verdict: decision.verdict,
            valid_until: decision.valid_until,
            policies: &record.policies,
            found: &record.signatures,
            at: now,
        };
        let failed = |refused: crate::check::Refused| GateError::invalid(refused.reason.message);
        let reference = image.parse().map_err(|error| GateError::invalid(format!("{image}: {error}")))?;
        let decided = Decided { verifier: &settings.verifier, version: &settings.version, decision: &decision.id };
        let attached = attach_said(&said, &decided, &reference, &self.access, &settings.key).await.map_err(failed)?;
        let mut batch = Batch::default();
        if let AttachedDecision::New(attached) = attached {
            let left = leave_at_most(MOST, &settings.verifier, &said, &reference, &self.access, &settings.key).await;
            match left.map_err(failed)? {
                0 => {}
                left => tracing::info!(image, left, "the registry lets no old summaries be deleted; they stay"),
            }
            let body = json!({ "decision": decision.id, "environment": environment, "verdict": decision.verdict,
                "referrer": attached.referrer, "verifier": settings.verifier });
            let id = uuid::Uuid::now_v7().to_string();
            let subject = Some((repository.as_str(), &digest));
            batch.leaves.push(recording::leaf(id, "summary.attached", subject, now, body)?);
        }
        if self.is_asked_for(decision, now).await? {
            batch.jobs.extend(self.attach_later(decision, next(decision.valid_until, now)));
        }
        Ok(batch)
    }

    /// Whether somebody else than the gate cared of late: what nobody asks about is not judged anew for ever.
    async fn is_asked_for(&self, decision: &RecordedDecision, now: Timestamp) -> Result<bool, GateError> {
        let recent = |at: Timestamp| now.duration_since(at) < ASKED_FOR;
        let answers = self.store.answers(&decision.id, ANSWERS).await?;
        if answers.iter().any(|answer| answer.point != Point::Gate.as_str() && recent(answer.at)) {
            return Ok(true);
        }
        let running = self.store.workloads(std::slice::from_ref(&decision.digest), 1).await?;
        Ok(running.iter().any(|workload| recent(workload.last_seen)))
    }
}

/// When to look again: before the day is over, and before the summary ends; shortly before its end, right after it.
fn next(until: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let day = now.checked_add(RENEWED).unwrap_or(now);
    let Some(left) = until.map(|until| until.duration_since(now)) else { return day };
    let ahead = if left > SignedDuration::from_mins(10) {
        left - (left / 10).min(SignedDuration::from_hours(1))
    } else {
        left.max(SignedDuration::ZERO) + SignedDuration::from_secs(1)
    };
    now.checked_add(ahead).map_or(day, |end| end.min(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s26_a_summary_is_renewed_before_it_ends_and_every_day() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let after = |until: Option<&str>| next(until.map(|until| until.parse().unwrap()), now).to_string();
        assert_eq!(after(None), "2026-01-01T23:00:00Z");
        assert_eq!(after(Some("2026-02-01T00:00:00Z")), "2026-01-01T23:00:00Z");
        assert_eq!(after(Some("2026-01-01T20:00:00Z")), "2026-01-01T19:00:00Z");
        assert_eq!(after(Some("2026-01-01T01:00:00Z")), "2026-01-01T00:54:00Z");
        assert_eq!(after(Some("2026-01-01T00:05:00Z")), "2026-01-01T00:05:01Z");
        assert_eq!(after(Some("2025-12-01T00:00:00Z")), "2026-01-01T00:00:01Z");
    }
}
