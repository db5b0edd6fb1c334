//! OSV: the JSON of osv-scanner (`results` at the top), one OSV record (`id` and `affected`), or a list of records.
//! Source: OSV schema 1.7; osv-scanner 1 and 2, `--format json`.
//!
//! Read of a record: `id`, `aliases`, `upstream`, `severity`, `affected` (package, ranges, severity), `withdrawn`,
//! `references`, `database_specific.severity`; of osv-scanner the package, its `groups[].max_severity` and the source.
//! A withdrawn record is kept and marked. osv-scanner lists what it found and never says that everything was scanned, so
//! it never proves a scan (S19).

mod ecosystem;
mod rating;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use model::{Finding, Fix, Package, Scanner, VulnerabilityId};
use serde::Deserialize;

use super::json::{self, Text};
use super::list::{Budget, List, add_aliases};
use super::package::{fixed_in, purl};
use super::{Document, Subject, proves_nothing};
use crate::layer::layer;
use crate::{Limits, ParseError};
use wire::{Affected, PackageInfo, PackageResult, Record, Report};

const FORMAT: &str = "OSV report";

/// The first look: a record or a report.
#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

/// Reads the findings.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let text = json::text(Some(FORMAT), bytes, limits)?;
    let (mut found, mut subject) = (Found::new(limits), Subject::default());
    if text.trim_start().starts_with('[') {
        let List(records) = json::read::<List<Record<'_>>>(FORMAT, bytes, limits)?;
        for (at, record) in records.iter().enumerate() {
            found.add(of_record(record, &format!("[{at}]"))?)?;
        }
    } else if json::read::<Top<'_>>(FORMAT, bytes, limits)?.id.is_some() {
        found.add(of_record(&json::read(FORMAT, bytes, limits)?, "")?)?;
    } else {
        let Report { results: List(results), image_metadata } = json::read(FORMAT, bytes, limits)?;
        let history: Vec<_> = image_metadata
            .iter()
            .flat_map(|image| List::each(image.layer_metadata.as_ref()))
            .map(|step| Text::of(step.diff_id.as_ref()))
            .collect();
        for (at, result) in results.iter().enumerate() {
            let path = result.source.as_ref().and_then(|source| source.path.as_ref());
            subject.name = subject.name.take().or_else(|| path.and_then(Text::filled).map(str::to_owned));
            for (number, package) in List::each(result.packages.as_ref()).enumerate() {
                of_package(&mut found, package, &history, &format!("results[{at}].packages[{number}]"))?;
            }
        }
    }
    let why = proves_nothing(FORMAT, "it has no field that says that the whole image was scanned");
    Ok(Document::unproven(Scanner::Osv, None, subject, found.findings, why))
}

/// The findings so far.
struct Found {
    findings: Vec<Finding>,
    most: usize,
    budget: Budget,
}

impl Found {
    fn new(limits: &Limits) -> Self {
        Self { findings: Vec::new(), most: limits.findings, budget: Budget::new(FORMAT, limits) }
    }

    fn add(&mut self, finding: Finding) -> Result<(), ParseError> {
        if self.findings.len() >= self.most {
            let cause = format!("more than {} vulnerabilities, which is all that is read", self.most);
            return Err(ParseError::new(FORMAT, "", cause));
        }
        self.budget.finding(&finding)?;
        finding.packages.iter().try_for_each(|package| self.budget.package(package))?;
        self.findings.push(finding);
        Ok(())
    }
}

/// The vulnerabilities of a package that osv-scanner found installed.
fn of_package(
    found: &mut Found,
    result: &PackageResult<'_>,
    history: &[Option<&str>],
    place: &str,
) -> Result<(), ParseError> {
    let groups = rating::groups(result, place)?;
    for (at, record) in List::each(result.vulnerabilities.as_ref()).enumerate() {
        let about: Vec<&Affected<'_>> = List::each(record.affected.as_ref()).collect();
        let same: Vec<&Affected<'_>> =
            about.iter().copied().filter(|affected| is_about(affected, &result.package)).collect();
        let about = if same.is_empty() { about } else { same };
        let mut finding = bare(record, &about, &format!("{place}.vulnerabilities[{at}]"))?;
        if let Some(tenths) = groups.get(finding.id.as_str()) {
            rating::raise(&mut finding, *tenths);
        }
        finding.packages = vec![installed(&result.package, fix(&about), history)];
        found.add(finding)?;
    }
    Ok(())
}

/// A record by itself: about the packages that it names, whichever version is installed.
fn of_record(record: &Record<'_>, place: &str) -> Result<Finding, ParseError> {
    let about: Vec<&Affected<'_>> = List::each(record.affected.as_ref()).collect();
    let mut finding = bare(record, &about, place)?;
    for affected in about {
        let Some(package) = &affected.package else { continue };
        let Some(name) = package.name.as_ref().and_then(Text::filled) else { continue };
        finding.packages.push(Package {
            name: name.to_owned(),
            version: String::new(),
            fix: fix(&[affected]),
            purl: package.purl.as_ref().and_then(Text::filled).and_then(purl),
            layer: None,
        });
    }
    Ok(finding)
}

fn bare(record: &Record<'_>, about: &[&Affected<'_>], place: &str) -> Result<Finding, ParseError> {
    let id = record.id.as_ref().and_then(Text::filled).and_then(VulnerabilityId::new);
    let id = id.ok_or_else(|| ParseError::new(FORMAT, format!("{place}.id"), "the record has no id"))?;
    let rating = rating::of(record, about);
    let mut finding = Finding::new(id, rating.severity);
    finding.rating = rating.word;
    finding.cvss_tenths = rating.tenths;
    // `upstream` names the vulnerabilities that an advisory of a distribution is about.
    let aliases = List::each(record.aliases.as_ref()).chain(List::each(record.upstream.as_ref()));
    add_aliases(&mut finding, aliases.filter_map(Text::filled));
    let mut urls = List::each(record.references.as_ref()).filter_map(|reference| reference.url.as_ref());
    finding.url = urls.find_map(Text::filled).map(str::to_owned);
    finding.suppressed =
        record.withdrawn.as_ref().and_then(Text::filled).map(|at| format!("withdrawn by its source at {at}"));
    Ok(finding)
}

fn is_about(affected: &Affected<'_>, package: &PackageInfo<'_>) -> bool {
    affected.package.as_ref().is_some_and(|about| {
        let same_name = about.name.as_ref().zip(package.name.as_ref()).is_some_and(|(one, other)| one == other);
        let base = |text: &Option<Text<'_>>| text.as_ref().map(|text| ecosystem::base(&text.0).to_owned());
        same_name && base(&about.ecosystem) == base(&package.ecosystem)
    })
}

fn installed(package: &PackageInfo<'_>, fix: Fix, history: &[Option<&str>]) -> Package {
    let filled = |text: &Option<Text<'_>>| text.as_ref().and_then(Text::filled).map(str::to_owned);
    let version = filled(&package.version).or_else(|| filled(&package.commit)).unwrap_or_else(String::new);
    let name = filled(&package.name).or_else(|| filled(&package.commit)).unwrap_or_else(|| "-".to_owned());
    let purl = filled(&package.ecosystem).and_then(|system| ecosystem::purl(&system, &name, &version));
    let step = package.image_origin_details.as_ref().and_then(|origin| origin.index);
    let step = step.and_then(|step| usize::try_from(step).map_or(None, |step| history.get(step).copied()));
    Package { name, version, fix, purl, layer: layer(step.flatten(), None) }
}

/// The versions in which it is fixed, of all ranges: they are branches of the package. A commit is no version.
fn fix(about: &[&Affected<'_>]) -> Fix {
    let (mut versions, mut known, mut commits) = (Vec::new(), BTreeSet::new(), false);
    for range in about.iter().flat_map(|affected| List::each(affected.ranges.as_ref())) {
        let is_commit = range.kind.as_ref().is_some_and(|kind| kind.0 == "GIT");
        for fixed in List::each(range.events.as_ref()).filter_map(|event| event.fixed.as_ref()?.filled()) {
            if is_commit {
                commits = true;
            } else if known.insert(fixed) {
                versions.push(fixed);
            }
        }
    }
    match fixed_in(versions) {
        Fix::NotSaid if commits => Fix::Available,
        fix => fix,
    }
}
