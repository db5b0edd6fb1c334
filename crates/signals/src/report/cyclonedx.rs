//! The vulnerabilities of a CycloneDX document, JSON, versions 1.4 to 1.7, as Trivy, Grype and others write them.
//! Recognised by `bomFormat: CycloneDX` and `vulnerabilities`. Source: CycloneDX specification (ECMA-424).
//!
//! Read of a vulnerability: `id`, `references` (aliases), `ratings`, `affects` with the components they name, `source`,
//! `advisories`, `recommendation`; of `metadata` the tools and the image. Nothing says that everything was scanned, so it
//! never proves a scan (S19). `analysis` (VEX) and `rejected` are not applied here: a scanner's file is no authority for
//! them (S24); whoever is trusted gives the document as VEX.

mod components;
mod rating;
mod subject;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::{Finding, Fix, Scanner, VulnerabilityId};

use super::json::{self, Text};
use super::list::{Budget, List, add_aliases};
use super::package::fixed_in;
use super::{Document, proves_nothing};
use crate::{Limits, ParseError};
use components::Components;
use wire::{Bom, Vulnerability};

const FORMAT: &str = "CycloneDX document";

/// Reads the vulnerabilities.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, ParseError> {
    let bom: Bom<'_> = json::read(FORMAT, bytes, limits)?;
    if bom.format.0 != "CycloneDX" {
        return Err(ParseError::new(FORMAT, "bomFormat", format!("{:?}, not \"CycloneDX\"", bom.format.0)));
    }
    if !matches!(bom.spec_version.0.as_ref(), "1.4" | "1.5" | "1.6" | "1.7") {
        let cause = format!("{:?}; 1.4 to 1.7 are read", bom.spec_version.0);
        return Err(ParseError::new(FORMAT, "specVersion", cause));
    }
    let Some(List(vulnerabilities)) = &bom.vulnerabilities else {
        let cause = "there is no such list: it is a bill of materials, not a scan; give it as one (`--sbom`)";
        return Err(ParseError::new(FORMAT, "vulnerabilities", cause));
    };
    if vulnerabilities.len() > limits.findings {
        let cause = format!("{} of them; at most {} are read", vulnerabilities.len(), limits.findings);
        return Err(ParseError::new(FORMAT, "vulnerabilities", cause));
    }
    let components = Components::of(&bom, limits)?;
    let mut budget = Budget::new(FORMAT, limits);
    let findings = vulnerabilities
        .iter()
        .enumerate()
        .map(|(at, vulnerability)| finding(vulnerability, &components, &mut budget, &format!("vulnerabilities[{at}]")))
        .collect::<Result<Vec<_>, _>>()?;
    let why = proves_nothing(FORMAT, "it has no field that says that the whole image was scanned");
    Ok(Document::unproven(Scanner::CycloneDx, subject::tools(&bom), subject::of(&bom)?, findings, why))
}

fn finding(
    wire: &Vulnerability<'_>,
    components: &Components<'_, '_>,
    budget: &mut Budget,
    place: &str,
) -> Result<Finding, ParseError> {
    let references = List::each(wire.references.as_ref()).filter_map(|reference| reference.id.as_ref());
    let mut names = wire.id.iter().chain(references).filter_map(Text::filled);
    let id = names.next().and_then(VulnerabilityId::new);
    let id = id.ok_or_else(|| ParseError::new(FORMAT, format!("{place}.id"), "the vulnerability has no id"))?;
    let rating = rating::of(wire, place)?;
    let mut finding = Finding::new(id, rating.severity);
    finding.rating = rating.word;
    finding.cvss_tenths = rating.tenths;
    add_aliases(&mut finding, names);
    let recommended = wire.recommendation.as_ref().and_then(Text::filled).map_or_else(BTreeMap::new, recommended);
    for affected in List::each(wire.affects.as_ref()) {
        components.each_package(&affected.to.0, |mut package| {
            let versions = recommended.get(package.name.as_str());
            package.fix = versions.map_or(Fix::NotSaid, |versions| fixed_in(versions.split(',')));
            budget.package(&package)?;
            finding.packages.push(package);
            Ok(())
        })?;
    }
    let advisories = List::each(wire.advisories.as_ref()).filter_map(|advisory| advisory.url.as_ref());
    let source = wire.source.as_ref().and_then(|source| source.url.as_ref());
    finding.url = source.into_iter().chain(advisories).find_map(Text::filled).map(str::to_owned);
    budget.finding(&finding)?;
    Ok(finding)
}

/// Trivy writes `Upgrade openssl to version 1.1.1d; Upgrade libssl to version 1.1.1d`: the versions by package. Other prose
/// says nothing for certain.
fn recommended(text: &str) -> BTreeMap<&str, &str> {
    text.split(';')
        .filter_map(|part| part.trim().strip_prefix("Upgrade ")?.split_once(" to version "))
        .map(|(name, versions)| (name, versions.trim_end_matches('.')))
        .collect()
}
