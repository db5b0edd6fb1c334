//! What a judgement gives leave for, and the answer that says so: on record before it is given, where that is asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Timestamp, Verdict};
use store::Batch;

use super::Inner;
use super::admission::Seat;
use super::answers::{self, is_durable};
use super::asking::{Answered, AskError, Asker, Via};
use super::deciding::{ago, holds_until};
use super::memory::Judged;
use super::permit::{Basis, Permit, Refusal};

impl Inner {
    /// What a judgement gives leave for: by its verdict, or by an override where nothing stands above that (S6).
    pub(super) fn leave(&self, judged: &Judged, seat: Option<&Seat>, now: Timestamp) -> Leave {
        let decision = &judged.decision;
        let refusal = match decision.verdict {
            Verdict::Allow => return Leave { basis: Ok(Basis::Allowed), until: None },
            Verdict::Warn => return Leave { basis: Ok(Basis::Warned), until: None },
            Verdict::Pending => Refusal::Pending,
            Verdict::Deny => Refusal::Denied,
        };
        let force = self.follower.force();
        let (repository, environment) = (&decision.repository, &decision.environment);
        match force.standing.overrides.of(repository, &decision.digest, environment, seat, now) {
            Some(one) if judged.overridable => {
                let left = Duration::try_from(one.until.duration_since(now)).unwrap_or(Duration::ZERO);
                Leave { basis: Ok(Basis::Overridden(one.id.clone())), until: Some(Instant::now() + left) }
            }
            _ => Leave { basis: Err(refusal), until: None },
        }
    }

    /// Puts an answer on record, unless it is (`id`); only then there is one.
    #[expect(clippy::too_many_arguments, reason = "each is a fact of its own about one answer")]
    pub(super) async fn answer(
        &self,
        judged: &Arc<Judged>,
        via: Via,
        id: Option<String>,
        dry_run: bool,
        by: &Asker,
        now: Timestamp,
        confirmed: Instant,
    ) -> Result<Answered, AskError> {
        let decision = &judged.decision;
        let mut leave = self.leave(judged, by.seat.as_deref(), now);
        if let (Err(_), Some(seat)) = (&leave.basis, &by.seat)
            && let Some(other) = Box::pin(self.leave_by_place(judged, seat, now)).await?
        {
            leave = other;
        }
        let until = leave.until.map_or_else(|| holds_until(judged, now), |until| holds_until(judged, now).min(until));
        let (word, mut uses) = (leave.word(), leave.uses(&decision.id, now));
        let permit = leave.basis.map(|basis| Permit {
            subject: decision.digest.clone(),
            children: judged.children.clone(),
            environment: decision.environment.clone(),
            point: by.point,
            basis,
            until,
        });
        let id = match id {
            Some(id) => id,
            None if dry_run => String::new(),
            None if is_durable(by.point) => {
                let row = answers::row(&decision.id, by, word, now);
                let id = row.id.clone();
                let uses = std::mem::take(&mut uses);
                Box::pin(self.store.write(Batch { answers: vec![row], uses, ..Batch::default() })).await?;
                id
            }
            None => {
                if !uses.is_empty() {
                    self.store.write_soon(Batch { uses, ..Batch::default() })?;
                }
                self.answers.note(&self.store, &decision.id, by, word, now)?
            }
        };
        let confirmed = self.still_in_force(judged, confirmed).await?;
        let is_pending = matches!(permit, Err(Refusal::Pending));
        let retry_after = is_pending.then_some(self.settings.pace.poll_interval);
        let in_force_at = ago(now, confirmed.elapsed());
        Ok(Answered { decision: Arc::clone(decision), permit, id, via, in_force_at, retry_after, confirmed })
    }
}

/// What a judgement gives leave for, and until when if that ends sooner than the judgement.
pub(super) struct Leave {
    pub(super) basis: Result<Basis, Refusal>,
    pub(super) until: Option<Instant>,
}

impl Leave {
    /// What it is called in an answer's row.
    pub(super) fn word(&self) -> &'static str {
        self.basis.as_ref().map_or_else(|refusal| refusal.as_str(), Basis::as_str)
    }

    /// An override that was used, with the decision that it changed.
    pub(super) fn uses(&self, decision: &str, now: Timestamp) -> Vec<(String, String, Timestamp)> {
        match &self.basis {
            Ok(Basis::Overridden(id)) => vec![(id.clone(), decision.to_owned(), now)],
            _ => Vec::new(),
        }
    }
}
