//! VEX documents: OpenVEX, CycloneDX VEX and CSAF 2.0 VEX, found by content, read into [`model::VexDocument`] (B19, S24).
//! Sources: OpenVEX specification 0.0.1 to 0.2.0, CycloneDX 1.4 to 1.7 schemas, CSAF 2.0 profile 5 (VEX).
//!
//! Statements are read as they are made; which of them count is decided by policy and by `model::last_word`. What could
//! make a statement wider than it was meant is refused: a part that cannot be named stays a part that matches nothing.

mod csaf;
mod cyclonedx;
mod openvex;

use model::{Digest, Purl, VexDocument, VexProduct};
use serde_json::Value;

use crate::sbom::json::Head;
use crate::{Limits, ParseError, sbom};

/// Reads a VEX document of any known format.
///
/// # Errors
/// Not JSON, over the limits, in no known format or version, or broken inside its format.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<VexDocument, ParseError> {
    let head = Head::read(bytes, limits)?;
    let context =
        head.context.as_ref().and_then(Value::as_str).filter(|context| context.starts_with("https://openvex.dev/"));
    let mut document = if let Some(context) = context {
        openvex::document(bytes, context, limits)?
    } else if head.bom_format.is_some() {
        cyclonedx::document(bytes, &head, limits)?
    } else if head.document.is_some() && !head.is_statement() {
        csaf::document(bytes, limits)?
    } else {
        return Err(head.unknown("an OpenVEX, CycloneDX or CSAF document"));
    };
    // Oldest first; those without a time before all others.
    document.statements.sort_by_key(|statement| statement.at);
    Ok(document)
}

/// A package URL in canonical form; `None` if the text is none.
fn purl(text: &str) -> Option<String> {
    Purl::parse(text).map(|purl| purl.to_string())
}

/// The name of a part of a product. One that has no package URL keeps the name it has, which matches nothing.
fn part(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| purl(text).unwrap_or_else(|| text.to_owned()))
}

/// How much memory a product takes.
fn bytes(product: &VexProduct) -> usize {
    let texts = product.purl.iter().chain(&product.subcomponents).map(String::len);
    let digests = product.digests.iter().map(|digest| digest.as_str().len());
    texts.chain(digests).map(|length| length + size_of::<String>()).sum()
}

/// Sorted, each once.
fn once(digests: impl IntoIterator<Item = Digest>) -> Vec<Digest> {
    let mut digests: Vec<Digest> = digests.into_iter().collect();
    digests.sort_unstable();
    digests.dedup();
    digests
}

/// The reasons for "not affected" that OpenVEX and CSAF share.
const JUSTIFICATIONS: [&str; 5] = [
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
];

/// A word out of a closed list; blank is as good as none.
fn one_of(
    known: &[&str],
    format: &'static str,
    place: impl Into<String>,
    word: Option<&str>,
) -> Result<Option<String>, ParseError> {
    match word.map(str::trim) {
        None | Some("") => Ok(None),
        Some(word) if known.contains(&word) => Ok(Some(word.to_owned())),
        Some(word) => Err(ParseError::new(format, place, format!("{} is no justification", sbom::json::shown(word)))),
    }
}

#[cfg(test)]
mod tests;
