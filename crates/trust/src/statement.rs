//! in-toto statements (Attestation Framework, Statement v0.1 and v1): what a DSSE envelope says, and about which images.
//! Reading one proves nothing; whoever calls this has verified the envelope, or throws the statement away.

use std::collections::BTreeMap;

use model::{Digest, Reason, ReasonCode, Signed, SignedImage, Statement};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json;

/// The payload type of in-toto statements in DSSE envelopes.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The predicate type with which cosign says "this is a signature on the image".
const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

const TYPES: [&str; 2] = ["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"];

/// More subjects or digests than one statement has in practice; sigstore-go has the same limits.
const MAX_SUBJECTS: usize = 1024;
const MAX_DIGESTS: usize = 32;

/// A statement as it stands in an envelope that may be anybody's.
#[derive(Debug)]
pub(crate) struct UnverifiedStatement {
    subjects: Vec<Subject>,
    predicate_type: String,
    predicate: Box<RawValue>,
}

#[derive(Debug)]
struct Subject {
    sha256: Option<Digest>,
    name: String,
    annotations: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<WireSubject>,
    predicate_type: String,
    predicate: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct WireSubject {
    name: Option<String>,
    digest: BTreeMap<String, String>,
    annotations: Option<BTreeMap<String, Value>>,
}

/// Readers written in Go take a member in another case for the member itself: such a statement says different things to
/// different readers.
fn one_spelling(payload: &[u8]) -> Result<(), String> {
    const READ: [&str; 4] = ["_type", "subject", "predicateType", "predicate"];
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    let odd = |name: &&String| READ.iter().any(|read| read.eq_ignore_ascii_case(name) && *read != name.as_str());
    match members.keys().find(odd) {
        Some(name) => Err(format!("it has the member {name:?}, which others read as another one")),
        None => Ok(()),
    }
}

impl UnverifiedStatement {
    /// Reads the payload of an envelope.
    pub(crate) fn read(payload_type: &str, payload: &[u8]) -> Result<Self, Reason> {
        if payload_type != PAYLOAD_TYPE {
            let message =
                format!("the payload of the DSSE envelope is {payload_type:?}; {PAYLOAD_TYPE:?} can be judged");
            return Err(Reason::new(ReasonCode::SignatureUnsupported, message));
        }
        let wrong = |why: String| Reason::new(ReasonCode::SignatureMalformed, format!("the in-toto statement: {why}"));
        let wire: Wire = json::unambiguous(payload).map_err(|error| wrong(error.to_string()))?;
        one_spelling(payload).map_err(wrong)?;
        if !TYPES.contains(&wire.kind.as_str()) {
            let message =
                format!("the in-toto statement is of type {:?}; {} can be judged", wire.kind, TYPES.join(" and "));
            return Err(Reason::new(ReasonCode::SignatureUnsupported, message));
        }
        if wire.subject.is_empty() {
            return Err(wrong("it has no subject".to_owned()));
        }
        if wire.subject.len() > MAX_SUBJECTS {
            return Err(wrong(format!("it has {} subjects; at most {MAX_SUBJECTS} are read", wire.subject.len())));
        }
        if wire.predicate_type.is_empty() {
            return Err(wrong("its predicateType is empty".to_owned()));
        }
        let subjects = wire.subject.into_iter().map(|subject| Subject::read(subject).map_err(wrong));
        Ok(Self {
            subjects: subjects.collect::<Result<_, _>>()?,
            predicate_type: wire.predicate_type,
            // The framework: a predicate that is left out is the same as an empty one.
            predicate: match wire.predicate {
                Some(predicate) => predicate,
                None => RawValue::from_string("{}".to_owned()).map_err(|error| wrong(error.to_string()))?,
            },
        })
    }

    /// Whether a subject is this image.
    pub(crate) fn about(&self, image: &Digest) -> bool {
        self.subjects.iter().any(|subject| subject.sha256.as_ref() == Some(image))
    }

    /// What was signed, now that the envelope is verified. Only where cosign looks for signatures is its `sign` predicate
    /// one on the image (`may_sign`).
    pub(crate) fn signed(self, image: &Digest, may_sign: bool) -> Result<Signed, Reason> {
        let subject = self.subjects.iter().position(|subject| subject.sha256.as_ref() == Some(image));
        let Some(subject) = subject.and_then(|position| self.subjects.get(position)) else {
            return Err(self.other_image(image));
        };
        if may_sign && self.predicate_type == COSIGN_SIGN {
            let texts = subject.annotations.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
            return Ok(Signed::Image(SignedImage {
                digest: image.clone(),
                reference: Some(subject.name.clone()).filter(|name| !name.is_empty()),
                annotations: texts.map(|(name, value)| (name.clone(), value.to_owned())).collect(),
            }));
        }
        Ok(Signed::Statement(Statement {
            predicate_type: self.predicate_type,
            subjects: self.subjects.into_iter().filter_map(|subject| subject.sha256).collect(),
            predicate: self.predicate.get().as_bytes().to_vec(),
        }))
    }

    fn other_image(&self, image: &Digest) -> Reason {
        let message = format!("the statement ({}) is about {}, not about {image}", self.predicate_type, self.named());
        Reason::new(ReasonCode::SignatureOtherImage, message)
    }

    /// The images it is about, for messages.
    pub(crate) fn named(&self) -> String {
        let named: Vec<_> = self.subjects.iter().filter_map(|subject| subject.sha256.as_ref()).collect();
        match named.as_slice() {
            [] => "no image by a sha256 digest".to_owned(),
            [one] => one.to_string(),
            [one, more @ ..] => format!("{one} and {} more", more.len()),
        }
    }
}

impl Subject {
    fn read(wire: WireSubject) -> Result<Self, String> {
        if wire.digest.len() > MAX_DIGESTS {
            return Err(format!("a subject has {} digests; at most {MAX_DIGESTS} are read", wire.digest.len()));
        }
        let sha256 = wire.digest.get("sha256").map(|hex| format!("sha256:{hex}").parse::<Digest>());
        Ok(Self {
            sha256: sha256.transpose().map_err(|error| format!("a subject's digest: {error}"))?,
            name: wire.name.unwrap_or_else(String::new),
            annotations: wire.annotations.unwrap_or_else(BTreeMap::new),
        })
    }
}

#[cfg(test)]
mod tests;
