//! CycloneDX VEX: the `analysis` of vulnerabilities in a bill of materials, or in a document that points into one.
//! A vulnerability without an analysis is a finding; nothing is said about it here.
//!
//! If the document says what it is about (`metadata.component`), what it says about a component is said about that
//! component in that product and nowhere else.

use std::collections::BTreeMap;

use model::{Purl, VexDocument, VexProduct, VexStatement, VexStatus, VulnerabilityId};
use serde::Deserialize;

use crate::sbom::cyclonedx::{Component, Metadata, Named, version};
use crate::sbom::json::{self, Budget, Head};
use crate::{Limits, ParseError};

const FORMAT: &str = "CycloneDX VEX document";

const JUSTIFICATIONS: [&str; 9] = [
    "code_not_present",
    "code_not_reachable",
    "requires_configuration",
    "requires_dependency",
    "requires_environment",
    "protected_by_compiler",
    "protected_at_runtime",
    "protected_at_perimeter",
    "protected_by_mitigating_control",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    serial_number: Option<String>,
    metadata: Option<Metadata>,
    #[serde(default, deserialize_with = "json::list")]
    components: Option<Vec<Component>>,
    #[serde(default, deserialize_with = "json::list")]
    vulnerabilities: Option<Vec<Vulnerability>>,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: Option<String>,
    references: Option<Vec<Reference>>,
    analysis: Option<Analysis>,
    #[serde(default, deserialize_with = "json::list")]
    affects: Option<Vec<Affected>>,
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Analysis {
    state: Option<String>,
    justification: Option<String>,
    detail: Option<String>,
    first_issued: Option<String>,
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct Affected {
    #[serde(rename = "ref")]
    target: String,
}

pub(super) fn document(bytes: &[u8], head: &Head, limits: &Limits) -> Result<VexDocument, ParseError> {
    version(FORMAT, head)?;
    let document: Document = json::read(FORMAT, bytes)?;
    let vulnerabilities = document.vulnerabilities.as_ref().ok_or_else(|| {
        ParseError::new(FORMAT, "", "it has no list of vulnerabilities; it is a bill of materials alone")
    })?;
    let affects = |one: &Vulnerability| one.affects.as_ref().map_or(0, Vec::len);
    json::count(FORMAT, "vulnerabilities", vulnerabilities.iter().map(|one| 1 + affects(one)).sum(), limits)?;
    let subject = document.metadata.as_ref().and_then(|metadata| metadata.component.as_ref());
    let mut index = Index {
        serial: document.serial_number.as_deref(),
        subject: subject.map(|component| (component, whole(component))),
        components: BTreeMap::new(),
    };
    index.add(subject.into_iter().chain(document.components.iter().flatten()), limits)?;
    let made = document.metadata.as_ref().and_then(|metadata| metadata.timestamp.as_ref());
    let made = json::maybe_time(FORMAT, "metadata.timestamp", made)?;
    let mut budget = Budget::new(FORMAT, limits);
    let mut statements = Vec::new();
    for (number, vulnerability) in vulnerabilities.iter().enumerate() {
        let place = format!("vulnerabilities[{number}]");
        let Some(analysis) = &vulnerability.analysis else { continue };
        let Some(state) = &analysis.state else { continue };
        let status = match state.as_str() {
            "not_affected" | "false_positive" => VexStatus::NotAffected,
            "exploitable" => VexStatus::Affected,
            "resolved" | "resolved_with_pedigree" => VexStatus::Fixed,
            "in_triage" => VexStatus::UnderInvestigation,
            other => {
                let cause = format!("{} is no state", json::shown(other));
                return Err(ParseError::new(FORMAT, format!("{place}.analysis.state"), cause));
            }
        };
        let references = vulnerability.references.iter().flatten().map(|reference| reference.id.as_ref());
        let names: Vec<VulnerabilityId> = std::iter::once(vulnerability.id.as_ref())
            .chain(references)
            .flatten()
            .filter_map(VulnerabilityId::new)
            .collect();
        if names.is_empty() {
            return Err(ParseError::new(FORMAT, format!("{place}.id"), "the vulnerability has no id"));
        }
        let why = analysis.justification.as_deref();
        let (first, last) = (analysis.first_issued.as_ref(), analysis.last_updated.as_ref());
        let first = json::maybe_time(FORMAT, &format!("{place}.analysis.firstIssued"), first)?;
        let last = json::maybe_time(FORMAT, &format!("{place}.analysis.lastUpdated"), last)?;
        let mut products = Vec::new();
        for affected in vulnerability.affects.iter().flatten() {
            let product = index.product(&affected.target);
            budget.take(1, super::bytes(&product))?;
            products.push(product);
        }
        statements.push(VexStatement {
            vulnerabilities: names,
            products,
            status,
            justification: super::one_of(&JUSTIFICATIONS, FORMAT, format!("{place}.analysis.justification"), why)?,
            note: analysis.detail.clone().filter(|detail| !detail.trim().is_empty()),
            at: first.max(last).or(made),
        });
    }
    Ok(VexDocument {
        format: "cyclonedx".to_owned(),
        author: document.metadata.as_ref().and_then(author).unwrap_or_else(String::new),
        id: document.serial_number,
        statements,
    })
}

/// Who says it: whoever supplies the document, then whoever makes it, then who supplies the product.
fn author(metadata: &Metadata) -> Option<String> {
    let component = metadata.component.as_ref();
    let names: [Option<&Named>; 6] = [
        metadata.supplier.as_ref(),
        metadata.manufacturer.as_ref(),
        metadata.manufacture.as_ref(),
        metadata.authors.as_ref().and_then(|authors| authors.first()),
        component.and_then(|component| component.supplier.as_ref()),
        component.and_then(|component| component.manufacturer.as_ref()),
    ];
    names.into_iter().flatten().filter_map(|named| named.name.clone()).find(|name| !name.trim().is_empty())
}

/// What the document names, by `bom-ref`.
struct Index<'a> {
    serial: Option<&'a str>,
    subject: Option<(&'a Component, VexProduct)>,
    components: BTreeMap<&'a str, &'a Component>,
}

impl<'a> Index<'a> {
    fn add(&mut self, from: impl Iterator<Item = &'a Component>, limits: &Limits) -> Result<(), ParseError> {
        for component in from {
            if let Some(name) = component.bom_ref.as_deref()
                && self.components.insert(name, component).is_some()
            {
                return Err(ParseError::new(FORMAT, "bom-ref", format!("{} stands twice", json::shown(name))));
            }
            json::count(FORMAT, "components", self.components.len(), limits)?;
            // Boxed: an iterator over nested components would otherwise be a type without end.
            let nested: Box<dyn Iterator<Item = &'a Component>> = Box::new(component.components.iter().flatten());
            self.add(nested, limits)?;
        }
        Ok(())
    }

    /// What a reference means: a `bom-ref` here, a BOM-Link (`urn:cdx:serial/version#bom-ref`), or a package URL.
    fn product(&self, target: &str) -> VexProduct {
        let (serial, name) = match target.strip_prefix("urn:cdx:").and_then(|link| link.split_once('#')) {
            Some((bom, name)) => (bom.split('/').next(), decoded(name)),
            None => (None, target.to_owned()),
        };
        let is_here = serial.is_none_or(|serial| self.serial.is_some_and(|own| own == format!("urn:uuid:{serial}")));
        let component = self.components.get(name.as_str()).copied().filter(|_| is_here);
        if let (Some(component), Some((subject, product))) = (component, &self.subject)
            && std::ptr::eq(component, *subject)
        {
            return product.clone();
        }
        let text = match component {
            Some(component) => component.purl.clone().unwrap_or_else(|| component.name.clone()),
            None => without_package_id(&name),
        };
        let digest = Purl::parse(&text).and_then(|purl| purl.digest());
        match (digest, &self.subject) {
            (Some(digest), _) => VexProduct { digests: vec![digest], purl: super::purl(&text), subcomponents: vec![] },
            (None, Some((_, product))) => {
                VexProduct { subcomponents: vec![super::part(Some(&text))], ..product.clone() }
            }
            (None, None) => VexProduct { digests: vec![], purl: super::purl(&text), subcomponents: vec![] },
        }
    }
}

fn whole(subject: &Component) -> VexProduct {
    VexProduct {
        digests: subject.digests(),
        purl: subject.purl.as_deref().and_then(super::purl),
        subcomponents: vec![],
    }
}

/// A fragment without its percent-encoding, if it is a package URL as a whole; those have an encoding of their own.
fn decoded(fragment: &str) -> String {
    if !fragment.to_ascii_lowercase().starts_with("pkg%3a") {
        return fragment.to_owned();
    }
    let mut bytes = Vec::new();
    let mut rest = fragment.as_bytes();
    while let [first, tail @ ..] = rest {
        let value = |hex: &[u8]| match std::str::from_utf8(hex).map(|hex| u8::from_str_radix(hex, 16)) {
            Ok(Ok(value)) => Some(value),
            _ => None,
        };
        let value = tail.get(..2).filter(|_| *first == b'%').and_then(value);
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| fragment.to_owned())
}

/// Syft makes a `bom-ref` out of a package URL by a qualifier that no package has.
fn without_package_id(text: &str) -> String {
    let Some((name, rest)) = text.split_once('?').filter(|_| text.starts_with("pkg:")) else {
        return text.to_owned();
    };
    let (qualifiers, path) = rest.split_once('#').map_or((rest, None), |(rest, path)| (rest, Some(path)));
    let kept: Vec<&str> = qualifiers.split('&').filter(|qualifier| !qualifier.starts_with("package-id=")).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    format!("{name}{query}{}", path.map_or_else(String::new, |path| format!("#{path}")))
}
