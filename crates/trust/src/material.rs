//! Trust material: keys, Sigstore roots, trust stores. What is here says what can be authenticated; who of them counts is
//! for the policy to say.

use std::fmt;
use std::sync::Arc;

use model::{Digest, TrustName};

use crate::error::MaterialError;
use crate::key::PublicKey;

/// Everything to verify with.
#[derive(Debug, Clone)]
pub struct Material {
    /// Keys of signers.
    pub keys: Vec<(TrustName, PublicKey)>,
    /// Sigstore's authorities and logs; several at once.
    pub roots: Vec<SigstoreRoot>,
    /// Trust stores for certificates of the Notary Project.
    pub stores: Vec<TrustStore>,
}

/// A Sigstore trusted root (`application/vnd.dev.sigstore.trustedroot+json;version=0.1`).
#[derive(Clone)]
pub struct SigstoreRoot {
    name: String,
    digest: Digest,
    root: sigstore_verify::trust_root::TrustedRoot,
    verifier: Arc<sigstore_verify::Verifier>,
}

impl fmt::Debug for SigstoreRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigstoreRoot").field("name", &self.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// What a trust store's anchors may do (Notary Project trust store types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreKind {
    /// `ca`: the signer's own certificate authority.
    Ca,
    /// `signingAuthority`: a service that signs for others and vouches for the time.
    SigningAuthority,
}

/// Anchors that chains of one signer may end at, with what is needed to judge them.
#[derive(Debug, Clone)]
pub struct TrustStore {
    /// The signer that the policy gives it to.
    pub name: TrustName,
    /// What the anchors may do.
    pub kind: StoreKind,
    /// Anchors, each a certificate in DER.
    pub anchors: Vec<Vec<u8>>,
    /// Anchors of timestamp authorities, each a certificate in DER.
    pub timestamp_anchors: Vec<Vec<u8>>,
    /// Revocation lists, each in DER.
    pub revocation_lists: Vec<Vec<u8>>,
}

impl SigstoreRoot {
    /// Reads a trusted root. `name` is for messages.
    ///
    /// # Errors
    /// It cannot be read, or holds material that cannot be used.
    pub fn parse(name: &str, json: &[u8]) -> Result<Self, MaterialError> {
        let wrong = |why: String| MaterialError::new(name, why);
        let text = std::str::from_utf8(json).map_err(|error| wrong(error.to_string()))?;
        let root = sigstore_verify::trust_root::TrustedRoot::from_json(text)
            .map_err(|error| wrong(format!("no Sigstore trusted root: {error}")))?;
        let verifier = sigstore_verify::Verifier::new(&root).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { name: name.to_owned(), digest: Digest::of(json), root, verifier: Arc::new(verifier) })
    }

    /// The root of Sigstore's public instance, as this program was built with it.
    ///
    /// # Errors
    /// None in practice: it is part of the program and tested.
    pub fn public_good() -> Result<Self, MaterialError> {
        let json = sigstore_verify::trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;
        Self::parse("sigstore-public-good", json.as_bytes())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Digest of its bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) fn verifier(&self) -> &Arc<sigstore_verify::Verifier> {
        &self.verifier
    }

    pub(crate) fn root(&self) -> &sigstore_verify::trust_root::TrustedRoot {
        &self.root
    }
}

impl Material {
    /// No material: nothing can be authenticated.
    pub fn none() -> Self {
        Self { keys: Vec::new(), roots: Vec::new(), stores: Vec::new() }
    }

    /// Digest over all of it, whatever the order it was given in.
    pub fn digest(&self) -> Digest {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.keys.iter().map(|(name, key)| format!("key {name} {}", key.id())));
        parts.extend(self.roots.iter().map(|root| format!("root {}", root.digest)));
        for store in &self.stores {
            let lists =
                [("anchor", &store.anchors), ("tsa", &store.timestamp_anchors), ("crl", &store.revocation_lists)];
            for (what, list) in lists {
                parts.extend(
                    list.iter().map(|der| format!("{what} {:?} {} {}", store.kind, store.name, Digest::of(der))),
                );
            }
        }
        parts.sort_unstable();
        parts.dedup();
        Digest::of(parts.join("\n").as_bytes())
    }
}
