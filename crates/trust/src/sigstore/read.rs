//! Reads a Sigstore bundle (protobuf-specs, bundle v0.1 to v0.3) as strictly as cosign does: no unknown members, none twice,
//! exactly one content and one kind of verification material. What is read proves nothing yet.
//!
//! Two readers look at the same bytes: this one, which says what is wrong and what is only unsupported (S28), and the one of
//! `sigstore-verify`, whose bundle is what gets verified.

use std::collections::BTreeSet;
use std::fmt;

use model::{Digest, Reason, ReasonCode};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};
use serde_json::Value;
use sigstore_verify::types::{Bundle, DerCertificate, HashAlgorithm, PayloadBytes, SignatureBytes, TimestampToken};
use sigstore_verify::types::{LogKeyId, bundle::MessageDigest, pae};

/// The media types of the versions that can be judged.
const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
];

/// Kinds of log entries that can be judged, with the version of each.
const KINDS: [(&str, &str); 4] =
    [("hashedrekord", "0.0.1"), ("hashedrekord", "0.0.2"), ("dsse", "0.0.1"), ("intoto", "0.0.2")];

/// More than any signer asks for; sigstore-go has the same limits.
const MAX_ENTRIES: usize = 32;
const MAX_TIMESTAMPS: usize = 32;

/// A bundle as it was found.
#[derive(Debug)]
pub(crate) struct UnverifiedBundle {
    pub(crate) material: Material,
    pub(crate) content: Content,
    pub(crate) entries: Vec<Entry>,
    pub(crate) timestamps: Vec<TimestampToken>,
    /// The bytes that timestamps are over, where that is not the signature.
    pub(crate) stamped: Option<Vec<u8>>,
    /// For the library; or why it cannot judge the log entries.
    pub(crate) whole: Result<Bundle, Reason>,
}

/// Who is said to have signed.
#[derive(Debug)]
pub(crate) enum Material {
    /// The certificate of the signer.
    Certificate(DerCertificate),
    /// A key, with what is said of which one.
    Key(String),
}

/// What is signed, and the signature.
#[derive(Debug)]
pub(crate) enum Content {
    /// Bytes that are elsewhere.
    Message {
        /// Their digest, as the bundle says.
        digest: Option<MessageDigest>,
        signature: SignatureBytes,
    },
    /// A DSSE envelope.
    Envelope { payload_type: String, payload: PayloadBytes, signature: SignatureBytes },
}

/// One entry in a transparency log.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The log's id.
    pub(crate) log: Vec<u8>,
    pub(crate) kind: String,
    pub(crate) version: String,
    pub(crate) has_proof: bool,
    pub(crate) has_promise: bool,
}

impl Content {
    pub(crate) fn signature(&self) -> &SignatureBytes {
        match self {
            Self::Message { signature, .. } | Self::Envelope { signature, .. } => signature,
        }
    }

    /// What the signature of an envelope is over (DSSE's pre-authentication encoding).
    pub(crate) fn encoded(&self) -> Option<Vec<u8>> {
        match self {
            Self::Message { .. } => None,
            Self::Envelope { payload_type, payload, .. } => Some(pae(payload_type, payload.as_bytes())),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in log {}", self.kind, self.version, hex::encode(&self.log))
    }
}

fn malformed(why: impl fmt::Display) -> Reason {
    Reason::new(ReasonCode::SignatureMalformed, format!("the Sigstore bundle: {why}"))
}

fn unsupported(why: impl fmt::Display) -> Reason {
    Reason::new(ReasonCode::SignatureUnsupported, format!("the Sigstore bundle: {why}"))
}

impl UnverifiedBundle {
    /// Reads a bundle.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Reason> {
        let media_type: AnyBundle = serde_json::from_slice(bytes).map_err(malformed)?;
        if !MEDIA_TYPES.contains(&media_type.media_type.as_str()) {
            return Err(unsupported(format!("media type {:?} is none of v0.1 to v0.3", media_type.media_type)));
        }
        let wire: WireBundle = serde_json::from_slice(bytes).map_err(malformed)?;
        let content = content(wire.message_signature, wire.dsse_envelope)?;
        let entries = wire.verification_material.entries()?;
        let unsupported_kind = entries.iter().find(|entry| !entry.can_be_judged());
        let whole = match unsupported_kind {
            Some(entry) => Err(unsupported(format!("a log entry of kind {entry} cannot be judged"))),
            None => Ok(serde_json::from_slice(bytes).map_err(malformed)?),
        };
        let timestamps = wire.verification_material.timestamps()?;
        Ok(Self {
            material: wire.verification_material.material()?,
            content,
            entries,
            timestamps,
            stamped: None,
            whole,
        })
    }

    /// The bundle for the library, if it can judge the log entries.
    pub(crate) fn whole(&self) -> Result<&Bundle, Reason> {
        self.whole.as_ref().map_err(Clone::clone)
    }

    /// An entry that nothing proves to be in its log, which the library would let pass beside one that is proven.
    pub(crate) fn every_entry_has_a_proof(&self) -> Result<(), Reason> {
        match self.entries.iter().find(|entry| !entry.has_proof && !entry.has_promise) {
            Some(entry) => {
                let message =
                    format!("the entry of kind {entry} has neither an inclusion proof nor an inclusion promise");
                Err(Reason::new(ReasonCode::SignatureLogInvalid, message))
            }
            None => Ok(()),
        }
    }

    /// The logs that the entries are said to be in, for messages.
    pub(crate) fn logs(&self) -> String {
        let logs: BTreeSet<_> = self.entries.iter().map(|entry| hex::encode(&entry.log)).collect();
        logs.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// The digest that a message signature says it is over is the one of this image, if it says so at all.
    pub(crate) fn message_is(&self, image: &Digest) -> bool {
        match &self.content {
            Content::Message { digest: Some(digest), .. } if digest.algorithm == HashAlgorithm::Sha2256 => {
                format!("sha256:{}", digest.digest.to_hex()) == image.as_str()
            }
            _ => true,
        }
    }
}

impl Entry {
    fn can_be_judged(&self) -> bool {
        KINDS.contains(&(self.kind.as_str(), self.version.as_str()))
    }
}

fn content(message: Option<WireMessage>, envelope: Option<WireEnvelope>) -> Result<Content, Reason> {
    match (message, envelope) {
        (Some(message), None) => Ok(Content::Message { digest: message.message_digest, signature: message.signature }),
        (None, Some(envelope)) => {
            let count = envelope.signatures.len();
            let Ok([signature]) = <[WireSignature; 1]>::try_from(envelope.signatures) else {
                return Err(unsupported(format!("its DSSE envelope has {count} signatures; exactly 1 can be judged")));
            };
            let (payload_type, payload) = (envelope.payload_type, envelope.payload);
            Ok(Content::Envelope { payload_type, payload, signature: signature.sig })
        }
        (Some(_), Some(_)) => Err(malformed("it has both a message signature and a DSSE envelope")),
        (None, None) => Err(malformed("it has neither a message signature nor a DSSE envelope")),
    }
}

/// Only what tells the version: another version may have any other members.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyBundle {
    media_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireBundle {
    #[serde(rename = "mediaType")]
    _media_type: String,
    verification_material: WireMaterial,
    message_signature: Option<WireMessage>,
    dsse_envelope: Option<WireEnvelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMessage {
    message_digest: Option<MessageDigest>,
    signature: SignatureBytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireEnvelope {
    payload_type: String,
    payload: PayloadBytes,
    signatures: Vec<WireSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    sig: SignatureBytes,
    #[serde(rename = "keyid")]
    _keyid: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMaterial {
    certificate: Option<WireCertificate>,
    x509_certificate_chain: Option<WireChain>,
    public_key: Option<WireKey>,
    tlog_entries: Option<Vec<WireEntry>>,
    timestamp_verification_data: Option<WireTimestamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireCertificate {
    raw_bytes: DerCertificate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireChain {
    certificates: Vec<WireCertificate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKey {
    hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireEntry {
    log_index: Option<Integer>,
    log_id: WireLog,
    kind_version: WireKind,
    #[serde(rename = "integratedTime")]
    _integrated_time: Option<Integer>,
    inclusion_promise: Option<WirePromise>,
    inclusion_proof: Option<WireProof>,
    #[serde(rename = "canonicalizedBody")]
    _canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireLog {
    key_id: LogKeyId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKind {
    kind: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WirePromise {
    #[serde(rename = "signedEntryTimestamp")]
    _signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireProof {
    #[serde(rename = "logIndex")]
    _log_index: Option<Integer>,
    #[serde(rename = "rootHash")]
    _root_hash: String,
    #[serde(rename = "treeSize")]
    _tree_size: Integer,
    #[serde(rename = "hashes")]
    _hashes: Option<Vec<String>>,
    #[serde(rename = "checkpoint")]
    _checkpoint: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireTimestamps {
    rfc3161_timestamps: Option<Vec<WireTimestamp>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireTimestamp {
    signed_timestamp: TimestampToken,
}

/// A 64-bit integer of protobuf's JSON: a number, or one in quotes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Integer(i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Integer;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a whole number")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Integer, E> {
                Ok(Integer(number))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Integer, E> {
                i64::try_from(number).map(Integer).map_err(E::custom)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Integer, E> {
                text.parse().map(Integer).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Either).map_err(D::Error::custom)
    }
}

impl WireMaterial {
    fn entries(&self) -> Result<Vec<Entry>, Reason> {
        let wire = self.tlog_entries.as_deref().unwrap_or(&[]);
        if wire.len() > MAX_ENTRIES {
            return Err(malformed(format!("it has {} log entries; at most {MAX_ENTRIES} are read", wire.len())));
        }
        let mut places = BTreeSet::new();
        for entry in wire {
            if !places.insert((entry.log_id.key_id.as_bytes(), &entry.log_index)) {
                return Err(malformed("it has the same log entry twice"));
            }
        }
        let entry = |wire: &WireEntry| Entry {
            log: wire.log_id.key_id.as_bytes().to_vec(),
            kind: wire.kind_version.kind.clone(),
            version: wire.kind_version.version.clone(),
            has_proof: wire.inclusion_proof.is_some(),
            has_promise: wire.inclusion_promise.is_some(),
        };
        Ok(wire.iter().map(entry).collect())
    }

    fn timestamps(&self) -> Result<Vec<TimestampToken>, Reason> {
        let data = self.timestamp_verification_data.as_ref();
        let wire = data.and_then(|data| data.rfc3161_timestamps.as_deref()).unwrap_or(&[]);
        if wire.len() > MAX_TIMESTAMPS {
            return Err(malformed(format!("it has {} timestamps; at most {MAX_TIMESTAMPS} are read", wire.len())));
        }
        let tokens: Vec<_> = wire.iter().map(|timestamp| timestamp.signed_timestamp.clone()).collect();
        let different: BTreeSet<_> = tokens.iter().map(TimestampToken::as_bytes).collect();
        if different.len() < tokens.len() {
            return Err(malformed("it has the same timestamp twice"));
        }
        Ok(tokens)
    }

    fn material(self) -> Result<Material, Reason> {
        match (self.certificate, self.x509_certificate_chain, self.public_key) {
            (Some(certificate), None, None) => Ok(Material::Certificate(certificate.raw_bytes)),
            (None, Some(chain), None) => match chain.certificates.into_iter().next() {
                Some(leaf) => Ok(Material::Certificate(leaf.raw_bytes)),
                None => Err(malformed("its certificate chain is empty")),
            },
            (None, None, Some(key)) => Ok(Material::Key(key.hint.unwrap_or_else(String::new))),
            (None, None, None) => Err(malformed("it has neither a certificate nor a public key")),
            _ => Err(malformed("it has more than one of certificate, certificate chain and public key")),
        }
    }
}
