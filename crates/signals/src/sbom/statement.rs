//! In-toto statements around a bill of materials, as BuildKit attaches them unsigned to images. A bill made by BuildKit
//! says what it describes by the subjects of its statement alone.

use model::{Digest, Sbom};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{self, Head};
use crate::{Limits, ParseError};

const FORMAT: &str = "in-toto statement";

#[derive(Deserialize)]
struct Statement<'a> {
    #[serde(rename = "predicateType")]
    predicate_type: String,
    subject: Vec<Subject>,
    #[serde(borrow)]
    predicate: &'a RawValue,
}

#[derive(Deserialize)]
struct Subject {
    digest: Hashes,
}

/// Of the digests of a subject those that images are named by.
#[derive(Deserialize)]
struct Hashes {
    sha256: Option<String>,
    sha512: Option<String>,
}

pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<(Vec<Digest>, Sbom), ParseError> {
    let statement: Statement = json::read(FORMAT, bytes)?;
    let format = format(&statement.predicate_type)?;
    json::count(FORMAT, "subject", statement.subject.len(), limits)?;
    let mut subjects = Vec::new();
    for (number, Subject { digest }) in statement.subject.iter().enumerate() {
        for (algorithm, hex) in [("sha256", &digest.sha256), ("sha512", &digest.sha512)] {
            let Some(hex) = hex else { continue };
            let wrong = |error| ParseError::new(FORMAT, format!("subject[{number}].digest"), format!("{error}"));
            subjects.push(format!("{algorithm}:{hex}").parse::<Digest>().map_err(wrong)?);
        }
    }
    subjects.sort_unstable();
    subjects.dedup();
    if subjects.is_empty() {
        return Err(ParseError::new(FORMAT, "subject", "no subject has a sha256 or sha512 digest"));
    }
    let predicate = statement.predicate.get().as_bytes();
    let head = Head::read(predicate, limits)?;
    let mut sbom = super::document(predicate, &head, limits)?;
    if sbom.format != format {
        let cause = format!("it is {} and holds a document in {}", json::shown(&statement.predicate_type), sbom.format);
        return Err(ParseError::new(FORMAT, "predicateType", cause));
    }
    sbom.describes.extend(subjects.iter().cloned());
    Ok((subjects, super::ordered(sbom)))
}

/// The format that the type of the predicate promises; both names may be followed by a version.
fn format(predicate_type: &str) -> Result<&'static str, ParseError> {
    let is = |name: &str| {
        predicate_type.strip_prefix(name).is_some_and(|version| version.is_empty() || version.starts_with("/v"))
    };
    if is("https://spdx.dev/Document") {
        Ok("spdx")
    } else if is("https://cyclonedx.org/bom") {
        Ok("cyclonedx")
    } else {
        let cause = format!("{} is no bill of materials", json::shown(predicate_type));
        Err(ParseError::new(FORMAT, "predicateType", cause))
    }
}
