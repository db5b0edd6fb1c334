//! Leave for a promotion: the gate's, or, for a rollback of what is denied for nothing but vulnerabilities, that of somebody who may override (S33).

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Digest, ImageReference, Verdict};

use super::super::asking::{Answered, AskError, Asked, RecordedDecision};
use super::super::permit::{Basis, Permit, Refusal};
use super::super::{Inner, Point};
use super::there::There;
use super::{Plan, PromoteError};
use crate::record::Record;

/// How long leave by override lasts: until the tag is written, which comes next.
pub(super) const SOON: Duration = Duration::from_mins(1);

/// Leave, and what it rests on.
#[derive(Debug)]
pub(super) struct Leave {
    pub(super) permit: Permit,
    pub(super) decision: Arc<RecordedDecision>,
    /// All changes up to this moment are in it (S42).
    pub(super) confirmed: Instant,
    /// Codes of the reasons that were overridden.
    pub(super) overridden: Vec<String>,
}

impl Inner {
    /// Asks for leave to promote this image.
    pub(super) async fn leave_to_promote(
        self: &Arc<Self>,
        plan: &Plan,
        image: &ImageReference,
        there: &mut There,
    ) -> Result<Leave, PromoteError> {
        let leave = self.leave_where_it_is(plan, image).await?;
        // Whatever it rests on, such as the judgement of an index: it is for what was asked about.
        let subject = leave.permit.subject();
        if let Some(asked) = image.digest.as_ref().filter(|asked| *asked != subject) {
            let what = format!("leave was given for {subject}, not for {asked}, which was asked about");
            return Err(AskError::Internal(what).into());
        }
        self.leave_where_it_goes(plan, image, leave, there).await
    }

    async fn leave_where_it_is(self: &Arc<Self>, plan: &Plan, image: &ImageReference) -> Result<Leave, PromoteError> {
        let asked = Asked {
            image: image.to_string(),
            name: None,
            environment: Some(plan.environment.clone()),
            wait: plan.wait,
            dry_run: false,
        };
        let Answered { decision, permit, confirmed, .. } = self.ask(asked, &plan.by).await?;
        match permit {
            Ok(permit) if matches!(permit.basis(), Basis::FailOpen(_)) => {
                let what = "the store is away, and a promotion has to be on record".to_owned();
                Err(AskError::StoreUnavailable(what).into())
            }
            Ok(permit) if decision.verdict <= Verdict::Warn => {
                Ok(Leave { permit, decision, confirmed, overridden: Vec::new() })
            }
            // An override lets an image run where it is, and is no allow (S31): what is promoted is allowed, or is brought back by S33.
            Ok(_) | Err(Refusal::Pending) if decision.verdict == Verdict::Pending => {
                let what = format!("it is not decided yet whether {image} may be used in {}", plan.environment);
                let hint = Some("try again later, or wait longer".to_owned());
                Err(PromoteError::Refused { refusal: Refusal::Pending, decision, what, hint })
            }
            // An index that is overridden covers its platforms: the leave is for the platform that was asked about.
            Ok(permit) => override_for(plan, image, decision, permit.subject, confirmed),
            Err(_) => {
                let subject = decision.digest.clone();
                override_for(plan, image, decision, subject, confirmed)
            }
        }
    }
}

/// S33: a rollback of what is denied may go on if nothing but vulnerabilities stands against it, and somebody who may says why.
fn override_for(
    plan: &Plan,
    image: &ImageReference,
    decision: Arc<RecordedDecision>,
    subject: Digest,
    confirmed: Instant,
) -> Result<Leave, PromoteError> {
    let refuse = |decision, hint: &str| {
        let what = format!("policy denies {image} in {}", plan.environment);
        Err(PromoteError::Refused { refusal: Refusal::Denied, decision, what, hint: Some(hint.to_owned()) })
    };
    let Some(back) = &plan.rollback else {
        let hint = format!("its reasons, and what clears them: `ecr-gate decisions --id {}`", decision.id);
        return refuse(decision, &hint);
    };
    let record: Record = serde_json::from_slice(&decision.record)
        .map_err(|error| AskError::Internal(format!("the decision on record cannot be read: {error}")))?;
    let Some(overridden) = only_vulnerabilities(&record) else {
        return refuse(
            decision,
            "more than vulnerabilities stands against it, and that is not overridden by a rollback: take another digest",
        );
    };
    if !back.may_override {
        return refuse(
            decision,
            "only vulnerabilities stand against it: somebody with the role break-glass may bring it back all the same, with a reason",
        );
    }
    if back.reason.is_none() {
        return refuse(
            decision,
            "only vulnerabilities stand against it: say with --reason why it is brought back all the same",
        );
    }
    let permit = Permit {
        subject,
        children: Vec::new(),
        environment: plan.environment.clone(),
        point: Point::Promotion,
        basis: Basis::Overridden(uuid::Uuid::now_v7().to_string()),
        until: Instant::now() + SOON,
    };
    Ok(Leave { permit, decision, confirmed, overridden })
}

/// The codes of all that denies, if each of them is about vulnerabilities that were found; `None` if anything else denies, is not known, or stands on a
/// list of what is denied by name.
fn only_vulnerabilities(record: &Record) -> Option<Vec<String>> {
    if record.verdict != Verdict::Deny {
        return None;
    }
    let heavy: Vec<_> = record.rules.iter().filter(|rule| rule.verdict >= Verdict::Pending).collect();
    let by_rules =
        heavy.iter().all(|rule| rule.outcome == "fail" && rule.verdict == Verdict::Deny && !rule.reasons.is_empty());
    if heavy.is_empty() || !by_rules {
        return None;
    }
    // What no rule gives denies by itself.
    if record.reasons.iter().any(|reason| reason.rules.is_empty()) {
        return None;
    }
    let mut codes: Vec<String> =
        heavy.iter().flat_map(|rule| &rule.reasons).map(|reason| reason.code.as_str().to_owned()).collect();
    codes.sort();
    codes.dedup();
    let is_found = |code: &String| code.starts_with("vuln.") && code != "vuln.denied";
    codes.iter().all(is_found).then_some(codes)
}
