//! What every output is made from: the record, and every finding with what became of it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use engine::{Checked, Record};
use model::{
    Disposition, Facts, Finding, Judged, ManifestFacts, Package, Platform, ReasonCode, ScanReport, Signal, Verdict,
};
use policy::PathToGreen;

/// A decision as outputs see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub record: &'a Record,
    /// What was judged; `None` if nothing could be, or if somebody else judged it.
    pub checked: Option<&'a Checked>,
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

/// True for the reasons that single findings show by themselves.
pub(super) fn is_about_findings(code: ReasonCode) -> bool {
    use ReasonCode::{VulnCvss, VulnDenied, VulnEpss, VulnKnownExploited, VulnMaxExceeded};
    matches!(code, VulnMaxExceeded | VulnDenied | VulnKnownExploited | VulnCvss | VulnEpss)
}

impl<'a> View<'a> {
    /// What was known; `None` if nothing could be judged, or somebody else knows it.
    pub(crate) fn facts(&self) -> Option<&'a Facts> {
        self.checked.map(|checked| &*checked.facts)
    }

    /// True if every finding there is was read, or no rule is about findings; otherwise no output may look like a clean result. A rule that is broken
    /// on one platform says nothing about another one whose scan is not done, so no reason may be one of not knowing.
    pub(crate) fn is_complete(&self) -> bool {
        let findings = &self.record.findings;
        (findings.counts.is_some() || !findings.judged)
            && self.record.reasons.iter().all(|reason| reason.class.is_none())
    }

    /// The heaviest verdict of a rule that gives this reason; [`Verdict::Allow`] if a rule only records it.
    pub(crate) fn weight(&self, code: ReasonCode) -> Verdict {
        let rules = self.record.rules.iter();
        let giving = rules.filter(|rule| rule.reasons.iter().any(|reason| reason.code == code));
        // A refused question has reasons and no rules.
        giving.map(|rule| rule.verdict).max().unwrap_or(self.record.verdict)
    }

    /// What a finding does that is over a limit: a rule may only warn of it, or only record it.
    pub(crate) fn does(&self, code: ReasonCode) -> &'static str {
        match self.weight(code) {
            Verdict::Deny | Verdict::Pending => "blocks",
            Verdict::Warn => "gives a warning",
            Verdict::Allow => "is recorded only",
        }
    }

    /// The title over [`View::blocking`].
    pub(crate) fn blocking_title(&self) -> &'static str {
        if self.record.verdict == Verdict::Warn { "Findings warned of" } else { "Blocking findings" }
    }

    /// The path to green, where findings block; without any the reasons say it all.
    pub(crate) fn path(&self) -> Option<&'a PathToGreen> {
        self.record.path_to_green.as_ref().filter(|path| path.blocking > 0)
    }

    /// The title over [`View::path`].
    pub(crate) fn path_title(&self) -> &'static str {
        if self.record.verdict == Verdict::Warn { "What would make it clean" } else { "Shortest path to green" }
    }

    /// `name@digest` of the image, or of one platform of an index; the name alone if the digest is not known.
    pub(crate) fn image(&self, platform: Option<&Platform>) -> String {
        let image = &self.record.image;
        let child = image.platforms.iter().find(|child| Some(&child.platform) == platform);
        match child.map(|child| &child.digest).or(image.digest.as_ref()) {
            Some(digest) => format!("{}@{digest}", image.name),
            None => image.name.clone(),
        }
    }

    /// False for a platform whose scan nobody looked at, because no policy names it or the answer was clear before.
    pub(crate) fn was_asked(&self, digest: &str) -> bool {
        if self.facts().is_none() {
            // Where every scan that was asked for is complete, one that is not there was not asked for.
            return !self.is_complete();
        }
        let children = self.facts().and_then(|facts| facts.platforms.as_ref());
        let child = children.and_then(|list| list.iter().find(|(_, child)| child.digest.as_str() == digest));
        child.is_none_or(|(_, child)| !child.reports.is_empty())
    }

    /// Every finding that any report holds, each with its platform. Of several reports on one manifest each vulnerability
    /// of a package is listed once, as the first of them has it.
    fn reported(&self) -> Vec<(Option<&'a Platform>, &'a Finding)> {
        let Some(facts) = self.facts() else { return self.recorded() };
        let children = facts.platforms.iter().flatten().map(|(platform, child)| (Some(platform), child));
        let mut listed = Vec::new();
        for (platform, manifest) in std::iter::once((None, &facts.root)).chain(children) {
            let mut seen = BTreeSet::new();
            let several = manifest.reports.len() > 1;
            for finding in manifest.reports.iter().flat_map(|report| self.findings_of(manifest, report)) {
                let mut known = false;
                if several {
                    for id in finding.names() {
                        known |= !seen.insert((id.as_str(), finding.package_names()));
                    }
                }
                if !known {
                    listed.push((platform, finding));
                }
            }
        }
        listed
    }

    /// The findings that the record itself holds, each once: those that policy touched.
    fn recorded(&self) -> Vec<(Option<&'a Platform>, &'a Finding)> {
        let findings = &self.record.findings;
        let mut list: Vec<&Judged> = findings.blocking.iter().chain(&findings.waived).collect();
        list.sort_by(|a, b| order(a, b));
        list.dedup_by(|a, b| order(a, b).is_eq());
        list.into_iter().map(|judged| (judged.platform.as_ref(), &judged.finding)).collect()
    }

    /// How many findings there are that no output can list, because only the record is known. A list that lacks some is never
    /// called whole: whoever compares lists would take them for gone.
    pub(crate) fn unlisted(&self) -> u64 {
        let Some(counts) = self.record.findings.counts.as_ref().filter(|_| self.facts().is_none()) else { return 0 };
        let all = counts.values().fold(0_u64, |all, count| all.saturating_add(*count));
        all.saturating_sub(self.findings().len() as u64)
    }

    /// The findings of one report, as far as it was used.
    fn findings_of(&self, manifest: &ManifestFacts, report: &'a ScanReport) -> &'a [Finding] {
        match &report.scan {
            Signal::Present(observed) => observed.value.findings(),
            Signal::Unavailable { last: Some(last), .. }
                if self.record.signals.iter().any(|used| used.signal.subject == manifest.digest) =>
            {
                last.value.findings()
            }
            _ => &report.unproven,
        }
    }

    /// Every finding of every scan, blocking ones first, then by severity.
    pub(crate) fn findings(&self) -> Vec<Listed<'a>> {
        let mut states: BTreeMap<(Option<&Platform>, &str, String), State<'a>> = BTreeMap::new();
        let key = |finding: &'a Finding, platform: Option<&'a Platform>| {
            (platform, finding.id.as_str(), finding.package_names())
        };
        let findings = &self.record.findings;
        for judged in findings.waived.iter().chain(&findings.blocking) {
            let state = match &judged.disposition {
                Disposition::Blocks(code) => State::Blocks(*code),
                other => State::Waived(other),
            };
            states.insert(key(&judged.finding, judged.platform.as_ref()), state);
        }
        let mut listed: Vec<Listed<'a>> = self
            .reported()
            .into_iter()
            .map(|(platform, finding)| {
                let by = |id: &'a str| states.get(&(platform, id, finding.package_names())).copied();
                let state = finding.names().find_map(|id| by(id.as_str())).unwrap_or(State::Counted);
                Listed { finding, platform, state }
            })
            .collect();
        let blocks = |listed: &Listed<'_>| matches!(listed.state, State::Blocks(_));
        listed.sort_by(|a, b| blocks(b).cmp(&blocks(a)).then_with(|| a.finding.severity.cmp(&b.finding.severity)));
        listed
    }

    /// The findings that block, the most serious first.
    pub(crate) fn blocking(&self) -> Vec<&'a Judged> {
        let mut list: Vec<&Judged> = self.record.findings.blocking.iter().collect();
        list.sort_by(|a, b| a.finding.severity.cmp(&b.finding.severity));
        list
    }

    /// The findings that something lets pass and no other rule blocks, each once, the most serious first.
    pub(crate) fn waived(&self) -> Vec<&'a Judged> {
        let findings = &self.record.findings;
        let mut list: Vec<&Judged> = findings.waived.iter().collect();
        if list.is_empty() {
            return list;
        }
        list.sort_by(|a, b| order(a, b));
        list.dedup_by(|a, b| order(a, b).is_eq());
        let mut blocking: Vec<&Judged> = findings.blocking.iter().collect();
        blocking.sort_by(|a, b| order(a, b));
        list.retain(|judged| blocking.binary_search_by(|other| order(other, judged)).is_err());
        list
    }
}

fn order(a: &Judged, b: &Judged) -> Ordering {
    let (one, other) = (&a.finding, &b.finding);
    one.severity
        .cmp(&other.severity)
        .then_with(|| one.id.cmp(&other.id))
        .then_with(|| a.platform.cmp(&b.platform))
        .then_with(|| one.packages.iter().map(named).cmp(other.packages.iter().map(named)))
}

fn named(package: &Package) -> (&str, &str) {
    (&package.name, &package.version)
}
