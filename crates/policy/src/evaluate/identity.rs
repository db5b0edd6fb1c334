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

/// How a package is recognised. A package URL says exactly which one it is; a bare name is any package of that name, but
/// two packages with different URLs are two, whatever they are called.
pub(super) struct PackageKeys {
    /// By what it is found.
    pub(super) own: Vec<String>,
    /// What it looks for.
    pub(super) sought: Vec<String>,
}

/// The keys of a package; versions do not matter.
pub(super) fn package_keys(package: &Package) -> PackageKeys {
    let name = package.name.trim().to_lowercase();
    let Some((exact, last)) = package.purl.as_deref().and_then(exactly) else {
        return PackageKeys {
            own: vec![format!("bare {name}")],
            sought: vec![format!("named {name}"), format!("bare {name}")],
        };
    };
    let mut names = vec![name];
    if !names.contains(&last) {
        names.push(last);
    }
    let with = |kind: &str| names.iter().map(|name| format!("{kind} {name}")).collect::<Vec<_>>();
    let (mut own, mut sought) = (with("named"), with("bare"));
    own.push(exact.clone());
    sought.push(exact);
    PackageKeys { own, sought }
}

/// What a package URL names, without version and qualifiers, and its last word. Scanners name distributions differently
/// (`redhat`, `rhel`), so for their packages the type and the name say it.
fn exactly(purl: &str) -> Option<(String, String)> {
    let path = purl.split(['?', '#']).next().unwrap_or(purl);
    // A version begins at the last `@` behind the name; npm's scopes are written `%40`.
    let path = path.rsplit_once('@').map_or(path, |(path, _)| path).strip_prefix("pkg:")?.to_lowercase();
    let (kind, _) = path.split_once('/')?;
    let last = path.rsplit('/').next().unwrap_or(&path).to_owned();
    let exact = match kind {
        "deb" | "apk" | "rpm" => format!("{kind}/{last}"),
        _ => path.clone(),
    };
    (!last.is_empty()).then(|| (format!("purl {exact}"), last))
}
