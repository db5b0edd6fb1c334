//! One finding of Amazon Inspector as it stands in an answer or an event, and in the vocabulary.
//! Which image it is about is read in `image`.

use model::{Finding, Fix, Package, Severity, VulnerabilityId};
use serde::Deserialize;

use super::FORMAT;
use super::image::Resource;
use crate::ParseError;
use crate::layer::layer;
use crate::report::cvss::{Probability, Score};
use crate::report::json::Text;
use crate::report::list::{List, add_aliases};

/// A finding (`Finding` of the API). Inspector's words are its API's: they are kept exactly as `model` has them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::report) struct Wire<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    severity: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    package_vulnerability_details: Option<Details<'a>>,
    #[serde(borrow)]
    fix_available: Option<Text<'a>>,
    #[serde(borrow)]
    exploit_available: Option<Text<'a>>,
    epss: Option<Epss>,
    inspector_score: Option<Score>,
    inspector_score_details: Option<ScoreDetails>,
    #[serde(borrow)]
    pub(super) resources: Option<List<Resource<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Epss {
    score: Option<Probability>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScoreDetails {
    adjusted_cvss: Option<AdjustedCvss>,
}

#[derive(Debug, Deserialize)]
struct AdjustedCvss {
    score: Option<Score>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    #[serde(borrow)]
    vulnerability_id: Option<Text<'a>>,
    #[serde(borrow)]
    related_vulnerabilities: Option<List<Text<'a>>>,
    #[serde(borrow)]
    source_url: Option<Text<'a>>,
    cvss: Option<List<BaseScore>>,
    #[serde(borrow)]
    vulnerable_packages: Option<List<VulnerablePackage<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BaseScore {
    base_score: Option<Score>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VulnerablePackage<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    version: Option<Text<'a>>,
    #[serde(borrow)]
    release: Option<Text<'a>>,
    #[serde(borrow)]
    fixed_in_version: Option<Text<'a>>,
    /// The layer as the manifest names it.
    #[serde(borrow)]
    source_layer_hash: Option<Text<'a>>,
}

impl Wire<'_> {
    /// The finding in the vocabulary; `None` if Inspector has closed it.
    pub(super) fn into_finding(self, place: &str) -> Result<Option<Finding>, ParseError> {
        let wrong = |field: &str, cause: String| ParseError::new(FORMAT, format!("{place}.{field}"), cause);
        let suppressed = match self.status.as_ref().and_then(Text::filled) {
            Some("CLOSED") => return Ok(None),
            Some("SUPPRESSED") => Some("suppressed by a rule in Amazon Inspector".to_owned()),
            // A status of tomorrow counts.
            _ => None,
        };
        let is_package = self.kind.as_ref().and_then(Text::filled) == Some("PACKAGE_VULNERABILITY");
        let (id, details) = match self.package_vulnerability_details {
            Some(details) => (details.vulnerability_id.as_ref().and_then(id_of), Some(details)),
            None => (None, None),
        };
        if is_package && id.is_none() {
            let cause = "a package vulnerability has no id".to_owned();
            return Err(wrong("packageVulnerabilityDetails.vulnerabilityId", cause));
        }
        // Findings about code and the network have no id, only a title.
        let id = id
            .or_else(|| self.title.as_ref().and_then(id_of))
            .ok_or_else(|| wrong("title", "the finding has neither an id nor a title".to_owned()))?;
        let severity = self
            .severity
            .as_ref()
            .map(|word| Severity::parse(&word.0))
            .ok_or_else(|| wrong("severity", format!("{id} has no severity")))?;
        let mut finding = Finding::new(id, severity);
        finding.suppressed = suppressed;
        finding.exploit_available = match self.exploit_available.as_ref().and_then(Text::filled) {
            Some("YES") => Some(true),
            Some("NO") => Some(false),
            _ => None,
        };
        finding.epss_millionths = self.epss.and_then(|epss| epss.score).map(|Probability(millionths)| millionths);
        let adjusted = self.inspector_score_details.and_then(|details| details.adjusted_cvss);
        let mut scores = vec![self.inspector_score, adjusted.and_then(|cvss| cvss.score)];
        let fix = self.fix_available.as_ref().and_then(Text::filled);
        if let Some(details) = details {
            scores.extend(List::each(details.cvss.as_ref()).map(|cvss| cvss.base_score));
            let related = List::each(details.related_vulnerabilities.as_ref()).filter_map(Text::filled);
            let is_cve = |name: &str| VulnerabilityId::new(name).is_some_and(|id| id.is_cve());
            // Related to a CVE is another CVE; related to an advisory are the CVEs it is about.
            let of_cve = finding.id.is_cve();
            add_aliases(&mut finding, related.filter(|name| !(of_cve && is_cve(name))));
            finding.url = details.source_url.as_ref().and_then(Text::filled).map(str::to_owned);
            for (at, package) in List::each(details.vulnerable_packages.as_ref()).enumerate() {
                let place = format!("packageVulnerabilityDetails.vulnerablePackages[{at}].name");
                let package = package.read(fix).ok_or_else(|| wrong(&place, "the package has no name".to_owned()))?;
                finding.packages.push(package);
            }
        }
        // Inspector writes 0.0 where it has no score.
        finding.cvss_tenths =
            scores.into_iter().flatten().map(|Score(tenths)| tenths).filter(|tenths| *tenths > 0).max();
        Ok(Some(finding))
    }
}

impl VulnerablePackage<'_> {
    /// The package, with what it or else the finding says about a fix; `None` without a name.
    fn read(&self, fix_available: Option<&str>) -> Option<Package> {
        let name = self.name.as_ref().and_then(Text::filled)?.to_owned();
        let filled = |text: &Option<Text<'_>>| text.as_ref().and_then(Text::filled).map(str::to_owned);
        let mut version = filled(&self.version).unwrap_or_else(String::new);
        if let Some(release) = filled(&self.release) {
            version = format!("{version}-{release}");
        }
        let fix = match (filled(&self.fixed_in_version), fix_available) {
            (Some(version), _) if !version.eq_ignore_ascii_case("NotAvailable") => Fix::In(version),
            (_, Some("YES")) => Fix::Available,
            (Some(_), _) | (None, Some("NO")) => Fix::None,
            (None, _) => Fix::NotSaid,
        };
        let layer = layer(None, Text::of(self.source_layer_hash.as_ref()));
        Some(Package { name, version, fix, purl: None, layer })
    }
}

fn id_of(text: &Text<'_>) -> Option<VulnerabilityId> {
    text.filled().and_then(VulnerabilityId::new)
}
