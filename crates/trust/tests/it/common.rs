//! What the tests share: the keys and the image of data/cosign, and the folder of outside data.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use model::{Authentic, Digest, NonEmpty, Reason, ReasonCode, SignatureFormat, Signed, TrustName};
use serde_json::Value;
use trust::{Artifact, Material, PublicKey, SigstoreRoot, Verifier};

/// The image that everything in data/cosign is about.
pub(crate) const IMAGE: &str = "sha256:01b5c1a23e1542fd87fc35afbc14028d0b3b36ca4a1b1ed320d1182986771c0c";

/// The kinds of keys in data/cosign.
pub(crate) const KINDS: [&str; 4] = ["p256", "p384", "rsa", "ed25519"];

pub(crate) fn image() -> Digest {
    IMAGE.parse().unwrap()
}

pub(crate) fn data(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/cosign").join(name)).unwrap()
}

pub(crate) fn key(kind: &str) -> PublicKey {
    PublicKey::from_pem(kind, &data(&format!("{kind}.pub"))).unwrap()
}

/// Keys, and Sigstore's public root if asked for.
pub(crate) fn material(kinds: &[&str], public_good: bool) -> Material {
    let name = |kind: &&str| TrustName { policy: "test".into(), signer: (*kind).into() };
    Material {
        keys: kinds.iter().map(|kind| (name(kind), key(kind))).collect(),
        roots: if public_good { vec![SigstoreRoot::public_good().unwrap()] } else { Vec::new() },
        stores: Vec::new(),
    }
}

/// An artifact that owns its parts.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) format: SignatureFormat,
    pub(crate) bytes: Vec<u8>,
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Found {
    pub(crate) fn bundle(bytes: Vec<u8>) -> Self {
        Self { format: SignatureFormat::Bundle, bytes, annotations: BTreeMap::new() }
    }

    /// A layer and its annotations, as data/cosign keeps them.
    pub(crate) fn layer(format: SignatureFormat, name: &str) -> Self {
        let layer: Value = serde_json::from_slice(&data(name)).unwrap();
        let annotations = serde_json::from_value(layer["annotations"].clone()).unwrap();
        Self { format, bytes: layer["text"].as_str().unwrap().as_bytes().to_vec(), annotations }
    }

    pub(crate) fn verify(&self, material: &Material, image: &Digest) -> Result<Authentic<Signed>, NonEmpty<Reason>> {
        let media_type = "application/vnd.test";
        let Self { format, bytes, annotations } = self;
        Verifier::new(material).unwrap().verify(image, &Artifact { format: *format, media_type, bytes, annotations })
    }

    /// Why it is refused.
    pub(crate) fn refused(&self, material: &Material, image: &Digest) -> ReasonCode {
        match self.verify(material, image) {
            Ok(authentic) => panic!("accepted: {authentic:?}"),
            Err(reasons) => reasons.first().code,
        }
    }
}

/// The folder of outside data, or a line that says which tests were skipped.
pub(crate) fn outside(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("ECR_GATE_TESTDATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: {test}: ECR_GATE_TESTDATA is not set");
    }
    folder
}

/// Every place of a document that holds a text, number or list, as a pointer.
pub(crate) fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            places(value, &format!("{at}/{name}"), found);
        }),
        Value::Array(list) => {
            found.push(at.to_owned());
            list.iter().enumerate().for_each(|(index, value)| places(value, &format!("{at}/{index}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

/// The document with one byte of one text changed, or one list emptied.
pub(crate) fn changed(document: &Value, place: &str, seed: usize) -> Option<Value> {
    let mut changed = document.clone();
    let value = changed.pointer_mut(place)?;
    *value = match &*value {
        Value::String(text) if text.is_empty() => return None,
        Value::String(text) => {
            let mut bytes = text.clone().into_bytes();
            let length = bytes.len();
            // The last characters of base64 hold bits that count for nothing.
            let position = if length > 4 { seed % (length - 4) } else { 0 };
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            Value::String(String::from_utf8_lossy(&bytes).into_owned())
        }
        Value::Number(number) => Value::from(number.as_i64()? + 1),
        Value::Array(list) if list.is_empty() => return None,
        Value::Array(_) => Value::Array(Vec::new()),
        _ => return None,
    };
    Some(changed)
}
