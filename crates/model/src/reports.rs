//! Reports, as they are answered and read: what happened in a time, counted (O7), and what changed in one (O4).

mod in_force;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Digest, Verdict};

pub use in_force::{PoliciesInForce, RuleInForce, SignerInForce};

/// How long a report looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportPeriod {
    /// 7 days.
    Weekly,
    /// 30 days.
    Monthly,
    /// 91 days.
    Quarterly,
}

impl ReportPeriod {
    /// `weekly`, `monthly`, `quarterly`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Weekly, Self::Monthly, Self::Quarterly].into_iter().find(|period| period.as_str() == name)
    }

    /// How many days.
    pub fn days(self) -> i64 {
        match self {
            Self::Weekly => 7,
            Self::Monthly => 30,
            Self::Quarterly => 91,
        }
    }
}

/// How far a report reaches, and what it does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Covered {
    /// From this time.
    pub since: Timestamp,
    /// To before this time.
    pub until: Timestamp,
    /// Everything before this time was read; before `until` if there was too much.
    pub read_until: Timestamp,
    /// Entries of the audit log that it rests on: those of the time that the reader sees.
    pub entries: u64,
    /// What is not in it, each in a sentence. Empty: nothing is missing.
    pub missing: Vec<String>,
}

/// A weekly, monthly or quarterly report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeriodReport {
    /// Which one.
    pub period: ReportPeriod,
    /// What it covers.
    pub covered: Covered,
    /// Decisions of each environment.
    pub decisions: Vec<DecisionCounts>,
    /// Decisions whose verdict became another one with a policy.
    pub flips: u64,
    /// Images that were promoted, rollbacks left out.
    pub promotions: u64,
    /// Images that were brought back.
    pub rollbacks: u64,
    /// What was blocked, the most first.
    pub blocked: Vec<BlockedPlace>,
    /// How many more places and reasons there are.
    pub blocked_more: u64,
    /// Decisions that denied, by team, the most first. Empty without teams.
    pub blocked_by_team: Vec<NameCount>,
    /// M4, S43.
    pub false_blocks: FalseBlocks,
    /// M7.
    pub remediation: Remediation,
    /// What was let through all the same.
    pub overrides: OverrideCounts,
    /// Exceptions.
    pub exceptions: ExceptionCounts,
    /// M8: decisions with everything that is to be known about them.
    pub full_metadata: FullMetadata,
    /// What people changed: policies, the deny list, tokens, overrides; in order.
    pub changes: Vec<ReportEvent>,
    /// How many more there are.
    pub changes_more: u64,
    /// What judged at the end of the time (O7); `None` if nothing was in force, or that cannot be read: `covered.missing` says which.
    pub in_force: Option<PoliciesInForce>,
}

/// Decisions of one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionCounts {
    /// The environment.
    pub environment: String,
    /// `production` or `non-production`; `None` if the policy in force does not declare it.
    pub class: Option<String>,
    /// Allowed.
    pub allow: u64,
    /// Allowed with a warning.
    pub warn: u64,
    /// Denied.
    pub deny: u64,
    /// Not known yet.
    pub pending: u64,
}

/// Blocks of one repository and environment for one reason. A block with several reasons counts for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockedPlace {
    /// `host/repository`
    pub repository: String,
    /// The environment.
    pub environment: String,
    /// The reason's code.
    pub code: String,
    /// How many decisions.
    pub blocks: u64,
}

/// What blocks were, as far as people said it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FalseBlocks {
    /// Decisions that denied.
    pub blocks: u64,
    /// Labelled as wrong.
    pub false_blocks: u64,
    /// Labelled as an accepted risk.
    pub accepted_risks: u64,
    /// Labelled as right.
    pub true_blocks: u64,
    /// Without a label.
    pub unlabelled: u64,
    /// M4: false blocks of all blocks; `None` without any block.
    pub rate: Option<f64>,
}

impl FalseBlocks {
    /// S43: the rate is of all blocks, so that what nobody looked at stands beside it.
    pub fn of(blocks: u64, false_blocks: u64, accepted_risks: u64, true_blocks: u64) -> Self {
        let unlabelled = blocks.saturating_sub(false_blocks + accepted_risks + true_blocks);
        let rate = share(false_blocks, blocks);
        Self { blocks, false_blocks, accepted_risks, true_blocks, unlabelled, rate }
    }
}

/// How long it took from a block to an allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remediation {
    /// How often it was.
    pub fixed: u64,
    /// In seconds, of all places.
    pub median_seconds: Option<i64>,
    /// Nine of ten took no longer, in seconds.
    pub p90_seconds: Option<i64>,
    /// Places that are blocked still at the end.
    pub still_blocked: u64,
    /// Each repository and environment; those that are blocked the longest first.
    pub places: Vec<RemediationPlace>,
    /// How many more places there are.
    pub more: u64,
}

/// A repository in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemediationPlace {
    /// `host/repository`
    pub repository: String,
    /// The environment.
    pub environment: String,
    /// How often a block was followed by an allow.
    pub fixed: u64,
    /// In seconds.
    pub median_seconds: Option<i64>,
    /// Nine of ten took no longer, in seconds.
    pub p90_seconds: Option<i64>,
    /// Blocked since then, and still at the end.
    pub blocked_since: Option<Timestamp>,
}

/// Overrides (S31).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OverrideCounts {
    /// Granted in this time.
    pub granted: u64,
    /// Of these, to bring an image back.
    pub for_rollbacks: u64,
    /// Ended before their time.
    pub revoked: u64,
    /// Decisions that one was used for in this time.
    pub used: u64,
    /// Who granted how many, the most first.
    pub by: Vec<NameCount>,
}

/// How often a name stands somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NameCount {
    /// The name.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// Exceptions (S29).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionCounts {
    /// Asked for in this time.
    pub requested: u64,
    /// Approved.
    pub approved: u64,
    /// Rejected.
    pub rejected: u64,
    /// Ended by people.
    pub revoked: u64,
    /// Ended by their time.
    pub expired: u64,
    /// Ended because there is a fix.
    pub fixed: u64,
    /// Decisions that one was used for.
    pub used: u64,
    /// Not settled yet, now.
    pub open: u64,
    /// The one of these that waits the longest, and since when.
    pub longest_open: Option<OpenException>,
}

/// An exception that was asked for and that nobody settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenException {
    /// Its id.
    pub id: String,
    /// The repository, or a pattern of several.
    pub repository: Option<String>,
    /// Since then.
    pub requested_at: Timestamp,
}

/// M8, S43: commit, pipeline, bill of materials, complete scan, signature and provenance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FullMetadata {
    /// Decisions that say whether they have it.
    pub decisions: u64,
    /// That have it.
    pub complete: u64,
    /// Decisions of an older version, which do not say it.
    pub unknown: u64,
    /// Complete ones of those that say it; `None` without any.
    pub rate: Option<f64>,
}

impl FullMetadata {
    /// Of so many.
    pub fn of(decisions: u64, complete: u64, unknown: u64) -> Self {
        Self { decisions, complete, unknown, rate: share(complete, decisions) }
    }
}

/// Something that changed what is let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportEvent {
    /// When.
    pub at: Timestamp,
    /// Its entry in the audit log.
    pub id: String,
    /// `policy.activated`, `override.granted`, …
    pub kind: String,
    /// `host/repository`, if it is about one.
    pub repository: Option<String>,
    /// The image, if it is about one.
    pub digest: Option<Digest>,
    /// The environment, if it is about one.
    pub environment: Option<String>,
    /// What it is about, in words.
    pub what: String,
    /// Who.
    pub by: Option<String>,
    /// Who confirmed it (S34).
    pub confirmed_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// What changed in an environment in a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentReport {
    /// The environment.
    pub environment: String,
    /// Of this repository alone.
    pub repository: Option<String>,
    /// What it covers.
    pub covered: Covered,
    /// What was promoted, in order.
    pub promotions: Vec<IncidentPromotion>,
    /// How many more there are.
    pub promotions_more: u64,
    /// What was decided anew, in order.
    pub decisions: Vec<IncidentDecision>,
    /// How many more there are.
    pub decisions_more: u64,
    /// What else changed what is let through, in order.
    pub events: Vec<ReportEvent>,
    /// How many more there are.
    pub events_more: u64,
    /// Overrides that were used, and for how many decisions.
    pub overrides_used: Vec<NameCount>,
    /// What to go back to, for each repository that something was promoted to or decided about.
    pub rollback: Vec<RollbackTo>,
}

/// A promotion within the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentPromotion {
    /// When.
    pub at: Timestamp,
    /// Its id.
    pub id: String,
    /// From.
    pub source: String,
    /// To.
    pub destination: String,
    /// What.
    pub digest: Digest,
    /// It brought back what ran before.
    pub rollback: bool,
    /// Who.
    pub by: Option<String>,
    /// The person behind that, if it is known.
    pub person: Option<String>,
    /// The pipeline.
    pub pipeline: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// What it rests on: `allowed`, `warned`, `inherited`, `overridden`.
    pub basis: Option<String>,
    /// The decision.
    pub decision: String,
    /// What was decided; `None` if that is no longer on record.
    pub verdict: Option<Verdict>,
    /// Why, the first ones.
    pub reasons: Vec<String>,
}

/// A decision within the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentDecision {
    /// When.
    pub at: Timestamp,
    /// Its id.
    pub id: String,
    /// `host/repository`
    pub repository: String,
    /// What.
    pub digest: Digest,
    /// What was decided.
    pub verdict: Verdict,
    /// Why, the first ones.
    pub reasons: Vec<String>,
    /// Exceptions that changed it.
    pub exceptions: Vec<String>,
    /// The point that asked first.
    pub point: Option<String>,
    /// Who asked first.
    pub asked_by: Option<String>,
    /// For which pipeline.
    pub pipeline: Option<String>,
    /// For which commit.
    pub commit: Option<String>,
}

/// What to go back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackTo {
    /// `host/repository`
    pub repository: String,
    /// The last digest before the time that the gate gave leave for; `None` if none is on record.
    pub digest: Option<Digest>,
    /// When it was promoted, or decided about.
    pub at: Option<Timestamp>,
    /// The decision of then.
    pub decision: Option<String>,
    /// It was promoted: the command brings it back. Else it was allowed without a promotion by the gate.
    pub promoted: bool,
    /// The command.
    pub command: Option<String>,
}

/// One of the other; `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share is for people, and counts are far below 2^52")]
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The middle of some numbers, or of the two in the middle. They are put in order.
pub fn median(numbers: &mut [i64]) -> Option<i64> {
    numbers.sort_unstable();
    let above = *numbers.get(numbers.len() / 2)?;
    if numbers.len() % 2 == 1 {
        return Some(above);
    }
    let below = *numbers.get(numbers.len() / 2 - 1)?;
    Some(below + (above - below) / 2)
}

/// The smallest of some numbers that at least so many of a hundred do not exceed (nearest rank). They are put in order.
pub fn percentile(numbers: &mut [i64], of_hundred: usize) -> Option<i64> {
    numbers.sort_unstable();
    let rank = (numbers.len() * of_hundred).div_ceil(100).max(1);
    numbers.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s43_the_rate_of_false_blocks_is_of_all_blocks() {
        let counted = FalseBlocks::of(8, 2, 1, 1);
        assert_eq!((counted.rate, counted.unlabelled), (Some(0.25), 4));
        let none = FalseBlocks::of(0, 0, 0, 0);
        assert_eq!((none.rate, none.unlabelled), (None, 0), "without a block there is no rate, and none of zero");
        assert_eq!(FalseBlocks::of(3, 0, 0, 0).rate, Some(0.0));
        assert_eq!(FullMetadata::of(4, 3, 9).rate, Some(0.75), "what is not known counts neither way");
    }

    #[test]
    fn m7_medians_and_percentiles() {
        assert_eq!((median(&mut []), percentile(&mut [], 90)), (None, None));
        assert_eq!((median(&mut [7]), percentile(&mut [7], 90)), (Some(7), Some(7)));
        assert_eq!(median(&mut [9, 1, 5]), Some(5));
        assert_eq!(median(&mut [10, 1, 5, 2]), Some(3), "between the two in the middle");
        let mut ten: Vec<i64> = (1..=10).rev().collect();
        assert_eq!(percentile(&mut ten, 90), Some(9));
        ten.push(11);
        assert_eq!(percentile(&mut ten, 90), Some(10));
        assert_eq!(percentile(&mut [1, 2], 90), Some(2));
    }

    #[test]
    fn o7_periods_are_called_as_they_are_written() {
        for period in [ReportPeriod::Weekly, ReportPeriod::Monthly, ReportPeriod::Quarterly] {
            assert_eq!(ReportPeriod::named(period.as_str()), Some(period));
            assert_eq!(serde_json::to_value(period).unwrap(), period.as_str());
        }
        assert_eq!(ReportPeriod::named("daily"), None);
    }
}
