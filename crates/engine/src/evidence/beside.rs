//! Reports of those whose word does not count here (S22): what they found is added to what others found, and that is all. They stand for no scan,
//! replace nobody's report, and where they cannot be read or are about another image they take nothing away.

use model::{Digest, ManifestFacts, Reason, ScanReport, Signal};
use signals::Limits;
use signals::report::{self, Document};

use super::narrowed::config;
use super::{Bond, Evidence, Given, HandedFile, Identity, about, given, is_for};

/// Those of them that can be read.
pub(super) fn read(files: &[(HandedFile, Reason)]) -> Vec<(Given<Document>, Reason)> {
    let read = files.iter().filter_map(|(file, why)| {
        let document = report::parse(&file.bytes, &Limits::STANDARD).ok()?;
        Some((given(document, file, Digest::of(&file.bytes)), why.clone()))
    });
    read.collect()
}

impl Evidence {
    /// What they found in this manifest.
    pub(super) fn beside(&self, root: &Digest, facts: &ManifestFacts) -> Vec<ScanReport> {
        let identity = Identity { digest: &facts.digest, config: config(facts) };
        let mine = self.beside.iter().filter(|(report, _)| {
            let subject = &report.value.subject;
            let says_nothing = subject.manifests.is_empty() && subject.config.is_none();
            is_for(report.about.as_ref(), root, &facts.digest)
                && (says_nothing || matches!(about(subject, identity), Bond::Same))
        });
        let found = mine.map(|(report, why)| {
            let Document { scanner, tool, scan, unproven, .. } = &report.value;
            let unproven = scan.as_ref().map_or(unproven.as_slice(), model::CompleteScan::findings).to_vec();
            let (scan, origin) = (Signal::Failed(why.clone()), report.origin.clone());
            ScanReport { scanner: *scanner, tool: tool.clone(), origin, scan, unproven }
        });
        // One that adds nothing is named only where there is no other: somebody looks for it then.
        let is_scanned = facts.reports.iter().any(|report| matches!(report.scan, Signal::Present(_)));
        found.filter(|report| !is_scanned || !report.unproven.is_empty()).collect()
    }
}
