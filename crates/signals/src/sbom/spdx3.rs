//! SPDX 3.0 in its JSON-LD serialisation: a graph of elements, of which packages, their licences and what the document
//! is about are read. Files, snippets and what is said in other documents are not.

use std::collections::{BTreeMap, BTreeSet};

use model::{Component, Digest, Sbom};
use serde::Deserialize;
use serde_json::Value;

use super::json::{self, Budget};
use crate::{Limits, ParseError};

const FORMAT: &str = "SPDX 3 document";

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "@graph")]
    graph: Vec<Element>,
}

/// An element of the graph with those of its properties that are read; which of them it has depends on its type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Element {
    #[serde(rename = "type")]
    kind: String,
    spdx_id: Option<String>,
    name: Option<String>,
    #[serde(default, rename = "rootElement", deserialize_with = "json::list")]
    roots: Option<Vec<String>>,
    spec_version: Option<String>,
    created: Option<String>,
    #[serde(rename = "software_packageVersion")]
    version: Option<String>,
    #[serde(rename = "software_packageUrl")]
    purl: Option<String>,
    #[serde(default, deserialize_with = "json::list")]
    external_identifier: Option<Vec<Identifier>>,
    #[serde(default, deserialize_with = "json::list")]
    verified_using: Option<Vec<Integrity>>,
    relationship_type: Option<String>,
    from: Option<String>,
    #[serde(default, deserialize_with = "json::list")]
    to: Option<Vec<String>>,
    #[serde(rename = "simplelicensing_licenseExpression")]
    expression: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identifier {
    external_identifier_type: Option<String>,
    identifier: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Integrity {
    algorithm: Option<Value>,
    hash_value: Option<String>,
}

pub(super) fn sbom(bytes: &[u8], limits: &Limits) -> Result<Sbom, ParseError> {
    let Document { graph } = json::read(FORMAT, bytes)?;
    // Files are elements too: the graph may be longer than the list of packages.
    json::count(FORMAT, "@graph", graph.len() / 8, limits)?;
    let info = graph.iter().find(|element| element.kind == "CreationInfo");
    let version = info.and_then(|info| info.spec_version.as_deref()).unwrap_or("");
    if version != "3.0" && !version.starts_with("3.0.") {
        let cause = format!("version {} is not known; 3.0 is read", json::shown(version));
        return Err(ParseError::new(FORMAT, "specVersion", cause));
    }
    let document = graph
        .iter()
        .find(|element| element.kind == "SpdxDocument")
        .ok_or_else(|| ParseError::new(FORMAT, "@graph", "it has no SpdxDocument"))?;
    let licenses = licenses(&graph);
    let roots = roots(&graph);
    let mut budget = Budget::new(FORMAT, limits);
    let mut components = Vec::new();
    let mut described: Vec<&Element> = Vec::new();
    for (number, package) in graph.iter().enumerate().filter(|(_, element)| element.is_package()) {
        let place = || format!("@graph[{number}]");
        let id =
            package.spdx_id.as_deref().ok_or_else(|| ParseError::new(FORMAT, place(), "a package has no spdxId"))?;
        if roots.contains(id) {
            described.push(package);
        }
        let name = package.name.clone().ok_or_else(|| ParseError::new(FORMAT, place(), "a package has no name"))?;
        let mut licenses = licenses.get(id).cloned().unwrap_or_else(Vec::new);
        let mut seen = BTreeSet::new();
        licenses.retain(|license| seen.insert(*license));
        budget.take(1, licenses.iter().map(|license| license.len() + size_of::<String>()).sum())?;
        let component = Component {
            purl: None,
            name,
            version: package.version.clone().unwrap_or_else(String::new),
            licenses: licenses.into_iter().map(str::to_owned).collect(),
            hashes: package.hashes().map(|(algorithm, value)| super::hash(algorithm, value)).collect(),
        };
        super::add(&mut components, component, package.purls(), &mut budget)?;
        json::count(FORMAT, "@graph", components.len(), limits)?;
    }
    Ok(super::ordered(Sbom {
        format: "spdx".to_owned(),
        version: version.to_owned(),
        created: json::maybe_time(FORMAT, "created", info.and_then(|info| info.created.as_ref()))?,
        tools: graph.iter().filter(|element| element.kind == "Tool").filter_map(|tool| tool.name.clone()).collect(),
        describes: described.iter().flat_map(|package| package.digests()).collect(),
        name: described.first().map_or(document.name.as_ref(), |package| package.name.as_ref()).cloned(),
        components,
    }))
}

/// What the document and the bills in it are about.
fn roots(graph: &[Element]) -> BTreeSet<&str> {
    let is_collection = |element: &&Element| matches!(element.kind.as_str(), "SpdxDocument" | "software_Sbom" | "Bom");
    let ids: BTreeSet<&str> =
        graph.iter().filter(is_collection).filter_map(|element| element.spdx_id.as_deref()).collect();
    let named = graph.iter().filter(is_collection).flat_map(|element| element.roots.iter().flatten());
    let described = graph
        .iter()
        .filter(|element| element.relationship_type.as_deref() == Some("describes"))
        .filter(|element| element.from.as_deref().is_some_and(|from| ids.contains(from)))
        .flat_map(|element| element.to.iter().flatten());
    named.chain(described).map(String::as_str).collect()
}

/// The licences of each package; they are elements of their own.
fn licenses(graph: &[Element]) -> BTreeMap<&str, Vec<&str>> {
    let texts: BTreeMap<&str, &str> = graph
        .iter()
        .filter_map(|element| {
            let is_license = element.expression.is_some() || element.kind.starts_with("expandedlicensing_");
            let text = element.expression.as_deref().or(element.name.as_deref()).filter(|_| is_license)?;
            Some((element.spdx_id.as_deref()?, text))
        })
        .collect();
    let mut licenses: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for element in graph {
        let is_license =
            matches!(element.relationship_type.as_deref(), Some("hasConcludedLicense" | "hasDeclaredLicense"));
        let Some(from) = element.from.as_deref().filter(|_| is_license) else { continue };
        for to in element.to.iter().flatten() {
            // A licence that is not in the graph is named by its address: https://spdx.org/licenses/MIT.
            let text = texts.get(to.as_str()).copied().or_else(|| to.strip_prefix("https://spdx.org/licenses/"));
            let text = text.filter(|text| !matches!(*text, "NOASSERTION" | "NONE"));
            licenses.entry(from).or_insert_with(Vec::new).extend(text);
        }
    }
    licenses
}

impl Element {
    /// Software, and the special kinds of it.
    fn is_package(&self) -> bool {
        matches!(self.kind.as_str(), "software_Package" | "ai_AIPackage" | "dataset_DatasetPackage")
    }

    fn purls(&self) -> impl Iterator<Item = &str> {
        let identifiers = self.external_identifier.iter().flatten();
        let by_identifier = identifiers
            .filter(|identifier| identifier.external_identifier_type.as_deref() == Some("packageUrl"))
            .filter_map(|identifier| identifier.identifier.as_deref());
        self.purl.as_deref().into_iter().chain(by_identifier)
    }

    fn hashes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.verified_using
            .iter()
            .flatten()
            .filter_map(|method| Some((method.algorithm.as_ref()?.as_str()?, method.hash_value.as_deref()?)))
    }

    fn digests(&self) -> Vec<Digest> {
        let texts = [self.version.as_deref(), self.name.as_deref()].into_iter().flatten();
        texts
            .chain(self.purls())
            .filter_map(super::digest_in)
            .chain(self.hashes().filter_map(|(algorithm, value)| super::digest_of(algorithm, value)))
            .collect()
    }
}
