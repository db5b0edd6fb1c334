//! SPDX 2.2 and 2.3 JSON: packages, and what the document describes.

use std::collections::{BTreeMap, BTreeSet};

use model::{Component, Digest, Sbom};
use serde::Deserialize;
use serde_json::Value;

use super::json::{self, Budget, Head};
use crate::{Limits, ParseError};

const FORMAT: &str = "SPDX document";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    name: Option<String>,
    creation_info: Option<CreationInfo>,
    #[serde(default, rename = "documentDescribes", deserialize_with = "json::list")]
    describes: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::list")]
    packages: Option<Vec<Package>>,
    #[serde(default, deserialize_with = "json::list")]
    relationships: Option<Vec<Relationship>>,
    #[serde(default, deserialize_with = "json::list")]
    has_extracted_licensing_infos: Option<Vec<ExtractedLicense>>,
}

#[derive(Deserialize)]
struct CreationInfo {
    created: Option<String>,
    creators: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    version_info: Option<String>,
    #[serde(default, deserialize_with = "json::list")]
    checksums: Option<Vec<Checksum>>,
    #[serde(default, deserialize_with = "json::list")]
    external_refs: Option<Vec<Reference>>,
    license_concluded: Option<String>,
    license_declared: Option<String>,
    attribution_texts: Option<Vec<String>>,
    annotations: Option<Vec<Annotation>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: String,
    checksum_value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    reference_type: Option<String>,
    reference_locator: Option<String>,
}

#[derive(Deserialize)]
struct Annotation {
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    #[serde(rename = "relationshipType")]
    kind: String,
    related_spdx_element: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExtractedLicense {
    license_id: String,
    name: Option<String>,
    extracted_text: Option<String>,
}

pub(super) fn sbom(bytes: &[u8], head: &Head, limits: &Limits) -> Result<Sbom, ParseError> {
    let version = match head.spdx_version.as_ref().and_then(Value::as_str) {
        Some("SPDX-2.2") => "2.2",
        Some("SPDX-2.3") => "2.3",
        _ => {
            let seen = head.spdx_version.as_ref().map_or_else(String::new, Value::to_string);
            let cause = format!("version {} is not known; 2.2, 2.3 and 3.0 are read", json::shown(&seen));
            return Err(ParseError::new(FORMAT, "spdxVersion", cause));
        }
    };
    let document: Document = json::read(FORMAT, bytes)?;
    let packages =
        document.packages.as_ref().ok_or_else(|| ParseError::new(FORMAT, "", "it has no list of packages"))?;
    json::count(FORMAT, "packages", packages.len(), limits)?;
    let described = document.described();
    let described: Vec<&Package> = packages.iter().filter(|package| described.contains(package.id.as_str())).collect();
    let named = document.extracted_names();
    let mut budget = Budget::new(FORMAT, limits);
    let mut components = Vec::new();
    for package in packages {
        let component = package.component(&named, &mut budget)?;
        super::add(&mut components, component, package.purls(), &mut budget)?;
        json::count(FORMAT, "packages", components.len(), limits)?;
    }
    let info = document.creation_info.as_ref();
    let created = info.and_then(|info| info.created.as_ref());
    let creators = info.and_then(|info| info.creators.as_deref()).unwrap_or(&[]);
    let name = described.first().map(|package| &package.name).or(document.name.as_ref()).cloned();
    Ok(super::ordered(Sbom {
        format: "spdx".to_owned(),
        version: version.to_owned(),
        created: json::maybe_time(FORMAT, "creationInfo.created", created)?,
        tools: creators.iter().filter_map(|who| who.strip_prefix("Tool:")).map(|tool| tool.trim().to_owned()).collect(),
        describes: described
            .iter()
            .flat_map(|package| package.digests())
            .chain(document.name.as_deref().and_then(super::digest_in))
            .collect(),
        name,
        components,
    }))
}

impl Document {
    /// The ids of what the document describes; it is said in three ways.
    fn described(&self) -> BTreeSet<&str> {
        let by_relationship = self.relationships.iter().flatten().filter_map(|relationship| {
            let (this, other) = (relationship.spdx_element_id.as_str(), relationship.related_spdx_element.as_deref()?);
            match relationship.kind.as_str() {
                "DESCRIBES" if this == DOCUMENT => Some(other),
                "DESCRIBED_BY" if other == DOCUMENT => Some(this),
                _ => None,
            }
        });
        self.describes.iter().flatten().map(String::as_str).chain(by_relationship).collect()
    }

    /// What the licences are called that SPDX has no id for; tools that know no name put it into the text.
    fn extracted_names(&self) -> BTreeMap<&str, &str> {
        let said = |text: &&str| is_said(text) && text.len() <= 200 && !text.contains('\n');
        let mut names = BTreeMap::new();
        for license in self.has_extracted_licensing_infos.iter().flatten() {
            let text = license.name.as_deref().filter(said).or(license.extracted_text.as_deref().filter(said));
            if let Some(text) = text {
                names.insert(license.license_id.as_str(), text.trim());
            }
        }
        names
    }
}

impl Package {
    fn purls(&self) -> impl Iterator<Item = &str> {
        self.external_refs
            .iter()
            .flatten()
            .filter(|reference| {
                let kind = reference.reference_type.as_deref();
                kind.is_some_and(|kind| kind == "purl" || kind.ends_with("/purl"))
            })
            .filter_map(|reference| reference.reference_locator.as_deref())
    }

    fn component(&self, named: &BTreeMap<&str, &str>, budget: &mut Budget) -> Result<Component, ParseError> {
        let mut licenses: Vec<&str> = Vec::new();
        for expression in [&self.license_concluded, &self.license_declared].into_iter().flatten() {
            if is_said(expression) {
                licenses.push(expression.trim());
                licenses.extend(expression.split([' ', '(', ')', '+']).filter_map(|id| named.get(id)));
            }
        }
        let mut seen = BTreeSet::new();
        licenses.retain(|license| seen.insert(*license));
        budget.take(1, licenses.iter().map(|license| license.len() + size_of::<String>()).sum())?;
        Ok(Component {
            purl: None,
            name: self.name.clone(),
            version: self.version_info.clone().filter(|version| is_said(version)).unwrap_or_else(String::new),
            licenses: licenses.into_iter().map(str::to_owned).collect(),
            hashes: self
                .checksums
                .iter()
                .flatten()
                .map(|sum| super::hash(&sum.algorithm, &sum.checksum_value))
                .collect(),
        })
    }

    /// The digests by which it is named. Trivy writes them as attribution texts or annotations: `ImageID: sha256:…`.
    fn digests(&self) -> Vec<Digest> {
        let comments = self.annotations.iter().flatten().filter_map(|annotation| annotation.comment.as_ref());
        let by_trivy = self
            .attribution_texts
            .iter()
            .flatten()
            .chain(comments)
            .filter_map(|text| text.strip_prefix("ImageID: ").or_else(|| text.strip_prefix("RepoDigest: ")));
        let texts = [self.version_info.as_deref(), Some(self.name.as_str())].into_iter().flatten();
        let sums = self.checksums.iter().flatten();
        texts
            .chain(self.purls())
            .chain(by_trivy)
            .filter_map(super::digest_in)
            .chain(sums.filter_map(|sum| super::digest_of(&sum.algorithm, &sum.checksum_value)))
            .collect()
    }
}

/// `NOASSERTION` and `NONE` say nothing.
fn is_said(text: &str) -> bool {
    !matches!(text.trim(), "" | "NOASSERTION" | "NONE")
}
