//! A finished scan. [`CompleteScan`] is the only type from which "nothing was found" can be read, and it cannot be
//! built without the proof that S16 asks for.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Finding, Severity};

/// Findings per severity. A severity that is not in the map was not named: zero, but only inside a [`CompleteScan`].
pub type SeverityCounts = BTreeMap<Severity, u64>;

/// What proves that a scan is finished and was read to its end (S16).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Completeness {
    /// Basic scanning: status `COMPLETE`, a findings list, all pages read.
    EcrBasic {
        /// Pages read.
        pages: u32,
        /// `imageScanCompletedAt`.
        completed_at: Timestamp,
        /// `imagePushedAt`; `None` for a saved answer, which does not hold it.
        pushed_at: Option<Timestamp>,
    },
    /// Enhanced scanning: a findings list, all pages read; status `ACTIVE` if it is continuous, `COMPLETE` if it is made on
    /// push alone.
    EcrEnhanced {
        /// The scanner keeps the findings up to date.
        continuous: bool,
        /// Pages read.
        pages: u32,
        /// `imageScanCompletedAt`.
        completed_at: Timestamp,
        /// `imagePushedAt`; `None` for a saved answer.
        pushed_at: Option<Timestamp>,
        /// How many whole readings, one poll apart, said the same.
        agreeing_readings: u32,
    },
    /// A scanner's report that names what was scanned.
    Report {
        /// The fields that prove it, such as `Results[].Class = os-pkgs`; listed per format in the documentation.
        proven_by: String,
        /// The targets that were scanned, as the report names them; never empty.
        targets: Vec<String>,
        /// When the scan ended.
        completed_at: Timestamp,
        /// True if the report gives the time of the vulnerability data; if not, `completed_at` stands for it.
        database_dated: bool,
    },
}

/// Why a scan cannot be called complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomplete {
    /// No page was read.
    NoPages,
    /// The scan ended before the image was pushed.
    OlderThanPush,
    /// An empty list of continuous scanning that only one reading has shown.
    EmptyOnce,
    /// The report names nothing that was scanned.
    NoTargets,
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPages => "no page of findings was read",
            Self::OlderThanPush => "the scan ended before the image was pushed",
            Self::NoTargets => "the report names nothing that was scanned",
            Self::EmptyOnce => "continuous scanning shows an empty list, which a second reading has to confirm",
        })
    }
}

/// A scan that ran to its end, with every finding of every page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "ScanParts", rename_all = "camelCase")]
pub struct CompleteScan {
    findings: Vec<Finding>,
    #[serde(skip_serializing)]
    listed: SeverityCounts,
    summary: SeverityCounts,
    proof: Completeness,
    database_at: Timestamp,
}

/// A scan as it is recorded. Reading it back wants the same proof as making it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ScanParts {
    /// Every finding, in the order the source gave.
    findings: Vec<Finding>,
    /// The source's own counts.
    summary: SeverityCounts,
    /// What proves that it is complete.
    proof: Completeness,
    /// The time of the scanner's vulnerability data.
    database_at: Timestamp,
}

impl TryFrom<ScanParts> for CompleteScan {
    type Error = Incomplete;
    fn try_from(parts: ScanParts) -> Result<Self, Incomplete> {
        Self::new(parts.findings, parts.summary, parts.proof, parts.database_at)
    }
}

impl CompleteScan {
    /// Builds a complete scan from its findings, the source's own summary counts, the proof of completeness, and the
    /// time of the scanner's vulnerability data (S18).
    pub fn new(
        findings: Vec<Finding>,
        summary: SeverityCounts,
        proof: Completeness,
        database_at: Timestamp,
    ) -> Result<Self, Incomplete> {
        let (pages, completed_at, pushed_at) = match &proof {
            Completeness::EcrBasic { pages, completed_at, pushed_at }
            | Completeness::EcrEnhanced { pages, completed_at, pushed_at, .. } => (*pages, *completed_at, *pushed_at),
            Completeness::Report { targets, .. } if targets.is_empty() => return Err(Incomplete::NoTargets),
            Completeness::Report { completed_at, .. } => (1, *completed_at, None),
        };
        if pages == 0 {
            return Err(Incomplete::NoPages);
        }
        if pushed_at.is_some_and(|pushed| completed_at < pushed) {
            return Err(Incomplete::OlderThanPush);
        }
        if let Completeness::EcrEnhanced { agreeing_readings, .. } = proof
            && findings.is_empty()
            && agreeing_readings < 2
        {
            return Err(Incomplete::EmptyOnce);
        }
        let mut listed = SeverityCounts::new();
        for finding in &findings {
            if let Some(count) = listed.get_mut(&finding.severity) {
                *count += 1;
            } else {
                listed.insert(finding.severity.clone(), 1);
            }
        }
        Ok(Self { findings, listed, summary, proof, database_at })
    }

    /// Every finding, in the order the source gave.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The findings, without the proof.
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// The findings counted by us.
    pub fn listed(&self) -> &SeverityCounts {
        &self.listed
    }

    /// The larger of our count and the source's own count, per severity (S17).
    pub fn counts(&self) -> SeverityCounts {
        let mut larger = self.listed.clone();
        for (severity, count) in &self.summary {
            let entry = larger.entry(severity.clone()).or_insert(0);
            *entry = (*entry).max(*count);
        }
        larger
    }

    /// Severities whose summary count differs from the list: `(severity, listed, summary)` (A17).
    /// A scanner's own report holds a list and no second count that could differ.
    pub fn disagreements(&self) -> Vec<(Severity, u64, u64)> {
        if matches!(self.proof, Completeness::Report { .. }) {
            return Vec::new();
        }
        let count = |counts: &SeverityCounts, severity| counts.get(severity).copied().unwrap_or(0);
        self.counts()
            .keys()
            .map(|severity| (severity.clone(), count(&self.listed, severity), count(&self.summary, severity)))
            .filter(|(_, listed, summary)| listed != summary)
            .collect()
    }

    /// The time of the scanner's vulnerability data.
    pub fn database_at(&self) -> Timestamp {
        self.database_at
    }

    /// When the scan ended.
    pub fn completed_at(&self) -> Timestamp {
        match &self.proof {
            Completeness::EcrBasic { completed_at, .. }
            | Completeness::EcrEnhanced { completed_at, .. }
            | Completeness::Report { completed_at, .. } => *completed_at,
        }
    }

    /// True if the scanner keeps the findings up to date (S18): enhanced scanning with status `ACTIVE`.
    pub fn is_continuous(&self) -> bool {
        matches!(self.proof, Completeness::EcrEnhanced { continuous: true, .. })
    }

    /// What proves that the scan is complete.
    pub fn proof(&self) -> &Completeness {
        &self.proof
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn s16_no_complete_scan_without_proof() {
        let basic = |pages, pushed| Completeness::EcrBasic { pages, completed_at: at(100), pushed_at: pushed };
        let new = |proof| CompleteScan::new(vec![], SeverityCounts::new(), proof, at(100));
        assert_eq!(new(basic(0, None)), Err(Incomplete::NoPages));
        assert_eq!(new(basic(1, Some(at(101)))), Err(Incomplete::OlderThanPush));
        assert!(new(basic(1, Some(at(100)))).is_ok());
        let enhanced = |agreeing_readings| Completeness::EcrEnhanced {
            continuous: true,
            pages: 1,
            completed_at: at(100),
            pushed_at: Some(at(1)),
            agreeing_readings,
        };
        assert_eq!(new(enhanced(1)), Err(Incomplete::EmptyOnce));
        assert!(new(enhanced(2)).is_ok());
    }

    #[test]
    fn s17_the_larger_count_wins_and_the_difference_is_shown() {
        let proof = Completeness::EcrBasic { pages: 1, completed_at: at(100), pushed_at: None };
        let summary = SeverityCounts::from([(Severity::High, 2)]);
        let scan = CompleteScan::new(vec![], summary, proof, at(100)).unwrap();
        assert_eq!(scan.counts().get(&Severity::High), Some(&2));
        assert_eq!(scan.disagreements(), vec![(Severity::High, 0, 2)]);
    }
}
