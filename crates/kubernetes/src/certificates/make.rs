//! Making authorities and certificates. Keys are P-256, and never leave the Secrets they are for.

use std::time::Duration;

use model::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_cert::der::{Decode as _, Encode as _};

use super::CertificateError;
use crate::x509::{certificates, common_name, validity};

/// Clocks of API servers may be behind.
const BEFORE: i64 = 300;

/// An authority, in PEM form.
#[derive(Clone)]
pub(super) struct Authority {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// A certificate, in PEM form.
pub(super) struct Made {
    pub(super) certificate: String,
    pub(super) key: String,
}

fn wrong(error: impl std::fmt::Display) -> CertificateError {
    CertificateError::Making(error.to_string())
}

fn moment(second: i64) -> Result<OffsetDateTime, CertificateError> {
    OffsetDateTime::from_unix_timestamp(second).map_err(wrong)
}

fn params(name: &str, names: Vec<String>, begins: i64, ends: i64) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::new(names).map_err(wrong)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    (params.not_before, params.not_after) = (moment(begins)?, moment(ends)?);
    Ok(params)
}

fn authority(name: &str, begins: i64, ends: i64) -> Result<CertificateParams, CertificateError> {
    let mut params = params(name, Vec::new(), begins, ends)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

fn lasts(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

impl Authority {
    pub(super) fn make(name: &str, lifetime: Duration, now: Timestamp) -> Result<Self, CertificateError> {
        let key = KeyPair::generate().map_err(wrong)?;
        let now = now.as_second();
        let made = authority(name, now, now.saturating_add(lasts(lifetime)))?.self_signed(&key).map_err(wrong)?;
        Ok(Self { certificate: made.pem(), key: key.serialize_pem() })
    }
}

/// A certificate of this authority for these names. It does not outlive the authority.
pub(super) fn certificate(
    by: &Authority,
    names: &[String],
    lifetime: Duration,
    now: Timestamp,
) -> Result<Made, CertificateError> {
    let read = certificates(by.certificate.as_bytes()).map_err(wrong)?;
    let parts = read.first().and_then(|one| Some((common_name(one)?, validity(one)?)));
    let Some((name, (begins, ends))) = parts else { return Err(wrong("the authority cannot be read")) };
    let signer = KeyPair::from_pem(&by.key).map_err(|_| wrong("the key of the authority cannot be read"))?;
    let issuer = Issuer::new(authority(&name, begins, ends)?, signer);
    let second = now.as_second();
    let mut params = params(
        names.first().map_or("ecr-gate", String::as_str),
        names.to_vec(),
        second.saturating_sub(BEFORE).max(begins),
        second.saturating_add(lasts(lifetime)).min(ends),
    )?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(wrong)?;
    let made = params.signed_by(&key, &issuer).map_err(wrong)?;
    Ok(Made { certificate: made.pem(), key: key.serialize_pem() })
}

/// Whether a key is that of a certificate.
pub(super) fn fits(key: &str, certificate: Option<&CertificateDer<'_>>) -> bool {
    let read = certificate.and_then(|one| x509_cert::Certificate::from_der(one).ok());
    let public = read.and_then(|one| one.tbs_certificate.subject_public_key_info.to_der().ok());
    KeyPair::from_pem(key).is_ok_and(|key| Some(key.subject_public_key_info()) == public)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::believed;

    #[test]
    fn d1_a_certificate_is_believed_by_its_authority_alone_and_ends_with_it() {
        let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let day = Duration::from_hours(24);
        let [one, other] = ["a", "b"].map(|name| Authority::make(name, day * 100, now).unwrap());
        let names = ["gate.ecr-gate.svc".to_owned(), "10.0.0.1".to_owned()];
        let made = certificate(&one, &names, day * 90, now).unwrap();
        let read = |pem: &str| certificates(pem.as_bytes()).unwrap();
        let chain = read(&made.certificate);
        let later = |days: i64| Timestamp::from_second(now.as_second() + days * 86_400).unwrap();
        for (authority, name, at, is) in [
            (&one, "gate.ecr-gate.svc", now, true),
            (&one, "10.0.0.1", later(89), true),
            (&one, "gate.other.svc", now, false),
            (&one, "gate.ecr-gate.svc", later(91), false),
            (&other, "gate.ecr-gate.svc", now, false),
        ] {
            let said = believed(&chain, &read(&authority.certificate), name, at);
            assert_eq!(said.is_ok(), is, "{name} {at} {said:?}");
        }
        assert!(fits(&made.key, chain.first()) && !fits(&one.key, chain.first()) && !fits("", chain.first()));
        let long = certificate(&one, &names, day * 1000, now).unwrap();
        let ends = |pem: &str| validity(&read(pem)[0]).unwrap().1;
        assert_eq!(ends(&long.certificate), ends(&one.certificate));
        let broken = Authority { key: "no key".to_owned(), ..one };
        assert!(certificate(&broken, &names, day, now).is_err());
    }
}
