//! Which image a document is about, and which tools wrote it: `metadata`.
//! Not here: whether it is the image that is judged.

use std::collections::BTreeSet;

use model::Digest;
use packageurl::PackageUrl;

use super::FORMAT;
use super::wire::{Bom, Component};
use crate::ParseError;
use crate::report::Subject;
use crate::report::json::Text;
use crate::report::list::List;

/// `trivy 0.59.1, other 2`
pub(super) fn tools(bom: &Bom<'_>) -> Option<String> {
    let tools = bom.metadata.as_ref()?.tools.as_ref()?;
    let named = tools.0.iter().filter_map(|tool| {
        let name = tool.name.as_ref().and_then(Text::filled)?;
        let version = tool.version.as_ref().and_then(Text::filled);
        Some(version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}")))
    });
    Some(named.collect::<Vec<_>>().join(", ")).filter(|names| !names.is_empty())
}

/// The image: `metadata.component` and what Trivy writes into its properties.
pub(super) fn of(bom: &Bom<'_>) -> Result<Subject, ParseError> {
    let component = bom.metadata.as_ref().and_then(|metadata| metadata.component.as_ref());
    let Some(component) = component else { return Ok(Subject::default()) };
    let mut subject = Subject { name: component.name.filled().map(str::to_owned), ..Subject::default() };
    let mut manifests = BTreeSet::new();
    for property in List::each(component.properties.as_ref()) {
        let (Some(name), Some(value)) = (&property.name, property.value.as_ref().and_then(Text::filled)) else {
            continue;
        };
        match name.0.as_ref() {
            "aquasecurity:trivy:ImageID" => subject.config = Some(digest(name, value)?),
            "aquasecurity:trivy:RepoDigest" => {
                manifests.insert(digest(name, value.rsplit_once('@').map_or(value, |(_, digest)| digest))?);
            }
            _ => {}
        }
    }
    manifests.extend(by_name(component));
    subject.manifests = manifests.into_iter().collect();
    Ok(subject)
}

fn digest(property: &Text<'_>, value: &str) -> Result<Digest, ParseError> {
    value.parse().map_err(|error| {
        let place = format!("metadata.component.properties ({})", property.0);
        ParseError::new(FORMAT, place, format!("{value:?} names no digest: {error}"))
    })
}

/// Digests in the component's package URL (`pkg:oci/…@sha256:…`), version (Syft, Grype) and hashes. Only those of a
/// container are taken: an application has hashes too.
fn by_name(component: &Component<'_>) -> Vec<Digest> {
    let mut texts = Vec::new();
    if let Some(Ok(url)) = component.purl.as_ref().and_then(Text::filled).map(str::parse::<PackageUrl<'_>>)
        && matches!(url.ty(), "oci" | "docker")
    {
        texts.extend(url.version().map(str::to_owned));
    }
    if component.kind.as_ref().is_some_and(|kind| kind.0 == "container") {
        texts.extend(component.version.as_ref().and_then(Text::filled).map(str::to_owned));
        let hashes = List::each(component.hashes.as_ref()).filter(|hash| hash.alg.0 == "SHA-256");
        texts.extend(hashes.map(|hash| format!("sha256:{}", hash.content.0.to_ascii_lowercase())));
    }
    // A version or URL need not be a digest.
    texts.iter().flat_map(|text| text.parse()).collect()
}
