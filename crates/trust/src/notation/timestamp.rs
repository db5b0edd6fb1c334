//! Timestamps over a signature: RFC 3161 tokens in CMS (RFC 5652), with `signing-certificate-v2` (RFC 5816). Source: Notary
//! Project, "Timestamp Countersignature Verification details". A token proves that the signature existed at its time.

use aws_lc_rs::digest;
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use webpki::KeyUsage;
use x509_cert::attr::Attribute;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use x509_cert::der::oid::db::{rfc5280, rfc5911, rfc5912, rfc6268};
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader, Tag};
use x509_cert::ext::pkix::SubjectKeyIdentifier;

use super::algorithm;
use super::certificate::{Certificate, Purpose};
use super::chain::verify_path;
use super::revocation::{self, RevocationList};
use model::Revocation;

mod info;

use info::{Info, content};

/// `id-smime-ct-TSTInfo`
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// `id-smime-aa-signingCertificateV2`
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
/// The most certificates that a token may carry.
const MOST: usize = 20;

/// When a signature existed, with how exactly that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Witnessed {
    pub(super) at: Timestamp,
    pub(super) earliest: Timestamp,
    pub(super) latest: Timestamp,
}

/// Verifies a token over `signature` up to one of the anchors.
pub(super) fn verify(
    token: &[u8],
    signature: &[u8],
    anchors: &[Certificate],
    lists: &[RevocationList],
) -> Result<Witnessed, String> {
    let unreadable = |error: der::Error| format!("it cannot be read: {error}");
    let token = Token::read(token).map_err(unreadable)?;
    let info = Info::read(&token.content).map_err(unreadable)?;
    if info.has_critical_extensions {
        return Err("it has critical extensions, which are not known".to_owned());
    }
    if hash(info.imprint_algorithm, signature)?.as_ref() != info.imprint {
        return Err("it is about another signature".to_owned());
    }
    let signer = token.signer()?;
    token.check_signature(&signer)?;
    let at = info.at;
    let path = path(&signer, &token.certificates, anchors, at)?;
    if let Revocation::Revoked { since } = revocation::of_chain(&path, lists) {
        return Err(format!("a certificate of its authority is revoked since {since}"));
    }
    let limit =
        |moved: Result<Timestamp, jiff::Error>| moved.map_err(|error| format!("its time is out of range: {error}"));
    Ok(Witnessed { at, earliest: limit(at.checked_sub(info.accuracy))?, latest: limit(at.checked_add(info.accuracy))? })
}

/// What is used of the CMS structure.
struct Token {
    /// The `TSTInfo` in DER.
    content: Vec<u8>,
    certificates: Vec<Certificate>,
    signer: SignerInfo,
}

impl Token {
    fn read(token: &[u8]) -> der::Result<Self> {
        let failed = || der::Error::from(der::ErrorKind::Failed);
        let outer = ContentInfo::from_der(token)?;
        if outer.content_type != rfc5911::ID_SIGNED_DATA {
            return Err(failed());
        }
        let data: SignedData = outer.content.decode_as()?;
        if data.encap_content_info.econtent_type != TST_INFO {
            return Err(failed());
        }
        let content = data.encap_content_info.econtent.ok_or_else(failed)?;
        let content = content.decode_as::<OctetStringRef<'_>>()?.as_bytes().to_vec();
        let mut certificates = Vec::new();
        for choice in data.certificates.iter().flat_map(|set| set.0.iter()).take(MOST) {
            if let CertificateChoices::Certificate(certificate) = choice {
                certificates.push(Certificate::read(&certificate.to_der()?)?);
            }
        }
        let [signer] = data.signer_infos.0.as_slice() else { return Err(failed()) };
        Ok(Self { content, certificates, signer: signer.clone() })
    }

    fn signer(&self) -> Result<Certificate, String> {
        let is_it = |certificate: &&Certificate| match &self.signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(id) => {
                let body = &certificate.parsed().tbs_certificate;
                body.issuer == id.issuer && body.serial_number == id.serial_number
            }
            SignerIdentifier::SubjectKeyIdentifier(id) => certificate
                .extension::<SubjectKeyIdentifier>()
                .is_ok_and(|found| found.is_some_and(|(_, found)| found == *id)),
        };
        let found = self.certificates.iter().find(is_it);
        found.cloned().ok_or_else(|| "it lacks the certificate of who made it".to_owned())
    }

    fn check_signature(&self, signer: &Certificate) -> Result<(), String> {
        let unreadable = |error: der::Error| format!("its signed attributes cannot be read: {error}");
        let attributes = self.signer.signed_attrs.as_ref().ok_or("it has no signed attributes")?;
        let one = |oid: ObjectIdentifier| {
            let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
            match (found.next(), found.next()) {
                (Some(attribute), None) => {
                    value(attribute).ok_or_else(|| format!("its attribute {oid} has not one value"))
                }
                _ => Err(format!("it has the signed attribute {oid} not exactly once")),
            }
        };
        let content_type = one(rfc6268::ID_CONTENT_TYPE)?.decode_as::<ObjectIdentifier>().map_err(unreadable)?;
        let digest = one(rfc6268::ID_MESSAGE_DIGEST)?;
        let digest = digest.decode_as::<OctetStringRef<'_>>().map_err(unreadable)?;
        if content_type != TST_INFO || hash(self.signer.digest_alg.oid, &self.content)?.as_ref() != digest.as_bytes() {
            return Err("its content is not what was signed".to_owned());
        }
        let named = one(SIGNING_CERTIFICATE_V2)?.to_der().map_err(unreadable)?;
        let (algorithm, expected) = first_certificate(&named).map_err(unreadable)?;
        if hash(algorithm, signer.der())?.as_ref() != expected {
            return Err("it names another certificate than that of who made it".to_owned());
        }
        let message = attributes.to_der().map_err(unreadable)?;
        if self.is_signed_by(signer, &message) { Ok(()) } else { Err("its signature does not verify".to_owned()) }
    }

    fn is_signed_by(&self, signer: &Certificate, message: &[u8]) -> bool {
        let signature = self.signer.signature.as_bytes();
        let named = &self.signer.signature_algorithm;
        if named.oid == rfc5912::RSA_ENCRYPTION {
            // CMS allows to name the key's algorithm; the digest's then completes it (RFC 3370, 3.2).
            let algorithm = match self.signer.digest_alg.oid {
                rfc5912::ID_SHA_256 => webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
                rfc5912::ID_SHA_384 => webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
                rfc5912::ID_SHA_512 => webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
                _ => return false,
            };
            return signer.key().algorithm.oid == rfc5912::RSA_ENCRYPTION
                && algorithm::verifies(algorithm, signer.key(), message, signature);
        }
        let Ok(algorithm) = algorithm::content_of(named) else { return false };
        algorithm::signed_by(signer.key(), &algorithm, message, signature)
    }
}

/// The one value of an attribute.
fn value(attribute: &Attribute) -> Option<&der::Any> {
    match attribute.values.as_slice() {
        [value] => Some(value),
        _ => None,
    }
}

/// Hash algorithm and hash of the first certificate that `SigningCertificateV2` names: that of the signer.
fn first_certificate(attribute: &[u8]) -> der::Result<(ObjectIdentifier, Vec<u8>)> {
    let certificates = content(attribute, Tag::Sequence)?;
    let mut list = SliceReader::new(content(certificates, Tag::Sequence)?)?;
    let mut first = SliceReader::new(list.decode::<AnyRef<'_>>()?.value())?;
    let algorithm = if first.peek_tag()? == Tag::Sequence {
        SliceReader::new(first.decode::<AnyRef<'_>>()?.value())?.decode()?
    } else {
        rfc5912::ID_SHA_256
    };
    Ok((algorithm, first.decode::<OctetStringRef<'_>>()?.as_bytes().to_vec()))
}

fn hash(algorithm: ObjectIdentifier, bytes: &[u8]) -> Result<digest::Digest, String> {
    let algorithm = match algorithm {
        rfc5912::ID_SHA_256 => &digest::SHA256,
        rfc5912::ID_SHA_384 => &digest::SHA384,
        rfc5912::ID_SHA_512 => &digest::SHA512,
        other => return Err(format!("it uses the hash algorithm {other}, which is not trusted")),
    };
    Ok(digest::digest(algorithm, bytes))
}

/// The authority's certificates from its leaf to the anchor, all valid at that time and of the required profile.
fn path(
    signer: &Certificate,
    others: &[Certificate],
    anchors: &[Certificate],
    at: Timestamp,
) -> Result<Vec<Certificate>, String> {
    signer.check_leaf(Purpose::TimeStamping)?;
    let unreadable = |error: der::Error| format!("a certificate of its authority cannot be read: {error}");
    let others: Vec<_> = others.iter().map(|certificate| CertificateDer::from(certificate.der())).collect();
    let leaf = CertificateDer::from(signer.der());
    let mut refusal = "its authority's chain ends at none of the anchors".to_owned();
    for anchor in anchors.iter().filter(|anchor| anchor.validity().0 <= at && at <= anchor.validity().1) {
        let der = CertificateDer::from(anchor.der());
        let usage = KeyUsage::required_if_present(rfc5280::ID_KP_TIME_STAMPING.as_bytes());
        let found =
            webpki::anchor_from_trusted_cert(&der).and_then(|anchor| verify_path(&leaf, &[anchor], &others, at, usage));
        let between = match found {
            Ok(between) => between,
            Err(error) => {
                refusal = format!("its authority's certificates are not trusted: {error:?}");
                continue;
            }
        };
        let mut path = vec![signer.clone()];
        for der in between {
            path.push(Certificate::read(&der).map_err(unreadable)?);
        }
        path.push(anchor.clone());
        for (below, authority) in path.iter().skip(1).enumerate() {
            authority.check_authority(below, Purpose::TimeStamping)?;
        }
        return Ok(path);
    }
    Err(refusal)
}
