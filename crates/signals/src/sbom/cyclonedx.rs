//! CycloneDX JSON, versions 1.2 to 1.7: components and what they describe. Also the structs that CycloneDX VEX shares.

use std::collections::BTreeMap;

use model::{Digest, Sbom};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::json::{self, Head};
use crate::{Limits, ParseError};

const FORMAT: &str = "CycloneDX document";
const VERSIONS: [&str; 6] = ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"];

#[derive(Deserialize)]
struct Document {
    metadata: Option<Metadata>,
    #[serde(default, deserialize_with = "json::list")]
    components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) timestamp: Option<String>,
    tools: Option<Tools>,
    pub(crate) component: Option<Component>,
    pub(crate) supplier: Option<Named>,
    pub(crate) manufacturer: Option<Named>,
    pub(crate) manufacture: Option<Named>,
    pub(crate) authors: Option<Vec<Named>>,
}

/// An organisation, a person or a tool.
#[derive(Deserialize)]
pub(crate) struct Named {
    pub(crate) name: Option<String>,
    version: Option<String>,
}

/// Up to 1.4 a list, since 1.5 an object as well.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tools {
    List(Vec<Named>),
    Parts { components: Option<Vec<Named>>, services: Option<Vec<Named>> },
}

#[derive(Deserialize)]
pub(crate) struct Component {
    #[serde(rename = "bom-ref")]
    pub(crate) bom_ref: Option<String>,
    pub(crate) name: String,
    version: Option<String>,
    pub(crate) purl: Option<String>,
    #[serde(default, deserialize_with = "json::list")]
    hashes: Option<Vec<Hash>>,
    #[serde(default, deserialize_with = "json::list")]
    licenses: Option<Vec<License>>,
    #[serde(default, deserialize_with = "json::list")]
    pub(crate) components: Option<Vec<Component>>,
    properties: Option<Vec<Property>>,
    pub(crate) supplier: Option<Named>,
    pub(crate) manufacturer: Option<Named>,
}

#[derive(Deserialize)]
struct Hash {
    alg: String,
    content: String,
}

#[derive(Deserialize)]
struct License {
    license: Option<NamedLicense>,
    expression: Option<String>,
}

#[derive(Deserialize)]
struct NamedLicense {
    id: Option<String>,
    name: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Property {
    name: Option<String>,
    value: Option<Value>,
}

pub(super) fn sbom(bytes: &[u8], head: &Head, limits: &Limits) -> Result<Sbom, ParseError> {
    let version = version(FORMAT, head)?;
    let document: Document = json::read(FORMAT, bytes)?;
    let subject = document.metadata.as_ref().and_then(|metadata| metadata.component.as_ref());
    // Tools leave the list out where they found nothing; then the document must at least say what it is about.
    let listed = match (&document.components, subject) {
        (Some(list), _) => list.as_slice(),
        (None, Some(_)) => {
            only_known_keys(bytes)?;
            &[]
        }
        (None, None) => return Err(ParseError::new(FORMAT, "", "it has neither components nor metadata.component")),
    };
    let mut components = Vec::new();
    add(listed, "components", &mut components, limits)?;
    let parts = subject.and_then(|subject| subject.components.as_deref()).unwrap_or(&[]);
    add(parts, "metadata.component.components", &mut components, limits)?;
    let metadata = document.metadata.as_ref();
    let created = metadata.and_then(|metadata| metadata.timestamp.as_ref());
    Ok(super::ordered(Sbom {
        format: "cyclonedx".to_owned(),
        version,
        created: json::maybe_time(FORMAT, "metadata.timestamp", created)?,
        tools: metadata.and_then(|metadata| metadata.tools.as_ref()).map_or_else(Vec::new, Tools::names),
        describes: subject.map_or_else(Vec::new, Component::digests),
        name: subject.map(|subject| subject.name.clone()),
        components,
    }))
}

/// The keys that the schemas allow beside `components`.
const BESIDE: [&str; 16] = [
    "$schema",
    "bomFormat",
    "specVersion",
    "serialNumber",
    "version",
    "metadata",
    "services",
    "externalReferences",
    "dependencies",
    "compositions",
    "vulnerabilities",
    "annotations",
    "formulation",
    "properties",
    "signature",
    "citations",
];

/// Refuses a document without components that has another key instead: its list may stand there.
fn only_known_keys(bytes: &[u8]) -> Result<(), ParseError> {
    let keys: BTreeMap<String, Option<IgnoredAny>> = json::read(FORMAT, bytes)?;
    match keys.keys().find(|key| !BESIDE.contains(&key.as_str())) {
        Some(key) => {
            Err(ParseError::new(FORMAT, "", format!("it has no components, but the key {}", json::shown(key))))
        }
        None => Ok(()),
    }
}

/// The version, if the document is CycloneDX in a version that is known.
pub(crate) fn version(format: &'static str, head: &Head) -> Result<String, ParseError> {
    if head.bom_format.as_ref().and_then(Value::as_str) != Some("CycloneDX") {
        let seen = head.bom_format.as_ref().map_or_else(String::new, |word| json::shown(&word.to_string()));
        return Err(ParseError {
            format: None,
            ..ParseError::new("", "bomFormat", format!("{seen} is not CycloneDX"))
        });
    }
    match head.spec_version.as_ref().and_then(Value::as_str) {
        Some(version) if VERSIONS.contains(&version) => Ok(version.to_owned()),
        Some(version) => {
            let cause = format!("version {} is not known; 1.2 to 1.7 are read", json::shown(version));
            Err(ParseError::new(format, "specVersion", cause))
        }
        None => Err(ParseError::new(format, "specVersion", "it does not say its version")),
    }
}

fn add(from: &[Component], place: &str, to: &mut Vec<model::Component>, limits: &Limits) -> Result<(), ParseError> {
    json::count(FORMAT, place, to.len() + from.len(), limits)?;
    for (number, component) in from.iter().enumerate() {
        let place = format!("{place}[{number}]");
        to.push(model::Component {
            purl: component.purl.as_deref().and_then(super::canonical),
            name: component.name.clone(),
            version: component.version.clone().unwrap_or_else(String::new),
            licenses: licenses(component.licenses.as_deref().unwrap_or(&[]), &place)?,
            hashes: component.hashes.iter().flatten().map(|hash| super::hash(&hash.alg, &hash.content)).collect(),
        });
        add(component.components.as_deref().unwrap_or(&[]), &format!("{place}.components"), to, limits)?;
    }
    Ok(())
}

fn licenses(from: &[License], place: &str) -> Result<Vec<String>, ParseError> {
    let mut names = Vec::new();
    for (number, entry) in from.iter().enumerate() {
        let license =
            entry.license.as_ref().and_then(|named| named.id.as_ref().or(named.name.as_ref()).or(named.url.as_ref()));
        if entry.expression.is_none() && license.is_none() {
            let place = format!("{place}.licenses[{number}]");
            return Err(ParseError::new(FORMAT, place, "a licence has neither id, name, url nor expression"));
        }
        names.extend(
            entry.expression.iter().chain(license).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
        );
    }
    names.dedup();
    Ok(names)
}

impl Tools {
    fn names(&self) -> Vec<String> {
        let all: Vec<&Named> = match self {
            Self::List(list) => list.iter().collect(),
            Self::Parts { components, services } => {
                components.iter().flatten().chain(services.iter().flatten()).collect()
            }
        };
        let name = |tool: &&Named| match (tool.name.as_deref(), tool.version.as_deref()) {
            (Some(name), Some(version)) if !version.is_empty() => Some(format!("{name} {version}")),
            (name, _) => name.map(str::to_owned),
        };
        all.iter().filter_map(name).collect()
    }
}

impl Component {
    /// The digests by which it is named: of a manifest or of an image configuration. Trivy writes them as properties.
    pub(crate) fn digests(&self) -> Vec<Digest> {
        let texts = [self.purl.as_ref(), self.bom_ref.as_ref(), self.version.as_ref(), Some(&self.name)];
        let properties = self.properties.iter().flatten().filter(|property| {
            matches!(property.name.as_deref(), Some("aquasecurity:trivy:ImageID" | "aquasecurity:trivy:RepoDigest"))
        });
        let said = properties.filter_map(|property| property.value.as_ref()?.as_str()).filter_map(super::digest_in);
        let hashes = self.hashes.iter().flatten().filter_map(|hash| super::digest_of(&hash.alg, &hash.content));
        let mut digests: Vec<Digest> =
            texts.into_iter().flatten().filter_map(|text| super::digest_in(text)).chain(said).chain(hashes).collect();
        digests.sort_unstable();
        digests.dedup();
        digests
    }
}
