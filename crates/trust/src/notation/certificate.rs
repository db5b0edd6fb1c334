//! One certificate: what is read of it, and the profile that the Notary Project asks of it. Source: signature specification,
//! "Certificate Requirements".

use std::fmt;

use jiff::Timestamp;
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::oid::db::{rfc5280, rfc5912};
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Time;

use super::{algorithm, subject};

/// What no certificate for signing code may be for.
const FORBIDDEN_USAGES: [(ObjectIdentifier, &str); 6] = [
    (rfc5280::ANY_EXTENDED_KEY_USAGE, "any use"),
    (rfc5280::ID_KP_SERVER_AUTH, "server authentication"),
    (rfc5280::ID_KP_CLIENT_AUTH, "client authentication"),
    (rfc5280::ID_KP_EMAIL_PROTECTION, "e-mail protection"),
    (rfc5280::ID_KP_TIME_STAMPING, "time stamping"),
    (rfc5280::ID_KP_OCSP_SIGNING, "OCSP signing"),
];

/// `ecdsa-with-SHA1`
const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");

/// What a leaf certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    CodeSigning,
    TimeStamping,
}

/// A certificate with what is looked at often.
#[derive(Clone)]
pub(super) struct Certificate {
    der: Vec<u8>,
    envelope: SignedStructure,
    parsed: x509_cert::Certificate,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// The three parts that certificates and revocation lists are made of (RFC 5280).
#[derive(Clone)]
pub(super) struct SignedStructure {
    signed: Vec<u8>,
    /// The content of the `AlgorithmIdentifier`.
    algorithm: Vec<u8>,
    signature: Vec<u8>,
}

impl SignedStructure {
    pub(super) fn read(der: &[u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let parts = reader.sequence(|reader| {
            let signed = reader.tlv_bytes()?.to_vec();
            let algorithm = AnyRef::decode(reader)?.value().to_vec();
            let signature = BitStringRef::decode(reader)?;
            let signature = signature.as_bytes().ok_or_else(|| der::ErrorKind::Failed.into());
            signature.map(|signature: &[u8]| Self { signed, algorithm, signature: signature.to_vec() })
        })?;
        reader.finish(parts)
    }

    pub(super) fn is_signed_by(&self, key: &SubjectPublicKeyInfoOwned) -> bool {
        algorithm::signed_by(key, &self.algorithm, &self.signed, &self.signature)
    }
}

impl Certificate {
    pub(super) fn read(der: &[u8]) -> der::Result<Self> {
        let parsed = x509_cert::Certificate::from_der(der)?;
        let body = &parsed.tbs_certificate;
        Ok(Self {
            der: der.to_vec(),
            envelope: SignedStructure::read(der)?,
            subject: body.subject.to_der()?,
            issuer: body.issuer.to_der()?,
            not_before: moment(body.validity.not_before),
            not_after: moment(body.validity.not_after),
            parsed,
        })
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn key(&self) -> &SubjectPublicKeyInfoOwned {
        &self.parsed.tbs_certificate.subject_public_key_info
    }

    /// The key as it stands in the certificate, in DER; it was read from there, so it can be written again.
    pub(super) fn key_der(&self) -> der::Result<Vec<u8>> {
        self.key().to_der()
    }

    pub(super) fn parsed(&self) -> &x509_cert::Certificate {
        &self.parsed
    }

    /// The subject in DER.
    pub(super) fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// When it is valid, both ends included.
    pub(super) fn validity(&self) -> (Timestamp, Timestamp) {
        (self.not_before, self.not_after)
    }

    /// Whether that other one issued it, as far as name and signature say.
    pub(super) fn is_issued_by(&self, issuer: &Self) -> bool {
        self.issuer == issuer.subject && self.envelope.is_signed_by(issuer.key())
    }

    pub(super) fn is_self_signed(&self) -> bool {
        self.is_issued_by(self)
    }

    /// An extension with whether it is critical; nothing if it is not there.
    pub(super) fn extension<T: AssociatedOid + for<'a> Decode<'a>>(&self) -> Result<Option<(bool, T)>, String> {
        let mut found = self.extensions().filter(|extension| extension.extn_id == T::OID);
        let Some(extension) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(format!("{self} has the extension {} twice", T::OID));
        }
        let value = T::from_der(extension.extn_value.as_bytes());
        let value = value.map_err(|error| format!("the extension {} of {self} cannot be read: {error}", T::OID))?;
        Ok(Some((extension.critical, value)))
    }

    fn extensions(&self) -> impl Iterator<Item = &Extension> {
        self.parsed.tbs_certificate.extensions.iter().flatten()
    }

    /// The profile of a leaf.
    pub(super) fn check_leaf(&self, purpose: Purpose) -> Result<(), String> {
        if self.extension::<BasicConstraints>()?.is_some_and(|(_, constraints)| constraints.ca) {
            return Err(format!("{self} is a certificate authority's, not a signer's"));
        }
        let usage = self.key_usage(purpose)?;
        if !usage.digital_signature() {
            return Err(format!("the key usage of {self} lacks digital signatures"));
        }
        let forbidden = [
            (usage.key_encipherment(), "key encipherment"),
            (usage.data_encipherment(), "data encipherment"),
            (usage.key_agreement(), "key agreement"),
            (usage.key_cert_sign(), "certificates"),
            (usage.crl_sign(), "revocation lists"),
            (usage.encipher_only(), "enciphering only"),
            (usage.decipher_only(), "deciphering only"),
        ];
        if let Some((_, what)) = forbidden.iter().find(|(used, _)| *used) {
            return Err(format!("the key usage of {self} allows more than digital signatures: {what}"));
        }
        let extended = self.extension::<ExtendedKeyUsage>()?;
        match (purpose, extended) {
            (Purpose::CodeSigning, None) => Ok(()),
            (Purpose::CodeSigning, Some((_, usages))) => {
                match FORBIDDEN_USAGES.iter().find(|(usage, _)| usages.0.contains(usage)) {
                    Some((_, what)) => Err(format!("{self} is for {what}, which a signer's must not be")),
                    None => Ok(()),
                }
            }
            (Purpose::TimeStamping, Some((true, usages))) if usages.0 == [rfc5280::ID_KP_TIME_STAMPING] => Ok(()),
            (Purpose::TimeStamping, _) => Err(format!("{self} is not marked critically as for time stamping alone")),
        }
    }

    /// The profile of a certificate authority with so many others between it and the leaf.
    pub(super) fn check_authority(&self, below: usize, purpose: Purpose) -> Result<(), String> {
        match self.extension::<BasicConstraints>()? {
            Some((true, constraints)) if constraints.ca => {
                if constraints.path_len_constraint.is_some_and(|most| usize::from(most) < below) {
                    return Err(format!("{self} allows fewer authorities below it than there are"));
                }
            }
            _ => return Err(format!("{self} is not marked critically as a certificate authority's")),
        }
        if self.key_usage(purpose)?.key_cert_sign() {
            Ok(())
        } else {
            Err(format!("the key usage of {self} lacks certificates"))
        }
    }

    fn key_usage(&self, purpose: Purpose) -> Result<KeyUsage, String> {
        match (self.extension::<KeyUsage>()?, purpose) {
            (Some((true, usage)), _) | (Some((_, usage)), Purpose::TimeStamping) => Ok(usage),
            (Some(_), Purpose::CodeSigning) => Err(format!("the key usage of {self} is not marked critical")),
            (None, _) => Err(format!("{self} has no key usage")),
        }
    }

    /// Whether it is signed with the algorithm that its signed part names.
    pub(super) fn names_one_algorithm(&self) -> bool {
        self.parsed.signature_algorithm == self.parsed.tbs_certificate.signature
    }

    /// Whether it is signed with SHA-1.
    pub(super) fn is_sha1(&self) -> bool {
        let sha1 = [rfc5912::SHA_1_WITH_RSA_ENCRYPTION, ECDSA_WITH_SHA_1];
        sha1.contains(&self.parsed.signature_algorithm.oid)
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate of {}", subject::text(&self.parsed.tbs_certificate.subject))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A time of X.509, whose last years lie beyond those of a timestamp.
pub(super) fn moment(time: Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
