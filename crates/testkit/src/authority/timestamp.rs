//! A timestamp authority (RFC 3161): tokens over signatures, without certificates in them.

use super::certificate::Issuer;
use super::der::{self, element, explicit, object_id, octets, sequence, set};
use super::key::{Key, sha256};

const CONTENT: &str = "1.2.840.113549.1.9.16.1.4";

/// A timestamp authority.
pub(super) struct Stamper {
    key: Key,
    /// Its certificate and that of its root.
    pub(super) chain: [Vec<u8>; 2],
    id: Vec<u8>,
}

impl Stamper {
    pub(super) fn new(seed: &str) -> Self {
        let root = Issuer::root(&format!("{seed} timestamp root"), "timestamp root");
        let key = Key::p256(&format!("{seed} timestamp"));
        let (leaf, id) = root.time_stamper(&key.public());
        Self { key, chain: [leaf, root.der], id }
    }

    /// The authority's answer: that this signature existed at that time.
    pub(super) fn stamp(&self, signature: &[u8], at: i64) -> Vec<u8> {
        let sha = sequence(&[&object_id("2.16.840.1.101.3.4.2.1")]);
        let said = sequence(&[
            &der::number(1),
            &object_id("1.3.6.1.4.1.57264.2"),
            &sequence(&[&sha, &octets(&sha256(signature))]),
            &der::integer(&sha256(signature)[..8]),
            &der::long_time(at),
        ]);
        let attribute = |id: &str, value: &[u8]| sequence(&[&object_id(id), &set(&[value])]);
        let certificate = sequence(&[&sequence(&[&sequence(&[&octets(&sha256(&self.chain[0]))])])]);
        let attributes = der::sorted(&[
            &attribute("1.2.840.113549.1.9.3", &object_id(CONTENT)),
            &attribute("1.2.840.113549.1.9.4", &octets(&sha256(&said))),
            &attribute("1.2.840.113549.1.9.16.2.47", &certificate),
        ]);
        let signer = sequence(&[
            &der::number(1),
            &self.id,
            &sha,
            &explicit(0, &attributes),
            &self.key.algorithm(),
            &octets(&self.key.sign(&element(0x31, &attributes))),
        ]);
        let content = sequence(&[&object_id(CONTENT), &explicit(0, &octets(&said))]);
        let data = sequence(&[&der::number(3), &set(&[&sha]), &content, &set(&[&signer])]);
        let token = sequence(&[&object_id("1.2.840.113549.1.7.2"), &explicit(0, &data)]);
        sequence(&[&sequence(&[&der::number(0)]), &token])
    }
}
