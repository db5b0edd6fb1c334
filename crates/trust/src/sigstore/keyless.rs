//! Signatures with a short-lived certificate of a Sigstore certificate authority. They always need all of it: a chain to a
//! trusted authority, its publication (SCT), an entry in a trusted log, and a proven time within the certificate's validity.

use jiff::Timestamp;
use model::{Digest, LogEntry, NonEmpty, Proof, ProvenTime, Reason, ReasonCode, Signer, TimeSource};
use sigstore_verify::types::bundle::TimestampVerificationData;
use sigstore_verify::types::{Bundle, DerCertificate, KindVersion};
use sigstore_verify::{CertificateError, Error, VerificationPolicy, VerificationResult};

use super::certificate::UnverifiedHolder;
use super::read::UnverifiedBundle;
use super::refusal;
use super::root::{Root, Stamped, names, timestamps};
use super::subject::Subject;

/// Verifies the signature with every root; one that holds is enough.
pub(super) fn verify(
    roots: &[&Root],
    bundle: &UnverifiedBundle,
    certificate: &DerCertificate,
    subject: Subject<'_>,
) -> Result<Proof, NonEmpty<Reason>> {
    let one = |reason: Reason| NonEmpty::one(reason);
    let holder = UnverifiedHolder::read(certificate).map_err(one)?;
    if bundle.entries.is_empty() {
        let message = format!(
            "the certificate of {} counts only with an entry in a transparency log, and the signature has none",
            holder.identity.as_str()
        );
        return Err(one(Reason::new(ReasonCode::SignatureLogMissing, message)));
    }
    bundle.every_entry_has_a_proof().map_err(one)?;
    if roots.is_empty() {
        let message =
            format!("there is no trusted root at hand to verify the certificate of {} with", holder.identity.as_str());
        return Err(one(Reason::new(ReasonCode::TrustRootMissing, message)));
    }
    let mut whole = bundle.whole().map_err(one)?.clone();
    if bundle.stamped.is_some() {
        // The library takes them to be over the signature.
        whole.verification_material.timestamp_verification_data = TimestampVerificationData::default();
    }
    let (mut proof, mut refused) = (None::<Proof>, Vec::new());
    for root in roots.iter().filter(|root| root.knows_logs_of(bundle)) {
        match (with(root, bundle, &whole, &holder, subject), &mut proof) {
            // Each root that verifies it is named, with what it proves: policies may trust different ones.
            (Ok(again), Some(proof)) => {
                proof.roots.extend(again.roots);
                proof.proven.extend(again.proven);
                if let (Some(log), Some(again)) = (&mut proof.log, again.log) {
                    log.roots.extend(again.roots);
                }
            }
            (Ok(first), None) => proof = Some(first),
            (Err(reason), _) => refused.push(reason),
        }
    }
    if let Some(mut proof) = proof {
        proof.proven.sort();
        return Ok(proof);
    }
    let furthest = refused.iter().map(|reason| refusal::progress(reason.code)).max();
    refused.retain(|reason| Some(refusal::progress(reason.code)) == furthest);
    refused.dedup();
    Err(NonEmpty::new(refused).unwrap_or_else(|| one(log_unknown(roots, bundle))))
}

/// No root names the log.
pub(super) fn log_unknown(roots: &[&Root], bundle: &UnverifiedBundle) -> Reason {
    let message = format!("log {} is named by none of the trusted roots ({})", bundle.logs(), names(roots));
    Reason::new(ReasonCode::SignatureLogUnknown, message)
}

fn with(
    root: &Root,
    bundle: &UnverifiedBundle,
    whole: &Bundle,
    holder: &UnverifiedHolder,
    subject: Subject<'_>,
) -> Result<Proof, Reason> {
    let policy = VerificationPolicy::any_identity();
    let result = root
        .verifier()
        .verify(subject, whole, &policy)
        .map_err(|error| refused(&error, &[root], bundle, whole, holder, subject))?;
    if !(result.certificate_verified() && result.sct_verified() && result.tlog_verified()) {
        let message = "the library verified less than a certificate, its publication and its log entry".to_owned();
        return Err(Reason::new(ReasonCode::Internal, message));
    }
    let mut proven = proven(&result, whole, &root.digest);
    if bundle.stamped.is_some() {
        let Stamped::At(times) = timestamps(&[root], bundle)? else {
            let message =
                format!("trusted root {} names no timestamp authority for the signature's timestamp", root.name);
            return Err(Reason::new(ReasonCode::SignatureTimestamp, message));
        };
        proven.extend(times.into_iter().map(|at| ProvenTime {
            at,
            by: TimeSource::TimestampAuthority,
            root: Some(root.digest.clone()),
        }));
    }
    proven.sort();
    proven.dedup();
    if proven.is_empty() {
        let message = "nothing that is trusted proves when the signature was made".to_owned();
        return Err(Reason::new(ReasonCode::SignatureTimeUnproven, message));
    }
    if let Some(outside) = proven.iter().find(|time| !within(holder, time.at)) {
        return Err(certificate_time(holder, outside.at));
    }
    let signer = Signer::Keyless {
        identity: holder.identity.clone(),
        issuer: holder.issuer.clone(),
        claims: holder.claims.clone(),
        certificate: holder.certificate.clone(),
    };
    let roots = vec![root.digest.clone()];
    Ok(Proof { window: Some(holder.window), proven, log: log_entry(whole, &root.digest), roots, ..Proof::of(signer) })
}

/// The times that the library verified: timestamps first, then what logs promised.
fn proven(result: &VerificationResult, whole: &Bundle, root: &Digest) -> Vec<ProvenTime> {
    let stamped = whole.verification_material.timestamp_verification_data.rfc3161_timestamps.len();
    let source = |position| {
        if position < stamped { TimeSource::TimestampAuthority } else { TimeSource::TransparencyLog }
    };
    let times = result.verified_timestamps().iter().enumerate();
    times.map(|(position, at)| ProvenTime { at: *at, by: source(position), root: Some(root.clone()) }).collect()
}

/// The first verified entry. Its own index is proven by the log's promise (Rekor v1) or by the proof itself (Rekor v2); else
/// the one of the proof is.
pub(super) fn log_entry(whole: &Bundle, root: &Digest) -> Option<LogEntry> {
    let entry = whole.verification_material.tlog_entries.first()?;
    let own = entry.inclusion_promise.is_some() || entry.kind_version == KindVersion::HashedRekordV002;
    let index = match &entry.inclusion_proof {
        Some(proof) if !own => proof.log_index.get(),
        _ => entry.log_index.get(),
    };
    Some(LogEntry { log: hex::encode(entry.log_id.key_id.as_bytes()), index, roots: vec![root.clone()] })
}

fn within(holder: &UnverifiedHolder, at: Timestamp) -> bool {
    holder.window.0 <= at && at <= holder.window.1
}

fn certificate_time(holder: &UnverifiedHolder, at: Timestamp) -> Reason {
    let (from, to) = holder.window;
    let message = format!("the signature was made at {at}, and the signing certificate is valid from {from} to {to}");
    Reason::new(ReasonCode::SignatureCertificateTime, message)
}

/// The reason for an error of the library, made more exact where it puts several causes under one name.
fn refused(
    error: &Error,
    roots: &[&Root],
    bundle: &UnverifiedBundle,
    whole: &Bundle,
    holder: &UnverifiedHolder,
    subject: Subject<'_>,
) -> Reason {
    match error {
        // All times are verified before the chain is, so they can be believed here.
        Error::Certificate(CertificateError::ChainInvalid(_)) => {
            let entries = &whole.verification_material.tlog_entries;
            let promised = entries.iter().filter(|entry| entry.inclusion_promise.is_some());
            let mut times: Vec<_> = promised.filter_map(|entry| entry.integrated_time).collect();
            if let Ok(Stamped::At(stamped)) = timestamps(roots, bundle) {
                times.extend(stamped);
            }
            match times.into_iter().find(|time| !within(holder, *time)) {
                Some(outside) => certificate_time(holder, outside),
                None => refusal::reason(error),
            }
        }
        other => super::refused(other, bundle, subject),
    }
}
