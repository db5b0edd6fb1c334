//! `--fail-on` beside a decision service: it may deny what the service allows, never the other way round (S12). All there is to go by
//! is the decision: how many findings there are of each severity, which of them block, and which something lets pass.

use std::collections::BTreeSet;

use engine::{ReasonRecord, Record, RuleRecord};
use model::{Judged, Reason, ReasonCode, Severity, Verdict};
use policy::FailOn;

use crate::failure::Failure;
use crate::output::View;

/// Denies if there is a finding of a severity in the list that counts. What the service's policy waives stays waived.
///
/// # Errors
/// It cannot be told from the decision (exit code 3).
pub(super) fn tighten(record: &mut Record, name: &str, list: &FailOn) -> Result<(), Failure> {
    if record.verdict > Verdict::Warn {
        return Ok(());
    }
    let found = counted(record, list);
    let untold = |why: &str| {
        Err(Failure::configuration(format!(
            "{name}: whether the image passes cannot be told from the service's decision: {why}"
        ))
        .hint("take the list away, or have the service's policy limit these severities"))
    };
    let found = match found {
        Ok(found) => found,
        Err(why) => return untold(why),
    };
    if found.is_empty() {
        return Ok(());
    }
    let words: Vec<String> = found.iter().map(|(severity, count)| format!("{count} {severity}")).collect();
    let message = format!("{name} allows no finding of {}, and there are: {}", list.words(), words.join(", "));
    let remedy =
        "Upgrade the packages to their fixed versions, rebuild and push; the decision service itself allows the image.";
    let reason = Reason::new(ReasonCode::VulnMaxExceeded, message).remedy(remedy);
    if let Some(id) = record.id.take() {
        record
            .warnings
            .push(format!("decision {id} of the service is {}: {name} denies it here", record.verdict.as_str()));
    }
    let total = found.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    record.findings.blocking_total = record.findings.blocking_total.max(total);
    record.rules.push(RuleRecord {
        policy: "command-line".to_owned(),
        rule: "fail-on".to_owned(),
        outcome: "fail",
        verdict: Verdict::Deny,
        reasons: vec![reason.clone()],
        on_unknown: std::collections::BTreeMap::new(),
        notes: Vec::new(),
    });
    record.reasons.insert(0, ReasonRecord { reason, class: None, rules: vec!["command-line/fail-on".to_owned()] });
    record.verdict = Verdict::Deny;
    // It is this end's own: nobody else acts on it (S13).
    record.answer.advisory = true;
    Ok(())
}

/// How many findings count, of each severity that is listed; or why that cannot be told.
fn counted(record: &Record, list: &FailOn) -> Result<Vec<(Severity, u64)>, &'static str> {
    if !record.findings.judged {
        return Err("no rule of its policy is about vulnerabilities");
    }
    let Some(counts) = &record.findings.counts else { return Err("there is no complete scan") };
    let view = View { record, checked: None };
    let waived = view.waived();
    let of = |list: &[&Judged], severity: &Severity| {
        list.iter().filter(|judged| judged.finding.severity == *severity).count() as u64
    };
    let blocking = view.blocking();
    let scanners: BTreeSet<_> = record.signals.iter().map(|used| used.signal.scanner).collect();
    let least = Severity::KNOWN.into_iter().filter(|severity| list.names(severity)).max();
    let mut found = Vec::new();
    let severities: BTreeSet<&Severity> =
        counts.keys().chain(blocking.iter().chain(&waived).map(|judged| &judged.finding.severity)).collect();
    for severity in severities {
        let all = counts.get(severity).copied().unwrap_or(0).max(of(&blocking, severity));
        let waived = of(&waived, severity);
        if waived > all {
            return Err("it names more findings that do not count than it counts");
        }
        match all - waived {
            0 => {}
            count if list.names(severity) => found.push((severity.clone(), count)),
            // Where several sources are heard, one of them may call it less serious, and that would count too.
            _ if scanners.len() > 1 && least.as_ref().is_some_and(|least| severity < least) => {
                return Err("several scanners rate its findings, and each rating would count");
            }
            _ => {}
        }
    }
    Ok(found)
}
