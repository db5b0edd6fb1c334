//! The certificate chain of an envelope: whole, in order, of the required profile. Whether anybody trusts it is asked apart.
//! Source: signature specification, "Certificate Requirements". Two ways check every link: the envelope's own order, and
//! webpki's path building, which also refuses what RFC 5280 refuses (critical extensions that it does not know).

use std::time::Duration;

use jiff::Timestamp;
use model::{Reason, ReasonCode};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};

use super::certificate::{Certificate, Purpose};
use super::malformed;

/// The longest chain that is looked at.
const MOST: usize = 10;

/// Certificates, leaf first, that end at a root.
#[derive(Debug)]
pub(super) struct Chain {
    certificates: Vec<Certificate>,
    window: (Timestamp, Timestamp),
}

impl Chain {
    /// Reads the certificates of an envelope.
    pub(super) fn read(certificates: &[Vec<u8>]) -> Result<Self, Reason> {
        if certificates.is_empty() || certificates.len() > MOST {
            let message = format!("it has {} certificates; from 1 to {MOST} are read", certificates.len());
            return Err(malformed(message));
        }
        let read = certificates.iter().enumerate().map(|(number, der)| {
            Certificate::read(der)
                .map_err(|error| malformed(format!("its certificate {} cannot be read: {error}", number + 1)))
        });
        let certificates = read.collect::<Result<Vec<_>, _>>()?;
        let starts = certificates.iter().map(|certificate| certificate.validity().0);
        let ends = certificates.iter().map(|certificate| certificate.validity().1);
        let window = (starts.fold(Timestamp::MIN, Timestamp::max), ends.fold(Timestamp::MAX, Timestamp::min));
        Ok(Self { certificates, window })
    }

    pub(super) fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The signer's certificate. There is one: a chain is never empty.
    pub(super) fn leaf(&self) -> &Certificate {
        &self.certificates[0]
    }

    /// When all certificates are valid at once, both ends included.
    pub(super) fn window(&self) -> (Timestamp, Timestamp) {
        self.window
    }

    /// Checks order, signatures and profile.
    pub(super) fn check(&self) -> Result<(), Reason> {
        let untrusted = |message: String| Reason::new(ReasonCode::SignatureUntrusted, message);
        if self.window.0 > self.window.1 {
            let message = "its certificates were never valid at the same time".to_owned();
            return Err(Reason::new(ReasonCode::SignatureCertificateTime, message));
        }
        self.links().map_err(untrusted)?;
        self.leaf().check_leaf(Purpose::CodeSigning).map_err(untrusted)?;
        for (below, authority) in self.certificates.iter().skip(1).enumerate() {
            authority.check_authority(below, Purpose::CodeSigning).map_err(untrusted)?;
        }
        self.path().map_err(|error| untrusted(format!("its certificates are no path that RFC 5280 allows: {error:?}")))
    }

    fn links(&self) -> Result<(), String> {
        for (number, certificate) in self.certificates.iter().enumerate() {
            if certificate.is_sha1() {
                return Err(format!("{certificate} is signed with SHA-1"));
            }
            if !certificate.names_one_algorithm() {
                return Err(format!("{certificate} names two signature algorithms"));
            }
            match self.certificates.get(number + 1) {
                Some(_) if certificate.is_self_signed() => {
                    return Err(format!("{certificate} is self-signed and not the last of its chain"));
                }
                Some(issuer) if !certificate.is_issued_by(issuer) => {
                    return Err(format!("{certificate} is not issued by the next one, {issuer}"));
                }
                None if !certificate.is_self_signed() => {
                    return Err(format!(
                        "the chain ends with {certificate}, which is not self-signed: the root is missing"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// webpki's path building up to the chain's own root. Whether that root is trusted is another question.
    fn path(&self) -> Result<(), webpki::Error> {
        let ders: Vec<_> =
            self.certificates.iter().map(|certificate| CertificateDer::from(certificate.der())).collect();
        let root = ders.last().ok_or(webpki::Error::UnknownIssuer)?;
        let anchors = [webpki::anchor_from_trusted_cert(root)?];
        verify_path(&ders[0], &anchors, &ders[1..], self.window.0, AnyUsage).map(|_| ())
    }
}

/// Usages are checked by the profile, which knows more of them.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

/// The certificates in DER between leaf and anchor of the path that webpki finds.
pub(super) fn verify_path(
    leaf: &CertificateDer<'_>,
    anchors: &[TrustAnchor<'_>],
    others: &[CertificateDer<'_>],
    at: Timestamp,
    usage: impl ExtendedKeyUsageValidator,
) -> Result<Vec<Vec<u8>>, webpki::Error> {
    let seconds = u64::try_from(at.as_second()).map_err(|_| webpki::Error::BadDerTime)?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let leaf = EndEntityCert::try_from(leaf)?;
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let path = leaf.verify_for_usage(algorithms, anchors, others, at, usage, None, None)?;
    Ok(path.intermediate_certificates().map(|certificate| certificate.der().to_vec()).collect())
}
