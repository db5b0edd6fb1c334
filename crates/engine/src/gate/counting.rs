//! What the gate counts of itself (M1, M2, M8).

use std::time::Duration;

use model::{EnvironmentClass, Facts, Signal, SignedDuration, Timestamp, Verdict};
use telemetry::{Class, Metrics, Outcome};

use super::asking::{Answered, AskError, Asker, Via};
use super::memory::Known;
use super::recording::Draft;

/// An ask came to an end.
pub(super) fn asked(metrics: &Metrics, ended: &Result<(Answered, bool), AskError>, took: Duration) {
    let outcome = match ended {
        Ok((_, false)) => Outcome::Answered,
        Ok((_, true)) => Outcome::Degraded,
        Err(AskError::Usage { .. } | AskError::NotSetUp { .. } | AskError::Refused(_) | AskError::Forbidden(_)) => {
            Outcome::Refused
        }
        Err(AskError::StoreUnavailable(_) | AskError::Overloaded(_) | AskError::Internal(_)) => Outcome::Failed,
    };
    metrics.asked(outcome);
    if let Ok((answered, _)) = ended {
        let via = match answered.via {
            Via::Recorded => telemetry::Via::Recorded,
            Via::Evaluated => telemetry::Via::Evaluated,
            Via::Collected => telemetry::Via::Collected,
        };
        metrics.answered(via, took);
    }
}

/// A decision is about to be recorded.
pub(super) fn decided(metrics: &Metrics, draft: &Draft, known: &Known, by: &Asker, now: Timestamp) {
    let verdict = match draft.judgement.verdict {
        Verdict::Allow => telemetry::Verdict::Allow,
        Verdict::Warn => telemetry::Verdict::Warn,
        Verdict::Pending => telemetry::Verdict::Pending,
        Verdict::Deny => telemetry::Verdict::Deny,
    };
    let class = match draft.judgement.environment_class {
        EnvironmentClass::Production => Class::Production,
        EnvironmentClass::NonProduction => Class::NonProduction,
    };
    metrics.decided(verdict, class, is_complete(&known.facts, by.commit.as_deref(), by.pipeline.as_deref()));
    if draft.judgement.verdict == Verdict::Pending {
        return;
    }
    let since = |then: Timestamp| Duration::try_from(now.duration_since(then).max(SignedDuration::ZERO)).ok();
    if let Some(took) = known.facts.root.pushed_at.and_then(since) {
        metrics.push_to_decision(took);
    }
    let scanned = draft.judgement.inputs.signals.iter().map(|signal| signal.completed_at).max();
    if let Some(took) = scanned.and_then(since) {
        metrics.scan_end_to_decision(took);
    }
}

/// S43: commit and pipeline, a bill of materials, a complete scan, a signature and provenance that verify.
pub(super) fn is_complete(facts: &Facts, commit: Option<&str>, pipeline: Option<&str>) -> bool {
    let manifests = || std::iter::once(&facts.root).chain(facts.platforms.iter().flatten().map(|(_, child)| child));
    let has_sbom = || manifests().any(|one| matches!(&one.sboms, Signal::Present(list) if !list.value.is_empty()));
    let signed = || {
        manifests().filter_map(|one| match &one.signed {
            Signal::Present(list) => Some(&list.value),
            _ => None,
        })
    };
    let is_signed = || signed().flatten().any(|artifact| artifact.verified.is_ok());
    let has_provenance =
        || signed().flatten().any(|artifact| artifact.verified.is_ok() && artifact.provenance.is_some());
    commit.is_some() && pipeline.is_some() && has_sbom() && facts.has_scan() && is_signed() && has_provenance()
}
