//! One reading of a scan from its first page to its last, and what a page or a whole reading means.

use model::{CompleteScan, Completeness, Finding, Incomplete, Reason, ReasonCode, SeverityCounts, Timestamp};

use super::status::{Meaning, ScanStatus};
use super::wire::{Kind, Page};
use crate::Limits;

/// What a page says about the state of the scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageState {
    /// The scan has a result; this page holds a part of it.
    Result,
    /// No result yet.
    Wait(Reason),
    /// The scanner ended, and there is no result.
    NoResult(Reason),
    /// The scanner cannot scan this image.
    Unsupported(Reason),
}

impl Page {
    /// What this page says. `COMPLETE` or `ACTIVE` without findings object or list is "not yet", never "clean" (A12).
    pub fn state(&self) -> PageState {
        match self.status.meaning(&self.description) {
            Meaning::Wait(reason) => PageState::Wait(reason),
            Meaning::NoResult(reason) => PageState::NoResult(reason),
            Meaning::Unsupported(reason) => PageState::Unsupported(reason),
            Meaning::Result => {
                let missing = match &self.findings {
                    None => "findings object",
                    Some(findings) if findings.list.is_none() => "list of findings",
                    Some(findings) if findings.completed_at.is_none() => "time of completion",
                    Some(_) => return PageState::Result,
                };
                let message = format!("scan status {}, but the answer has no {missing} yet", self.status.as_str());
                PageState::Wait(Reason::new(ReasonCode::ScanNoFindingsYet, message))
            }
        }
    }
}

/// The pages of one reading put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    status: ScanStatus,
    kind: Kind,
    completed_at: Timestamp,
    source_updated_at: Option<Timestamp>,
    summary: SeverityCounts,
    findings: Vec<Finding>,
    pages: u32,
    tokens: Vec<String>,
}

impl Reading {
    /// Starts with the first page.
    ///
    /// # Errors
    /// The page is no result; see [`Page::state`].
    pub fn start(page: Page) -> Result<Self, PageState> {
        match page.state() {
            PageState::Result => {}
            other => return Err(other),
        }
        let Some(findings) = page.findings else { return Err(no_findings()) };
        let (Some((kind, list)), Some(completed_at)) = (findings.list, findings.completed_at) else {
            return Err(no_findings());
        };
        // ACTIVE is enhanced scanning even where the list has the shape of basic scanning.
        let kind = if page.status == ScanStatus::Active { Kind::Enhanced } else { kind };
        Ok(Self {
            status: page.status,
            kind,
            completed_at,
            source_updated_at: findings.source_updated_at,
            summary: findings.counts,
            findings: list,
            pages: 1,
            tokens: page.next_token.into_iter().collect(),
        })
    }

    /// The token of the next page; `None` when the reading is whole.
    pub fn next_token(&self) -> Option<&str> {
        let whole = u32::try_from(self.tokens.len()).is_ok_and(|tokens| tokens < self.pages);
        if whole { None } else { self.tokens.last().map(String::as_str) }
    }

    /// Adds the next page. `Ok(false)` means that the scan has changed under us: read it anew.
    ///
    /// # Errors
    /// Pages repeat or do not end, or there is more than the limits allow.
    pub fn add(&mut self, page: Page, limits: &Limits) -> Result<bool, Reason> {
        let Some(findings) = page.findings else { return Ok(false) };
        // The last page may carry counts and no list, if what is counted was listed before; earlier ones may not.
        let (kind, list) = match findings.list {
            Some(list) => list,
            None if page.next_token.is_none() && self.lists_what_is_counted(&findings.counts) => {
                (self.kind, Vec::new())
            }
            None => return Ok(false),
        };
        if page.status != self.status || findings.completed_at.is_some_and(|at| at != self.completed_at) {
            return Ok(false);
        }
        if self.pages >= limits.pages || self.findings.len() + list.len() > limits.findings {
            let message = format!("more than {} pages or {} findings", limits.pages, limits.findings);
            return Err(Reason::new(ReasonCode::ScanPagesEndless, message));
        }
        // Counts are of the whole scan on every page; should a page differ, the larger count holds (S17).
        for (severity, count) in findings.counts {
            let larger = self.summary.entry(severity).or_insert(0);
            *larger = (*larger).max(count);
        }
        // Pages that tell of several scanners or data of several ages: the stricter holds.
        if kind == Kind::Enhanced {
            self.kind = kind;
        }
        if let Some(at) = findings.source_updated_at {
            self.source_updated_at = Some(at.min(self.source_updated_at.unwrap_or(self.completed_at)));
        }
        self.findings.extend(list);
        self.pages += 1;
        if let Some(token) = page.next_token {
            if self.tokens.contains(&token) {
                return Err(Reason::new(ReasonCode::ScanPagesEndless, "the same page token came twice"));
            }
            self.tokens.push(token);
        }
        Ok(true)
    }

    /// True if these are the counts, not all zero, of the findings read so far.
    fn lists_what_is_counted(&self, counts: &SeverityCounts) -> bool {
        let mut listed = SeverityCounts::new();
        for finding in &self.findings {
            *listed.entry(finding.severity.clone()).or_insert(0) += 1;
        }
        let counted = counts.iter().filter(|(_, count)| **count > 0);
        !listed.is_empty() && counted.eq(listed.iter()) && self.summary == *counts
    }

    /// `imageScanCompletedAt`
    pub fn completed_at(&self) -> Timestamp {
        self.completed_at
    }

    /// Whether another whole reading says the same: the same counts, findings and time.
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.status == other.status
            && self.completed_at == other.completed_at
            && self.summary == other.summary
            && self.findings == other.findings
    }

    /// The complete scan, if it can be proven complete. `agreeing_readings` counts this one.
    ///
    /// # Errors
    /// What is missing (S16).
    pub fn complete(&self, pushed_at: Option<Timestamp>, agreeing_readings: u32) -> Result<CompleteScan, Incomplete> {
        self.clone().into_complete(pushed_at, agreeing_readings)
    }

    /// The same for a reading that is not needed any more: its findings are not copied.
    ///
    /// # Errors
    /// What is missing (S16).
    pub fn into_complete(
        self,
        pushed_at: Option<Timestamp>,
        agreeing_readings: u32,
    ) -> Result<CompleteScan, Incomplete> {
        if self.next_token().is_some() {
            return Err(Incomplete::NoPages);
        }
        let (pages, completed_at) = (self.pages, self.completed_at);
        let proof = match self.kind {
            Kind::Basic => Completeness::EcrBasic { pages, completed_at, pushed_at },
            Kind::Enhanced => {
                let continuous = self.status == ScanStatus::Active;
                Completeness::EcrEnhanced { continuous, pages, completed_at, pushed_at, agreeing_readings }
            }
        };
        // S18: the age of the vulnerability data; basic scanning uses today's data at the time of the scan.
        let database_at = self.source_updated_at.unwrap_or(self.completed_at);
        CompleteScan::new(self.findings, self.summary, proof, database_at)
    }
}

fn no_findings() -> PageState {
    PageState::Wait(Reason::new(ReasonCode::ScanNoFindingsYet, "the answer has no findings yet"))
}
