//! A certificate authority and a signer that make every envelope, the bad ones too.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use coset::cbor::value::Value as Cbor;
use coset::{CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana};
use model::Digest;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use serde_json::{Value, json};

/// Who issues certificates.
pub(super) struct Authority {
    pub(super) params: CertificateParams,
    pub(super) key: KeyPair,
    pub(super) der: Vec<u8>,
    /// Certificates above it.
    pub(super) above: Vec<Vec<u8>>,
}

/// Who signs images.
pub(super) struct Builder {
    pub(super) chain: Vec<Vec<u8>>,
    key: EcdsaKeyPair,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "US");
    params.distinguished_name.push(DnType::OrganizationName, "acme");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_after = date_time_ymd(2036, 1, 1);
    params
}

impl Authority {
    pub(super) fn root(name: &str) -> Self {
        Self::root_with(name, |_| {})
    }

    pub(super) fn root_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = authority_params(name);
        change(&mut params);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { params, key, der, above: Vec::new() }
    }

    pub(super) fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    fn chain(&self) -> Vec<Vec<u8>> {
        [vec![self.der.clone()], self.above.clone()].concat()
    }

    pub(super) fn authority(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = authority_params(name);
        change(&mut params);
        let der = params.signed_by(&key, &self.issuer()).unwrap().der().to_vec();
        Self { params, key, der, above: self.chain() }
    }

    pub(super) fn builder(&self) -> Builder {
        self.builder_with(|_| {})
    }

    pub(super) fn builder_with(&self, change: impl FnOnce(&mut CertificateParams)) -> Builder {
        let key = KeyPair::generate().unwrap();
        let mut params = named("builder");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        change(&mut params);
        let leaf = params.signed_by(&key, &self.issuer()).unwrap().der().to_vec();
        let chain = [vec![leaf], self.chain()].concat();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der()).unwrap();
        Builder { chain, key }
    }
}

/// The image that everything minted is about.
pub(super) fn subject() -> Digest {
    Digest::of(b"image")
}

pub(super) fn payload() -> Value {
    json!({ "targetArtifact": {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": subject(),
        "size": 528,
        "annotations": { "io.acme.build": "7" },
    }})
}

pub(super) fn header() -> Value {
    json!({
        "alg": "ES256",
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": ["io.cncf.notary.signingScheme"],
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": "2026-06-01T12:00:00Z",
    })
}

pub(super) fn authority_header(at: &str) -> Value {
    json!({
        "alg": "ES256",
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": ["io.cncf.notary.signingScheme", "io.cncf.notary.authenticSigningTime"],
        "io.cncf.notary.signingScheme": "notary.x509.signingAuthority",
        "io.cncf.notary.authenticSigningTime": at,
    })
}

impl Builder {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    /// A flattened JWS over these two, as they are.
    pub(super) fn jws_of(&self, header: &str, payload: &str) -> Value {
        let (protected, payload) = (URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.sign(format!("{protected}.{payload}").as_bytes());
        let x5c: Vec<_> = self.chain.iter().map(|der| STANDARD.encode(der)).collect();
        json!({
            "payload": payload,
            "protected": protected,
            "header": { "x5c": x5c, "io.cncf.notary.signingAgent": "mint/1" },
            "signature": URL_SAFE_NO_PAD.encode(signature),
        })
    }

    pub(super) fn jws(&self) -> Vec<u8> {
        self.jws_with(&header())
    }

    pub(super) fn jws_with(&self, header: &Value) -> Vec<u8> {
        self.jws_of(&header.to_string(), &payload().to_string()).to_string().into_bytes()
    }

    /// A COSE_Sign1 whose headers were changed before it was signed.
    pub(super) fn cose_with(&self, change: impl FnOnce(HeaderBuilder) -> HeaderBuilder) -> Vec<u8> {
        let text = |text: &str| Cbor::Text(text.to_owned());
        let header = HeaderBuilder::new()
            .algorithm(iana::Algorithm::ES256)
            .content_type("application/vnd.cncf.notary.payload.v1+json".to_owned())
            .text_value("io.cncf.notary.signingScheme".to_owned(), text("notary.x509"))
            .text_value("io.cncf.notary.signingTime".to_owned(), Cbor::Tag(1, Box::new(Cbor::from(1_780_315_200))))
            .add_critical_label(coset::RegisteredLabelWithPrivate::Text("io.cncf.notary.signingScheme".to_owned()));
        let chain = self.chain.iter().map(|der| Cbor::Bytes(der.clone())).collect();
        CoseSign1Builder::new()
            .protected(change(header).build())
            .unprotected(HeaderBuilder::new().value(33, Cbor::Array(chain)).build())
            .payload(payload().to_string().into_bytes())
            .create_signature(&[], |message| self.sign(message))
            .build()
            .to_tagged_vec()
            .unwrap()
    }
}
