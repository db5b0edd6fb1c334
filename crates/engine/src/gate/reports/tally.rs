//! Entries of a time, counted.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use model::reports::{
    BlockedPlace, Covered, DecisionCounts, ExceptionCounts, FalseBlocks, FullMetadata, NameCount, OverrideCounts,
    PeriodReport, Remediation, RemediationPlace, ReportEvent, ReportPeriod, median, percentile,
};
use serde_json::Value;

use super::super::teams::Teams;
use super::Counts;
use super::entries::Entry;

/// Places and reasons, or changes, that a report lists.
const LISTED: usize = 20;
/// Changes that a report lists.
const CHANGES: usize = 200;
/// Places that are told apart; what is beyond is counted in totals alone.
const PLACES: usize = 20_000;
/// The longest text of an event, in characters.
const WORDS: usize = 500;

/// A repository and an environment.
type Place = (String, String);

/// How long blocks lasted at one place.
#[derive(Debug, Default)]
struct Spans {
    done: Vec<i64>,
    blocked_since: Option<Timestamp>,
}

/// What was counted so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    environments: BTreeMap<String, DecisionCounts>,
    reasons: BTreeMap<(String, String, String), u64>,
    places: BTreeMap<Place, Spans>,
    left_out: bool,
    /// Decisions that denied.
    pub(super) blocks: BTreeSet<String>,
    flips: u64,
    promotions: u64,
    rollbacks: u64,
    with_metadata: (u64, u64, u64),
    pub(super) granted: u64,
    pub(super) for_rollbacks: u64,
    pub(super) revoked: u64,
    pub(super) granted_by: Counts,
    pub(super) exceptions: ExceptionCounts,
    changes: Vec<ReportEvent>,
    changes_more: u64,
    teams: Teams,
    blocked_by_team: Counts,
}

impl Tally {
    pub(super) fn new(teams: Teams) -> Self {
        Self { teams, ..Self::default() }
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        match entry.kind.as_str() {
            "decision" => self.decision(entry),
            "verdict.flips" => self.flips += 1,
            "image.promoted" if entry.body.get("rollback") == Some(&Value::Bool(true)) => self.rollbacks += 1,
            "image.promoted" => self.promotions += 1,
            "exception.requested" => self.exceptions.requested += 1,
            "exception.approved" => self.exceptions.approved += 1,
            "exception.rejected" => self.exceptions.rejected += 1,
            "exception.revoked" => self.exceptions.revoked += 1,
            "exception.expired" => self.exceptions.expired += 1,
            "exception.fixed" => self.exceptions.fixed += 1,
            "override.granted" => {
                self.granted += 1;
                self.for_rollbacks += u64::from(entry.text(&[&["for"]]) == Some("rollback"));
                let by = entry.text(&[&["by"], &["granted", "by"]]).unwrap_or("?");
                *self.granted_by.entry(by.to_owned()).or_default() += 1;
            }
            "override.revoked" => self.revoked += 1,
            _ => {}
        }
        let listed = ["policy.", "denial.", "token.", "override.", "audit."];
        if listed.iter().any(|kind| entry.kind.starts_with(kind)) {
            if self.changes.len() < CHANGES { self.changes.push(event(entry)) } else { self.changes_more += 1 }
        }
    }

    fn decision(&mut self, entry: &Entry) {
        let repository = entry.repository.as_deref().unwrap_or("");
        let environment = entry.environment().unwrap_or("?");
        let verdict = entry.text(&[&["verdict"]]);
        let fresh = || DecisionCounts {
            environment: environment.to_owned(),
            class: None,
            allow: 0,
            warn: 0,
            deny: 0,
            pending: 0,
        };
        let counts = self.environments.entry(environment.to_owned()).or_insert_with(fresh);
        match verdict {
            Some("allow") => counts.allow += 1,
            Some("warn") => counts.warn += 1,
            Some("deny") => counts.deny += 1,
            _ => counts.pending += 1,
        }
        match entry.body.get("fullMetadata").and_then(Value::as_bool) {
            Some(complete) => {
                self.with_metadata.0 += 1;
                self.with_metadata.1 += u64::from(complete);
            }
            None => self.with_metadata.2 += 1,
        }
        let used = entry.body.get("exceptionsUsed").and_then(Value::as_array);
        self.exceptions.used += u64::from(used.is_some_and(|used| !used.is_empty()));
        let place = (repository.to_owned(), environment.to_owned());
        match verdict {
            Some("deny") => {
                self.blocks.insert(entry.id.clone());
                if !self.teams.is_empty() {
                    *self.blocked_by_team.entry(self.teams.of(repository).to_owned()).or_default() += 1;
                }
                self.reasons_of(entry, &place);
                if let Some(spans) = self.spans(place) {
                    spans.blocked_since.get_or_insert(entry.at);
                }
            }
            Some("allow" | "warn") => {
                if let Some(spans) = self.places.get_mut(&place)
                    && let Some(since) = spans.blocked_since.take()
                {
                    spans.done.push(entry.at.duration_since(since).as_secs().max(0));
                }
            }
            _ => {}
        }
    }

    fn spans(&mut self, place: Place) -> Option<&mut Spans> {
        if self.places.len() >= PLACES && !self.places.contains_key(&place) {
            self.left_out = true;
            return None;
        }
        Some(self.places.entry(place).or_default())
    }

    fn reasons_of(&mut self, entry: &Entry, (repository, environment): &Place) {
        let reasons = entry.body.get("reasons").and_then(Value::as_array);
        let codes: BTreeSet<&str> =
            reasons.into_iter().flatten().filter_map(|reason| reason.get("code")?.as_str()).collect();
        for code in codes {
            let key = (repository.clone(), environment.clone(), code.to_owned());
            if self.reasons.len() < PLACES || self.reasons.contains_key(&key) {
                *self.reasons.entry(key).or_default() += 1;
            } else {
                self.left_out = true;
            }
        }
    }

    pub(super) fn report(
        self,
        period: ReportPeriod,
        mut covered: Covered,
        false_blocks: FalseBlocks,
        overrides: OverrideCounts,
        exceptions: ExceptionCounts,
        class: impl Fn(&str) -> Option<String>,
    ) -> PeriodReport {
        if self.left_out {
            covered.missing.push(format!("places and reasons beyond the first {PLACES}"));
        }
        let mut decisions: Vec<DecisionCounts> = self.environments.into_values().collect();
        for counts in &mut decisions {
            counts.class = class(&counts.environment);
        }
        let place = |((repository, environment, code), blocks)| BlockedPlace { repository, environment, code, blocks };
        let mut blocked: Vec<BlockedPlace> = self.reasons.into_iter().map(place).collect();
        // Stable: of as many blocks the first by name.
        blocked.sort_by_key(|place| std::cmp::Reverse(place.blocks));
        let blocked_more = blocked.len().saturating_sub(LISTED) as u64;
        blocked.truncate(LISTED);
        let (said, complete, unknown) = self.with_metadata;
        PeriodReport {
            period,
            covered,
            decisions,
            flips: self.flips,
            promotions: self.promotions,
            rollbacks: self.rollbacks,
            blocked,
            blocked_more,
            blocked_by_team: all(self.blocked_by_team),
            false_blocks,
            remediation: remediation(self.places),
            overrides,
            exceptions,
            full_metadata: FullMetadata::of(said, complete, unknown),
            changes: self.changes,
            in_force: None,
            changes_more: self.changes_more,
        }
    }
}

fn remediation(places: BTreeMap<Place, Spans>) -> Remediation {
    let mut all = Vec::new();
    let mut listed = Vec::new();
    for ((repository, environment), mut spans) in places {
        all.extend_from_slice(&spans.done);
        listed.push(RemediationPlace {
            repository,
            environment,
            fixed: spans.done.len() as u64,
            median_seconds: median(&mut spans.done),
            p90_seconds: percentile(&mut spans.done, 90),
            blocked_since: spans.blocked_since,
        });
    }
    let still_blocked = listed.iter().filter(|place| place.blocked_since.is_some()).count() as u64;
    // What is blocked still comes first, the longest of it before all; then what took the longest.
    listed.sort_by_key(|place| {
        (place.blocked_since.is_none(), place.blocked_since, std::cmp::Reverse(place.median_seconds))
    });
    let more = listed.len().saturating_sub(LISTED) as u64;
    listed.truncate(LISTED);
    Remediation {
        fixed: all.len() as u64,
        median_seconds: median(&mut all),
        p90_seconds: percentile(&mut all, 90),
        still_blocked,
        places: listed,
        more,
    }
}

/// The most first.
pub(super) fn most(counts: Counts) -> Vec<NameCount> {
    let mut counts = all(counts);
    counts.truncate(LISTED);
    counts
}

fn all(counts: Counts) -> Vec<NameCount> {
    let mut counts: Vec<NameCount> = counts.into_iter().map(|(name, count)| NameCount { name, count }).collect();
    counts.sort_by_key(|one| std::cmp::Reverse(one.count));
    counts
}

/// An entry, in words.
pub(in crate::gate) fn event(entry: &Entry) -> ReportEvent {
    let owned = |text: Option<&str>| text.map(|text| text.chars().take(WORDS).collect::<String>());
    // What ended something stands inside of what it was.
    let ended = ["denied", "granted"].map(|of| (of, if of == "denied" { "lifted" } else { "revoked" }));
    let end = ended.iter().find_map(|(of, how)| {
        let value = entry.body.get(*of)?.get(*how)?;
        Some((value.get("by")?.as_str()?, value.get("reason")?.as_str()?))
    });
    let by = entry.text(&[&["by"], &["granted", "by"], &["denied", "by"], &["label", "by"]]);
    let reason =
        entry.text(&[&["reason"], &["granted", "reason"], &["denied", "reason"], &["label", "reason"], &["why"]]);
    ReportEvent {
        at: entry.at,
        id: entry.id.clone(),
        kind: entry.kind.clone(),
        repository: owned(entry.repository.as_deref().or_else(|| entry.text(&[&["scope", "repository"]]))),
        digest: entry.digest.clone(),
        environment: owned(entry.environment()),
        what: what(entry).chars().take(WORDS).collect(),
        by: owned(end.map(|(by, _)| by).or(by)),
        confirmed_by: owned(entry.text(&[&["confirmedBy"]])),
        reason: owned(end.map(|(_, reason)| reason).or(reason)),
    }
}

fn what(entry: &Entry) -> String {
    let text = |path: &[&str]| entry.text(&[path]).unwrap_or("?").to_owned();
    match entry.kind.split('.').next().unwrap_or("") {
        "policy" => format!("policy {}", text(&["policyVersion"])),
        "denial" => {
            let quarantine = entry.body.get("denied").and_then(|denied| denied.get("quarantine"));
            let how = if quarantine == Some(&Value::Bool(true)) { "quarantine of " } else { "" };
            format!("{how}{} {}", text(&["denied", "kind"]), text(&["denied", "what"]))
        }
        "token" => format!("token {} ({})", text(&["name"]), text(&["token"])),
        "override" => {
            let until = entry.text(&[&["until"]]).map(|until| format!(" until {until}"));
            let rollback = if entry.text(&[&["for"]]) == Some("rollback") { " to bring an image back" } else { "" };
            format!("override {}{rollback}{}", text(&["override"]), until.unwrap_or_default())
        }
        "exception" => {
            let of = entry.text(&[&["scope", "cve"], &["scope", "rule"]]).unwrap_or("?");
            format!("exception {} for {of} until {}", text(&["exception"]), text(&["expires"]))
        }
        "verdict" => {
            let cause = match entry.body.get("denyList").and_then(Value::as_bool) {
                Some(true) => "by an entry of the deny list".to_owned(),
                Some(false) => "with what was lifted from the deny list".to_owned(),
                None => format!("under policy {}", text(&["policyVersion"])),
            };
            format!("{} to {} {cause}", text(&["from"]), text(&["to"]))
        }
        "block" => format!("decision {} called {}", text(&["decision"]), text(&["label", "label"])),
        "promotion" => format!("promotion to {}: begun, and not on record as done", text(&["destination"])),
        "audit" => format!("texts of entries before {} dropped", text(&["before"])),
        kind => kind.to_owned(),
    }
}
