//! Who signed what, and since when that is proven (S27). Authentication fills these types; whose word counts is judged by
//! policy afterwards, so that a revocation or a new threshold verifies nothing again.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::text::read_as_text;
use crate::{Digest, Reason};

/// Trust material by the name a policy gives it: the policy, and the signer in its `spec.signers`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrustName {
    /// `metadata.name` of the policy.
    pub policy: String,
    /// The name of the signer.
    pub signer: String,
}

impl fmt::Display for TrustName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.policy, self.signer)
    }
}

impl Serialize for TrustName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

read_as_text!(TrustName, "`POLICY/SIGNER`", |text| text
    .rsplit_once('/')
    .map(|(policy, signer)| TrustName { policy: policy.to_owned(), signer: signer.to_owned() })
    .ok_or_else(|| format!("{text:?} is not POLICY/SIGNER")));

/// The name in a certificate's subject alternative name, with its kind: an e-mail address is never taken for a URI.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "kind", content = "value")]
pub enum CertificateIdentity {
    /// `rfc822Name`
    Email(String),
    /// `uniformResourceIdentifier`
    Uri(String),
    /// Sigstore's otherName 1.3.6.1.4.1.57264.1.7.
    UserName(String),
}

impl CertificateIdentity {
    /// The name itself.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Email(value) | Self::Uri(value) | Self::UserName(value) => value,
        }
    }
}

/// Who signed, as far as authentication proves it. Names are claims of whoever issued the certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Signer {
    /// The holder of a key that was given as trust material.
    Key {
        /// SHA-256 of the key's SubjectPublicKeyInfo in DER.
        key: Digest,
        /// `ecdsa-p256`, `ecdsa-p384`, `ed25519`, `rsa-2048` …
        algorithm: String,
    },
    /// The holder of a short-lived certificate of a Sigstore certificate authority (Fulcio).
    Keyless {
        /// Who the certificate names.
        identity: CertificateIdentity,
        /// Who vouched for that: the OIDC issuer.
        issuer: String,
        /// What else the certificate says about the build (Fulcio's extensions), by their names in Fulcio's documentation
        /// in camel case: `sourceRepositoryUri`, `sourceRepositoryRef`, `buildSignerUri`, …
        claims: BTreeMap<String, String>,
        /// SHA-256 of the certificate in DER.
        certificate: Digest,
    },
    /// The holder of a certificate that chains to a trust store (Notary Project).
    X509 {
        /// The trust material whose anchors the chain ends at; one certificate may be in several.
        stores: Vec<TrustName>,
        /// The leaf's subject as RFC 4514 text.
        subject: String,
        /// SHA-256 of the leaf certificate in DER.
        certificate: Digest,
        /// SHA-256 of the leaf's SubjectPublicKeyInfo in DER.
        key: Digest,
        /// What a revocation list of the trust material says.
        revocation: Revocation,
    },
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { key, algorithm } => write!(f, "the {algorithm} key {}", key.short()),
            Self::Keyless { identity, issuer, .. } => write!(f, "{} (issuer {issuer})", identity.as_str()),
            Self::X509 { subject, .. } => write!(f, "{subject}"),
        }
    }
}

/// What is known of the revocation of a certificate chain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Revocation {
    /// A list of every issuer that has certificates in the chain was given, and none names one of them.
    Good {
        /// When the earliest of the lists is to be replaced.
        until: Timestamp,
    },
    /// A list names one of them.
    Revoked {
        /// Since when.
        since: Timestamp,
    },
    /// No list was given for some issuer, and none of the certificates that no list covers names a service that would say.
    NotChecked,
    /// No list was given for some issuer, and a certificate of it names a service that would say: nobody is asked.
    NotAsked,
}

/// A moment at which the signature provably existed, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProvenTime {
    /// The moment.
    pub at: Timestamp,
    /// Who says so.
    pub by: TimeSource,
    /// Digest of the Sigstore trusted root that names who says so; nothing where a trust store does.
    pub root: Option<Digest>,
}

/// Who vouches for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TimeSource {
    /// The transparency log's signed entry timestamp (Rekor v1).
    TransparencyLog,
    /// An RFC 3161 timestamp authority of the trust material.
    TimestampAuthority,
    /// A signing authority of the Notary Project (`notary.x509.signingAuthority`).
    SigningAuthority,
}

/// A verified entry in a transparency log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LogEntry {
    /// The log's id, in hexadecimal.
    pub log: String,
    /// The entry's index.
    pub index: u64,
    /// Digests of the trusted roots that it was verified by, each on its own.
    pub roots: Vec<Digest>,
}

/// What authentication found out beside the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Proof {
    /// Who signed.
    pub signer: Signer,
    /// From when to when the whole certificate chain is valid; nothing for a bare key.
    pub window: Option<(Timestamp, Timestamp)>,
    /// Moments at which the signature provably existed, earliest first. Empty: nobody vouches for any.
    pub proven: Vec<ProvenTime>,
    /// Its entry in a transparency log, if one was verified.
    pub log: Option<LogEntry>,
    /// Digests of the trusted roots that vouch for a keyless signer's certificate, each on its own.
    pub roots: Vec<Digest>,
    /// Trusted roots that name the log or timestamp authority of a key's signature and refuse what it holds of them: to a
    /// policy that trusts such a root the signature is refused.
    pub refused: Vec<(Digest, Reason)>,
    /// When it was made by the signer's own word.
    pub claimed: Option<Timestamp>,
    /// After this moment the signer no longer stands by it (Notary Project).
    pub expires: Option<Timestamp>,
    /// What of it was not evaluated, one sentence each.
    pub notes: Vec<String>,
}

impl Proof {
    /// The proof for a bare key, and nothing beside it.
    pub fn of(signer: Signer) -> Self {
        Self {
            signer,
            window: None,
            proven: Vec::new(),
            log: None,
            roots: Vec::new(),
            refused: Vec::new(),
            claimed: None,
            expires: None,
            notes: Vec::new(),
        }
    }
}

/// Something whose signature was verified. There is no way to one but by the verifier, and by reading back what was recorded of
/// its work, which is for replaying policies and enforces nothing ([`crate::FactsDocument`]). Tests of policies give made-up ones.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authentic<T> {
    content: T,
    proof: Proof,
}

impl<T> Authentic<T> {
    /// Only `trust` calls this (clippy.toml of every other crate refuses it).
    pub fn by_verifier(content: T, proof: Proof) -> Self {
        Self { content, proof }
    }

    /// What was signed.
    pub fn content(&self) -> &T {
        &self.content
    }

    /// Who signed it, and when that is proven.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }
}

/// What a signature is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Signed {
    /// The image itself: cosign's simple signing, a bundle with cosign's `sign` predicate, Notation.
    Image(SignedImage),
    /// A statement about it (in-toto). It is no signature on the image.
    Statement(Statement),
}

/// A signature on an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignedImage {
    /// The digest that was signed.
    pub digest: Digest,
    /// The reference as the signer wrote it; it proves nothing about the repository.
    pub reference: Option<String>,
    /// Annotations that were signed too.
    pub annotations: BTreeMap<String, String>,
}

/// An in-toto statement. Source: in-toto Attestation Framework, Statement v0.1 and v1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Statement {
    /// `predicateType`
    pub predicate_type: String,
    /// The sha256 digests of its subjects.
    pub subjects: Vec<Digest>,
    /// The predicate, as the bytes of its JSON value.
    #[serde(with = "raw_json")]
    #[schemars(with = "serde_json::Value")]
    pub predicate: Vec<u8>,
}

/// The form a signature was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SignatureFormat {
    /// A Sigstore bundle, v0.1 to v0.3.
    Bundle,
    /// cosign's simple signing payload with annotations (tag `sha256-….sig`).
    CosignSignature,
    /// A DSSE envelope, with cosign's annotations if there are any (tag `sha256-….att`).
    DsseEnvelope,
    /// Notary Project, JWS envelope.
    NotationJws,
    /// Notary Project, COSE envelope.
    NotationCose,
    /// Something that calls itself a signature, and is none of these (S28: unsupported, never absent, never valid).
    Unknown,
}

impl SignatureFormat {
    /// The words that people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bundle => "Sigstore bundle",
            Self::CosignSignature => "cosign signature",
            Self::DsseEnvelope => "DSSE envelope",
            Self::NotationJws => "Notation signature (JWS)",
            Self::NotationCose => "Notation signature (COSE)",
            Self::Unknown => "unknown signature format",
        }
    }
}

/// A predicate keeps the bytes it was written in. What is no JSON object, and so no predicate, stands there as a string.
mod raw_json {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use serde_json::value::RawValue;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let text = String::from_utf8_lossy(bytes);
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(object) if text.starts_with('{') => object.serialize(serializer),
            _ => serializer.serialize_str(&text),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let value = Box::<RawValue>::deserialize(deserializer)?;
        if value.get().starts_with('"') {
            let text: String = serde_json::from_str(value.get()).map_err(de::Error::custom)?;
            return Ok(text.into_bytes());
        }
        Ok(value.get().as_bytes().to_vec())
    }
}
