//! What an override would change at this moment, said before it is granted.

use model::{Digest, Reason, Verdict};
use policy::{Denial, DeniedThing};
use store::DecisionRow;

use super::super::GateError;
use super::super::force::InForce;
use super::may_be_overridden;

/// What whoever grants an override should know: that it lets nothing through at the moment. What is certain to stand above it is refused.
pub(super) fn of(
    force: &InForce,
    repository: &str,
    digest: &Digest,
    decided: Option<&DecisionRow>,
) -> Result<Vec<String>, GateError> {
    let denials = &force.standing.denials;
    let names = |one: &&Denial| matches!(&one.what, DeniedThing::Digest(denied) if denied == digest || one.also.contains(digest));
    if let Some(one) = denials.about_repository(repository).or_else(|| denials.iter().find(names)) {
        let how = if one.quarantine { "quarantined" } else { "denied everywhere" };
        let what = format!("no override goes past the deny list: it is {how} by entry {}: {}", one.id, one.reason);
        return Err(GateError::usage(what, "whoever has the role policy-admin lifts the entry: `ecr-gate deny lift`"));
    }
    let Some(decided) = decided else {
        return Ok(vec![format!(
            "nobody asked about {repository}@{digest} there yet: look whether that is the image that is meant"
        )]);
    };
    let record: Option<crate::record::Record> = serde_json::from_slice(&decided.record).ok();
    let reasons = record.into_iter().flat_map(|record| record.reasons).map(|reason| reason.reason);
    let reasons: Vec<Reason> = reasons.collect();
    let verdict = decided.verdict;
    Ok(match verdict {
        Verdict::Allow | Verdict::Warn => {
            vec![format!(
                "it lets nothing through that is not: the last decision, {}, says {}",
                decided.id,
                verdict.as_str()
            )]
        }
        _ if !may_be_overridden(&reasons) => {
            let above = reasons.iter().find(|reason| !may_be_overridden([*reason]));
            let above =
                above.map_or_else(String::new, |reason| format!("{}: {}", reason.code.as_str(), reason.message));
            vec![format!("it lets nothing through while this stands, which is above every override: {above}")]
        }
        _ => Vec::new(),
    })
}
