//! What a signing certificate says about its holder, read more strictly than the library does: exactly one identity, of a
//! kind that Fulcio issues, and no extension twice. A certificate with two names would let one tool see the one and
//! another tool the other. Whether the certificate is genuine is not said here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use model::{CertificateIdentity, Digest, Reason, ReasonCode};
use sigstore_verify::crypto::{CertificateInfo, parse_certificate_info};
use sigstore_verify::types::DerCertificate;
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, Utf8StringRef};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::key;

const USER_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");
const ISSUER_V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1");
const ISSUER_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8");

/// A certificate's claims.
#[derive(Debug)]
pub(super) struct UnverifiedHolder {
    pub(super) identity: CertificateIdentity,
    pub(super) issuer: String,
    pub(super) claims: BTreeMap<String, String>,
    pub(super) certificate: Digest,
    pub(super) window: (Timestamp, Timestamp),
}

fn wrong(why: impl fmt::Display) -> Reason {
    Reason::new(ReasonCode::SignatureCertificate, format!("the signing certificate {why}"))
}

impl UnverifiedHolder {
    /// Reads a certificate.
    pub(super) fn read(der: &DerCertificate) -> Result<Self, Reason> {
        let malformed = |error: &dyn fmt::Display| {
            Reason::new(ReasonCode::SignatureMalformed, format!("the signing certificate cannot be read: {error}"))
        };
        let certificate = Certificate::from_der(der.as_bytes()).map_err(|error| malformed(&error))?;
        judged_key(&certificate, &malformed)?;
        let info = parse_certificate_info(der).map_err(|error| malformed(&error))?;
        no_extension_twice(&certificate)?;
        let identity = identity(&certificate)?;
        let issuer = match (&info.issuer, issuer_v1(&certificate)?) {
            (Some(issuer), Some(older)) if *issuer != older => {
                return Err(wrong(format!("names two issuers: {issuer:?} and {older:?}")));
            }
            (Some(issuer), _) if !issuer.is_empty() => plain(issuer, "issuer")?,
            _ => return Err(wrong("names no OIDC issuer")),
        };
        Ok(Self {
            identity,
            issuer,
            claims: claims(&info),
            certificate: Digest::of(der.as_bytes()),
            window: (info.not_before, info.not_after),
        })
    }
}

/// S28: a key that cannot be judged makes the signature unsupported, not wrong.
fn judged_key(certificate: &Certificate, malformed: &dyn Fn(&dyn fmt::Display) -> Reason) -> Result<(), Reason> {
    let spki = certificate.tbs_certificate.subject_public_key_info.to_der().map_err(|error| malformed(&error))?;
    let read = SubjectPublicKeyInfoRef::from_der(&spki).map_err(|error| malformed(&error))?;
    key::supported(&read, &spki).map_err(|kind| {
        let message = format!("the key of the signing certificate cannot be judged: {kind}");
        Reason::new(ReasonCode::SignatureUnsupported, message)
    })
}

fn no_extension_twice(certificate: &Certificate) -> Result<(), Reason> {
    let mut seen = BTreeSet::new();
    let extensions = certificate.tbs_certificate.extensions.as_deref().unwrap_or(&[]);
    match extensions.iter().find(|extension| !seen.insert(extension.extn_id)) {
        Some(twice) => Err(wrong(format!("has extension {} twice", twice.extn_id))),
        None => Ok(()),
    }
}

fn identity(certificate: &Certificate) -> Result<CertificateIdentity, Reason> {
    let names = certificate.tbs_certificate.get::<SubjectAltName>();
    let names = match names.map_err(|error| wrong(format!("has names that cannot be read: {error}")))? {
        Some((_, names)) => names.0,
        None => return Err(wrong("names nobody: it has no subject alternative name")),
    };
    let [name] = names.as_slice() else {
        return Err(wrong(format!("has {} subject alternative names; exactly 1 says who signed", names.len())));
    };
    match name {
        GeneralName::Rfc822Name(email) => Ok(CertificateIdentity::Email(plain(email.as_str(), "e-mail address")?)),
        GeneralName::UniformResourceIdentifier(uri) => Ok(CertificateIdentity::Uri(plain(uri.as_str(), "URI")?)),
        GeneralName::OtherName(other) if other.type_id == USER_NAME => {
            let value = other.value.to_der().and_then(|der| Utf8StringRef::from_der(&der).map(|text| text.to_string()));
            let value = value.map_err(|error| wrong(format!("has a user name that cannot be read: {error}")))?;
            Ok(CertificateIdentity::UserName(plain(&value, "user name")?))
        }
        GeneralName::OtherName(other) => Err(wrong(format!("names somebody by otherName {}", other.type_id))),
        _ => Err(wrong("names neither an e-mail address nor a URI nor Sigstore's user name")),
    }
}

/// A text that shows everything it holds: a NUL byte has hidden the end of a name before.
fn plain(text: &str, what: &str) -> Result<String, Reason> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(wrong(format!("has an empty {what}, or one with control characters: {text:?}")));
    }
    Ok(text.to_owned())
}

/// The issuer in Fulcio's first form, which newer certificates carry beside the second.
fn issuer_v1(certificate: &Certificate) -> Result<Option<String>, Reason> {
    let extensions = certificate.tbs_certificate.extensions.as_deref().unwrap_or(&[]);
    let value =
        |id| extensions.iter().find(|extension| extension.extn_id == id).map(|found| found.extn_value.as_bytes());
    let (Some(bytes), Some(_)) = (value(ISSUER_V1), value(ISSUER_V2)) else { return Ok(None) };
    let text = match Utf8StringRef::from_der(bytes) {
        Ok(text) => text.as_str(),
        Err(_) => {
            std::str::from_utf8(bytes).map_err(|error| wrong(format!("has an issuer that is no text: {error}")))?
        }
    };
    Ok(Some(text.to_owned()))
}

/// Fulcio's extensions, by the names that its documentation (oid-info.md) gives them, in camel case.
fn claims(info: &CertificateInfo) -> BTreeMap<String, String> {
    let ci = &info.ci_claims;
    let github = &ci.deprecated_github;
    [
        ("githubWorkflowTrigger", &github.workflow_trigger),
        ("githubWorkflowSha", &github.workflow_sha),
        ("githubWorkflowName", &github.workflow_name),
        ("githubWorkflowRepository", &github.workflow_repository),
        ("githubWorkflowRef", &github.workflow_ref),
        ("buildSignerUri", &ci.build_signer_uri),
        ("buildSignerDigest", &ci.build_signer_digest),
        ("runnerEnvironment", &ci.runner_environment),
        ("sourceRepositoryUri", &ci.source_repository_uri),
        ("sourceRepositoryDigest", &ci.source_repository_digest),
        ("sourceRepositoryRef", &ci.source_repository_ref),
        ("sourceRepositoryIdentifier", &ci.source_repository_identifier),
        ("sourceRepositoryOwnerUri", &ci.source_repository_owner_uri),
        ("sourceRepositoryOwnerIdentifier", &ci.source_repository_owner_identifier),
        ("buildConfigUri", &ci.build_config_uri),
        ("buildConfigDigest", &ci.build_config_digest),
        ("buildTrigger", &ci.build_trigger),
        ("runInvocationUri", &ci.run_invocation_uri),
        ("sourceRepositoryVisibilityAtSigning", &ci.source_repository_visibility_at_signing),
        ("deploymentEnvironment", &ci.deployment_environment),
        ("tokenSubject", &ci.token_subject),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
    .collect()
}

#[cfg(test)]
mod tests;
