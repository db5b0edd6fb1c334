//! Which vulnerability a finding is about, and which package (B14). The CVE is the name that all scanners share; other ids
//! stand for it where a source says so.

use std::collections::{BTreeMap, BTreeSet};

use model::{Finding, Package};

use super::names::upper;

/// What a finding is about.
pub(super) enum Identity {
    /// One vulnerability, by the name that all its findings share.
    One(String),
    /// An advisory about several CVEs.
    Several(BTreeSet<String>),
}

/// What the sources say about names that mean the same.
pub(super) struct Identities {
    /// The CVEs that another id stands for.
    cves: BTreeMap<String, BTreeSet<String>>,
    /// The shared name of ids that stand for no CVE.
    shared: BTreeMap<String, String>,
}

/// How often names are followed from one finding to the next.
const MOST_STEPS: usize = 8;

impl Identities {
    /// Collects the names that findings of accepted sources give.
    pub(super) fn learn<'a>(findings: impl Iterator<Item = &'a Finding>) -> Self {
        let mut known = Self { cves: BTreeMap::new(), shared: BTreeMap::new() };
        let mut nameless: Vec<Vec<String>> = Vec::new();
        for finding in findings {
            let (cves, others) = names(finding);
            if cves.is_empty() {
                nameless.push(others);
            } else if let Some(cve) = cves.first().filter(|_| cves.len() == 1) {
                known.stands_for(&others, cve);
            }
        }
        for _ in 0..MOST_STEPS {
            let before = nameless.len();
            nameless.retain(|names| {
                let cves = known.cves_of(names);
                if let Some(cve) = cves.first().filter(|_| cves.len() == 1) {
                    known.stands_for(names, cve);
                }
                cves.is_empty()
            });
            if nameless.len() == before {
                break;
            }
        }
        for _ in 0..MOST_STEPS {
            let mut changed = false;
            for names in &nameless {
                let shared = names.iter().chain(names.iter().filter_map(|name| known.shared.get(name))).min().cloned();
                for name in names {
                    changed |= known.shared.get(name) != shared.as_ref();
                    known.shared.extend(shared.clone().map(|shared| (name.clone(), shared)));
                }
            }
            if !changed {
                break;
            }
        }
        known
    }

    fn stands_for(&mut self, names: &[String], cve: &str) {
        for name in names {
            self.cves.entry(name.clone()).or_insert_with(BTreeSet::new).insert(cve.to_owned());
        }
    }

    fn cves_of(&self, names: &[String]) -> BTreeSet<String> {
        names.iter().filter_map(|name| self.cves.get(name)).flatten().cloned().collect()
    }

    /// What a finding is about.
    pub(super) fn of(&self, finding: &Finding) -> Identity {
        let (mut cves, others) = names(finding);
        if cves.is_empty() {
            cves = self.cves_of(&others);
        }
        match (cves.len(), cves.pop_first()) {
            (1, Some(only)) => Identity::One(only),
            (_, Some(first)) => {
                cves.insert(first);
                Identity::Several(cves)
            }
            (_, None) => {
                let shared = others.iter().find_map(|name| self.shared.get(name));
                Identity::One(shared.cloned().unwrap_or_else(|| upper(finding.id.as_str())))
            }
        }
    }
}

/// The CVEs among the names of a finding, and the other names.
fn names(finding: &Finding) -> (BTreeSet<String>, Vec<String>) {
    let (mut cves, mut others) = (BTreeSet::new(), Vec::new());
    for name in finding.names() {
        let name_of = upper(name.as_str().trim());
        if name.is_cve() {
            cves.insert(name_of);
        } else {
            others.push(name_of);
        }
    }
    (cves, others)
}

/// The names by which a package is recognised: its own, and that of its package URL; versions do not matter.
pub(super) fn package_keys(package: &Package) -> Vec<String> {
    let mut keys = vec![package.name.trim().to_lowercase()];
    if let Some(purl) = &package.purl {
        let path = purl.split(['@', '?', '#']).next().unwrap_or(purl);
        let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
        if !name.is_empty() && !keys.contains(&name) {
            keys.push(name);
        }
    }
    keys
}
