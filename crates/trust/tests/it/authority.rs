//! A Sigstore of our own, as small as one can be: a certificate authority, a certificate log, and a transparency log of the
//! first kind (Rekor v1) with promises and with proofs in trees of one leaf. What it makes is right unless a test says
//! otherwise, so that each way of being wrong can be tried alone.

use std::collections::BTreeMap;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Digest, SignatureFormat};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PublicKeyData as _, SanType, SerialNumber, date_time_ymd,
};
use serde_json::{Value, json};
use trust::{PublicKey, SigstoreRoot};

use crate::common::Found;

/// When everything is signed; certificates are valid on this day.
pub(crate) const TIME: i64 = 1_749_988_800;
pub(crate) const IDENTITY: &str = "https://ci.example.com/acme/app";
pub(crate) const OIDC: &str = "https://token.example.com";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A key that signs.
pub(crate) struct Key(EcdsaKeyPair);

impl Key {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::from_der("the key", &self.der()).unwrap()
    }

    fn id(&self) -> Vec<u8> {
        sha256(&self.der())
    }
}

/// The authority and its logs.
pub(crate) struct Authority {
    ca: (CertificateParams, Issuer<'static, KeyPair>),
    pub(crate) certificate_log: Key,
    pub(crate) log: Key,
}

/// What a test may want to be otherwise in a certificate.
pub(crate) type Change<'a> = &'a dyn Fn(&mut CertificateParams);

/// A signer with a certificate.
pub(crate) struct Holder {
    key: KeyPair,
    pub(crate) certificate: Vec<u8>,
}

impl Holder {
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, self.key.serialized_der()).unwrap();
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    hex::decode(Digest::of(bytes).as_str().trim_start_matches("sha256:")).unwrap()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let body: Vec<String> =
        base64(der).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", body.join("\n"))
}

fn extension(oid: &[u64], text: &str) -> CustomExtension {
    let mut der = vec![0x0c, u8::try_from(text.len()).unwrap()];
    der.extend_from_slice(text.as_bytes());
    CustomExtension::from_oid_content(oid, der)
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2035, 1, 1));
        let issuer = Issuer::new(params.clone(), KeyPair::generate().unwrap());
        Self { ca: (params, issuer), certificate_log: Key::new(), log: Key::new() }
    }

    /// Its trusted root.
    pub(crate) fn root(&self, name: &str) -> SigstoreRoot {
        let key = |key: &Key| {
            json!({
                "baseUrl": "https://log.example.com",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": base64(&key.der()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": { "start": "2025-01-01T00:00:00Z" },
                },
                "logId": { "keyId": base64(&key.id()) },
            })
        };
        let ca = self.ca.0.clone().self_signed(self.ca.1.key()).unwrap();
        let root = json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [key(&self.log)],
            "certificateAuthorities": [{
                "subject": { "organization": "example", "commonName": "ca" },
                "uri": "https://ca.example.com",
                "certChain": { "certificates": [{ "rawBytes": base64(ca.der()) }] },
                "validFor": { "start": "2025-01-01T00:00:00Z" },
            }],
            "ctlogs": [key(&self.certificate_log)],
            "timestampAuthorities": [],
        });
        SigstoreRoot::parse(name, root.to_string().as_bytes()).unwrap()
    }

    /// A certificate for a build, as changed; with the certificate log's promise to publish it, if `published`.
    pub(crate) fn holder(&self, change: Change<'_>, published: bool) -> Holder {
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(4711));
        params.subject_alt_names = vec![SanType::URI(IDENTITY.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        (params.not_before, params.not_after) = (date_time_ymd(2025, 6, 15), date_time_ymd(2025, 6, 16));
        params.custom_extensions = vec![
            extension(&[1, 3, 6, 1, 4, 1, 57264, 1, 8], OIDC),
            extension(&[1, 3, 6, 1, 4, 1, 57264, 1, 14], "refs/heads/main"),
        ];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        if published {
            let before = params.signed_by(&key, &self.ca.1).unwrap();
            let promise = self.promise_of_publication(before.der());
            params.custom_extensions.push(promise);
        }
        let certificate = params.signed_by(&key, &self.ca.1).unwrap().der().to_vec();
        Holder { key, certificate }
    }

    /// The signed certificate timestamp (RFC 6962) over a certificate that lacks nothing but this.
    fn promise_of_publication(&self, certificate: &[u8]) -> CustomExtension {
        let length = |bytes: &[u8], width: usize| bytes.len().to_be_bytes()[8 - width..].to_vec();
        let issuer = self.ca.1.key().subject_public_key_info();
        let time = (TIME.unsigned_abs() * 1000).to_be_bytes();
        let signed_part = signed_part(certificate);
        let parts: [&[u8]; 7] =
            [&[0, 0], &time, &[0, 1], &sha256(&issuer), &length(signed_part, 3), signed_part, &[0, 0]];
        let signature = self.certificate_log.sign(&parts.concat());
        let id = self.certificate_log.id();
        let parts: [&[u8]; 6] = [&[0], &id, &time, &[0, 0, 4, 3], &length(&signature, 2), &signature];
        let sct = parts.concat();
        let list = [length(&sct, 2), sct].concat();
        let list = [length(&list, 2), list].concat();
        let octets = match u8::try_from(list.len()).unwrap() {
            short @ 0..0x80 => vec![0x04, short],
            long => vec![0x04, 0x81, long],
        };
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2], [octets, list].concat())
    }

    /// An entry of this body in the log, with promise and proof.
    pub(crate) fn entry(&self, body: &Value, time: i64) -> Value {
        let bytes = body.to_string().into_bytes();
        let promised = json!({ "body": base64(&bytes), "integratedTime": time, "logID": hex::encode(self.log.id()), "logIndex": 7 });
        let root = base64(&sha256(&[&[0], bytes.as_slice()].concat()));
        let note = format!("log.example.com\n1\n{root}\n");
        let signed = [&self.log.id()[..4], &self.log.sign(note.as_bytes())].concat();
        json!({
            "logIndex": "7",
            "logId": { "keyId": base64(&self.log.id()) },
            "kindVersion": { "kind": body["kind"], "version": body["apiVersion"] },
            "integratedTime": time.to_string(),
            "inclusionPromise": { "signedEntryTimestamp": base64(&self.log.sign(promised.to_string().as_bytes())) },
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": root,
                "treeSize": "1",
                "hashes": [],
                "checkpoint": { "envelope": format!("{note}\n— log.example.com {}\n", base64(&signed)) },
            },
            "canonicalizedBody": base64(&bytes),
        })
    }

    /// The layer and annotations of cosign's signature on an image, of before there were bundles, with a log entry.
    pub(crate) fn simple(&self, sign: &dyn Fn(&[u8]) -> Vec<u8>, verifier: &str, payload: &Value) -> Found {
        let bytes = payload.to_string().into_bytes();
        let signature = base64(&sign(&bytes));
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": hex::encode(sha256(&bytes)) } },
                "signature": { "content": signature, "publicKey": { "content": base64(verifier.as_bytes()) } },
            },
        });
        let entry = self.entry(&body, TIME);
        let logged = json!({
            "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "Payload": {
                "body": entry["canonicalizedBody"],
                "integratedTime": TIME,
                "logIndex": 7,
                "logID": hex::encode(self.log.id()),
            },
        });
        let annotations = BTreeMap::from([
            ("dev.cosignproject.cosign/signature".to_owned(), signature),
            ("dev.sigstore.cosign/bundle".to_owned(), logged.to_string()),
        ]);
        Found { format: SignatureFormat::CosignSignature, bytes, annotations }
    }

    /// A bundle v0.3 around a statement, by a holder of a certificate, in the log at this time.
    pub(crate) fn keyless(&self, holder: &Holder, statement: &Value, time: i64) -> Value {
        let verifier = pem("CERTIFICATE", &holder.certificate);
        let material = json!({ "certificate": { "rawBytes": base64(&holder.certificate) } });
        self.bundle(&|message| holder.sign(message), &verifier, material, statement, time)
    }

    /// The same by a bare key.
    pub(crate) fn keyed(&self, key: &Key, statement: &Value, time: i64) -> Value {
        let material = json!({ "publicKey": { "hint": base64(&key.id()) } });
        self.bundle(&|message| key.sign(message), &pem("PUBLIC KEY", &key.der()), material, statement, time)
    }

    fn bundle(
        &self,
        sign: &dyn Fn(&[u8]) -> Vec<u8>,
        verifier: &str,
        mut material: Value,
        statement: &Value,
        time: i64,
    ) -> Value {
        let payload = statement.to_string().into_bytes();
        let signature = base64(&sign(&trust::pre_authentication_encoding(PAYLOAD_TYPE, &payload)));
        let envelope = json!({
            "payloadType": PAYLOAD_TYPE,
            "payload": base64(&payload),
            "signatures": [{ "sig": signature }],
        });
        let hash = |bytes: &[u8]| json!({ "algorithm": "sha256", "value": hex::encode(sha256(bytes)) });
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": hash(envelope.to_string().as_bytes()),
                "payloadHash": hash(&payload),
                "signatures": [{ "signature": signature, "verifier": base64(verifier.as_bytes()) }],
            },
        });
        material["tlogEntries"] = json!([self.entry(&body, time)]);
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": material,
            "dsseEnvelope": envelope,
        })
    }
}

/// The first part of a certificate: what its issuer signs.
fn signed_part(certificate: &[u8]) -> &[u8] {
    let inside = |der: &[u8]| match der[1] {
        short if short < 0x80 => (2, usize::from(short)),
        0x81 => (3, usize::from(der[2])),
        _ => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
    };
    let (start, _) = inside(certificate);
    let (head, length) = inside(&certificate[start..]);
    &certificate[start..start + head + length]
}
