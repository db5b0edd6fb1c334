//! Reports (O4, O7): what happened in a time, from the audit log. Everything that changes what is let through has its entry there, so one walk through
//! the entries of the time is enough; what only the store knows (labels, uses, what waits) is looked up beside it. A report that could not read everything
//! says so.

pub(super) mod entries;
pub(super) mod in_force;
pub(super) mod incident;
pub(super) mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::reports::{
    Covered, FalseBlocks, IncidentReport, NameCount, OpenException, OverrideCounts, PeriodReport, ReportPeriod,
};
use model::{EnvironmentClass, SignedDuration, Timestamp};
use store::ItemQuery;

use super::actor::{Actor, Right};
use super::teams::Wanted;
use super::{Gate, GateError, Inner, exceptions, labels, overrides, scope};
use entries::{Entry, Read, first_id};
use tally::{Tally, most};

/// Items of one kind that are read for a report.
const ITEMS: u32 = 10_000;
/// Items that are read at once.
const PAGE: u32 = 500;
/// Overrides whose uses are looked up.
const OVERRIDES: usize = 500;
/// Uses of one override that are counted.
const USES: u32 = 1_000;
/// The longest time box of an override: older ones were not in force.
const LONGEST_OVERRIDE: SignedDuration = SignedDuration::from_hours(72);
/// The longest time that an incident is looked at for.
const LONGEST_INCIDENT: SignedDuration = SignedDuration::from_hours(24 * 31);
/// The time that is looked at where none is named.
const USUAL_INCIDENT: SignedDuration = SignedDuration::from_hours(2);
/// How far a clock may be ahead of this one.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Which overrides are looked at: every part that is given has to hold.
struct About<'a> {
    environment: Option<&'a str>,
    repository: Option<&'a str>,
    wanted: &'a Wanted,
}

impl Gate {
    /// What happened in the days before `ending` (`None`: now), with one team's repositories if it is named, as far as the actor sees it.
    ///
    /// # Errors
    /// The actor reads nothing, there is no such team, the time is none to report about, or the store cannot be read.
    pub async fn report(
        &self,
        period: ReportPeriod,
        ending: Option<Timestamp>,
        team: Option<&str>,
        actor: &Actor,
    ) -> Result<PeriodReport, GateError> {
        actor.somewhere_or_refused(Right::Read)?;
        let wanted = self.inner.of_team(team)?;
        let now = (self.inner.settings.now)();
        let until = ending.unwrap_or(now);
        let days = SignedDuration::from_hours(24 * period.days());
        let since = until.checked_sub(days).map_err(|_| GateError::invalid("`ending` is too early"))?;
        if until > now.saturating_add(AHEAD).unwrap_or(now) {
            return Err(GateError::invalid("`ending` is in the future"));
        }
        self.inner.period(period, since, until, &wanted, actor).await
    }

    /// What changed in an environment (`production` if none is named) in a time (the last two hours), from which commit and pipeline, decided how, and what to go back to; as far as the actor sees it.
    ///
    /// # Errors
    /// The actor reads nothing, the time is none to look at, or the store cannot be read.
    pub async fn incident(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        environment: Option<&str>,
        repository: Option<&str>,
        actor: &Actor,
    ) -> Result<IncidentReport, GateError> {
        actor.somewhere_or_refused(Right::Read)?;
        let now = (self.inner.settings.now)();
        // Until now includes what happens in this moment.
        let until = until.unwrap_or_else(|| now.saturating_add(SignedDuration::from_millis(1)).unwrap_or(now));
        let usual = || until.checked_sub(USUAL_INCIDENT).map_err(|_| GateError::usage("`until` is too early", None));
        let since = since.map_or_else(usual, Ok)?;
        let named = repository.map(super::promote::named).transpose();
        let named = named
            .map_err(|error| GateError::usage(error.to_string(), None))?
            .map(|name| super::collecting::repository(&name));
        if since >= until {
            return Err(GateError::usage("`since` is not before `until`", None));
        }
        if until.duration_since(since) > LONGEST_INCIDENT {
            return Err(GateError::usage("an incident is looked at for up to 31 days", None));
        }
        self.inner.incident(since, until, environment.unwrap_or(scope::USUAL), named.as_deref(), actor).await
    }
}

impl Inner {
    async fn period(
        self: &Arc<Self>,
        period: ReportPeriod,
        since: Timestamp,
        until: Timestamp,
        wanted: &Wanted,
        actor: &Actor,
    ) -> Result<PeriodReport, GateError> {
        let _turn = self.reporting.acquire().await;
        let mut tally = Tally::new(self.settings.teams.clone());
        let mut of_others = 0;
        let add = |entry: &Entry| if wanted.has_entry(entry) { tally.add(entry) } else { of_others += 1 };
        let mut read = self.each_entry(since, until, actor, add).await?;
        read.entries -= of_others;
        let mut missing = read.missing(actor);
        if let Some(team) = wanted.team() {
            missing.push(format!("what is not about repositories of the team {team}: of others, and of all of them"));
        }
        let labels = self.labels_since(since, until, actor, &mut missing).await?;
        let about = About { environment: None, repository: None, wanted };
        let (used, by_override) = self.overrides_used(since, read.until, &about, actor, &mut missing).await?;
        let mut exceptions = std::mem::take(&mut tally.exceptions);
        (exceptions.open, exceptions.longest_open) = self.open_exceptions(wanted, actor, &mut missing).await?;
        let overrides = OverrideCounts {
            granted: tally.granted,
            for_rollbacks: tally.for_rollbacks,
            revoked: tally.revoked,
            used,
            by: most(std::mem::take(&mut tally.granted_by)),
        };
        drop(by_override);
        let count =
            |label: &str| labels.iter().filter(|(id, said)| *said == label && tally.blocks.contains(id)).count();
        let false_blocks = FalseBlocks::of(
            tally.blocks.len() as u64,
            count("false-block") as u64,
            count("accepted-risk") as u64,
            count("true") as u64,
        );
        let force = self.follower.force();
        let class = |environment: &str| match force.policies.environment(environment) {
            Ok(EnvironmentClass::Production) => Some("production".to_owned()),
            Ok(EnvironmentClass::NonProduction) => Some("non-production".to_owned()),
            Err(_) => None,
        };
        let in_force = self.in_force_at(until, &mut missing).await?;
        let covered = Covered { since, until, read_until: read.until, entries: read.entries, missing };
        let report = tally.report(period, covered, false_blocks, overrides, exceptions, class);
        Ok(PeriodReport { in_force, ..report })
    }

    /// What blocks of this time are called: a label has the id of its decision, which begins with its time.
    async fn labels_since(
        &self,
        since: Timestamp,
        until: Timestamp,
        actor: &Actor,
        missing: &mut Vec<String>,
    ) -> Result<Vec<(String, String)>, GateError> {
        let first = first_id(since, -entries::AROUND);
        let mut before = Some(first_id(until, entries::AROUND));
        let (mut said, mut read) = (Vec::new(), 0);
        while let Some(place) = before.take() {
            let query = ItemQuery { kind: labels::KIND, before: Some(place), limit: PAGE, ..ItemQuery::default() };
            let rows = self.store.items(&query).await?;
            read += PAGE;
            let last = rows.last().map(|row| row.id.clone());
            let is_full = rows.len() == PAGE as usize;
            for row in rows.into_iter().filter(|row| row.id >= first) {
                let repository = row.repository.as_deref().unwrap_or("");
                if actor.sees(repository, row.environment.as_deref()) {
                    said.push((row.id, row.state));
                }
            }
            match last.filter(|last| is_full && *last >= first) {
                Some(_) if read >= ITEMS => {
                    missing.push(format!("labels of blocks beyond the newest {ITEMS}: they count as unlabelled"));
                }
                place => before = place,
            }
        }
        Ok(said)
    }

    /// For how many decisions overrides were used in this time; and which ones, by their id.
    async fn overrides_used(
        &self,
        since: Timestamp,
        until: Timestamp,
        wanted: &About<'_>,
        actor: &Actor,
        missing: &mut Vec<String>,
    ) -> Result<(u64, Vec<NameCount>), GateError> {
        let oldest = first_id(since, -LONGEST_OVERRIDE.as_millis().try_into().unwrap_or(0));
        let mut before = Some(first_id(until, entries::AROUND));
        let (mut ids, mut read) = (Vec::new(), 0);
        while let Some(place) = before.take() {
            let query = ItemQuery { kind: overrides::KIND, before: Some(place), limit: PAGE, ..ItemQuery::default() };
            let rows = self.store.items(&query).await?;
            read += PAGE;
            let last = rows.last().map(|row| row.id.clone()).filter(|last| *last >= oldest);
            let is_full = rows.len() == PAGE as usize;
            let about = |row: &store::ItemRow| {
                let place = row.repository.as_deref().unwrap_or("");
                row.id >= oldest
                    && actor.sees(place, row.environment.as_deref())
                    && wanted.environment.is_none_or(|wanted| row.environment.as_deref() == Some(wanted))
                    && wanted.repository.is_none_or(|wanted| place == wanted)
                    && wanted.wanted.has(place)
            };
            ids.extend(rows.into_iter().filter(about).map(|row| row.id));
            before = last.filter(|_| is_full && read < ITEMS && ids.len() < OVERRIDES);
        }
        if ids.len() >= OVERRIDES {
            ids.truncate(OVERRIDES);
            missing.push(format!("uses of overrides beyond the newest {OVERRIDES}"));
        }
        let mut by_override = Vec::new();
        for name in ids {
            let uses = self.store.uses(&name, None, USES).await?;
            if uses.len() == USES as usize {
                missing.push(format!("uses of the override {name} beyond the newest {USES}"));
            }
            let count = uses.iter().filter(|(_, at)| (since..until).contains(at)).count() as u64;
            if count > 0 {
                by_override.push(NameCount { name, count });
            }
        }
        Ok((by_override.iter().map(|one| one.count).sum(), by_override))
    }

    /// Exceptions that nobody settled, and the one that waits the longest.
    async fn open_exceptions(
        &self,
        wanted: &Wanted,
        actor: &Actor,
        missing: &mut Vec<String>,
    ) -> Result<(u64, Option<OpenException>), GateError> {
        let query = ItemQuery {
            kind: exceptions::KIND,
            state: Some("requested".to_owned()),
            limit: ITEMS.min(1_000),
            ..ItemQuery::default()
        };
        let rows = self.store.items(&query).await?;
        if rows.len() == query.limit as usize {
            missing.push(format!("exceptions that wait beyond the newest {}", query.limit));
        }
        let mut open = Vec::new();
        for row in rows {
            let repository = row.repository.as_deref().unwrap_or("");
            if !actor.may_everywhere(Right::Read) && !actor.sees(repository, row.environment.as_deref()) {
                continue;
            }
            if wanted.is_all() || wanted.has_scope(&exceptions::Found::read(row.clone())?.held.scope) {
                open.push(row);
            }
        }
        let oldest = open.iter().min_by_key(|row| row.created_at);
        let oldest = oldest.map(|row| OpenException {
            id: row.id.clone(),
            repository: row.repository.clone(),
            requested_at: row.created_at,
        });
        Ok((open.len() as u64, oldest))
    }
}

impl Read {
    /// What a reader has to know that it does not say.
    fn missing(&self, actor: &Actor) -> Vec<String> {
        let mut missing = Vec::new();
        if self.cut {
            missing.push(format!(
                "everything from {} on: there is more than one report reads; choose a shorter time",
                self.until
            ));
        }
        if self.dropped > 0 {
            missing.push(format!("{} entries whose text retention dropped", self.dropped));
        }
        if self.unreadable > 0 {
            missing.push(format!("{} entries that this version cannot read", self.unreadable));
        }
        if !actor.may_everywhere(Right::Read) {
            missing.push("repositories and environments that you do not see, and what is about all of them".to_owned());
        }
        missing
    }
}

/// Counts by name.
type Counts = BTreeMap<String, u64>;
