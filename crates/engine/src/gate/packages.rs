//! Which packages an image holds, by what was found in it, so that a question about a package finds its images (O4). Package URLs are kept without
//! version and qualifiers, the version beside them.

use std::collections::BTreeSet;

use model::{Contents, Digest, ManifestFacts, Purl, Signal};
use store::PackagesRow;

use super::memory::Known;

/// The most packages of one set that are kept.
const MOST: usize = 50_000;

/// The sets of packages of an image: of each bill of materials, and of the package databases in its layers.
pub(super) fn of(known: &Known) -> Vec<PackagesRow> {
    let facts = &known.facts;
    let manifests = std::iter::once(&facts.root).chain(facts.platforms.iter().flatten().map(|(_, child)| child));
    manifests.flat_map(|manifest| sets(known, manifest)).collect()
}

fn sets(known: &Known, manifest: &ManifestFacts) -> Vec<PackagesRow> {
    let mut sets = Vec::new();
    let row = |set: Digest, packages: BTreeSet<(String, String)>| PackagesRow {
        repository: known.ask.name(),
        digest: known.ask.digest.clone(),
        set,
        packages: packages.into_iter().take(MOST).collect(),
    };
    if let Signal::Present(list) = &manifest.sboms {
        for sbom in &list.value {
            let named = sbom.value.components.iter().filter_map(|component| {
                let purl = component.purl.as_deref().and_then(Purl::parse)?;
                let version = purl.full_version().unwrap_or_else(|| component.version.clone());
                Some((package(&purl), version))
            });
            sets.push(row(sbom.evidence.clone(), named.collect()));
        }
    }
    if let Signal::Present(contents) = &manifest.contents {
        let listed = listed(&contents.value);
        // Databases have no document of their own: the set is known by what it holds.
        let set = Digest::of(format!("{listed:?}").as_bytes());
        sets.push(row(set, listed));
    }
    sets.retain(|set| !set.packages.is_empty());
    sets
}

fn listed(contents: &Contents) -> BTreeSet<(String, String)> {
    let system = contents.os.as_ref().map_or("", |os| os.id.as_str());
    let name = |kind: &str, name: &str| {
        let text = if system.is_empty() { format!("pkg:{kind}/{name}") } else { format!("pkg:{kind}/{system}/{name}") };
        Purl::parse(&text).map_or(text, |purl| package(&purl))
    };
    let installed = contents.packages.iter().filter(|package| package.is_installed());
    installed.map(|package| (name(&package.kind, &package.name), package.version.clone())).collect()
}

/// `pkg:npm/%40scope/name`
pub(super) fn package(purl: &Purl) -> String {
    let canonical = purl.to_string();
    let end = canonical.find(['?', '#']).unwrap_or(canonical.len());
    let bare = &canonical[..end];
    // The last `@` begins the version: in names it is encoded.
    let end = bare.rfind('@').unwrap_or(bare.len());
    bare[..end].to_owned()
}
