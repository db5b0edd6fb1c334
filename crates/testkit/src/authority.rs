//! A small Sigstore of our own, for tests: a certificate authority like Fulcio, a certificate log, transparency logs like
//! Rekor v1 and v2 and a timestamp authority, all of which follow from a seed. It signs what it is asked to, right or with
//! exactly one [`Fault`], as a bundle v0.3 or in the layers of cosign v2. Nothing of it is part of the gate, and nothing it
//! signs means anything.
//!
//! ```
//! use testkit::authority::{Authority, Request};
//!
//! let authority = Authority::new("docs");
//! let request = Request::image(&format!("sha256:{}", "0".repeat(64)));
//! let (root, bundle) = (authority.trusted_root(), authority.bundle(&request));
//! assert!(root.starts_with(b"{") && bundle.starts_with(b"{"));
//! ```

mod certificate;
mod der;
mod fault;
mod key;
mod log;
mod mint;
mod timestamp;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub use certificate::Identity;
pub use fault::Fault;
pub use mint::Layer;

use certificate::Issuer;
use key::{Key, sha256};
use log::Log;
use timestamp::Stamper;

/// When signatures are made unless a request says otherwise: 2025-06-01T12:00:00Z.
pub const SIGNED_AT: i64 = 1_748_779_200;

/// The predicate type of an image signature in a bundle, as cosign v3 writes it.
const IMAGE_SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";

/// All authorities of one seed, and the key of one signer.
pub struct Authority {
    seed: String,
    root: Issuer,
    issuer: Issuer,
    certificate_log: Key,
    log: Log,
    tiles: Log,
    stamper: Stamper,
    signer: Key,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// What is signed.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// The image: a statement of cosign's own type in a bundle, a simple signing payload in a layer.
    Image,
    /// The image's digest itself, as `sign-blob` does.
    Message,
    /// A statement about the image with this predicate.
    Statement {
        /// Its type.
        predicate_type: String,
        /// What it says.
        predicate: Value,
    },
    /// These bytes as a statement, whatever they say.
    Raw(Vec<u8>),
}

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// Somebody with a certificate for a few minutes.
    Keyless,
    /// The holder of [`Authority::public_key`].
    Key,
}

/// Which entry of which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// What cosign would write: `dsse` for statements, `hashedrekord` for messages.
    Usual,
    /// `hashedrekord` 0.0.1
    Hashedrekord,
    /// `dsse` 0.0.1
    Dsse,
    /// `intoto` 0.0.2
    Intoto,
    /// `hashedrekord` 0.0.2 of Rekor v2, which proves no time.
    Tiles,
    /// None.
    Nowhere,
}

/// What is to be signed, by whom, and what is to be wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The image's digest.
    pub subject: String,
    /// What is signed.
    pub content: Content,
    /// Who signs.
    pub signer: Signer,
    /// The certificate's identities; usually one.
    pub identities: Vec<Identity>,
    /// The OIDC issuer.
    pub issuer: String,
    /// Fulcio's extensions by the last part of their number: 12 is the source repository's URI, 14 its ref.
    pub claims: Vec<(u8, String)>,
    /// When, in seconds of Unix time.
    pub at: i64,
    /// The log entry.
    pub entry: Entry,
    /// With a timestamp by the timestamp authority.
    pub timestamp: bool,
    /// What is to be wrong.
    pub fault: Option<Fault>,
}

impl Request {
    /// A keyless signature of an image by a workflow, in the log.
    pub fn image(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            content: Content::Image,
            signer: Signer::Keyless,
            identities: vec![Identity::Uri(
                "https://gitlab.example.com/acme/app//.gitlab-ci.yml@refs/heads/main".to_owned(),
            )],
            issuer: "https://gitlab.example.com".to_owned(),
            claims: vec![
                (12, "https://gitlab.example.com/acme/app".to_owned()),
                (13, "0123456789abcdef0123456789abcdef01234567".to_owned()),
                (14, "refs/heads/main".to_owned()),
            ],
            at: SIGNED_AT,
            entry: Entry::Usual,
            timestamp: false,
            fault: None,
        }
    }

    /// A keyless statement about an image.
    pub fn statement(subject: &str, predicate_type: &str, predicate: Value) -> Self {
        Self {
            content: Content::Statement { predicate_type: predicate_type.to_owned(), predicate },
            ..Self::image(subject)
        }
    }

    /// The same, signed with the key.
    #[must_use]
    pub fn by_key(mut self) -> Self {
        self.signer = Signer::Key;
        self
    }

    /// The same with something wrong.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Self {
        match fault {
            Fault::UnknownKey => self.signer = Signer::Key,
            Fault::UnknownStamper | Fault::OtherTimestamp | Fault::LateTimestamp => self.timestamp = true,
            _ => {}
        }
        self.fault = Some(fault);
        self
    }
}

impl Authority {
    /// All authorities of a seed. Two of one seed trust each other, and two of different seeds do not.
    pub fn new(seed: &str) -> Self {
        let root = Issuer::root(&format!("{seed} root"), "root");
        let issuer = root.intermediate(&format!("{seed} intermediate"), "intermediate");
        Self {
            seed: seed.to_owned(),
            certificate_log: Key::p256(&format!("{seed} certificate log")),
            log: Log::first(seed),
            tiles: Log::second(seed),
            stamper: Stamper::new(seed),
            signer: Key::p256(&format!("{seed} signer")),
            root,
            issuer,
        }
    }

    /// Authorities that nobody named, with the names of these.
    fn stranger(&self) -> Self {
        Self::new(&format!("{} stranger", self.seed))
    }

    /// The trusted root. The same bytes for the same seed.
    pub fn trusted_root(&self) -> Vec<u8> {
        let chain = |certificates: &[&[u8]]| -> Value {
            let certificates: Vec<Value> =
                certificates.iter().map(|der| json!({"rawBytes": STANDARD.encode(der)})).collect();
            json!({"certificates": certificates})
        };
        let subject = |common: &str| json!({"organization": "ecr-gate test authority", "commonName": common});
        let since = json!({"start": "2020-01-01T00:00:00Z"});
        let root = json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.log.trusted(), self.tiles.trusted()],
            "certificateAuthorities": [{
                "subject": subject("root"),
                "uri": "https://fulcio.test",
                "certChain": chain(&[&self.issuer.der, &self.root.der]),
                "validFor": since,
            }],
            "ctlogs": [{
                "baseUrl": "https://ctlog.test",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": STANDARD.encode(self.certificate_log.public()),
                    "keyDetails": self.certificate_log.details(),
                    "validFor": since,
                },
                "logId": {"keyId": STANDARD.encode(sha256(&self.certificate_log.public()))},
            }],
            "timestampAuthorities": [{
                "subject": subject("timestamp authority"),
                "uri": "https://timestamp.test",
                "certChain": chain(&[&self.stamper.chain[0], &self.stamper.chain[1]]),
                "validFor": since,
            }],
        });
        serde_json::to_vec_pretty(&root).unwrap()
    }

    /// The key of the signer with a key, as a PEM file.
    pub fn public_key(&self) -> String {
        der::pem("PUBLIC KEY", &self.signer.public())
    }
}

#[cfg(test)]
mod tests;
