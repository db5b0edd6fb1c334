//! S5: what was known when a source could still be asked. It stands in only where the policy says so, and only as long as the policy says,
//! counted from when it was read.

use model::{
    Ask, CompleteScan, Digest, Facts, ManifestFacts, Observed, Reason, ReasonCode, RecordedFacts, ScanReport, Signal,
};
use store::{DecisionQuery, Store};

use super::asking::AskError;
use super::recording;

/// How many decisions are looked at for one whose facts were whole.
const LOOKED_BACK: u32 = 50;

/// Puts the last known good scan beside each that could not be asked for. True if there is one.
pub(super) async fn stand_in(store: &Store, ask: &Ask, version: &Digest, facts: &mut Facts) -> Result<bool, AskError> {
    if !manifests(facts).any(|manifest| manifest.reports.iter().any(is_missing)) {
        return Ok(false);
    }
    let Some(recorded) = last_whole(store, ask, version).await? else { return Ok(false) };
    let mut stood_in = false;
    let known: Vec<&ManifestFacts> = manifests(&recorded.facts).collect();
    let children = facts.platforms.iter_mut().flatten().map(|(_, child)| child);
    for manifest in std::iter::once(&mut facts.root).chain(children) {
        let Some(then) = known.iter().find(|then| then.digest == manifest.digest) else { continue };
        for report in manifest.reports.iter_mut().filter(|report| is_missing(report)) {
            let scan = then.reports.iter().find_map(|then| same_source(report, then));
            if let (Signal::Unavailable { last, .. }, Some(scan)) = (&mut report.scan, scan) {
                *last = Some(Box::new(scan));
                stood_in = true;
            }
        }
    }
    Ok(stood_in)
}

/// The newest facts about this image, for this environment, by this policy, of which nothing was missing. What they led to does not
/// matter: an image that was denied then is denied by them now.
async fn last_whole(store: &Store, ask: &Ask, version: &Digest) -> Result<Option<RecordedFacts>, AskError> {
    let query = DecisionQuery {
        digest: Some(ask.digest.clone()),
        repository: Some(ask.name()),
        environment: Some(ask.environment.clone()),
        limit: LOOKED_BACK,
        ..DecisionQuery::default()
    };
    for decision in store.decisions(&query).await?.into_iter().filter(|decision| decision.policy == *version) {
        let Some(digest) = &decision.facts else { continue };
        let Some(row) = store.evidence(digest).await? else { continue };
        let Ok(recorded) = recording::read_facts(&row) else { continue };
        if recorded.ask.digest == ask.digest && is_whole(&recorded) {
            return Ok(Some(recorded));
        }
    }
    Ok(None)
}

fn manifests(facts: &Facts) -> impl Iterator<Item = &ManifestFacts> {
    std::iter::once(&facts.root).chain(facts.platforms.iter().flatten().map(|(_, child)| child))
}

fn is_missing(report: &ScanReport) -> bool {
    matches!(report.scan, Signal::Unavailable { last: None, .. })
}

fn same_source(now: &ScanReport, then: &ScanReport) -> Option<Observed<CompleteScan>> {
    match &then.scan {
        Signal::Present(scan) if then.scanner == now.scanner && then.origin == now.origin => Some(scan.clone()),
        _ => None,
    }
}

/// Everything of then that somebody asked for was there, nothing of it a stand-in itself.
fn is_whole(recorded: &RecordedFacts) -> bool {
    fn is_there<T>(signal: &Signal<T>) -> bool {
        matches!(signal, Signal::Present(_) | Signal::Absent(_) | Signal::NotCollected(_))
    }
    let mut scans = 0;
    let whole = manifests(&recorded.facts).all(|manifest| {
        scans += manifest.reports.iter().filter(|report| matches!(report.scan, Signal::Present(_))).count();
        // What counts for nobody here is missed by nobody.
        let is_stranger = |why: &Reason| why.code == ReasonCode::ScanNotAccepted;
        let is_whole = |scan: &Signal<_>| match scan {
            Signal::Failed(why) => is_stranger(why),
            scan => matches!(scan, Signal::Present(_)),
        };
        manifest.reports.iter().all(|report| is_whole(&report.scan))
            && is_there(&manifest.config)
            && is_there(&manifest.contents)
            && is_there(&manifest.sboms)
            && is_there(&manifest.measurements)
            && is_there(&manifest.signed)
    });
    whole && scans > 0
}
