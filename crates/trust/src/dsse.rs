//! DSSE envelopes as they lie in a layer of their own, without a bundle around them (S27). What they say is for `statement`
//! to read, and who signed them for `sigstore` to verify.

use model::{Digest, Reason, ReasonCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::json;
use crate::sigstore::read::UnverifiedBundle;

/// An envelope. Members of other tools (`cert`) are passed over, as cosign does.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    sig: String,
    keyid: Option<String>,
}

/// What a log entry (`dsse` 0.0.1, `intoto` 0.0.2) says of the envelope it is about.
#[derive(Deserialize)]
struct Body {
    kind: String,
    spec: Value,
}

/// The envelope as a bundle holds it.
pub(crate) fn for_bundle(bytes: &[u8]) -> Result<Value, Reason> {
    let envelope: Envelope = json::unambiguous(bytes)
        .map_err(|error| Reason::new(ReasonCode::SignatureMalformed, format!("the DSSE envelope: {error}")))?;
    let signature = |signature: &Signature| match &signature.keyid {
        Some(keyid) => json!({ "sig": signature.sig, "keyid": keyid }),
        None => json!({ "sig": signature.sig }),
    };
    let signatures: Vec<_> = envelope.signatures.iter().map(signature).collect();
    Ok(json!({ "payloadType": envelope.payload_type, "payload": envelope.payload, "signatures": signatures }))
}

/// cosign has Rekor remember the envelope as it lies in the layer, byte for byte, and looks for that; so does this.
pub(crate) fn is_logged(bundle: &UnverifiedBundle, envelope: &[u8]) -> Result<(), Reason> {
    let invalid =
        |why: String| Reason::new(ReasonCode::SignatureLogInvalid, format!("the transparency log entry {why}"));
    let found = Digest::of(envelope);
    for entry in &bundle.whole()?.verification_material.tlog_entries {
        let body: Body = serde_json::from_slice(entry.canonicalized_body.as_bytes())
            .map_err(|error| invalid(format!("cannot be read: {error}")))?;
        let place = if body.kind == "intoto" { "/content/hash/value" } else { "/envelopeHash/value" };
        let logged = body.spec.pointer(place).and_then(Value::as_str);
        if logged.is_none_or(|logged| format!("sha256:{logged}") != found.as_str()) {
            return Err(invalid(format!("is about envelope {logged:?}, and this one is {found}")));
        }
    }
    Ok(())
}
