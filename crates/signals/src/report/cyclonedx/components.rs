//! The components that vulnerabilities point at by `bom-ref`, as packages. Components inside components count too.
//! Not here: the bill of materials itself, which is read elsewhere.

use std::collections::BTreeMap;

use model::{Fix, Package, PackageLayer};
use packageurl::PackageUrl;

use super::FORMAT;
use super::wire::{Bom, Component};
use crate::layer::{layer, of_places};
use crate::report::json::Text;
use crate::report::list::List;
use crate::report::package::purl;
use crate::{Limits, ParseError};

/// Components by their reference. A reference that stands twice is about all of them.
pub(super) struct Components<'b, 'a> {
    by_reference: BTreeMap<&'b str, Vec<&'b Component<'a>>>,
}

impl<'b, 'a> Components<'b, 'a> {
    pub(super) fn of(bom: &'b Bom<'a>, limits: &Limits) -> Result<Self, ParseError> {
        let mut by_reference = BTreeMap::<_, Vec<_>>::new();
        let mut waiting: Vec<&Component<'a>> = List::each(bom.components.as_ref()).collect();
        waiting.extend(bom.metadata.as_ref().and_then(|metadata| metadata.component.as_ref()));
        let mut read = 0;
        while let Some(component) = waiting.pop() {
            read += 1;
            if read > limits.entries {
                let cause = format!("more than {} components, which is all that is read", limits.entries);
                return Err(ParseError::new(FORMAT, "components", cause));
            }
            if let Some(reference) = component.bom_ref.as_ref().and_then(Text::filled) {
                by_reference.entry(reference).or_default().push(component);
            }
            waiting.extend(List::each(component.components.as_ref()));
        }
        Ok(Self { by_reference })
    }

    /// Takes the packages that a reference names: a `bom-ref` of this document, or a link `urn:cdx:SERIAL/VERSION#BOM-REF`.
    /// What it names elsewhere is called by the reference.
    pub(super) fn each_package(
        &self,
        reference: &str,
        mut take: impl FnMut(Package) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        let reference = reference.trim();
        let in_link = || reference.strip_prefix("urn:cdx:").and_then(|link| link.split_once('#'));
        let found = self.by_reference.get(reference);
        let found = found.or_else(|| in_link().and_then(|(_, fragment)| self.by_reference.get(fragment)));
        match found {
            Some(components) => components.iter().try_for_each(|component| take(package(component))),
            None => take(elsewhere(reference)),
        }
    }
}

fn package(component: &Component<'_>) -> Package {
    let purl = component.purl.as_ref().and_then(Text::filled).and_then(purl);
    let name = component.name.0.as_ref();
    let name = match component.group.as_ref().and_then(Text::filled) {
        Some(group) if purl.as_deref().is_some_and(|url| url.starts_with("pkg:maven/")) => format!("{group}:{name}"),
        Some(group) => format!("{group}/{name}"),
        None => name.to_owned(),
    };
    let version = component.version.as_ref().and_then(Text::filled).unwrap_or("").to_owned();
    Package { name, version, fix: Fix::NotSaid, purl, layer: layer_of(component) }
}

/// The layer by the properties that Trivy (`aquasecurity:trivy:…`) or Syft (`syft:location:NUMBER:…`) writes.
fn layer_of(component: &Component<'_>) -> Option<PackageLayer> {
    let (mut diff_id, mut digest) = (None, None);
    let mut places: BTreeMap<&str, (&str, Option<&str>)> = BTreeMap::new();
    for property in List::each(component.properties.as_ref()) {
        let (Some(name), Some(value)) = (Text::of(property.name.as_ref()), Text::of(property.value.as_ref())) else {
            continue;
        };
        match name {
            "aquasecurity:trivy:LayerDiffID" => diff_id = Some(value),
            "aquasecurity:trivy:LayerDigest" => digest = Some(value),
            _ => match name.strip_prefix("syft:location:").and_then(|place| place.split_once(':')) {
                Some((number, "path")) => places.entry(number).or_insert(("", None)).0 = value,
                Some((number, "layerID")) => places.entry(number).or_insert(("", None)).1 = Some(value),
                _ => {}
            },
        }
    }
    layer(diff_id, digest).or_else(|| of_places(places.into_values()))
}

fn elsewhere(reference: &str) -> Package {
    match reference.parse::<PackageUrl<'_>>() {
        Ok(url) => Package {
            name: url.name().to_owned(),
            version: url.version().unwrap_or("").to_owned(),
            fix: Fix::NotSaid,
            purl: Some(url.to_string()),
            layer: None,
        },
        Err(_) => {
            Package { name: reference.to_owned(), version: String::new(), fix: Fix::NotSaid, purl: None, layer: None }
        }
    }
}
