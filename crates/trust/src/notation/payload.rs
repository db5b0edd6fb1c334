//! The payload: which image was signed. Source: signature specification, "Payload".

use std::collections::BTreeMap;

use model::{Digest, Reason, ReasonCode, SignedImage};
use serde_json::Value;

use super::{json, malformed, shown};

const PAYLOAD: &str = "payload";

/// Reads a payload, which has to be about exactly this digest.
pub(super) fn read(payload: &[u8], subject: &Digest) -> Result<SignedImage, Reason> {
    let mut members = json::object(PAYLOAD, payload).map_err(malformed)?;
    let Some(Value::Object(mut target)) = members.remove("targetArtifact") else {
        return Err(malformed("`targetArtifact` of the payload is no object"));
    };
    let mut required = |name: &str| {
        let text = json::text(PAYLOAD, &mut target, name).map_err(malformed)?;
        text.ok_or_else(|| malformed(format!("`targetArtifact.{name}` of the payload is missing")))
    };
    let digest = required("digest")?;
    required("mediaType")?;
    if !target.get("size").is_some_and(Value::is_u64) {
        return Err(malformed("`targetArtifact.size` of the payload is no size"));
    }
    let annotations = match target.remove("annotations") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(Value::Object(annotations)) => {
            let texts = annotations.into_iter().map(|(name, value)| match value {
                Value::String(text) => Ok((name, text)),
                _ => Err(malformed(format!("the annotation {} is no text", shown(&name)))),
            });
            texts.collect::<Result<_, _>>()?
        }
        Some(_) => return Err(malformed("`targetArtifact.annotations` of the payload is no object")),
    };
    let digest: Digest =
        digest.parse().map_err(|error| malformed(format!("`targetArtifact.digest` is no digest: {error}")))?;
    if digest != *subject {
        let message = format!("it is a signature on {digest}, and is attached to {subject}");
        return Err(Reason::new(ReasonCode::SignatureOtherImage, message));
    }
    Ok(SignedImage { digest, reference: None, annotations })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s27_a_payload_is_about_exactly_one_image() {
        let subject = Digest::of(b"image");
        let payload = |rest: &str| {
            format!(r#"{{"targetArtifact":{{"mediaType":"m","digest":"{subject}","size":5{rest}}}}}"#).into_bytes()
        };
        let image = read(&payload(r#","annotations":{"a":"b"}"#), &subject).unwrap();
        assert_eq!(image.annotations, BTreeMap::from([("a".to_owned(), "b".to_owned())]));
        assert_eq!(read(&payload(""), &Digest::of(b"other")).unwrap_err().code, ReasonCode::SignatureOtherImage);
        let twice = format!(r#","digest":"{}""#, Digest::of(b"other"));
        for bad in
            [payload(&twice), payload(r#","annotations":{"a":1}"#), payload(r#","annotations":[]"#), b"{}".to_vec()]
        {
            assert_eq!(read(&bad, &subject).unwrap_err().code, ReasonCode::SignatureMalformed);
        }
        let broken =
            format!(r#"{{"targetArtifact":{{"mediaType":"m","digest":"{}","size":5}}}}"#, &subject.as_str()[..70]);
        assert_eq!(read(broken.as_bytes(), &subject).unwrap_err().code, ReasonCode::SignatureMalformed);
        for (from, to) in [("5", "-5"), ("5", "\"5\""), ("\"m\"", "null"), ("\"size\":5", "\"sizes\":5")] {
            let text = String::from_utf8(payload("")).unwrap();
            let at = text.rfind(from).unwrap();
            let changed = format!("{}{to}{}", &text[..at], &text[at + from.len()..]);
            assert_eq!(
                read(changed.as_bytes(), &subject).unwrap_err().code,
                ReasonCode::SignatureMalformed,
                "{changed}"
            );
        }
    }
}
