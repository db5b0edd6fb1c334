//! Several sources as one list (S19, B14): findings of one vulnerability in one package become one, and who says what stays
//! visible. Two CVEs are never merged, and no finding of a source is merged with another one of the same source: merged or
//! not, there are never fewer findings than any source lists.

use std::collections::{BTreeMap, BTreeSet};

use model::{CompleteScan, Finding, Fix, Package, Saying, Severity, SeverityCounts, VulnerabilityId};

use super::identity::{Identities, Identity, package_keys};
use super::sources::Answer;
use crate::document::BlockWhen;

/// A finding as all sources together report it.
pub(super) struct Merged<'a> {
    pub(super) finding: Finding,
    /// What it was made from.
    pub(super) parts: Vec<&'a Finding>,
    /// Enough of the sources report it.
    pub(super) agreed: bool,
}

/// What one source says in a group.
#[derive(Clone, Copy)]
struct Part<'a> {
    source: usize,
    finding: &'a Finding,
    /// An advisory about several CVEs, which speaks in the group of each.
    advisory: bool,
    /// The policy accepts its source.
    accepted: bool,
}

/// The findings of one vulnerability in one package.
struct Group<'a> {
    name: String,
    parts: Vec<Part<'a>>,
    /// Whose parts these are, each once.
    sources: Vec<usize>,
}

impl<'a> Group<'a> {
    fn has(&self, source: usize) -> bool {
        self.sources.contains(&source)
    }

    fn add(&mut self, part: Part<'a>) {
        if !self.has(part.source) {
            self.sources.push(part.source);
        }
        self.parts.push(part);
    }
}

/// In how many groups of one CVE and package an advisory speaks. There are several only where a source repeats itself.
const MOST_REPEATS: usize = 16;

/// The groups, and where to look for one.
#[derive(Default)]
struct Groups<'a> {
    list: Vec<Group<'a>>,
    by_name: BTreeMap<String, Vec<usize>>,
    /// By name and package; the empty package stands for findings that name none.
    by_package: BTreeMap<(String, String), Vec<usize>>,
}

impl<'a> Groups<'a> {
    /// The groups of this vulnerability that may be about the same package, in one list per package.
    fn matching(&self, name: &str, finding: &Finding) -> impl Iterator<Item = &Vec<usize>> {
        let named = !finding.packages.is_empty();
        let keys = named
            .then(String::new)
            .into_iter()
            .chain(finding.packages.iter().flat_map(|package| package_keys(package).sought));
        let of_packages = keys.filter_map(|key| self.by_package.get(&(name.to_owned(), key)));
        self.by_name.get(name).filter(|_| !named).into_iter().chain(of_packages)
    }

    /// Puts a finding into a group of its vulnerability and package that its source has no part in yet.
    fn place(&mut self, name: &str, part: Part<'a>) {
        let is_free = |group: &&usize| !self.list[**group].has(part.source);
        let free = self.matching(name, part.finding).filter_map(|groups| groups.iter().find(is_free)).min().copied();
        let group = free.unwrap_or_else(|| {
            self.list.push(Group { name: name.to_owned(), parts: Vec::new(), sources: Vec::new() });
            let group = self.list.len() - 1;
            self.by_name.entry(name.to_owned()).or_insert_with(Vec::new).push(group);
            group
        });
        self.list[group].add(part);
        let none = part.finding.packages.is_empty().then(String::new);
        for key in part.finding.packages.iter().flat_map(|package| package_keys(package).own).chain(none) {
            let known = self.by_package.entry((name.to_owned(), key)).or_insert_with(Vec::new);
            if known.last() != Some(&group) {
                known.push(group);
            }
        }
    }

    /// The groups of this CVE in which an advisory speaks: those in the same package that another source has a part in. A
    /// source that is not accepted makes no such group: what it calls its finding could waive what the advisory says (S22).
    fn of_others(&self, name: &str, part: &Part<'a>) -> BTreeSet<usize> {
        let other = |there: &Part<'_>| there.source != part.source && there.accepted && !there.advisory;
        let others = |group: &&usize| self.list[**group].parts.iter().any(other);
        let lists = self.matching(name, part.finding);
        lists.flat_map(|groups| groups.iter().filter(others).take(MOST_REPEATS)).copied().collect()
    }
}

/// Merges what several sources found, in the order of the sources.
pub(super) fn merge<'a>(heard: &[Answer<'a>], block_when: BlockWhen) -> Vec<Merged<'a>> {
    let identities =
        Identities::learn(heard.iter().filter(|answer| answer.accepted).flat_map(|answer| answer.findings));
    let mut groups = Groups::default();
    let mut advisories = Vec::new();
    let mut votes = Votes::of(heard, block_when);
    for (source, answer) in heard.iter().enumerate() {
        for finding in answer.findings {
            let part = Part { source, finding, advisory: false, accepted: answer.accepted };
            match identities.of(finding) {
                Identity::One(name) => {
                    votes.add(&name, source);
                    groups.place(&name, part);
                }
                Identity::Several(names) => {
                    for name in &names {
                        votes.add(name, source);
                    }
                    advisories.push((Part { advisory: true, ..part }, names));
                }
            }
        }
    }
    for (part, names) in advisories {
        // It speaks in the group of every CVE it names that another source reports in the same package. What it says about
        // a CVE that nobody else reports would be lost there, and so would one of several advisories about the same CVEs:
        // then it stands for itself, too.
        let (mut everywhere, mut joined) = (true, BTreeSet::new());
        for name in &names {
            let of_others = groups.of_others(name, &part);
            everywhere &= !of_others.is_empty();
            joined.extend(of_others);
        }
        let mut alone = true;
        for group in joined {
            alone &= groups.list[group].has(part.source);
            groups.list[group].add(part);
        }
        if alone || !everywhere {
            let own = super::names::upper(part.finding.id.as_str());
            votes.add_all(&own, &names);
            groups.place(&own, Part { advisory: false, ..part });
        }
    }
    groups
        .list
        .into_iter()
        .map(|group| Merged {
            finding: together(&group, heard),
            agreed: votes.agree_on(&group.name),
            parts: group.parts.iter().map(|part| part.finding).collect(),
        })
        .collect()
}

/// Findings per severity over all sources, each counted once, and what a scanner counts without listing it (S17).
pub(super) fn counts(heard: &[Answer<'_>]) -> SeverityCounts {
    if let [Answer { scan: Some(only), .. }] = heard {
        return only.counts();
    }
    let mut counts = SeverityCounts::new();
    for merged in merge(heard, BlockWhen::Any) {
        *counts.entry(merged.finding.severity).or_insert(0) += 1;
    }
    let mut excess = SeverityCounts::new();
    for (severity, listed, summary) in
        heard.iter().filter_map(|answer| answer.scan).flat_map(CompleteScan::disagreements)
    {
        let largest = excess.entry(severity).or_insert(0);
        *largest = (*largest).max(summary.saturating_sub(listed));
    }
    for (severity, more) in excess {
        let count = counts.entry(severity).or_insert(0_u64);
        *count = count.saturating_add(more);
    }
    counts
}

/// Who reports what. Votes go by vulnerability alone: scanners name packages differently, and a difference in names must
/// not look like a disagreement.
struct Votes {
    block_when: BlockWhen,
    /// Who speaks in each answer.
    voices: Vec<usize>,
    /// Who answered with a complete scan.
    complete: BTreeSet<usize>,
    yes: BTreeMap<String, BTreeSet<usize>>,
}

impl Votes {
    fn of(heard: &[Answer<'_>], block_when: BlockWhen) -> Self {
        let names: Vec<_> = heard.iter().map(Answer::voice).collect();
        let voices: Vec<usize> = names
            .iter()
            .enumerate()
            .map(|(n, name)| names.iter().position(|first| first == name).unwrap_or(n))
            .collect();
        let complete = heard.iter().zip(&voices).filter(|(answer, _)| answer.scan.is_some()).map(|(_, voice)| *voice);
        Self { block_when, complete: complete.collect(), voices, yes: BTreeMap::new() }
    }

    fn add(&mut self, name: &str, source: usize) {
        if self.block_when != BlockWhen::Any {
            let voice = self.voices[source];
            self.yes.entry(name.to_owned()).or_insert_with(BTreeSet::new).insert(voice);
        }
    }

    /// Whoever reports one of the CVEs of an advisory reports the advisory.
    fn add_all(&mut self, advisory: &str, names: &BTreeSet<String>) {
        let voices: BTreeSet<usize> = names.iter().filter_map(|name| self.yes.get(name)).flatten().copied().collect();
        self.yes.entry(advisory.to_owned()).or_insert_with(BTreeSet::new).extend(voices);
    }

    fn agree_on(&self, name: &str) -> bool {
        let none = BTreeSet::new();
        let yes = self.yes.get(name).unwrap_or(&none);
        match self.block_when {
            BlockWhen::Any => true,
            BlockWhen::Majority => yes.len() * 2 > self.complete.len(),
            BlockWhen::All => self.complete.is_subset(yes),
        }
    }
}

/// One finding from all parts of a group: the highest of everything, and never a softer word than any source has.
fn together(group: &Group<'_>, heard: &[Answer<'_>]) -> Finding {
    let parts = &group.parts;
    // Whose names count: what a source that is not accepted calls it waives nothing.
    let own = |part: &&Part<'_>| !part.advisory;
    let mut naming: Vec<&Finding> =
        parts.iter().filter(own).filter(|part| heard[part.source].accepted).map(|part| part.finding).collect();
    if naming.is_empty() {
        naming = parts.iter().filter(own).map(|part| part.finding).collect();
    }
    let names = || naming.iter().flat_map(|finding| finding.names());
    let first = naming.first().copied().unwrap_or(parts[0].finding);
    let id = names().find(|id| id.is(&group.name)).unwrap_or(&first.id).clone();
    let mut aliases: Vec<VulnerabilityId> = Vec::new();
    for name in names() {
        if !name.is(id.as_str()) && !aliases.iter().any(|known| known.is(name.as_str())) {
            aliases.push(name.clone());
        }
    }
    let all = || parts.iter().map(|part| part.finding);
    let mut said_by: Vec<Saying> = Vec::new();
    for part in parts {
        let scanner = heard[part.source].report.scanner;
        match said_by.iter_mut().find(|saying| saying.scanner == scanner) {
            Some(saying) if part.finding.severity < saying.severity => saying.severity = part.finding.severity.clone(),
            Some(_) => {}
            None => said_by.push(Saying { scanner, severity: part.finding.severity.clone() }),
        }
    }
    let exploit = |known: bool| all().any(|finding| finding.exploit_available == Some(known));
    Finding {
        id,
        aliases,
        severity: all().map(|finding| &finding.severity).min().unwrap_or(&Severity::Untriaged).clone(),
        rating: if let [only] = parts.as_slice() { only.finding.rating.clone() } else { None },
        packages: packages(parts, heard),
        cvss_tenths: all().filter_map(|finding| finding.cvss_tenths).max(),
        epss_millionths: all().filter_map(|finding| finding.epss_millionths).max(),
        exploit_available: if exploit(true) { Some(true) } else { exploit(false).then_some(false) },
        url: all().find_map(|finding| finding.url.clone()),
        // Reported plainly by one source, it counts.
        suppressed: all().map(|finding| finding.suppressed.clone()).min_by_key(Option::is_some).flatten(),
        said_by,
    }
}

/// The packages of all parts; an advisory adds what it says of a fix, not its other packages.
fn packages(parts: &[Part<'_>], heard: &[Answer<'_>]) -> Vec<Package> {
    let mut all: Vec<(Package, Vec<String>)> = Vec::new();
    // A layer that two sources name differently stays unnamed, whatever a third one says.
    let mut disputed = BTreeSet::new();
    for part in parts {
        let known = all.len();
        for package in &part.finding.packages {
            let keys = package_keys(package);
            let named = |other: &[String]| other.iter().any(|key| keys.sought.contains(key));
            let mut before = all[..known].iter();
            let same = before.position(|(other, others)| other.version == package.version && named(others));
            // Of another version it is another package, unless one of the two does not say which.
            let open = |other: &Package| other.version.is_empty() || package.version.is_empty();
            let near = || all[..known].iter().position(|(other, others)| open(other) && named(others));
            let any = || all[..known].iter().position(|(_, others)| named(others));
            match same.or_else(near) {
                Some(at) => {
                    let accepted = heard[part.source].accepted;
                    if accepted && !disputed.contains(&at) && !agree_on_layer(&mut all[at].0, package) {
                        disputed.insert(at);
                    }
                    add(&mut all[at].0, package, accepted);
                }
                // An advisory speaks of many packages; of this one it says what it says of a fix.
                None if part.advisory => {
                    if let Some(at) = any() {
                        add(&mut all[at].0, package, false);
                    }
                }
                None => all.push((package.clone(), keys.own)),
            }
        }
    }
    all.into_iter().map(|(package, _)| package).collect()
}

/// Adds the layer that another source names; false if that is another one, and then none is left.
fn agree_on_layer(package: &mut Package, other: &Package) -> bool {
    match (&package.layer, &other.layer) {
        (Some(one), Some(another)) => package.layer = one.agreed(another),
        (None, named) => {
            package.layer.clone_from(named);
            return true;
        }
        (Some(_), None) => {}
    }
    package.layer.is_some()
}

/// Adds what another source says of a package. One that is not accepted may take "there is no fix" back, no more: a version
/// or package URL of its own could make an exact statement fit (S24).
fn add(package: &mut Package, other: &Package, accepted: bool) {
    // "There is no fix" holds only as long as nobody says anything else.
    let weight = |fix: &Fix| match fix {
        Fix::In(_) => 3,
        Fix::Available => 2,
        Fix::NotSaid => 1,
        Fix::None => 0,
    };
    if weight(&other.fix) > weight(&package.fix) {
        package.fix = other.fix.clone();
    }
    if accepted && package.version.is_empty() {
        package.version.clone_from(&other.version);
    }
    if accepted && package.purl.is_none() {
        package.purl.clone_from(&other.purl);
    }
}
