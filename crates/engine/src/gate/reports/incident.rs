//! What changed in an environment in a time (O4): promotions with where they came from and how they were decided, decisions, whatever else changed what
//! is let through, and what to go back to.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::reports::{Covered, IncidentDecision, IncidentPromotion, IncidentReport, ReportEvent, RollbackTo};
use model::{Timestamp, Verdict};
use serde_json::Value;
use store::DecisionQuery;

use super::super::actor::{Actor, Repositories};
use super::super::promote::repository_of;
use super::super::teams::Wanted;
use super::super::{GateError, Inner};
use super::entries::Entry;
use super::tally::event;

/// Promotions, decisions or events that are listed.
const LISTED: usize = 200;
/// Reasons of one decision.
const REASONS: usize = 5;
/// The longest reason, in characters.
const REASON: usize = 500;
/// Repositories for which it is looked up what to go back to.
const PLACES: usize = 20;
/// Promotions to one repository that are looked through for that.
const PROMOTIONS: u32 = 1_000;
/// Of these, before the time, whose decisions are looked at.
const TRIED: usize = 10;

/// What an incident is about.
struct About<'a> {
    environment: &'a str,
    repository: Option<&'a str>,
}

impl Inner {
    pub(super) async fn incident(
        self: &Arc<Self>,
        since: Timestamp,
        until: Timestamp,
        environment: &str,
        repository: Option<&str>,
        actor: &Actor,
    ) -> Result<IncidentReport, GateError> {
        let _turn = self.reporting.acquire().await;
        let about = About { environment, repository };
        let mut begun = Vec::new();
        let mut report = IncidentReport {
            environment: environment.to_owned(),
            repository: repository.map(str::to_owned),
            covered: Covered { since, until, read_until: until, entries: 0, missing: Vec::new() },
            promotions: Vec::new(),
            promotions_more: 0,
            decisions: Vec::new(),
            decisions_more: 0,
            events: Vec::new(),
            events_more: 0,
            overrides_used: Vec::new(),
            rollback: Vec::new(),
        };
        let read = self.each_entry(since, until, actor, |entry| about.add(&mut report, &mut begun, entry)).await?;
        // A tag may have been written whose promotion is not on record: that is told, those that are on record are not told twice.
        begun.retain(|(destination, event): &(String, ReportEvent)| {
            let is_it =
                |one: &IncidentPromotion| one.destination == *destination && Some(&one.digest) == event.digest.as_ref();
            !report.promotions.iter().any(is_it)
        });
        report.events.extend(begun.into_iter().map(|(_, event)| event));
        report.events.sort_by_key(|event| event.at);
        let mut missing = read.missing(actor);
        let of = super::About { environment: Some(environment), repository, wanted: &Wanted::default() };
        let used = self.overrides_used(since, read.until, &of, actor, &mut missing).await?;
        report.overrides_used = used.1;
        for promotion in &mut report.promotions {
            // Whoever sees where it went does not see for that how it was decided where it came from.
            let row = self.store.decision(&promotion.decision).await?;
            if let Some(row) = row.filter(|row| actor.sees(&row.repository, Some(&row.environment))) {
                promotion.verdict = Some(row.verdict);
                promotion.reasons = serde_json::from_slice(&row.record).map_or_else(|_| Vec::new(), |it| reasons(&it));
            }
        }
        let mut places: BTreeSet<String> = repository.map(str::to_owned).into_iter().collect();
        places.extend(report.promotions.iter().map(|one| repository_of(&one.destination).to_owned()));
        places.extend(report.decisions.iter().map(|one| one.repository.clone()));
        places.retain(|place| actor.sees(place, Some(environment)));
        if places.len() > PLACES {
            let more = places.len() - PLACES;
            missing.push(format!("what to go back to in {more} more repositories; name one"));
        }
        for place in places.into_iter().take(PLACES) {
            report.rollback.push(self.before(&place, environment, since).await?);
        }
        // "Nothing happened" is said of an environment that there is.
        if report.promotions.is_empty() && report.decisions.is_empty() {
            self.follower.force().declares(environment)?;
        }
        report.covered = Covered { since, until, read_until: read.until, entries: read.entries, missing };
        Ok(report)
    }

    /// The last digest before then that the gate gave leave for: promoted there, or else allowed.
    pub(in crate::gate) async fn before(
        &self,
        place: &str,
        environment: &str,
        since: Timestamp,
    ) -> Result<RollbackTo, GateError> {
        let rows = self.store.promotions_to(place, Some(environment), PROMOTIONS).await?;
        for row in rows.into_iter().filter(|row| row.at < since).take(TRIED) {
            let decided = self.store.decision(&row.decision).await?;
            // What went through by an override was not approved. Of what is no longer on record nobody knows better.
            if decided.is_some_and(|decided| !matches!(decided.verdict, Verdict::Allow | Verdict::Warn)) {
                continue;
            }
            let command = format!("ecr-gate rollback {place} --environment {environment} --to {}", row.digest);
            return Ok(RollbackTo {
                repository: place.to_owned(),
                digest: Some(row.digest),
                at: Some(row.at),
                decision: Some(row.decision),
                promoted: true,
                command: Some(command),
            });
        }
        let mut newest = None;
        for verdict in [Verdict::Allow, Verdict::Warn] {
            let query = DecisionQuery {
                repository: Some(place.to_owned()),
                environment: Some(environment.to_owned()),
                verdict: Some(verdict),
                until: Some(since),
                limit: 1,
                ..DecisionQuery::default()
            };
            let found = self.store.decisions(&query).await?.pop();
            newest = newest.into_iter().chain(found).max_by_key(|row: &store::DecisionRow| row.recorded_at);
        }
        let (digest, at, decision) = match newest {
            Some(row) => (Some(row.digest), Some(row.recorded_at), Some(row.id)),
            None => (None, None, None),
        };
        Ok(RollbackTo { repository: place.to_owned(), digest, at, decision, promoted: false, command: None })
    }
}

impl About<'_> {
    fn add(&self, report: &mut IncidentReport, begun: &mut Vec<(String, ReportEvent)>, entry: &Entry) {
        if !self.holds(entry) {
            return;
        }
        match entry.kind.as_str() {
            "image.promoted" => {
                push(&mut report.promotions, &mut report.promotions_more, || promotion(entry));
            }
            "decision" => push(&mut report.decisions, &mut report.decisions_more, || decision(entry)),
            "promotion.begun" if begun.len() < LISTED => {
                begun.push((entry.text(&[&["destination"]]).unwrap_or("?").to_owned(), event(entry)));
            }
            "promotion.begun" => report.events_more += 1,
            // The decision that follows from it is there.
            "signal" => {}
            _ => push(&mut report.events, &mut report.events_more, || Some(event(entry))),
        }
    }

    fn holds(&self, entry: &Entry) -> bool {
        if entry.environment().is_some_and(|environment| environment != self.environment) {
            return false;
        }
        let Some(wanted) = self.repository else { return true };
        if let Some(pattern) = entry.text(&[&["scope", "repository"]]) {
            let is_pattern = entry.body.get("scope").and_then(|scope| scope.get("isPattern"));
            if is_pattern == Some(&Value::Bool(true)) {
                // One that cannot be read may be about it.
                return Repositories::parse(pattern).map_or(true, |pattern| pattern.cover(wanted));
            }
            return pattern == wanted;
        }
        let from = entry.text(&[&["source"]]).map(repository_of);
        entry.repository.as_deref().is_none_or(|repository| repository == wanted) || from == Some(wanted)
    }
}

fn push<T>(list: &mut Vec<T>, more: &mut u64, one: impl FnOnce() -> Option<T>) {
    if list.len() >= LISTED {
        *more += 1;
    } else {
        match one() {
            Some(one) => list.push(one),
            None => *more += 1,
        }
    }
}

fn promotion(entry: &Entry) -> Option<IncidentPromotion> {
    let owned = |key: &str| entry.text(&[&[key]]).map(str::to_owned);
    Some(IncidentPromotion {
        at: entry.at,
        id: entry.id.clone(),
        source: owned("source")?,
        destination: owned("destination")?,
        digest: entry.digest.clone()?,
        rollback: entry.body.get("rollback") == Some(&Value::Bool(true)),
        by: owned("by"),
        person: owned("person"),
        pipeline: owned("pipeline"),
        commit: owned("commit"),
        basis: owned("basis"),
        decision: owned("decision")?,
        verdict: None,
        reasons: Vec::new(),
    })
}

fn decision(entry: &Entry) -> Option<IncidentDecision> {
    let asked = |key: &str| entry.text(&[&["answer", key]]).map(str::to_owned);
    let used = entry.body.get("exceptionsUsed").and_then(Value::as_array);
    let Ok(verdict) = serde_json::from_value(entry.body.get("verdict")?.clone()) else { return None };
    Some(IncidentDecision {
        at: entry.at,
        id: entry.id.clone(),
        repository: entry.repository.clone()?,
        digest: entry.digest.clone()?,
        verdict,
        reasons: reasons(&Value::Object(entry.body.clone())),
        exceptions: used.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        point: asked("point"),
        asked_by: asked("askedBy"),
        pipeline: asked("pipeline"),
        commit: asked("commit"),
    })
}

/// The first reasons of a record, each with its code.
pub(in crate::gate) fn reasons(record: &Value) -> Vec<String> {
    let reasons = record.get("reasons").and_then(Value::as_array);
    let words = |reason: &Value| {
        let text = format!("{}: {}", reason.get("code")?.as_str()?, reason.get("message")?.as_str()?);
        Some(text.chars().take(REASON).collect())
    };
    reasons.into_iter().flatten().take(REASONS).filter_map(words).collect()
}
