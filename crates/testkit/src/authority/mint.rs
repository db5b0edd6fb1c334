//! Signing one request: the certificate, the signature, the log entry and the timestamp, put together as a bundle v0.3 or
//! as a layer of cosign v2. A fault changes one of them and leaves the others as they would be.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::certificate::{Identity, Leaf, Publication};
use super::key::{Key, sha256};
use super::log::{Flaw, Log};
use super::{Authority, Content, Entry, Fault, IMAGE_SIGNATURE, Request, Signer, der};

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// How long certificates last, in seconds.
const LIFETIME: i64 = 600;
/// 2048-01-01.
const FUTURE: i64 = 2_461_449_600;

/// A layer as cosign v2 attaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its annotations: signature, certificate, log entry.
    pub annotations: BTreeMap<String, String>,
}

/// What a request comes to before it is written down.
struct Minted {
    /// The payload of the envelope; nothing where the digest itself is signed.
    payload: Option<Vec<u8>>,
    digest: [u8; 32],
    signature: Vec<u8>,
    certificate: Option<Vec<u8>>,
    public: Vec<u8>,
    at: i64,
}

impl Minted {
    /// The certificate or key as it stands in log entries.
    fn verifier(&self) -> String {
        match &self.certificate {
            Some(der) => der::pem("CERTIFICATE", der),
            None => der::pem("PUBLIC KEY", &self.public),
        }
    }

    fn envelope(&self) -> Value {
        json!({
            "payload": STANDARD.encode(self.payload.as_deref().unwrap()),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": STANDARD.encode(&self.signature)}],
        })
    }
}

impl Authority {
    /// The bundle for a request.
    pub fn bundle(&self, request: &Request) -> Vec<u8> {
        let subject = subject(request);
        let payload = match &request.content {
            Content::Image => Some(statement(&subject, IMAGE_SIGNATURE, &json!({}))),
            Content::Statement { predicate_type, predicate } => Some(statement(&subject, predicate_type, predicate)),
            Content::Raw(bytes) => Some(bytes.clone()),
            Content::Message => None,
        };
        let enveloped = payload.is_some();
        let digest = payload.as_deref().map_or_else(|| sha256_of(&subject), |bytes| sha256(&pae(bytes)));
        let minted = self.mint(request, payload, digest);

        let mut material = match &minted.certificate {
            Some(der) => json!({"certificate": {"rawBytes": STANDARD.encode(der)}}),
            None => json!({"publicKey": {"hint": STANDARD.encode(sha256(&minted.public))}}),
        };
        if let Some(entry) = self.entry(request, &minted, enveloped) {
            material["tlogEntries"] = json!([entry]);
        }
        if let Some(token) = self.timestamp(request, &minted, &minted.signature) {
            material["timestampVerificationData"] =
                json!({"rfc3161Timestamps": [{"signedTimestamp": STANDARD.encode(token)}]});
        }
        let version = if request.fault == Some(Fault::Version) { "v9.9" } else { "v0.3" };
        let mut bundle = json!({
            "mediaType": format!("application/vnd.dev.sigstore.bundle.{version}+json"),
            "verificationMaterial": material,
        });
        if enveloped {
            bundle["dsseEnvelope"] = minted.envelope();
        } else {
            bundle["messageSignature"] = json!({
                "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(digest)},
                "signature": STANDARD.encode(&minted.signature),
            });
        }
        let mut bytes = serde_json::to_vec(&bundle).unwrap();
        if request.fault == Some(Fault::Cut) {
            bytes.truncate(bytes.len() / 2);
        }
        bytes
    }

    /// The layer for a request: a simple signing payload for an image, an envelope for statements. Layers have signed entry
    /// timestamps and no proofs of inclusion; they cannot show faults of those.
    pub fn layer(&self, request: &Request) -> Layer {
        let subject = subject(request);
        let (media_type, payload, digest) = match &request.content {
            Content::Image | Content::Message => {
                let payload = simple_signing(&subject);
                let digest = sha256(&payload);
                ("application/vnd.dev.cosign.simplesigning.v1+json", payload, digest)
            }
            Content::Statement { predicate_type, predicate } => {
                let payload = statement(&subject, predicate_type, predicate);
                let digest = sha256(&pae(&payload));
                ("application/vnd.dsse.envelope.v1+json", payload, digest)
            }
            Content::Raw(payload) => ("application/vnd.dsse.envelope.v1+json", payload.clone(), sha256(&pae(payload))),
        };
        let enveloped = !matches!(request.content, Content::Image | Content::Message);
        let minted = self.mint(request, Some(payload), digest);
        let mut annotations = BTreeMap::new();
        let mut annotate = |name: &str, value: String| annotations.insert(name.to_owned(), value);
        if enveloped {
            annotate("dev.cosignproject.cosign/signature", String::new());
        } else {
            annotate("dev.cosignproject.cosign/signature", STANDARD.encode(&minted.signature));
        }
        if let Some(certificate) = &minted.certificate {
            let chain = [&self.issuer.der, &self.root.der].map(|der| der::pem("CERTIFICATE", der)).concat();
            annotate("dev.sigstore.cosign/certificate", der::pem("CERTIFICATE", certificate));
            annotate("dev.sigstore.cosign/chain", chain);
        }
        if let Some(entry) = self.entry(request, &minted, enveloped) {
            let number = |pointer: &str| entry.pointer(pointer).unwrap().as_str().unwrap().parse::<u64>().unwrap();
            let log = STANDARD.decode(entry.pointer("/logId/keyId").unwrap().as_str().unwrap()).unwrap();
            let mut bundle = json!({"Payload": {
                "body": entry["canonicalizedBody"],
                "integratedTime": number("/integratedTime"),
                "logIndex": number("/logIndex"),
                "logID": hex::encode(log),
            }});
            if let Some(promise) = entry.pointer("/inclusionPromise/signedEntryTimestamp") {
                bundle["SignedEntryTimestamp"] = promise.clone();
            }
            annotate("dev.sigstore.cosign/bundle", bundle.to_string());
        }
        let mut bytes =
            if enveloped { serde_json::to_vec(&minted.envelope()).unwrap() } else { minted.payload.clone().unwrap() };
        // cosign has the whole envelope timestamped, and the signature where there is none.
        let over = if enveloped { &bytes } else { &minted.signature };
        if let Some(token) = self.timestamp(request, &minted, over) {
            let stamp = json!({"SignedRFC3161Timestamp": STANDARD.encode(token)});
            annotate("dev.sigstore.cosign/rfc3161timestamp", stamp.to_string());
        }
        if request.fault == Some(Fault::Cut) {
            bytes.truncate(bytes.len() / 2);
        }
        Layer { media_type, bytes, annotations }
    }

    fn mint(&self, request: &Request, payload: Option<Vec<u8>>, digest: [u8; 32]) -> Minted {
        let fault = request.fault;
        let at = if fault == Some(Fault::Future) { FUTURE } else { request.at };
        let stranger = self.stranger();
        let leaf_key = Key::p256(&format!("{} leaf {digest:?} {request:?}", self.seed));
        let key = match request.signer {
            Signer::Keyless => &leaf_key,
            Signer::Key if fault == Some(Fault::UnknownKey) => &stranger.signer,
            Signer::Key => &self.signer,
        };
        let public = key.public();
        let certificate =
            (request.signer == Signer::Keyless).then(|| self.certificate(request, &public, at, &stranger));
        let signature = key.sign_digest(&if fault == Some(Fault::Signature) { sha256(&digest) } else { digest });
        Minted { payload, digest, signature, certificate, public, at }
    }

    /// The timestamp over a signature, or over whatever stands in its place.
    fn timestamp(&self, request: &Request, minted: &Minted, over: &[u8]) -> Option<Vec<u8>> {
        let at = minted.at;
        request.timestamp.then(|| match request.fault {
            Some(Fault::UnknownStamper) => self.stranger().stamper.stamp(over, at),
            Some(Fault::LateTimestamp) => self.stamper.stamp(over, at + 2 * LIFETIME),
            Some(Fault::OtherTimestamp) => self.stamper.stamp(b"another signature", at),
            _ => self.stamper.stamp(over, at),
        })
    }

    fn certificate(&self, request: &Request, public: &[u8], at: i64, stranger: &Self) -> Vec<u8> {
        let fault = request.fault;
        let start = match fault {
            Some(Fault::Expired) => at - 2 * LIFETIME,
            Some(Fault::NotYetValid) => at + LIFETIME,
            _ => at - 60,
        };
        let mut names = request.identities.clone();
        match fault {
            Some(Fault::TwoIdentities) => names.push(Identity::Email("somebody@example.com".to_owned())),
            Some(Fault::NoIdentity) => names.clear(),
            Some(Fault::HostIdentity) => names = vec![Identity::Dns("build.example.com".to_owned())],
            Some(Fault::NulIdentity) => {
                names = vec![Identity::Email("release@example.com\0.attacker.example.net".to_owned())];
            }
            _ => {}
        }
        let leaf = Leaf {
            public,
            window: (start, start + LIFETIME),
            names: &names,
            issuer: (fault != Some(Fault::NoIssuer)).then_some(request.issuer.as_str()),
            claims: &request.claims,
            code_signing: fault != Some(Fault::Purpose),
        };
        let publication = match fault {
            Some(Fault::NoSct) => Publication::Nothing,
            Some(Fault::SctOfOtherLog) => Publication::By(&stranger.certificate_log),
            Some(Fault::SctOfOtherCertificate) => Publication::OfAnother(&self.certificate_log),
            _ => Publication::By(&self.certificate_log),
        };
        let issuer = if fault == Some(Fault::UnknownAuthority) { &stranger.issuer } else { &self.issuer };
        issuer.issue(&leaf, &publication)
    }

    fn entry(&self, request: &Request, minted: &Minted, enveloped: bool) -> Option<Value> {
        let fault = request.fault;
        let kind = match request.entry {
            Entry::Nowhere => return None,
            _ if fault == Some(Fault::NoEntry) => return None,
            _ if fault == Some(Fault::EntryKind) => Entry::Tiles,
            Entry::Usual if enveloped => Entry::Dsse,
            Entry::Usual => Entry::Hashedrekord,
            kind => kind,
        };
        let logged = if fault == Some(Fault::OtherEntry) {
            minted.signature.iter().rev().copied().collect()
        } else {
            minted.signature.clone()
        };
        let (mut name, mut body) = body(kind, minted, &logged);
        if fault == Some(Fault::EntryKind) {
            name = ("dsse", "0.0.2");
            body = json!({"apiVersion": "0.0.2", "kind": "dsse", "spec": {"dsseV002": {}}});
        }
        if fault == Some(Fault::EntryOfOtherKind) {
            name = if name.0 == "intoto" { ("dsse", "0.0.1") } else { ("intoto", "0.0.2") };
        }
        let mut body = serde_json::to_vec(&body).unwrap();
        if fault == Some(Fault::EntryBody) {
            body.truncate(body.len() / 2);
        }
        let stranger = self.stranger();
        let log_of = |authority: &Self| -> Log {
            if kind == Entry::Tiles { Log::second(&authority.seed) } else { Log::first(&authority.seed) }
        };
        let (log, other) = if fault == Some(Fault::UnknownLog) {
            (log_of(&stranger), log_of(self))
        } else {
            (log_of(self), log_of(&stranger))
        };
        let flaw = match fault {
            Some(Fault::EntryTimestamp) => Some(Flaw::Timestamp),
            Some(Fault::InclusionProof) => Some(Flaw::Proof),
            Some(Fault::NoInclusionProof) => Some(Flaw::NoProof),
            Some(Fault::Checkpoint) => Some(Flaw::Checkpoint),
            Some(Fault::CheckpointOfOtherTree) => Some(Flaw::CheckpointOfOther),
            Some(Fault::NoTime) => Some(Flaw::NoTimestamp),
            _ => None,
        };
        Some(log.entry(name, &body, minted.at, flaw, &other))
    }
}

/// The body of a log entry, with its kind and version.
fn body(kind: Entry, minted: &Minted, signature: &[u8]) -> ((&'static str, &'static str), Value) {
    let verifier = STANDARD.encode(minted.verifier());
    let hash = |bytes: &[u8]| json!({"algorithm": "sha256", "value": hex::encode(bytes)});
    let payload = || sha256(minted.payload.as_deref().unwrap());
    let envelope = || sha256(&serde_json::to_vec(&minted.envelope()).unwrap());
    let content = STANDARD.encode(signature);
    let body = |version: &str, kind: &str, spec: Value| json!({"apiVersion": version, "kind": kind, "spec": spec});
    match kind {
        Entry::Dsse => (
            ("dsse", "0.0.1"),
            body(
                "0.0.1",
                "dsse",
                json!({
                    "envelopeHash": hash(&envelope()),
                    "payloadHash": hash(&payload()),
                    "signatures": [{"signature": content, "verifier": verifier}],
                }),
            ),
        ),
        Entry::Intoto => (
            ("intoto", "0.0.2"),
            body(
                "0.0.2",
                "intoto",
                json!({"content": {
                    "envelope": {
                        "payloadType": PAYLOAD_TYPE,
                        "signatures": [{"publicKey": verifier, "sig": STANDARD.encode(&content)}],
                    },
                    "hash": hash(&envelope()),
                    "payloadHash": hash(&payload()),
                }}),
            ),
        ),
        Entry::Tiles => {
            let mut by = json!({"keyDetails": "PKIX_ECDSA_P256_SHA_256"});
            match &minted.certificate {
                Some(der) => by["x509Certificate"] = json!({"rawBytes": STANDARD.encode(der)}),
                None => by["publicKey"] = json!({"rawBytes": STANDARD.encode(&minted.public)}),
            }
            (
                ("hashedrekord", "0.0.2"),
                body(
                    "0.0.2",
                    "hashedrekord",
                    json!({"hashedRekordV002": {
                        "data": {"algorithm": "SHA2_256", "digest": STANDARD.encode(minted.digest)},
                        "signature": {"content": content, "verifier": by},
                    }}),
                ),
            )
        }
        Entry::Hashedrekord | Entry::Usual | Entry::Nowhere => (
            ("hashedrekord", "0.0.1"),
            body(
                "0.0.1",
                "hashedrekord",
                json!({
                    "data": {"hash": hash(&minted.digest)},
                    "signature": {"content": content, "publicKey": {"content": verifier}},
                }),
            ),
        ),
    }
}

/// The digest that is signed: the image's, or another one.
fn subject(request: &Request) -> String {
    match request.fault {
        Some(Fault::OtherImage) => format!("sha256:{}", hex::encode(sha256(request.subject.as_bytes()))),
        _ => request.subject.clone(),
    }
}

fn sha256_of(digest: &str) -> [u8; 32] {
    hex::decode(digest.strip_prefix("sha256:").unwrap()).unwrap().try_into().unwrap()
}

fn statement(subject: &str, predicate_type: &str, predicate: &Value) -> Vec<u8> {
    let (algorithm, hex) = subject.split_once(':').unwrap();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "registry.test/app", "digest": {algorithm: hex}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    });
    serde_json::to_vec(&statement).unwrap()
}

fn simple_signing(subject: &str) -> Vec<u8> {
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": "registry.test/app"},
            "image": {"docker-manifest-digest": subject},
            "type": "cosign container image signature",
        },
        "optional": null,
    });
    serde_json::to_vec(&payload).unwrap()
}

/// What is signed of a statement (DSSE).
fn pae(payload: &[u8]) -> Vec<u8> {
    let mut encoded = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}
