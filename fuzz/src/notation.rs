//! What the targets for Notary Project envelopes share: a verifier that trusts those who made the envelopes of the tests of
//! crates/trust, and the property that nothing else than those envelopes ever verifies.

use std::collections::{BTreeMap, BTreeSet};

use model::{Digest, SignatureFormat, Signed, TrustName};
use trust::{Artifact, Material, StoreKind, TrustStore, Verifier};

const SUBJECT: &str = "sha256:5e52742c8ec6d5137108d18815552740864243812d1c6feeed7e9b2ba971c744";

macro_rules! made {
    ($name:literal) => {
        include_bytes!(concat!("../../crates/trust/tests/it/data/notation/", $name)).as_slice()
    };
}

/// A verifier with the answers that it may give.
#[derive(Debug)]
pub struct Envelopes {
    verifier: Verifier,
    subject: Digest,
    format: SignatureFormat,
    genuine: BTreeSet<String>,
}

impl Envelopes {
    /// For the envelopes of one form.
    ///
    /// # Panics
    /// If an envelope of the tests does not verify: then the targets would test nothing.
    pub fn new(format: SignatureFormat) -> Self {
        let corp = |signer: &str, anchors: &[&[u8]], clocks: &[&[u8]]| TrustStore {
            name: TrustName { policy: "fuzz".to_owned(), signer: signer.to_owned() },
            kind: StoreKind::Ca,
            anchors: anchors.iter().map(|pem| certificate(pem)).collect(),
            timestamp_anchors: clocks.iter().map(|pem| certificate(pem)).collect(),
            revocation_lists: Vec::new(),
        };
        let stores = vec![
            corp("corp", &[made!("root.pem")], &[made!("tsa-root.pem")]),
            corp("self", &[made!("self-signed.pem")], &[]),
        ];
        let verifier = Verifier::new(&Material { stores, ..Material::none() }).expect("the trust stores are sound");
        let subject = SUBJECT.parse().expect("a digest");
        let mut envelopes = Self { verifier, subject, format, genuine: BTreeSet::new() };
        let made = match format {
            SignatureFormat::NotationJws => {
                [made!("self-signed.jws"), made!("es256-timestamp.jws"), made!("es384.jws")]
            }
            _ => [made!("self-signed.cose"), made!("ps384-timestamp.cose"), made!("es384.cose")],
        };
        envelopes.genuine = made.into_iter().map(|bytes| envelopes.answer(bytes).expect("it is genuine")).collect();
        envelopes
    }

    /// What was signed by whom, without what nobody signed: that there is a timestamp.
    fn answer(&self, bytes: &[u8]) -> Option<String> {
        let annotations = BTreeMap::new();
        let artifact = Artifact { format: self.format, media_type: "", bytes, annotations: &annotations };
        let authentic = self.verifier.verify(&self.subject, &artifact).ok()?;
        assert!(matches!(authentic.content(), Signed::Image(image) if image.digest == self.subject), "another image");
        let proof = authentic.proof();
        Some(format!("{:?} {:?} {:?} {:?}", authentic.content(), proof.signer, proof.claimed, proof.expires))
    }

    /// Nothing but what notation made verifies.
    ///
    /// # Panics
    /// If something else does.
    pub fn check(&self, data: &[u8]) {
        if let Some(answer) = self.answer(data) {
            assert!(self.genuine.contains(&answer), "nobody signed this: {answer}");
        }
    }
}

fn certificate(pem: &[u8]) -> Vec<u8> {
    use base64::Engine;
    let text = std::str::from_utf8(pem).expect("PEM is text");
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).expect("base64")
}
