//! Whom a client certificate names. Whether its authority counts was seen to by whoever took the connection.

use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The names in a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificateNames {
    /// URIs among the alternative names: SPIFFE ids.
    pub uris: Vec<String>,
    /// DNS names among them.
    pub dns: Vec<String>,
    /// The subject's common name, if there is exactly one.
    pub common_name: Option<String>,
}

/// Reads the names of a certificate in DER.
///
/// # Errors
/// It cannot be read, or a name in it cannot.
pub fn certificate_names(der: &[u8]) -> Result<CertificateNames, String> {
    let certificate = Certificate::from_der(der).map_err(|error| format!("the certificate cannot be read: {error}"))?;
    let mut names = CertificateNames::default();
    let alternative = certificate.tbs_certificate.get::<SubjectAltName>();
    let alternative = alternative.map_err(|error| format!("the certificate's names cannot be read: {error}"))?;
    for name in alternative.into_iter().flat_map(|(_, names)| names.0) {
        match name {
            GeneralName::UniformResourceIdentifier(uri) => names.uris.push(plain(uri.as_str())?),
            GeneralName::DnsName(name) => names.dns.push(plain(name.as_str())?),
            _ => {}
        }
    }
    let parts = certificate.tbs_certificate.subject.0.iter().flat_map(|relative| relative.0.iter());
    let mut common = parts.filter(|part| part.oid == COMMON_NAME);
    if let (Some(one), None) = (common.next(), common.next()) {
        let text = Utf8StringRef::try_from(&one.value).map(|text| text.to_string());
        let text = text.or_else(|_| PrintableStringRef::try_from(&one.value).map(|text| text.to_string()));
        names.common_name = text.ok().map(|text| plain(&text)).transpose()?;
    }
    Ok(names)
}

/// A text that shows everything it holds.
fn plain(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control) {
        return Err("a name in the certificate is empty, too long, or holds control characters".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn o2_a_certificate_names_its_bearer() {
        let mut params = CertificateParams::new(vec!["ci.example".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI("spiffe://house/ci".try_into().unwrap()));
        params.distinguished_name.push(DnType::CommonName, "ci");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let names = certificate_names(certificate.der()).unwrap();
        assert_eq!((names.uris, names.dns), (vec!["spiffe://house/ci".to_owned()], vec!["ci.example".to_owned()]));
        assert_eq!(names.common_name.as_deref(), Some("ci"));
        assert!(certificate_names(b"nonsense").is_err());
    }
}
