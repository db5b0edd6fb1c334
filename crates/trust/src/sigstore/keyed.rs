//! Signatures of a key that the trust material names. The key is enough; what else a bundle holds is verified where the
//! material allows it. A log that a trusted root names and a timestamp authority's timestamp must hold then; of a log that
//! nobody named, only a note is left, and it proves nothing (`transparencyLog: required` is for policy to ask).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Digest, NonEmpty, Proof, ProvenTime, Reason, ReasonCode, Signer, TimeSource, TrustName};
use sigstore_verify::crypto::SigningScheme;
use sigstore_verify::types::bundle::TimestampVerificationData;
use sigstore_verify::types::{Bundle, DerPublicKey, HashAlgorithm, SignatureContent};
use sigstore_verify::{Error, PublicKeyVerificationPolicy};

use super::read::{Content, UnverifiedBundle};
use super::root::{Root, Stamped, names, timestamps};
use super::subject::Subject;
use super::{keyless, refused};
use crate::key::{PublicKey, Scheme};

/// Finds the key that made the signature, and verifies what else the bundle holds.
pub(super) fn verify(
    keys: &[(TrustName, PublicKey)],
    roots: &[&Root],
    bundle: &UnverifiedBundle,
    hint: &str,
    subject: Subject<'_>,
) -> Result<Proof, NonEmpty<Reason>> {
    let one = |reason: Reason| NonEmpty::one(reason);
    let (key, scheme) = signer(keys, bundle, hint, subject).map_err(one)?;
    let signer = Signer::Key { key: key.id().clone(), algorithm: key.algorithm().to_owned() };
    let mut proof = Proof::of(signer);
    log(key, scheme, roots, bundle, subject, &mut proof)?;
    stamps(roots, bundle, &mut proof);
    // What every root refuses is refused; what some refuse is for the policies that trust those.
    let refusing: BTreeSet<&Digest> = proof.refused.iter().map(|(root, _)| root).collect();
    if !roots.is_empty() && roots.iter().all(|root| refusing.contains(&root.digest)) {
        let mut reasons: Vec<Reason> = proof.refused.into_iter().map(|(_, reason)| reason).collect();
        reasons.dedup();
        return Err(NonEmpty::new(reasons).unwrap_or_else(|| one(keyless::log_unknown(roots, bundle))));
    }
    for (root, reason) in &proof.refused {
        proof.notes.push(format!("Trusted root {} refuses it: {}.", root.short(), reason.message));
    }
    proof.proven.sort();
    proof.proven.dedup();
    Ok(proof)
}

/// What timestamps prove, as each root has it.
fn stamps(roots: &[&Root], bundle: &UnverifiedBundle, proof: &mut Proof) {
    let mut authority = bundle.timestamps.is_empty();
    for root in roots {
        match timestamps(&[root], bundle) {
            Ok(Stamped::At(times)) => {
                authority = true;
                proof.proven.extend(times.into_iter().map(|at| ProvenTime {
                    at,
                    by: TimeSource::TimestampAuthority,
                    root: Some(root.digest.clone()),
                }));
            }
            Ok(Stamped::NoAuthority) => {}
            Err(reason) => {
                authority = true;
                proof.refused.push((root.digest.clone(), reason));
            }
        }
    }
    if !authority {
        proof.notes.push("It has a timestamp, which no trusted root names a timestamp authority for.".to_owned());
    }
}

/// The key that made the signature. The hint only says which one is meant; it is not part of what is signed.
fn signer<'a>(
    keys: &'a [(TrustName, PublicKey)],
    bundle: &UnverifiedBundle,
    hint: &str,
    subject: Subject<'_>,
) -> Result<(&'a PublicKey, Scheme), Reason> {
    if let Content::Message { digest: Some(digest), .. } = &bundle.content
        && !matches!((digest.algorithm, subject), (HashAlgorithm::Sha2256, _) | (_, Subject::Bytes(_)))
    {
        let message =
            format!("the signature is over a {} digest, and of the image a sha256 digest is known", digest.algorithm);
        return Err(Reason::new(ReasonCode::SignatureUnsupported, message));
    }
    if let Subject::Digest(_) = subject
        && let Ok(digest) = subject.digest().parse()
        && !bundle.message_is(&digest)
    {
        return Err(super::other_image(bundle, subject));
    }
    let signature = bundle.content.signature().as_bytes();
    let encoded = bundle.content.encoded();
    let made_by = |key: &PublicKey| match (&encoded, subject) {
        (Some(encoded), _) => key.verify(encoded, signature),
        (None, Subject::Bytes(bytes)) => key.verify(bytes, signature),
        (None, Subject::Digest(hash)) => key.verify_sha256(hash.as_bytes(), signature),
    };
    let named = keys.iter().map(|(_, key)| key).find(|key| is_hint_of(hint, key));
    for key in named.into_iter().chain(keys.iter().map(|(_, key)| key)) {
        if let Ok(scheme) = made_by(key) {
            return Ok((key, scheme));
        }
    }
    let only_digest = matches!((&bundle.content, subject), (Content::Message { .. }, Subject::Digest(_)));
    let mut candidates = keys.iter().map(|(_, key)| key).filter(|key| named.is_none_or(|named| named.id() == key.id()));
    if only_digest && candidates.any(PublicKey::needs_message) {
        let message = "an Ed25519 signature over the image itself cannot be verified by the image's digest".to_owned();
        return Err(Reason::new(ReasonCode::SignatureUnsupported, message));
    }
    Err(match named {
        Some(key) => {
            let message = format!(
                "the signature is said to be by the {} key {}, and that key did not make it over this content",
                key.algorithm(),
                key.id().short()
            );
            Reason::new(ReasonCode::SignatureInvalid, message)
        }
        None if keys.is_empty() => {
            let message = format!("the signature is by a key{}, and no key is named", hinted(hint));
            Reason::new(ReasonCode::SignatureUnknownKey, message)
        }
        None => {
            let message = format!("no key that is named made the signature{}", hinted(hint));
            Reason::new(ReasonCode::SignatureUnknownKey, message)
        }
    })
}

fn hinted(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!(" (hint {hint:?})") }
}

/// cosign's hint is the base64 of the SHA-256 of the key in DER.
fn is_hint_of(hint: &str, key: &PublicKey) -> bool {
    let hex = key.id().as_str().strip_prefix("sha256:");
    hex.is_some_and(|hex| hint == hex || hex::decode(hex).is_ok_and(|bytes| hint == STANDARD.encode(bytes)))
}

/// Verifies the log entries with a root that names their logs; without one, says so.
fn log(
    key: &PublicKey,
    scheme: Scheme,
    roots: &[&Root],
    bundle: &UnverifiedBundle,
    subject: Subject<'_>,
    proof: &mut Proof,
) -> Result<(), NonEmpty<Reason>> {
    if bundle.entries.is_empty() {
        return Ok(());
    }
    let mut naming = roots.iter().filter(|root| root.knows_logs_of(bundle)).peekable();
    if naming.peek().is_none() {
        proof.notes.push(if roots.is_empty() {
            "Its transparency log entry was not evaluated: there is no trusted root at hand.".to_owned()
        } else {
            let (log, names) = (bundle.logs(), names(roots));
            format!("Its transparency log entry was not evaluated: log {log} is named by none of the trusted roots ({names}).")
        });
        return Ok(());
    }
    let one = |reason: Reason| NonEmpty::one(reason);
    bundle.every_entry_has_a_proof().map_err(one)?;
    let whole = for_the_library(bundle.whole().map_err(one)?, scheme);
    let policy = PublicKeyVerificationPolicy::new(DerPublicKey::from_bytes(key.der()));
    for root in naming {
        match root.verifier().verify(subject, &whole, &policy) {
            Ok(result) => {
                let times = result.verified_timestamps().iter();
                proof.proven.extend(times.map(|at| ProvenTime {
                    at: *at,
                    by: TimeSource::TransparencyLog,
                    root: Some(root.digest.clone()),
                }));
                match &mut proof.log {
                    Some(log) => log.roots.push(root.digest.clone()),
                    None => proof.log = keyless::log_entry(&whole, &root.digest),
                }
            }
            Err(error) => proof.refused.push((root.digest.clone(), reason(&error, scheme, bundle, subject))),
        }
    }
    Ok(())
}

/// The bundle without its timestamps, which are verified here, and with the hash that the signature was found to be over.
fn for_the_library(whole: &Bundle, scheme: Scheme) -> Bundle {
    let hash = match scheme {
        Scheme::Common(scheme) => scheme.hash_algorithm(),
        Scheme::Ed25519Prehashed => None,
    };
    let mut whole = whole.clone();
    whole.verification_material.timestamp_verification_data = TimestampVerificationData::default();
    if let SignatureContent::MessageSignature(message) = &mut whole.content
        && message.message_digest.as_ref().is_some_and(|digest| hash != Some(digest.algorithm))
    {
        message.message_digest = None;
    }
    whole
}

fn reason(error: &Error, scheme: Scheme, bundle: &UnverifiedBundle, subject: Subject<'_>) -> Reason {
    match (error, scheme) {
        // The signature does hold, made in a way that the library does not try.
        (Error::SignatureInvalid(_), Scheme::Common(SigningScheme::EcdsaP384Sha256) | Scheme::Ed25519Prehashed) => {
            let message = "the log entry of a signature by P-384 over SHA-256, or by Ed25519ph, cannot be judged";
            Reason::new(ReasonCode::SignatureUnsupported, message)
        }
        _ => refused(error, bundle, subject),
    }
}
