//! The `attestations` rule: one signed statement of the type, by a signer that counts, that meets every condition (S27).
//! A value that is not there meets nothing, and a statement by anybody else is named and does not count.

use std::cmp::Ordering;

use model::{Clock, Gap, ManifestFacts, Reason, ReasonCode, SignedArtifact, Statement, Timestamp, format_duration};
use serde_json::{Number, Value};

use super::rule::Scene;
use super::signed::{described, hear, meant};
use super::{Found, predicate};
use crate::document::{Attestations, Condition, VSA};

/// How much of a value a message shows.
const SHOWN: usize = 80;

pub(super) fn judge(scene: &Scene<'_, '_>, rule: &Attestations, manifest: &ManifestFacts) -> Found {
    let names = meant(scene, rule.signers.as_deref());
    // A verification summary is refused when the policy is read; here it could not count either (S26).
    let wanted = |_: &SignedArtifact, statement: &Statement| {
        statement.predicate_type == rule.kind.0 && statement.predicate_type != VSA
    };
    let heard = match hear(scene, &names, manifest, wanted) {
        Ok(heard) => heard,
        Err(gap) => return Found::open(vec![gap], Vec::new()),
    };
    let (mut met, mut failures, mut gaps) = (0_usize, Vec::new(), Vec::new());
    for (artifact, statement) in &heard.counting {
        match meets(rule, artifact, statement, scene.clock) {
            Ok(()) => met += 1,
            Err(Fault::Not(reasons)) => failures.extend(reasons),
            Err(Fault::Unreadable(reason)) => gaps.push(Gap::from(reason)),
        }
    }
    let mut others = heard.others;
    if met > 0 {
        let rest = heard.counting.len() - met;
        let mut found = Found::passed(others);
        if rest > 0 {
            found.notes.insert(0, format!("{met} statements meet the conditions, and {rest} more do not"));
        }
        return found;
    }
    for (artifact, statement, open) in heard.open {
        match meets(rule, artifact, statement, scene.clock) {
            Ok(()) => gaps.extend(open),
            Err(Fault::Not(reasons)) => others.extend(reasons),
            Err(Fault::Unreadable(reason)) => others.push(reason),
        }
    }
    gaps.extend(heard.unread);
    if !gaps.is_empty() {
        others.extend(failures);
        return Found::open(gaps, others);
    }
    if failures.is_empty() {
        let aside = match heard.types.as_slice() {
            [] => String::new(),
            types => format!("; there are others: {}", types.join(", ")),
        };
        let message = format!("no statement of the type {} by {} counts{aside}", rule.kind.0, names.join(", "));
        failures.push(Reason::new(ReasonCode::AttestationMissing, message));
    }
    Found::broken(failures, others)
}

/// Why a statement does not do.
enum Fault {
    Not(Vec<Reason>),
    Unreadable(Reason),
}

fn meets(rule: &Attestations, artifact: &SignedArtifact, statement: &Statement, clock: &Clock) -> Result<(), Fault> {
    let Some(conditions) = &rule.conditions else { return Ok(()) };
    let value = predicate::read(&statement.predicate).map_err(|error| {
        let message = format!("{}: the predicate cannot be read: {error}", described(artifact));
        Fault::Unreadable(Reason::new(ReasonCode::AttestationInvalid, message))
    })?;
    let failed = |condition: &Condition| -> Vec<Reason> {
        let why = broken(condition, value.pointer(&condition.path.0), clock);
        let reason = |why: String| {
            let message = format!("{}: {} {why}", described(artifact), condition.path.0);
            Reason::new(ReasonCode::AttestationCondition, message)
        };
        why.into_iter().map(reason).collect()
    };
    let reasons: Vec<Reason> = conditions.iter().flat_map(failed).collect();
    if reasons.is_empty() { Ok(()) } else { Err(Fault::Not(reasons)) }
}

/// What a value is and should not be.
fn broken(condition: &Condition, value: Option<&Value>, clock: &Clock) -> Vec<String> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return vec!["is not there".to_owned()] };
    let Condition { path: _, equals, one_of, matches, exists: _, at_most, at_least, not_older_than } = condition;
    let mut broken = Vec::new();
    let is = shown(value);
    if let Some(wanted) = equals
        && !same(value, &wanted.0)
    {
        broken.push(format!("is {is} and has to be {}", shown(&wanted.0)));
    }
    if let Some(list) = one_of
        && !list.iter().any(|wanted| same(value, &wanted.0))
    {
        let list: Vec<String> = list.iter().map(|wanted| shown(&wanted.0)).collect();
        broken.push(format!("is {is} and has to be one of {}", list.join(", ")));
    }
    if let Some(pattern) = matches
        && !value.as_str().is_some_and(|text| pattern.is_match(text))
    {
        broken.push(format!("is {is} and has to be {pattern}"));
    }
    for (bound, wrong, words) in [(at_most, Ordering::Greater, "at most"), (at_least, Ordering::Less, "at least")] {
        let Some(bound) = bound else { continue };
        match value.as_number().and_then(|number| compare(number, &bound.0)) {
            Some(ordering) if ordering != wrong => {}
            _ => broken.push(format!("is {is} and has to be {words} {}", bound.0)),
        }
    }
    if let Some(limit) = not_older_than {
        match value.as_str().map(str::parse::<Timestamp>) {
            Some(Ok(moment)) if !clock.reached(moment) => broken.push(format!("is {is}, which is in the future")),
            Some(Ok(moment)) if clock.older_than(moment, limit.0) => {
                broken.push(format!("is {is}, which is more than {} ago", format_duration(limit.0)));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => broken.push(format!("is {is}, which is no time")),
        }
    }
    broken
}

/// The same value; numbers are the same whatever way they are written.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => compare(one, other) == Some(Ordering::Equal),
        (one, other) => one == other,
    }
}

/// Whole numbers exactly, others as far as they are precise.
fn compare(one: &Number, other: &Number) -> Option<Ordering> {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

/// A value for a message, cut where it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
