//! One finding of basic scanning (`ImageScanFinding`) or of enhanced scanning (`EnhancedImageScanFinding`).

use std::fmt;

use model::{Finding, Fix, Package, Severity, VulnerabilityId};
use serde::{Deserialize, Deserializer, de};

use super::wire::{Object, Text};
use crate::layer::layer;

/// A finding as it stands in an answer.
pub(super) trait WireFinding {
    /// The finding in the vocabulary, or what is wrong with it.
    fn into_finding(self) -> Result<Finding, String>;
}

#[derive(Deserialize)]
pub(super) struct BasicFinding<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    severity: Option<Text<'a>>,
    uri: Option<String>,
    #[serde(borrow)]
    attributes: Option<Attributes<'a>>,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(borrow)]
    value: Option<Text<'a>>,
}

/// Of the attributes of a finding, those that mean something here; of several with one key the last one.
#[derive(Default)]
struct Attributes<'a> {
    package: Option<Text<'a>>,
    version: Option<Text<'a>>,
    fixed_in: Option<Text<'a>>,
    cvss_tenths: Option<u16>,
    /// The first score that is none: its key, and why.
    no_score: Option<(Text<'a>, &'static str)>,
}

impl<'a> Attributes<'a> {
    fn take(&mut self, Attribute { key, value }: Attribute<'a>) {
        let Some(value) = value else { return };
        match key.0.as_ref() {
            "package_name" => self.package = Some(value),
            "package_version" => self.version = Some(value),
            "fixed_in_version" => self.fixed_in = Some(value),
            // CVSS2_SCORE, CVSS3_SCORE, CVSS4_SCORE: the highest counts.
            word if word.starts_with("CVSS") && word.ends_with("_SCORE") => {
                let score = value.0.trim().parse().map_err(|_| "is no number");
                match score.and_then(|score| tenths(score).ok_or("is out of range")) {
                    Ok(score) => self.cvss_tenths = self.cvss_tenths.max(Some(score)),
                    Err(wrong) => {
                        self.no_score.get_or_insert((key, wrong));
                    }
                }
            }
            _ => {}
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Attributes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Attributes<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of attributes")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Attributes<'de>, A::Error> {
                let mut attributes = Attributes::default();
                while let Some(attribute) = list.next_element()? {
                    attributes.take(attribute);
                }
                Ok(attributes)
            }
        }
        deserializer.deserialize_seq(Visitor)
    }
}

impl WireFinding for BasicFinding<'_> {
    fn into_finding(self) -> Result<Finding, String> {
        let id = self.name.and_then(|name| VulnerabilityId::new(name.0)).ok_or("a finding has no name")?;
        let severity = self.severity.ok_or_else(|| format!("finding {id} has no severity"))?;
        let Attributes { package, version, fixed_in: fix, cvss_tenths, no_score } =
            self.attributes.unwrap_or_else(Attributes::default);
        if let Some((key, wrong)) = no_score {
            return Err(format!("finding {id}: {} {wrong}", key.0));
        }
        let packages = package.map(|name| Package {
            name: name.0.into_owned(),
            version: version.map_or_else(String::new, |version| version.0.into_owned()),
            fix: fix.and_then(|version| fixed_in(&version.0)).unwrap_or(Fix::NotSaid),
            purl: None,
            layer: None,
        });
        Ok(Finding {
            packages: packages.into_iter().collect(),
            cvss_tenths,
            url: self.uri,
            ..Finding::new(id, Severity::parse(&severity.0))
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnhancedFinding<'a> {
    #[serde(borrow)]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    severity: Option<Text<'a>>,
    #[serde(borrow)]
    fix_available: Option<Text<'a>>,
    #[serde(borrow)]
    exploit_available: Option<Text<'a>>,
    score: Option<f64>,
    score_details: Option<ScoreDetails>,
    epss: Option<Epss>,
    #[serde(borrow)]
    package_vulnerability_details: Option<Object<Details<'a>>>,
}

#[derive(Deserialize)]
struct ScoreDetails {
    cvss: Option<Score>,
}

#[derive(Deserialize)]
struct Score {
    score: Option<f64>,
}

#[derive(Deserialize)]
struct Epss {
    score: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    #[serde(borrow)]
    vulnerability_id: Option<Text<'a>>,
    source_url: Option<String>,
    cvss: Option<Vec<BaseScore>>,
    #[serde(borrow)]
    vulnerable_packages: Option<Vec<VulnerablePackage<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BaseScore {
    base_score: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VulnerablePackage<'a> {
    name: Option<String>,
    version: Option<String>,
    #[serde(borrow)]
    release: Option<Text<'a>>,
    #[serde(borrow)]
    fixed_in_version: Option<Text<'a>>,
    /// The layer as the manifest names it.
    #[serde(borrow)]
    source_layer_hash: Option<Text<'a>>,
}

impl WireFinding for EnhancedFinding<'_> {
    fn into_finding(self) -> Result<Finding, String> {
        let (vulnerability_id, url, cvss, packages) = match self.package_vulnerability_details {
            Some(Object(details)) => {
                (details.vulnerability_id, details.source_url, details.cvss, details.vulnerable_packages)
            }
            None => (None, None, None, None),
        };
        // Findings that are no package vulnerabilities (code, network) have only a title.
        let id = vulnerability_id
            .or(self.title)
            .and_then(|name| VulnerabilityId::new(name.0))
            .ok_or("a finding has neither vulnerabilityId nor title")?;
        let severity = self.severity.ok_or_else(|| format!("finding {id} has no severity"))?;
        let scores = cvss.into_iter().flatten().map(|cvss| cvss.base_score);
        let detailed = self.score_details.and_then(|details| details.cvss).and_then(|cvss| cvss.score);
        let mut cvss_tenths = None;
        for score in scores.chain([self.score, detailed]).flatten() {
            cvss_tenths =
                cvss_tenths.max(Some(tenths(score).ok_or_else(|| format!("finding {id}: score out of range"))?));
        }
        let epss = self.epss.and_then(|epss| epss.score);
        let epss_millionths = epss
            .map(|score| millionths(score).ok_or_else(|| format!("finding {id}: EPSS score out of range")))
            .transpose()?;
        let no_fix = self.fix_available.as_ref().is_some_and(|word| word.0 == "NO");
        let some_fix = self.fix_available.as_ref().is_some_and(|word| word.0 == "YES");
        let packages = packages
            .into_iter()
            .flatten()
            .map(|package| {
                let said = package.fixed_in_version.and_then(|version| fixed_in(&version.0));
                let fix = match said {
                    Some(Fix::In(version)) => Fix::In(version),
                    _ if no_fix => Fix::None,
                    _ if some_fix => Fix::Available,
                    Some(other) => other,
                    None => Fix::NotSaid,
                };
                let name = package.name.ok_or_else(|| format!("finding {id}: a package has no name"))?;
                let mut version = package.version.unwrap_or_else(String::new);
                if let Some(release) = package.release.filter(|release| !release.0.is_empty()) {
                    version = format!("{version}-{}", release.0);
                }
                let layer = layer(None, package.source_layer_hash.as_ref().map(|text| text.0.as_ref()));
                Ok(Package { name, version, fix, purl: None, layer })
            })
            .collect::<Result<Vec<_>, String>>()?;
        Ok(Finding {
            packages,
            cvss_tenths: cvss_tenths.filter(|score| *score > 0), // Inspector writes 0.0 where it has no score
            epss_millionths,
            exploit_available: self.exploit_available.and_then(|word| match word.0.as_ref() {
                "YES" => Some(true),
                "NO" => Some(false),
                _ => None,
            }),
            url,
            ..Finding::new(id, Severity::parse(&severity.0))
        })
    }
}

/// Inspector writes `NotAvailable` where there is no fixed version.
fn fixed_in(version: &str) -> Option<Fix> {
    match version.trim() {
        "" => None,
        none if none.eq_ignore_ascii_case("NotAvailable") => Some(Fix::None),
        version => Some(Fix::In(version.to_owned())),
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // range-checked
fn tenths(score: f64) -> Option<u16> {
    (0.0..=10.0).contains(&score).then(|| (score * 10.0).round() as u16)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // range-checked
fn millionths(score: f64) -> Option<u32> {
    (0.0..=1.0).contains(&score).then(|| (score * 1e6).round() as u32)
}
