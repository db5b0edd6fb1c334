//! Bills of materials: CycloneDX and SPDX JSON, found by content, read into [`model::Sbom`] (B19). Sources: CycloneDX 1.2
//! to 1.7 JSON schemas, SPDX 2.2, 2.3 and 3.0 (its JSON-LD serialisation), in-toto attestation `statement.md`.
//!
//! Not for trust: a signed statement is verified elsewhere before what is in it comes here. A list that is null, a
//! version that is not known or a key that stands twice refuses the document: it is never a bill of nothing.

pub(crate) mod cyclonedx;
pub(crate) mod json;
mod spdx;
mod spdx3;
mod statement;

use model::{Component, Digest, Purl, Sbom};

use crate::{Limits, ParseError};
use json::{Budget, Head};

/// Reads a bill of materials of any known format. An in-toto statement is read like [`from_statement`]; what it is about
/// is added to what the document says that it describes.
///
/// # Errors
/// Not JSON, over the limits, in no known format or version, or broken inside its format.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Sbom, ParseError> {
    let head = Head::read(bytes, limits)?;
    if head.is_statement() {
        return statement::read(bytes, limits).map(|(_, sbom)| sbom);
    }
    document(bytes, &head, limits)
}

/// Reads an unsigned in-toto statement with a bill of materials as its predicate, such as BuildKit attaches to images.
/// Returns the digests of its subjects too; they are also among those that the bill describes.
///
/// # Errors
/// No statement, one about no digest or with another predicate, or a bill that [`parse`] refuses.
pub fn from_statement(bytes: &[u8], limits: &Limits) -> Result<(Vec<Digest>, Sbom), ParseError> {
    let head = Head::read(bytes, limits)?;
    if head.is_statement() { statement::read(bytes, limits) } else { Err(head.unknown("an in-toto statement")) }
}

fn document(bytes: &[u8], head: &Head, limits: &Limits) -> Result<Sbom, ParseError> {
    if head.bom_format.is_some() {
        cyclonedx::sbom(bytes, head, limits)
    } else if head.spdx_version.is_some() {
        spdx::sbom(bytes, head, limits)
    } else if head.is_spdx3() {
        spdx3::sbom(bytes, limits)
    } else {
        Err(head.unknown("a CycloneDX or SPDX document"))
    }
}

/// Puts everything into its order and keeps what is there twice once.
fn ordered(mut sbom: Sbom) -> Sbom {
    sbom.describes.sort_unstable();
    sbom.describes.dedup();
    sbom.components.sort_unstable();
    sbom.components.dedup();
    sbom
}

/// Adds a component; one with several package URLs once for each, so that each of them is seen.
fn add<'a>(
    to: &mut Vec<Component>,
    component: Component,
    purls: impl Iterator<Item = &'a str>,
    budget: &mut Budget,
) -> Result<(), ParseError> {
    let mut purls: Vec<String> = purls.filter_map(canonical).collect();
    purls.sort_unstable();
    purls.dedup();
    let Some(last) = purls.pop() else {
        to.push(component);
        return Ok(());
    };
    let texts = component.licenses.iter().chain(&component.hashes).chain([&component.name, &component.version]);
    budget.take(purls.len(), texts.map(|text| text.len() + size_of::<String>()).sum())?;
    to.extend(purls.into_iter().map(|purl| Component { purl: Some(purl), ..component.clone() }));
    to.push(Component { purl: Some(last), ..component });
    Ok(())
}

/// A package URL in canonical form, or as it stands if it cannot be read; `None` if it is blank.
pub(crate) fn canonical(purl: &str) -> Option<String> {
    let purl = purl.trim();
    if purl.is_empty() {
        return None;
    }
    Some(Purl::parse(purl).map_or_else(|| purl.to_owned(), |purl| purl.to_string()))
}

/// The digest that a text names: `sha256:…`, `repository@sha256:…`, or the package URL of an image.
pub(crate) fn digest_in(text: &str) -> Option<Digest> {
    if text.starts_with("pkg:") {
        return Purl::parse(text).and_then(|purl| purl.digest());
    }
    as_digest(text.rsplit_once('@').map_or(text, |(_, end)| end).trim())
}

/// A hash as a digest, if it is one of the two kinds that images are named by.
pub(crate) fn digest_of(algorithm: &str, value: &str) -> Option<Digest> {
    as_digest(&hash(algorithm, value))
}

#[expect(clippy::disallowed_methods, reason = "a text that is no digest names none; why it is none does not matter")]
fn as_digest(text: &str) -> Option<Digest> {
    text.parse().ok()
}

/// A hash as `alg:hex` in lower case; the formats write `SHA-256`, `SHA256` or `sha256`.
fn hash(algorithm: &str, value: &str) -> String {
    let algorithm = algorithm.trim().to_ascii_lowercase();
    let algorithm = algorithm.strip_prefix("sha-").map_or_else(|| algorithm.clone(), |bits| format!("sha{bits}"));
    format!("{algorithm}:{}", value.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
