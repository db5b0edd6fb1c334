//! What a statement says whose signature was verified elsewhere: the predicate is read by its type into the vocabulary of
//! `model`. Sources: in-toto attestation framework (predicates), cosign `specs/COSIGN_PREDICATE_SPEC.md` and
//! `COSIGN_VULN_ATTESTATION_SPEC.md`, OpenVEX attesting.
//!
//! A predicate of a type that is read here and that cannot be read is an error, never [`Content::Other`]. Whose statement it
//! is and whether that counts is for the policy to say.

mod wrapped;

use model::{Digest, Measurement, Provenance, Sbom, Statement, VexDocument};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::report::{self, Document, in_toto, json as strict};
use crate::sbom::json;
use crate::{Limits, ParseError, measurement, provenance, sbom, vex};

const FORMAT: &str = "signed statement";

/// The type of a predicate that is a measurement document.
pub const MEASUREMENT: &str = "https://ecr-gate.dev/measurement/v1";
/// The type that `cosign attest --type vuln` writes: a scanner's report with a few words around it.
pub const COSIGN_VULNERABILITIES: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";

/// What a statement says.
#[derive(Debug)]
pub enum Content {
    /// How the image was built.
    Provenance(Box<Provenance>),
    /// What is in it.
    Sbom(Box<Sbom>),
    /// What somebody says about vulnerabilities in it.
    Vex(Box<VexDocument>),
    /// A scanner's report.
    Report(Box<Document>),
    /// Measurements of one run.
    Measurements(Vec<Measurement>),
    /// Anything else; a policy may look at its JSON.
    Other,
}

/// What a type of predicate promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// How the image was built.
    Provenance,
    /// What is in it.
    Sbom,
    /// What somebody says about vulnerabilities in it.
    Vex,
    /// A scanner's report.
    Report,
    /// Measurements of one run.
    Measurement,
    /// Anything else.
    Other,
}

/// The families of types that are read. Of each, every version is claimed, so that one that is not known is said to be so.
#[derive(Clone, Copy)]
enum Family {
    Provenance,
    Spdx,
    CycloneDx,
    OpenVex,
    CosignVulnerabilities,
    Vulnerabilities,
    Measurement,
}

const FAMILIES: [(&str, Family); 8] = [
    ("https://slsa.dev/provenance", Family::Provenance),
    ("https://in-toto.io/Provenance", Family::Provenance),
    ("https://spdx.dev/Document", Family::Spdx),
    ("https://cyclonedx.org/bom", Family::CycloneDx),
    ("https://openvex.dev/ns", Family::OpenVex),
    ("https://cosign.sigstore.dev/attestation/vuln", Family::CosignVulnerabilities),
    ("https://in-toto.io/attestation/vulns", Family::Vulnerabilities),
    ("https://ecr-gate.dev/measurement", Family::Measurement),
];

#[derive(Deserialize)]
struct CosignVulnerabilities<'a> {
    #[serde(borrow)]
    scanner: CosignScanner<'a>,
}

#[derive(Deserialize)]
struct CosignScanner<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

/// What a type of predicate promises, whether [`read`] knows its version or not.
pub fn kind(predicate_type: &str) -> Kind {
    match family(predicate_type) {
        Some(Family::Provenance) => Kind::Provenance,
        Some(Family::Spdx | Family::CycloneDx) => Kind::Sbom,
        Some(Family::OpenVex) => Kind::Vex,
        Some(Family::CosignVulnerabilities | Family::Vulnerabilities) => Kind::Report,
        Some(Family::Measurement) => Kind::Measurement,
        None => Kind::Other,
    }
}

/// True for a type of predicate that says how the image was built.
pub fn is_provenance(predicate_type: &str) -> bool {
    kind(predicate_type) == Kind::Provenance
}

/// Reads what a statement says.
///
/// # Errors
/// The predicate is of a type that is read, and cannot be read, or says that it is about another image.
pub fn read(statement: &Statement, limits: &Limits) -> Result<Content, ParseError> {
    let Statement { predicate_type, subjects, predicate } = statement;
    let Some(family) = family(predicate_type) else { return Ok(Content::Other) };
    if subjects.is_empty() {
        return Err(wrong("subject", "no subject has a sha256 digest"));
    }
    if predicate.len() > limits.bytes {
        let cause = format!("it has {} bytes; at most {} are read", predicate.len(), limits.bytes);
        return Err(wrong("predicate", cause));
    }
    match family {
        Family::Provenance => {
            provenance::parse(predicate_type, predicate, limits).map(Box::new).map(Content::Provenance)
        }
        Family::Spdx => bill("spdx", predicate_type, subjects, predicate, limits).map(Box::new).map(Content::Sbom),
        Family::CycloneDx => {
            bill("cyclonedx", predicate_type, subjects, predicate, limits).map(Box::new).map(Content::Sbom)
        }
        Family::OpenVex => {
            let document = vex::parse(&wrapped::opened(predicate)?, limits)?;
            same_format(predicate_type, &document.format, "openvex")?;
            Ok(Content::Vex(Box::new(document)))
        }
        Family::CosignVulnerabilities => {
            only_version(predicate_type, &[COSIGN_VULNERABILITIES])?;
            let opened = wrapped::opened(predicate)?;
            let CosignVulnerabilities { scanner } = strict::read(FORMAT, &opened, limits)?;
            let document = report::parse(scanner.result.get().as_bytes(), limits)?;
            Ok(Content::Report(Box::new(bound(document, subjects))))
        }
        Family::Vulnerabilities => {
            only_version(predicate_type, &in_toto::TYPES)?;
            in_toto::read(predicate, limits).map(|document| Content::Report(Box::new(bound(document, subjects))))
        }
        Family::Measurement => {
            only_version(predicate_type, &[MEASUREMENT])?;
            measured(subjects, predicate, limits).map(Content::Measurements)
        }
    }
}

fn family(predicate_type: &str) -> Option<Family> {
    let of = |name: &str| {
        let rest = predicate_type.strip_prefix(name);
        rest.is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_ascii_alphanumeric()))
    };
    FAMILIES.into_iter().find(|(name, _)| of(name)).map(|(_, family)| family)
}

/// A bill of materials. It is about what the statement is about, whatever else it says that it describes.
fn bill(
    format: &str,
    predicate_type: &str,
    subjects: &[Digest],
    predicate: &[u8],
    limits: &Limits,
) -> Result<Sbom, ParseError> {
    let opened = wrapped::opened(predicate)?;
    let mut sbom = sbom::parse(&opened, limits)?;
    same_format(predicate_type, &sbom.format, format)?;
    sbom.describes.extend(subjects.iter().cloned());
    sbom.describes.sort_unstable();
    sbom.describes.dedup();
    Ok(sbom)
}

/// A report that does not say by a digest what it is about is about what the statement is about. One that does is held to
/// its own word: signing a report of another image does not make it one of this image.
fn bound(mut document: Document, subjects: &[Digest]) -> Document {
    let subject = &mut document.subject;
    if subject.manifests.is_empty() && subject.config.is_none() {
        subject.manifests = subjects.to_vec();
    }
    document
}

/// Measurements of the image that the statement is about.
fn measured(subjects: &[Digest], predicate: &[u8], limits: &Limits) -> Result<Vec<Measurement>, ParseError> {
    let measurements = measurement::parse(predicate, limits)?;
    match measurements.iter().find(|measurement| !subjects.contains(&measurement.subject)) {
        Some(other) => {
            let cause =
                format!("the statement is about another image than the measurement, which is of {}", other.subject);
            Err(wrong("predicate.subject", cause))
        }
        None => Ok(measurements),
    }
}

fn same_format(predicate_type: &str, found: &str, promised: &str) -> Result<(), ParseError> {
    if found == promised {
        return Ok(());
    }
    Err(wrong("predicateType", format!("it is {} and holds a document in {found}", json::shown(predicate_type))))
}

fn only_version(predicate_type: &str, known: &[&str]) -> Result<(), ParseError> {
    if known.contains(&predicate_type) {
        return Ok(());
    }
    let cause = format!("{} is not known; {} is read", json::shown(predicate_type), known.join(" or "));
    Err(wrong("predicateType", cause))
}

fn wrong(place: &str, cause: impl Into<String>) -> ParseError {
    ParseError::new(FORMAT, place, cause)
}

#[cfg(test)]
mod tests;
