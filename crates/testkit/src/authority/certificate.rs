//! Certificates like Fulcio's, with their proof of publication (SCT, RFC 6962), and such as Fulcio would never issue.

use super::der::{self, element, explicit, object_id, octets, sequence, text};
use super::key::{Key, sha256};

/// What every name of an authority begins with.
const FULCIO: &str = "1.3.6.1.4.1.57264.1";
const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";
const SERVER: &str = "1.3.6.1.5.5.7.3.1";
/// From when and until when authorities are valid: 2020 to 2049.
pub(super) const ALWAYS: (i64, i64) = (1_577_836_800, 2_493_072_000);

/// One name in a certificate's subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// `uniformResourceIdentifier`
    Uri(String),
    /// `rfc822Name`
    Email(String),
    /// Sigstore's otherName.
    UserName(String),
    /// `dNSName`, which no signer has.
    Dns(String),
}

impl Identity {
    fn general_name(&self) -> Vec<u8> {
        match self {
            Self::Email(name) => element(0x81, name.as_bytes()),
            Self::Dns(name) => element(0x82, name.as_bytes()),
            Self::Uri(name) => element(0x86, name.as_bytes()),
            Self::UserName(name) => {
                explicit(0, &[object_id(&format!("{FULCIO}.7")), explicit(0, &text(name))].concat())
            }
        }
    }
}

/// An issuer of certificates.
pub(super) struct Issuer {
    name: Vec<u8>,
    pub(super) key: Key,
    pub(super) der: Vec<u8>,
}

/// What a leaf certificate says.
pub(super) struct Leaf<'a> {
    pub(super) public: &'a [u8],
    pub(super) window: (i64, i64),
    pub(super) names: &'a [Identity],
    pub(super) issuer: Option<&'a str>,
    pub(super) claims: &'a [(u8, String)],
    pub(super) code_signing: bool,
}

/// How a leaf's publication is proved.
pub(super) enum Publication<'a> {
    Nothing,
    /// By this log.
    By(&'a Key),
    /// By this log, of another certificate.
    OfAnother(&'a Key),
}

fn name(common: &str) -> Vec<u8> {
    let part = |id: &str, value: &str| der::set(&[&sequence(&[&object_id(id), &text(value)])]);
    sequence(&[&part("2.5.4.10", "ecr-gate test authority"), &part("2.5.4.3", common)])
}

fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { der::truth() } else { Vec::new() };
    sequence(&[&object_id(id), &critical, &octets(value)])
}

fn key_id(public: &[u8]) -> Vec<u8> {
    sha256(public)[..20].to_vec()
}

fn usage(bits: u8, unused: u8) -> Vec<u8> {
    extension("2.5.29.15", true, &element(0x03, &[unused, bits]))
}

fn purpose(id: &str, critical: bool) -> Vec<u8> {
    extension("2.5.29.37", critical, &sequence(&[&object_id(id)]))
}

fn key_ids(subject: &[u8], issuer: &[u8]) -> [Vec<u8>; 2] {
    [
        extension("2.5.29.14", false, &octets(&key_id(subject))),
        extension("2.5.29.35", false, &sequence(&[&element(0x80, &key_id(issuer))])),
    ]
}

struct Body<'a> {
    serial: &'a [u8],
    algorithm: &'a [u8],
    issuer: &'a [u8],
    window: (i64, i64),
    subject: &'a [u8],
    public: &'a [u8],
}

impl Body<'_> {
    fn encode(&self, extensions: &[Vec<u8>]) -> Vec<u8> {
        sequence(&[
            &explicit(0, &der::number(2)),
            &der::integer(self.serial),
            self.algorithm,
            self.issuer,
            &sequence(&[&der::short_time(self.window.0), &der::short_time(self.window.1)]),
            self.subject,
            self.public,
            &explicit(3, &element(0x30, &extensions.concat())),
        ])
    }
}

fn signed(body: &[u8], key: &Key) -> Vec<u8> {
    sequence(&[body, &key.algorithm(), &der::bits(&key.sign(body))])
}

/// A serial number that is neither zero nor long.
fn serial(of: &[u8]) -> [u8; 16] {
    let mut serial: [u8; 16] = sha256(of)[..16].try_into().unwrap();
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

impl Issuer {
    /// An authority that vouches for itself. The same bytes for the same seed.
    pub(super) fn root(seed: &str, common: &str) -> Self {
        let (key, name) = (Key::ed25519(seed), name(common));
        let der = Self::authority(&key.public(), &name, &key, &name, 1, &[]);
        Self { name, key, der }
    }

    /// An authority under this one, for signing code.
    pub(super) fn intermediate(&self, seed: &str, common: &str) -> Self {
        let (key, name) = (Key::p256(seed), name(common));
        let der = Self::authority(&key.public(), &name, &self.key, &self.name, 0, &[purpose(CODE_SIGNING, false)]);
        Self { name, key, der }
    }

    fn authority(public: &[u8], name: &[u8], by: &Key, issuer: &[u8], below: u64, more: &[Vec<u8>]) -> Vec<u8> {
        let (serial, algorithm) = (serial(public), by.algorithm());
        let body = Body { serial: &serial, algorithm: &algorithm, issuer, window: ALWAYS, subject: name, public };
        let constraints = sequence(&[&der::truth(), &der::number(below)]);
        let mut extensions = vec![usage(0x06, 1), extension("2.5.29.19", true, &constraints)];
        extensions.extend_from_slice(more);
        extensions.extend(key_ids(public, &by.public()));
        signed(&body.encode(&extensions), by)
    }

    /// A certificate of a timestamp authority, with the name and serial number that stand in its signatures.
    pub(super) fn time_stamper(&self, public: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (serial, algorithm) = (serial(public), self.key.algorithm());
        let subject = name("timestamp authority");
        let body = Body {
            serial: &serial,
            algorithm: &algorithm,
            issuer: &self.name,
            window: ALWAYS,
            subject: &subject,
            public,
        };
        let mut extensions = vec![usage(0x80, 7), purpose(TIME_STAMPING, true)];
        extensions.extend(key_ids(public, &self.key.public()));
        (signed(&body.encode(&extensions), &self.key), sequence(&[&self.name, &der::integer(&serial)]))
    }

    /// A certificate for a signer.
    pub(super) fn issue(&self, leaf: &Leaf<'_>, publication: &Publication<'_>) -> Vec<u8> {
        let (serial, algorithm, nobody) = (serial(leaf.public), self.key.algorithm(), sequence(&[]));
        let body = Body {
            serial: &serial,
            algorithm: &algorithm,
            issuer: &self.name,
            window: leaf.window,
            subject: &nobody,
            public: leaf.public,
        };
        let mut extensions =
            vec![usage(0x80, 7), purpose(if leaf.code_signing { CODE_SIGNING } else { SERVER }, false)];
        extensions.extend(key_ids(leaf.public, &self.key.public()));
        if !leaf.names.is_empty() {
            let names: Vec<Vec<u8>> = leaf.names.iter().map(Identity::general_name).collect();
            extensions.push(extension("2.5.29.17", true, &element(0x30, &names.concat())));
        }
        if let Some(issuer) = leaf.issuer {
            extensions.push(extension(&format!("{FULCIO}.1"), false, issuer.as_bytes()));
            extensions.push(extension(&format!("{FULCIO}.8"), false, &text(issuer)));
        }
        for (number, value) in leaf.claims {
            let value = if *number < 8 { value.clone().into_bytes() } else { text(value) };
            extensions.push(extension(&format!("{FULCIO}.{number}"), false, &value));
        }
        let time = u64::try_from(leaf.window.0).unwrap() * 1000;
        let published = body.encode(&extensions);
        let proof = match publication {
            Publication::Nothing => None,
            Publication::By(log) => Some(self.proof(&published, time, log)),
            Publication::OfAnother(log) => Some(self.proof(&body.encode(&extensions[1..]), time, log)),
        };
        if let Some(proof) = proof {
            extensions.push(extension("1.3.6.1.4.1.11129.2.4.2", false, &octets(&proof)));
        }
        signed(&body.encode(&extensions), &self.key)
    }

    /// A list of one SCT over a certificate that has none yet.
    fn proof(&self, published: &[u8], time: u64, log: &Key) -> Vec<u8> {
        let length = u32::try_from(published.len()).unwrap().to_be_bytes();
        let mut signed = vec![0, 0]; // version 1, certificate timestamp
        signed.extend(time.to_be_bytes());
        signed.extend([0, 1]); // precertificate
        signed.extend(sha256(&self.key.public()));
        signed.extend(&length[1..]);
        signed.extend(published);
        signed.extend([0, 0]); // no extensions
        let signature = log.sign(&signed);
        let mut proof = vec![0];
        proof.extend(sha256(&log.public()));
        proof.extend(time.to_be_bytes());
        proof.extend([0, 0, 4, 3]); // no extensions; SHA-256 with ECDSA
        proof.extend(short(&signature));
        short(&short(&proof))
    }
}

/// With its length in two bytes before it.
fn short(bytes: &[u8]) -> Vec<u8> {
    let mut framed = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    framed.extend_from_slice(bytes);
    framed
}
