//! Certificate revocation lists of the trust material. Source: RFC 5280, 5 and 6.3. Nobody is asked for anything here: no
//! list is fetched, and OCSP is not done. A list that covers only a part (delta, partitioned, indirect) may revoke and
//! never proves that something is not revoked.

use jiff::Timestamp;
use model::Revocation;
use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::der::asn1::{GeneralizedTime, ObjectIdentifier};
use x509_cert::der::oid::db::rfc5280;
use x509_cert::der::{self, Decode, Encode};
use x509_cert::ext::pkix::name::DistributionPointName;
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, BasicConstraints, CrlDistributionPoints, IssuingDistributionPoint, KeyUsage,
};

use super::certificate::{Certificate, SignedStructure, moment};

/// `id-ce-issuingDistributionPoint`
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");

/// A revocation list, not yet matched with its issuer.
pub(super) struct RevocationList {
    envelope: SignedStructure,
    issuer: Vec<u8>,
    parsed: CertificateList,
    scope: Scope,
}

/// Which of its issuer's certificates a list speaks of.
enum Scope {
    All,
    Part(Box<IssuingDistributionPoint>),
    /// It has something critical that is not understood, or is only a difference: it may revoke and proves nothing else.
    Unclear,
    /// Its entries are other issuers' certificates.
    Indirect,
}

impl RevocationList {
    pub(super) fn read(der: &[u8]) -> der::Result<Self> {
        let parsed = CertificateList::from_der(der)?;
        Ok(Self {
            envelope: SignedStructure::read(der)?,
            issuer: parsed.tbs_cert_list.issuer.to_der()?,
            scope: scope(&parsed)?,
            parsed,
        })
    }

    fn is_by(&self, issuer: &Certificate) -> bool {
        self.issuer == issuer.subject()
            && self.parsed.signature_algorithm == self.parsed.tbs_cert_list.signature
            && self.envelope.is_signed_by(issuer.key())
    }

    /// Since when it revokes a certificate of its issuer.
    fn revokes(&self, certificate: &Certificate) -> Option<Timestamp> {
        if matches!(self.scope, Scope::Indirect) {
            return None;
        }
        let serial = &certificate.parsed().tbs_certificate.serial_number;
        let entries = self.parsed.tbs_cert_list.revoked_certificates.iter().flatten();
        entries.filter(|entry| entry.serial_number == *serial).map(since).min()
    }

    /// Until when its silence about a certificate means that it is not revoked.
    fn covers(&self, certificate: &Certificate, issuer: &Certificate) -> Option<Timestamp> {
        let may_sign =
            issuer.extension::<KeyUsage>().is_ok_and(|usage| usage.is_none_or(|(_, usage)| usage.crl_sign()));
        let in_scope = match &self.scope {
            Scope::All => true,
            Scope::Part(part) => is_in(part, certificate),
            Scope::Unclear | Scope::Indirect => false,
        };
        if may_sign && in_scope { self.parsed.tbs_cert_list.next_update.map(moment) } else { None }
    }
}

impl std::fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a revocation list of {}", super::subject::text(&self.parsed.tbs_cert_list.issuer))
    }
}

fn scope(list: &CertificateList) -> der::Result<Scope> {
    let mut scope = Scope::All;
    for extension in list.tbs_cert_list.crl_extensions.iter().flatten() {
        match extension.extn_id {
            ISSUING_DISTRIBUTION_POINT => {
                let part = IssuingDistributionPoint::from_der(extension.extn_value.as_bytes())?;
                if part.indirect_crl {
                    return Ok(Scope::Indirect);
                }
                if matches!(scope, Scope::All) {
                    scope = Scope::Part(Box::new(part));
                }
            }
            rfc5280::ID_CE_DELTA_CRL_INDICATOR => scope = Scope::Unclear,
            _ if extension.critical => scope = Scope::Unclear,
            _ => {}
        }
    }
    Ok(scope)
}

fn is_in(part: &IssuingDistributionPoint, certificate: &Certificate) -> bool {
    if part.only_some_reasons.is_some() || part.only_contains_attribute_certs {
        return false;
    }
    let Ok(constraints) = certificate.extension::<BasicConstraints>() else { return false };
    let is_authority = constraints.is_some_and(|(_, constraints)| constraints.ca);
    if (part.only_contains_user_certs && is_authority) || (part.only_contains_ca_certs && !is_authority) {
        return false;
    }
    let Some(place) = &part.distribution_point else { return true };
    let Ok(Some((_, places))) = certificate.extension::<CrlDistributionPoints>() else { return false };
    places.0.iter().filter_map(|place| place.distribution_point.as_ref()).any(|other| overlap(place, other))
}

fn overlap(left: &DistributionPointName, right: &DistributionPointName) -> bool {
    match (left, right) {
        (DistributionPointName::FullName(left), DistributionPointName::FullName(right)) => {
            left.iter().any(|name| right.contains(name))
        }
        _ => false,
    }
}

/// The moment from which an entry says that the certificate is not to be relied on.
fn since(entry: &RevokedCert) -> Timestamp {
    let revoked = moment(entry.revocation_date);
    let extensions = entry.crl_entry_extensions.iter().flatten();
    let invalid =
        extensions.filter(|extension| extension.extn_id == rfc5280::ID_CE_INVALIDITY_DATE).filter_map(|extension| {
            let date = GeneralizedTime::from_der(extension.extn_value.as_bytes());
            date.map_or(None, |date| Some(moment(x509_cert::time::Time::GeneralTime(date))))
        });
    invalid.fold(revoked, Timestamp::min)
}

/// Whether a certificate says where its revocation would be told: a list or an OCSP responder. What cannot be read may.
fn names_service(certificate: &Certificate) -> bool {
    !matches!(certificate.extension::<CrlDistributionPoints>(), Ok(None))
        || certificate.extension::<AuthorityInfoAccessSyntax>().map_or(true, |access| {
            access.is_some_and(|(_, access)| access.0.iter().any(|one| one.access_method == rfc5280::ID_AD_OCSP))
        })
}

/// What the lists say of a chain, leaf first. Its root is in nobody's list.
pub(super) fn of_chain(chain: &[Certificate], lists: &[RevocationList]) -> Revocation {
    let mut revoked: Option<Timestamp> = None;
    let mut until: Option<Timestamp> = None;
    let mut covered = chain.len() > 1;
    let mut named = false;
    for (certificate, issuer) in chain.iter().zip(chain.iter().skip(1)) {
        let mut good: Option<Timestamp> = None;
        for list in lists.iter().filter(|list| list.is_by(issuer)) {
            if let Some(since) = list.revokes(certificate) {
                revoked = Some(revoked.map_or(since, |earlier| earlier.min(since)));
            }
            good = good.max(list.covers(certificate, issuer));
        }
        if let Some(good) = good {
            until = Some(until.map_or(good, |earlier| earlier.min(good)));
        } else {
            covered = false;
            named |= names_service(certificate);
        }
    }
    match (revoked, until) {
        (Some(since), _) => Revocation::Revoked { since },
        (None, Some(until)) if covered => Revocation::Good { until },
        _ if named => Revocation::NotAsked,
        _ => Revocation::NotChecked,
    }
}
