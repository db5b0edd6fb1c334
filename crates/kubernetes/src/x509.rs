//! Certificates as the API server looks at them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_cert::der::Decode as _;

/// The certificates in PEM text.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let list = read.map_err(|error| format!("it is no certificate in PEM form: {error}"))?;
    if list.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(list) }
}

/// The same, in the encoding of a Secret or a webhook.
pub(crate) fn encoded(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    certificates(&STANDARD.decode(text.trim()).map_err(|_| "it is no base64".to_owned())?)
}

/// From when until when it holds, in seconds since 1970.
pub(crate) fn validity(certificate: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let read = x509_cert::Certificate::from_der(certificate).ok()?;
    let second = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).ok();
    let validity = read.tbs_certificate.validity;
    Some((second(validity.not_before)?, second(validity.not_after)?))
}

/// The common name of its subject.
pub(crate) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let read = x509_cert::Certificate::from_der(certificate).ok()?;
    let mut attributes = read.tbs_certificate.subject.0.iter().flat_map(|one| one.0.iter());
    let name = attributes.find(|one| one.oid.to_string() == "2.5.4.3")?;
    String::from_utf8(name.value.value().to_vec()).ok()
}

/// Whether a server with this chain is believed under this name by these authorities.
pub(crate) fn believed(
    chain: &[CertificateDer<'_>],
    authorities: &[CertificateDer<'_>],
    name: &str,
    now: Timestamp,
) -> Result<(), String> {
    let words = |error: webpki::Error| match error {
        webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => {
            "none of the authorities signed it".to_owned()
        }
        webpki::Error::CertNotValidForName(_) => "it is for other names".to_owned(),
        other => other.to_string(),
    };
    let anchors: Vec<_> = authorities.iter().filter_map(|one| webpki::anchor_from_trusted_cert(one).ok()).collect();
    let (Some(leaf), rest) = (chain.first(), chain.get(1..).unwrap_or(&[])) else {
        return Err("there is none".to_owned());
    };
    let leaf = webpki::EndEntityCert::try_from(leaf).map_err(words)?;
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let usage = webpki::KeyUsage::server_auth();
    leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, rest, time, usage, None, None).map_err(words)?;
    let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
    leaf.verify_is_valid_for_subject_name(&name).map_err(words)
}
