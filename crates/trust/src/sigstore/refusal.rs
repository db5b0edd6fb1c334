//! Why the library refuses a bundle, in the words of the product: one reason code for each cause, and what was seen in the
//! message. A cause that a later version of the library adds is a refusal too.

use std::fmt;

use model::{Reason, ReasonCode};
use sigstore_verify::{CertificateError, Error, TimestampError, TransparencyLogError, bundle, crypto};

/// The reason for an error of the library.
pub(super) fn reason(error: &Error) -> Reason {
    Reason::new(code(error), message(error))
}

fn code(error: &Error) -> ReasonCode {
    match error {
        Error::IdentityMismatch { .. } | Error::IssuerMismatch { .. } => ReasonCode::SignatureIdentity,
        Error::ArtifactMismatch(_) => ReasonCode::SignatureOtherImage,
        Error::UnsupportedArtifact(_) | Error::UnsupportedBundle(_) => ReasonCode::SignatureUnsupported,
        Error::Certificate(error) => of_certificate(error),
        Error::TransparencyLog(TransparencyLogError::UnknownLog { .. }) => ReasonCode::SignatureLogUnknown,
        Error::TransparencyLog(_) => ReasonCode::SignatureLogInvalid,
        Error::Timestamp(TimestampError::NoVerifiedTimestamp(_)) => ReasonCode::SignatureTimeUnproven,
        Error::Timestamp(_) => ReasonCode::SignatureTimestamp,
        Error::InvalidBundle(_) | Error::Types(_) => ReasonCode::SignatureMalformed,
        Error::InvalidTrustRoot(_) | Error::TrustRoot(_) | Error::TrustedCertificate(_) => ReasonCode::TrustRootInvalid,
        Error::Crypto(error) => of_crypto(error),
        Error::Bundle(error) => of_bundle(error),
        Error::ArtifactRead(_) => ReasonCode::Internal,
        // `SignatureInvalid`, and whatever a later version adds.
        _ => ReasonCode::SignatureInvalid,
    }
}

fn of_certificate(error: &CertificateError) -> ReasonCode {
    match error {
        CertificateError::Malformed(_) => ReasonCode::SignatureCertificate,
        CertificateError::NotYetValid { .. } | CertificateError::Expired { .. } => ReasonCode::SignatureCertificateTime,
        CertificateError::Sct(_) => ReasonCode::SignatureSct,
        // `ChainInvalid` and `NoValidAuthority`, and whatever a later version adds.
        _ => ReasonCode::SignatureUntrusted,
    }
}

fn of_crypto(error: &crypto::Error) -> ReasonCode {
    match error {
        crypto::Error::UnsupportedAlgorithm(_) | crypto::Error::InvalidKey(_) | crypto::Error::InvalidKeyFormat(_) => {
            ReasonCode::SignatureUnsupported
        }
        crypto::Error::Checkpoint(_) => ReasonCode::SignatureLogInvalid,
        crypto::Error::InvalidCertificate(_) => ReasonCode::SignatureCertificate,
        _ => ReasonCode::SignatureInvalid,
    }
}

fn of_bundle(error: &bundle::Error) -> ReasonCode {
    match error {
        bundle::Error::UnsupportedMediaType(_) | bundle::Error::UnsupportedVerificationMaterial => {
            ReasonCode::SignatureUnsupported
        }
        bundle::Error::CertificateChainNotAllowed(_) => ReasonCode::SignatureMalformed,
        bundle::Error::MissingTimestamp => ReasonCode::SignatureTimeUnproven,
        bundle::Error::MissingSigningTimeEvidence => ReasonCode::SignatureLogMissing,
        // What a proof lacks, and whatever a later version adds.
        _ => ReasonCode::SignatureLogInvalid,
    }
}

/// The library's words, without its categories where they say the same as the reason code.
fn message(error: &Error) -> String {
    let told = |what: &str, why: &dyn fmt::Display| format!("{what}: {why}");
    match error {
        Error::SignatureInvalid(_) => {
            "the signature was not made over this content by the key of the signing certificate".to_owned()
        }
        Error::Certificate(error) => told("the signing certificate", error),
        Error::TransparencyLog(error) => told("the transparency log entry", error),
        Error::Timestamp(error) => told("the time of signing", error),
        Error::Bundle(error) => told("the Sigstore bundle", error),
        Error::Types(error) => told("the Sigstore bundle", error),
        Error::Crypto(error) => told("the Sigstore bundle", error),
        other => other.to_string(),
    }
}

/// How far verification got before it was refused: of several trusted roots, the one that got furthest is the one that the
/// signature was made under.
pub(super) fn progress(code: ReasonCode) -> u8 {
    match code {
        ReasonCode::SignatureLogUnknown => 0,
        ReasonCode::SignatureTimestamp | ReasonCode::SignatureTimeUnproven => 1,
        ReasonCode::SignatureUntrusted => 2,
        ReasonCode::SignatureSct => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s27_every_cause_has_its_own_code() {
        let log = |error: TransparencyLogError| Error::TransparencyLog(error);
        let text = || "x".to_owned();
        let time = jiff::Timestamp::UNIX_EPOCH;
        let chain = sigstore_verify::types::MediaType::Bundle0_3;
        for (error, code) in [
            (Error::SignatureInvalid(text()), ReasonCode::SignatureInvalid),
            (Error::ArtifactMismatch(text()), ReasonCode::SignatureOtherImage),
            (Error::UnsupportedArtifact(text()), ReasonCode::SignatureUnsupported),
            (Error::UnsupportedBundle(text()), ReasonCode::SignatureUnsupported),
            (Error::InvalidBundle(text()), ReasonCode::SignatureMalformed),
            (Error::InvalidTrustRoot(text()), ReasonCode::TrustRootInvalid),
            (log(TransparencyLogError::UnknownLog { log_id: text() }), ReasonCode::SignatureLogUnknown),
            (log(TransparencyLogError::InclusionProof(text())), ReasonCode::SignatureLogInvalid),
            (log(TransparencyLogError::Checkpoint(text())), ReasonCode::SignatureLogInvalid),
            (log(TransparencyLogError::InclusionPromise(text())), ReasonCode::SignatureLogInvalid),
            (log(TransparencyLogError::EntryMismatch(text())), ReasonCode::SignatureLogInvalid),
            (log(TransparencyLogError::IntegratedTime(text())), ReasonCode::SignatureLogInvalid),
            (log(TransparencyLogError::MalformedEntry(text())), ReasonCode::SignatureLogInvalid),
            (TimestampError::Invalid(text()).into(), ReasonCode::SignatureTimestamp),
            (TimestampError::OutsideAuthorityValidity { time }.into(), ReasonCode::SignatureTimestamp),
            (TimestampError::NoVerifiedTimestamp(text()).into(), ReasonCode::SignatureTimeUnproven),
            (CertificateError::Malformed(text()).into(), ReasonCode::SignatureCertificate),
            (CertificateError::ChainInvalid(text()).into(), ReasonCode::SignatureUntrusted),
            (CertificateError::NoValidAuthority { time }.into(), ReasonCode::SignatureUntrusted),
            (CertificateError::Expired { time, not_after: time }.into(), ReasonCode::SignatureCertificateTime),
            (CertificateError::NotYetValid { time, not_before: time }.into(), ReasonCode::SignatureCertificateTime),
            (CertificateError::Sct(text()).into(), ReasonCode::SignatureSct),
            (bundle::Error::MissingSigningTimeEvidence.into(), ReasonCode::SignatureLogMissing),
            (bundle::Error::MissingInclusionProof(chain).into(), ReasonCode::SignatureLogInvalid),
            (bundle::Error::CertificateChainNotAllowed(chain).into(), ReasonCode::SignatureMalformed),
            (crypto::Error::InvalidKey(text()).into(), ReasonCode::SignatureUnsupported),
            (crypto::Error::Verification(text()).into(), ReasonCode::SignatureInvalid),
        ] {
            assert_eq!(reason(&error).code, code, "{error}");
        }
    }
}
