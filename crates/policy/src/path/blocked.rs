//! The findings that block, each once, as [`Judgement::blocking`] counts them. What rules and reports say about the same
//! one is put together, so that their order changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use model::{Disposition, Facts, Judgement, ManifestFacts, Package, Platform, ReasonCode, Severity, Verdict};

use super::origin::{Image, Origin, Why};

/// One finding that blocks.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    pub(super) platform: Option<&'a Platform>,
    /// Every package of it, with what each report says of it.
    pub(super) packages: Vec<&'a Package>,
    pub(super) origin: Origin<'a>,
    /// How serious it is called, by anybody.
    pub(super) severities: BTreeSet<&'a Severity>,
    /// The rules it breaks, by their number, and why.
    pub(super) breaks: BTreeSet<(usize, ReasonCode)>,
    /// The heaviest verdict of those rules.
    pub(super) weight: Verdict,
}

impl Finding<'_> {
    /// The names of the packages, each once.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        self.packages.iter().map(|package| package.name.as_str()).collect()
    }
}

/// What is blocked, and by what it was built.
pub(super) struct Blocked<'a> {
    pub(super) findings: Vec<Finding<'a>>,
    /// Whether there is another build of a base image today.
    pub(super) newer_builds: BTreeMap<&'a str, Option<bool>>,
}

impl<'a> Blocked<'a> {
    pub(super) fn of(judgement: &'a Judgement, facts: &'a Facts) -> Self {
        let mut findings: BTreeMap<(&str, String, Option<&Platform>), Finding<'a>> = BTreeMap::new();
        for (number, rule) in judgement.rules.iter().enumerate().filter(|(_, rule)| rule.verdict > Verdict::Allow) {
            for judged in &rule.findings {
                let Disposition::Blocks(code) = judged.disposition else { continue };
                let platform = judged.platform.as_ref();
                let key = (judged.finding.id.as_str(), judged.finding.package_names(), platform);
                let finding = findings.entry(key).or_insert_with(|| Finding {
                    platform,
                    packages: Vec::new(),
                    origin: Origin::Unknown(Why::NoPackage),
                    severities: BTreeSet::new(),
                    breaks: BTreeSet::new(),
                    weight: Verdict::Allow,
                });
                finding.packages.extend(&judged.finding.packages);
                finding.severities.insert(&judged.finding.severity);
                finding.severities.extend(judged.finding.said_by.iter().map(|saying| &saying.severity));
                finding.breaks.insert((number, code));
                finding.weight = finding.weight.max(rule.verdict);
            }
        }
        let mut images: BTreeMap<Option<&Platform>, Vec<Image<'a>>> = BTreeMap::new();
        for (platform, manifest) in manifests(facts) {
            images.entry(platform).or_insert_with(Vec::new).push(Image::of(manifest, facts));
        }
        let mut findings: Vec<Finding<'a>> = findings.into_values().collect();
        for finding in &mut findings {
            let images = images.get(&finding.platform).map_or(&[][..], Vec::as_slice);
            finding.origin = origin(&finding.packages, images);
        }
        Self { findings, newer_builds: newer_builds(images.values().flatten(), facts) }
    }
}

fn manifests(facts: &Facts) -> impl Iterator<Item = (Option<&Platform>, &ManifestFacts)> {
    let platforms = facts.platforms.iter().flatten().map(|(platform, manifest)| (Some(platform), manifest));
    std::iter::once((None, &facts.root)).chain(platforms)
}

/// Who brought all of these packages; an index may have two manifests for one platform.
fn origin<'a>(packages: &[&Package], images: &[Image<'a>]) -> Origin<'a> {
    if packages.is_empty() {
        return Origin::Unknown(Why::NoPackage);
    }
    let of_image =
        |package: &Package| images.iter().map(|image| image.origin(package.layer.as_ref())).collect::<Vec<_>>();
    let origins: BTreeSet<Origin<'a>> = packages.iter().flat_map(|package| of_image(package)).collect();
    let mut origins = origins.into_iter();
    match (origins.next(), origins.next()) {
        (Some(only), None) => only,
        (None, _) => Origin::Unknown(Why::NoBase),
        (Some(_), Some(_)) => Origin::Unknown(Why::Several),
    }
}

fn newer_builds<'i, 'a: 'i>(
    images: impl Iterator<Item = &'i Image<'a>>,
    facts: &Facts,
) -> BTreeMap<&'a str, Option<bool>> {
    let mut known: BTreeMap<&str, Option<bool>> = BTreeMap::new();
    for image in images {
        let Some(name) = image.base() else { continue };
        let newer = image.newer_build(facts);
        // Of two platforms one may be up to date.
        known.entry(name).and_modify(|before| *before = before.filter(|_| *before == newer)).or_insert(newer);
    }
    known
}
