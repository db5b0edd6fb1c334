//! What a judgement was made from: the scans that were read, and the findings that were counted, each once however many
//! rules and sources name it.

use std::collections::BTreeMap;

use model::{Digest, Facts, ManifestFacts, Platform, SeverityCounts, Signal, SignalUsed};

use super::merge::counts;
use super::sources::Answer;

/// The reports that any rule heard, per manifest and by their place among its reports.
pub(super) struct Evidence<'a> {
    heard: BTreeMap<(Option<&'a Platform>, &'a Digest), BTreeMap<usize, Answer<'a>>>,
}

impl<'a> Evidence<'a> {
    pub(super) fn none() -> Self {
        Self { heard: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heard.is_empty()
    }

    /// Remembers what one rule heard about one manifest.
    pub(super) fn add(&mut self, platform: Option<&'a Platform>, manifest: &'a ManifestFacts, heard: &[Answer<'a>]) {
        let reports = self.heard.entry((platform, &manifest.digest)).or_insert_with(BTreeMap::new);
        for answer in heard {
            let kept = reports.entry(answer.index).or_insert(*answer);
            // A rule may only add the findings of what satisfies another one.
            if (answer.scan.is_some(), answer.accepted) > (kept.scan.is_some(), kept.accepted) {
                *kept = *answer;
            }
        }
    }

    /// Findings per severity over all manifests, the larger of list and summary.
    pub(super) fn counts(&self) -> SeverityCounts {
        let mut total = SeverityCounts::new();
        for reports in self.heard.values() {
            let mut heard: Vec<Answer<'a>> = reports.values().copied().collect();
            heard.sort_by_key(|answer| (answer.scan.is_none(), !answer.accepted));
            for (severity, count) in counts(&heard) {
                let sum = total.entry(severity).or_insert(0_u64);
                *sum = sum.saturating_add(count);
            }
        }
        total
    }

    /// The scans there are, and the last known good ones that stood in for an unavailable source.
    pub(super) fn signals(&self, facts: &Facts) -> Vec<SignalUsed> {
        let children = facts.platforms.iter().flatten().map(|(platform, child)| (Some(platform), child));
        let mut used = Vec::new();
        for (platform, manifest) in std::iter::once((None, &facts.root)).chain(children) {
            let heard = self.heard.get(&(platform, &manifest.digest));
            for (index, report) in manifest.reports.iter().enumerate() {
                let stood_in = || heard.is_some_and(|heard| heard.get(&index).is_some_and(|one| one.scan.is_some()));
                let observed = match &report.scan {
                    Signal::Present(observed) => observed,
                    Signal::Unavailable { last: Some(last), .. } if stood_in() => last,
                    _ => continue,
                };
                used.push(SignalUsed {
                    subject: manifest.digest.clone(),
                    platform: platform.cloned(),
                    scanner: report.scanner,
                    tool: report.tool.clone(),
                    origin: observed.origin.clone(),
                    observed_at: observed.at,
                    completed_at: observed.value.completed_at(),
                    database_at: observed.value.database_at(),
                    evidence: observed.evidence.clone(),
                    counts: observed.value.counts(),
                    proof: observed.value.proof().clone(),
                });
            }
        }
        used
    }
}
