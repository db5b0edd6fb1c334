//! S32: what runs may start again for a while after its verdict turned, where nothing but vulnerabilities that became known or a scan that grew old stands
//! against it. The time ends when the policy says, counted from when the verdict turned, whoever asks and however often.

use std::time::{Duration, Instant};

use model::{Judgement, Outcome, ReasonCode, Timestamp, UnknownClass, Verdict};
use store::WorkloadRow;

use super::Inner;
use super::admission::Seat;
use super::answering::Leave;
use super::asking::AskError;
use super::memory::Judged;
use super::permit::Basis;

impl Inner {
    /// Leave by the place where an image runs; `None`: the place gives none.
    pub(super) async fn leave_by_place(
        &self,
        judged: &Judged,
        seat: &Seat,
        now: Timestamp,
    ) -> Result<Option<Leave>, AskError> {
        let decision = &judged.decision;
        // S40: what was denied when it could be looked at stays denied when it cannot.
        if let Some(class) = judged.unknown.filter(|_| seat.is_of_the_system()) {
            let was_denied = self.was_denied(&decision.repository, &decision.digest, &decision.environment).await?;
            return Ok((!was_denied).then_some(Leave { basis: Ok(Basis::FailOpen(class)), until: None }));
        }
        let (Some(lasts), Some(owner)) = (judged.runs_on, &seat.owner) else { return Ok(None) };
        let turned = self.store.turned(&decision.repository, &decision.digest, &decision.environment).await?;
        // It was never let through: there is nothing that could run on.
        let Some(turned) = turned else { return Ok(None) };
        // A dry run may be the first to see it.
        let turned = turned.unwrap_or(now);
        let Ok(until) = turned.checked_add(lasts) else { return Ok(None) };
        if now >= until {
            return Ok(None);
        }
        let place = WorkloadRow {
            cluster: seat.cluster.clone(),
            namespace: seat.namespace.clone(),
            owner: owner.clone(),
            container: seat.container.clone(),
            repository: decision.repository.clone(),
            digest: decision.digest.clone(),
            first_seen: now,
            last_seen: now,
        };
        let ran = self.store.workload(&place).await?.is_some_and(|ran| ran.first_seen < turned);
        if !ran {
            return Ok(None);
        }
        let left = Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO);
        Ok(Some(Leave { basis: Ok(Basis::Grandfathered(until)), until: Some(Instant::now() + left) }))
    }
}

/// Whether nothing but vulnerabilities and the age of scans stands against it: none that is denied by name, none with a known exploit, none that is counted
/// without being listed, and nothing else that is not known.
pub(super) fn only_old_news(judgement: &Judgement) -> bool {
    use ReasonCode::{VulnCountExceeded, VulnCvss, VulnEpss, VulnMaxExceeded};
    let mut heavy = judgement.rules.iter().filter(|rule| rule.verdict >= Verdict::Pending).peekable();
    heavy.peek().is_some()
        && heavy.all(|rule| {
            let reasons = match &rule.outcome {
                Outcome::Pass => return false,
                Outcome::Fail(reasons) | Outcome::Unknown(_, reasons) => reasons,
            };
            let is_old_news = |code: ReasonCode| {
                matches!(code, VulnMaxExceeded | VulnCvss | VulnEpss | VulnCountExceeded)
                    || code.class() == Some(UnknownClass::ScanStale)
            };
            reasons.iter().all(|reason| is_old_news(reason.code))
                && rule.on_unknown.keys().all(|class| *class == UnknownClass::ScanStale)
                && rule.findings.iter().all(|judged| judged.finding.exploit_available != Some(true))
                && rule.over.iter().all(|over| over.listed >= over.found)
        })
}

/// The class, if nothing stands against it but that something is not known.
pub(super) fn only_unknown(judgement: &Judgement) -> Option<UnknownClass> {
    let mut heaviest = None;
    for rule in judgement.rules.iter().filter(|rule| rule.verdict >= Verdict::Pending) {
        let Outcome::Unknown(class, _) = &rule.outcome else { return None };
        heaviest = heaviest.or(Some(*class));
    }
    heaviest
}
