//! Authentication with a memory: trust material is prepared once, and one envelope is verified once, however many ask for
//! it at the same time. The key is the subject, the envelope and the material together, so a revocation, a window or a new
//! threshold, which policy judges afterwards, verifies nothing again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use model::{Authentic, Digest, NonEmpty, Reason, Signed, TrustMaterial, TrustName};
use tokio::sync::OnceCell;
use trust::{Artifact, Material, PublicKey, Verifier};

use crate::kms;

/// Trust material as the policies name it, read from files.
#[derive(Debug, Clone)]
pub struct TrustInputs {
    /// What the files hold.
    pub material: Material,
    /// Keys to fetch from a key management service, by `awskms://` name.
    pub kms: Vec<(TrustName, String)>,
    /// Per policy that needs them: the digests of the trusted roots it names, or why there are none.
    pub roots: BTreeMap<String, Result<Vec<Digest>, Reason>>,
}

impl TrustInputs {
    /// No material.
    pub fn none() -> Self {
        Self { material: Material::none(), kms: Vec::new(), roots: BTreeMap::new() }
    }
}

/// Trust material that is prepared when it is first asked for.
#[derive(Debug)]
pub struct Trust {
    inputs: TrustInputs,
    prepared: OnceCell<Arc<Authenticator>>,
}

impl Trust {
    /// Keeps the material; nothing is fetched or prepared yet.
    pub fn new(inputs: TrustInputs) -> Self {
        Self { inputs, prepared: OnceCell::new() }
    }

    /// The verifier, with the keys of key management services fetched once.
    ///
    /// # Errors
    /// A part of the material cannot be used.
    pub(crate) async fn authenticator(&self) -> Result<Arc<Authenticator>, Reason> {
        self.prepared.get_or_try_init(|| Authenticator::new(&self.inputs)).await.map(Arc::clone)
    }
}

type Verified = Result<Authentic<Signed>, NonEmpty<Reason>>;
type Answers = BTreeMap<(Digest, Digest), Arc<OnceLock<Verified>>>;

/// How many answers are kept; then the memory begins anew.
const ANSWERS: usize = 4096;

/// Verifies envelopes, each once.
pub(crate) struct Authenticator {
    verifier: Verifier,
    material: TrustMaterial,
    answers: Mutex<Answers>,
    verified: AtomicU64,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("material", &self.material.digest).finish_non_exhaustive()
    }
}

impl Authenticator {
    async fn new(inputs: &TrustInputs) -> Result<Arc<Self>, Reason> {
        let mut material = inputs.material.clone();
        let mut keys: BTreeMap<TrustName, Result<Digest, Reason>> =
            material.keys.iter().map(|(name, key)| (name.clone(), Ok(key.id().clone()))).collect();
        let fetched = inputs.kms.iter().map(|(name, uri)| async move {
            let key = match kms::kms_public_key(uri).await {
                Ok(der) => PublicKey::from_der(uri, &der).map_err(|error| error.reason()),
                Err(reason) => Err(reason),
            };
            (name.clone(), key)
        });
        for (name, key) in futures_util::future::join_all(fetched).await {
            keys.insert(name.clone(), key.as_ref().map(|key| key.id().clone()).map_err(Reason::clone));
            // One that could not be had is unknown to the signers that need it, and to nobody else.
            if let Ok(key) = key {
                material.keys.push((name, key));
            }
        }
        let verifier = Verifier::new(&material).map_err(|error| error.reason())?;
        let material = TrustMaterial { digest: verifier.material().clone(), keys, roots: inputs.roots.clone() };
        Ok(Arc::new(Self { verifier, material, answers: Mutex::new(Answers::new()), verified: AtomicU64::new(0) }))
    }

    /// What it verifies with.
    pub(crate) fn material(&self) -> &TrustMaterial {
        &self.material
    }

    /// Who signed this envelope. One that is being verified already is waited for.
    pub(crate) fn verify(&self, subject: &Digest, artifact: &Artifact<'_>) -> Verified {
        let key = (subject.clone(), artifact.digest());
        let cell = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            if answers.len() >= ANSWERS && !answers.contains_key(&key) {
                answers.clear();
            }
            Arc::clone(answers.entry(key).or_insert_with(|| Arc::new(OnceLock::new())))
        };
        cell.get_or_init(|| {
            self.verified.fetch_add(1, Ordering::Relaxed);
            self.verifier.verify(subject, artifact)
        })
        .clone()
    }

    /// How many envelopes were really verified.
    #[cfg(test)]
    pub(crate) fn verifications(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use model::SignatureFormat;

    use super::*;

    async fn authenticator() -> Arc<Authenticator> {
        Trust::new(TrustInputs::none()).authenticator().await.unwrap()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn b15_one_envelope_is_verified_once_however_many_ask_and_another_subject_is_another_question() {
        let authenticator = authenticator().await;
        let none = BTreeMap::new();
        let artifact = Artifact { format: SignatureFormat::Bundle, media_type: "m", bytes: b"{}", annotations: &none };
        let subject = Digest::of(b"image");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(authenticator.verify(&subject, &artifact).is_err()));
            }
        });
        assert_eq!(authenticator.verifications(), 1, "eight containers, one image, one verification");
        assert!(authenticator.verify(&Digest::of(b"another"), &artifact).is_err());
        assert_eq!(authenticator.verifications(), 2);
        let signed = BTreeMap::from([("dev.cosignproject.cosign/signature".to_owned(), "AA==".to_owned())]);
        assert!(authenticator.verify(&subject, &Artifact { annotations: &signed, ..artifact }).is_err());
        assert_eq!(authenticator.verifications(), 3, "what stands beside the bytes belongs to the question");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn f4_a_key_that_cannot_be_fetched_is_unknown_to_its_signer_and_to_nobody_else() {
        let name = TrustName { policy: "p".to_owned(), signer: "kms".to_owned() };
        let inputs = TrustInputs { kms: vec![(name.clone(), "awskms://".to_owned())], ..TrustInputs::none() };
        let authenticator = Trust::new(inputs).authenticator().await.unwrap();
        let why = authenticator.material().keys[&name].as_ref().unwrap_err();
        assert_eq!(why.code, model::ReasonCode::TrustKeyUnavailable);
    }
}
