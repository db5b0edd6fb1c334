//! What every output is made from: the record, and every finding with what became of it.

use std::collections::BTreeMap;

use engine::Record;
use model::{CompleteScan, Disposition, Facts, Finding, ManifestFacts, Platform, ReasonCode, Signal};

/// A decision as outputs see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub record: &'a Record,
    /// What was known; `None` if nothing could be judged.
    pub facts: Option<&'a Facts>,
}

/// What became of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State<'a> {
    /// It blocks.
    Blocks(ReasonCode),
    /// Something let it pass.
    Waived(&'a Disposition),
    /// No limit is reached by it, or there is none.
    Counted,
}

/// A finding in the order of the scan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'a> {
    pub finding: &'a Finding,
    /// For an index.
    pub platform: Option<&'a Platform>,
    pub state: State<'a>,
}

impl<'a> View<'a> {
    /// The complete scans, each with its platform.
    pub(crate) fn scans(&self) -> Vec<(Option<&'a Platform>, &'a CompleteScan)> {
        let Some(facts) = self.facts else { return Vec::new() };
        let scan = |manifest: &'a ManifestFacts| match &manifest.scan {
            Signal::Present(observed) => Some(&observed.value),
            _ => None,
        };
        let root = scan(&facts.root).map(|found| (None, found));
        let children = facts.platforms.iter().flatten();
        root.into_iter()
            .chain(children.filter_map(|(platform, child)| scan(child).map(|found| (Some(platform), found))))
            .collect()
    }

    /// Every finding of every scan, blocking ones first, then by severity.
    pub(crate) fn findings(&self) -> Vec<Listed<'a>> {
        let mut states: BTreeMap<(Option<&Platform>, &str, String), State<'a>> = BTreeMap::new();
        let key = |finding: &'a Finding, platform: Option<&'a Platform>| (platform, finding.id.as_str(), finding.package_names());
        let findings = &self.record.findings;
        for judged in findings.waived.iter().chain(&findings.blocking) {
            let state = match &judged.disposition {
                Disposition::Blocks(code) => State::Blocks(*code),
                other => State::Waived(other),
            };
            states.insert(key(&judged.finding, judged.platform.as_ref()), state);
        }
        let mut listed: Vec<Listed<'a>> = self
            .scans()
            .into_iter()
            .flat_map(|(platform, scan)| scan.findings().iter().map(move |finding| (platform, finding)))
            .map(|(platform, finding)| {
                let state = states.get(&key(finding, platform)).copied().unwrap_or(State::Counted);
                Listed { finding, platform, state }
            })
            .collect();
        listed.sort_by_key(|listed| (!matches!(listed.state, State::Blocks(_)), listed.finding.severity.clone()));
        listed
    }
}
