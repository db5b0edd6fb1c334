//! Signatures and attestations as cosign attached them before there were bundles (tags `sha256-….sig` and `sha256-….att`):
//! a layer, and beside it annotations with signature, certificate, log entry and timestamp. They are turned into a bundle
//! v0.1 here, which is then verified as any other (S27). Source: cosign's SIGNATURE_SPEC.md and pkg/oci/static.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Digest, Reason, ReasonCode, SignedImage};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::artifact::Artifact;
use crate::dsse;
use crate::json;
use crate::key::pem;
use crate::sigstore::read::UnverifiedBundle;

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

const PAYLOAD_TYPE: &str = "cosign container image signature";

/// What cosign signs of an image ("simple signing"), as it stands in a layer that may be anybody's.
#[derive(Deserialize)]
pub(crate) struct UnverifiedPayload {
    critical: Critical,
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: Option<String>,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

impl UnverifiedPayload {
    /// Reads a payload.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Reason> {
        let payload: Self = json::unambiguous(bytes).map_err(|error| malformed("the signed payload", error))?;
        if payload.critical.kind != PAYLOAD_TYPE {
            let message =
                format!("the signed payload is of type {:?}; {PAYLOAD_TYPE:?} can be judged", payload.critical.kind);
            return Err(Reason::new(ReasonCode::SignatureUnsupported, message));
        }
        Ok(payload)
    }

    /// What was signed, now that the payload is verified.
    pub(crate) fn signed(self, image: &Digest, notes: &mut Vec<String>) -> Result<SignedImage, Reason> {
        if self.critical.image.digest != image.as_str() {
            let message = format!("the signature is about {:?}, not about {image}", self.critical.image.digest);
            return Err(Reason::new(ReasonCode::SignatureOtherImage, message));
        }
        let mut annotations = BTreeMap::new();
        for (name, value) in self.optional.into_iter().flatten() {
            match value {
                Value::String(text) => {
                    annotations.insert(name, text);
                }
                _ => notes.push(format!("Its annotation {name:?} is no text and was left out.")),
            }
        }
        let reference = self.critical.identity.reference.filter(|reference| !reference.is_empty());
        Ok(SignedImage { digest: image.clone(), reference, annotations })
    }
}

/// The entry in Rekor v1, as cosign keeps it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RekorBundle {
    signed_entry_timestamp: String,
    payload: RekorPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RekorPayload {
    body: String,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
struct Timestamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    token: String,
}

/// What a log entry says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    kind: String,
    api_version: String,
}

fn malformed(what: &str, why: impl fmt::Display) -> Reason {
    Reason::new(ReasonCode::SignatureMalformed, format!("{what}: {why}"))
}

/// A signature's layer as a bundle.
pub(crate) fn signature(artifact: &Artifact<'_>) -> Result<UnverifiedBundle, Reason> {
    let Some(signature) = annotation(artifact, SIGNATURE) else {
        let message = format!("the layer has no annotation {SIGNATURE}");
        return Err(Reason::new(ReasonCode::SignatureMalformed, message));
    };
    let digest = hex::decode(Digest::of(artifact.bytes).as_str().trim_start_matches("sha256:"))
        .map_err(|error| malformed("the digest of the payload", error))?;
    let content = json!({
        "messageDigest": { "algorithm": "SHA2_256", "digest": STANDARD.encode(digest) },
        "signature": signature,
    });
    bundle(artifact, "messageSignature", &content)
}

/// An attestation's layer as a bundle.
pub(crate) fn attestation(artifact: &Artifact<'_>) -> Result<UnverifiedBundle, Reason> {
    let mut bundle = bundle(artifact, "dsseEnvelope", &dsse::for_bundle(artifact.bytes)?)?;
    // cosign has the whole envelope timestamped, and not its signature.
    bundle.stamped = Some(artifact.bytes.to_vec());
    Ok(bundle)
}

fn bundle(artifact: &Artifact<'_>, kind: &str, content: &Value) -> Result<UnverifiedBundle, Reason> {
    let mut material = serde_json::Map::new();
    match annotation(artifact, CERTIFICATE) {
        Some(leaf) => {
            let leaf = certificates(CERTIFICATE, leaf)?;
            let [leaf] = leaf.as_slice() else {
                return Err(malformed(CERTIFICATE, format!("it holds {} certificates; exactly 1 is read", leaf.len())));
            };
            let chain = match annotation(artifact, CHAIN) {
                Some(chain) => certificates(CHAIN, chain)?,
                None => Vec::new(),
            };
            let raw = |der: &Vec<u8>| json!({ "rawBytes": STANDARD.encode(der) });
            let all: Vec<_> = std::iter::once(leaf).chain(&chain).map(raw).collect();
            material.insert("x509CertificateChain".to_owned(), json!({ "certificates": all }));
        }
        None => {
            material.insert("publicKey".to_owned(), json!({}));
        }
    }
    if let Some(entry) = read::<RekorBundle>(artifact, LOG_ENTRY)? {
        material.insert("tlogEntries".to_owned(), json!([log_entry(&entry)?]));
    }
    if let Some(timestamp) = read::<Timestamp>(artifact, TIMESTAMP)? {
        let timestamps = json!({ "rfc3161Timestamps": [{ "signedTimestamp": timestamp.token }] });
        material.insert("timestampVerificationData".to_owned(), timestamps);
    }
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "verificationMaterial": material,
        kind: content,
    });
    let bundle = serde_json::to_vec(&bundle).map_err(|error| malformed("the cosign signature", error))?;
    UnverifiedBundle::read(&bundle)
}

fn log_entry(entry: &RekorBundle) -> Result<Value, Reason> {
    let wrong = |why: &dyn fmt::Display| malformed(LOG_ENTRY, why);
    let payload = &entry.payload;
    let body = STANDARD.decode(&payload.body).map_err(|error| wrong(&error))?;
    let body: Body = json::unambiguous(&body).map_err(|error| wrong(&error))?;
    let log = hex::decode(&payload.log_id).map_err(|error| wrong(&error))?;
    Ok(json!({
        "logIndex": payload.log_index.to_string(),
        "logId": { "keyId": STANDARD.encode(log) },
        "kindVersion": { "kind": body.kind, "version": body.api_version },
        "integratedTime": payload.integrated_time.to_string(),
        "inclusionPromise": { "signedEntryTimestamp": entry.signed_entry_timestamp },
        "canonicalizedBody": payload.body,
    }))
}

/// An annotation; an empty one is none, as cosign has it.
fn annotation<'a>(artifact: &Artifact<'a>, name: &str) -> Option<&'a str> {
    artifact.annotations.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

fn read<T: DeserializeOwned>(artifact: &Artifact<'_>, name: &str) -> Result<Option<T>, Reason> {
    let read = |value: &str| json::unambiguous(value.as_bytes()).map_err(|error| malformed(name, error));
    annotation(artifact, name).filter(|value| *value != "null").map(read).transpose()
}

fn certificates(name: &str, text: &str) -> Result<Vec<Vec<u8>>, Reason> {
    let blocks = pem::blocks(text).map_err(|why| malformed(name, why))?;
    let certificate = |block: pem::Block| match block.label.as_str() {
        "CERTIFICATE" => Ok(block.der),
        label => Err(malformed(name, format!("it holds a PEM block {label}, where CERTIFICATE is asked for"))),
    };
    blocks.into_iter().map(certificate).collect()
}

#[cfg(test)]
mod tests;
