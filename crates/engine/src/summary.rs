//! Attaching a decision to the image: a signed SLSA verification summary as a referrer (B4, S26). It is attached when
//! something changed: if the newest summary by the same key says the same, is of today and holds for as long, it is left alone.

use model::{
    Digest, ImageReference, PolicyId, Reason, ReasonCode, Signed, SignedDuration, Timestamp, TrustName, Verdict,
};
use registry::ReferrersBy;
use serde_json::{Value, json};
use trust::{Artifact, Material, PublicKey, SUMMARY_TYPE, VerificationSummary, Verifier, verification_summary};

use crate::attest::{AttachedBundle, BUNDLE, StatementKey, attach_bundle};
use crate::check::{Checked, Refused};
use crate::place::{RegistryAccess, registry};
use crate::source::DOCUMENT_LIMIT;
use crate::verify::FoundArtifact;

/// A summary that is older is attached again although nothing changed: those who read it limit its age.
const RENEWED: SignedDuration = SignedDuration::from_hours(24);

/// Who decided, and under which id.
#[derive(Debug)]
pub struct Decided<'a> {
    /// The verifier's id, a URI.
    pub verifier: &'a str,
    /// The version of this program.
    pub version: &'a str,
    /// The decision's id.
    pub decision: &'a str,
}

/// What became of a decision that was to be attached.
#[derive(Debug, Clone)]
pub enum AttachedDecision {
    /// It was attached.
    New(AttachedBundle),
    /// The image carries one that says the same.
    Unchanged(Digest),
    /// Nothing is decided yet, so there is nothing to say.
    Undecided,
}

/// Signs what was decided and attaches it to the image.
///
/// # Errors
/// The key cannot be used, or the registry refuses.
pub async fn attach_decision(
    checked: &Checked,
    decided: &Decided<'_>,
    image: &ImageReference,
    access: &RegistryAccess,
    key: &StatementKey,
) -> Result<AttachedDecision, Refused> {
    let found = crate::verify::found(&checked.facts);
    let said = Said {
        name: &checked.ask.name(),
        digest: &checked.ask.digest,
        environment: &checked.ask.environment,
        verdict: checked.judgement.verdict,
        valid_until: checked.judgement.valid_until,
        policies: &checked.judgement.inputs.policies,
        found: &found,
        at: checked.timing.decided_at,
    };
    attach_said(&said, decided, image, access, key).await
}

/// What was decided, as far as a summary says it.
#[derive(Debug)]
pub(crate) struct Said<'a> {
    /// `host/repository`
    pub(crate) name: &'a str,
    pub(crate) digest: &'a Digest,
    pub(crate) environment: &'a str,
    pub(crate) verdict: Verdict,
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) policies: &'a [PolicyId],
    pub(crate) found: &'a [FoundArtifact],
    /// When.
    pub(crate) at: Timestamp,
}

/// The same of a decision on record.
pub(crate) async fn attach_said(
    said: &Said<'_>,
    decided: &Decided<'_>,
    image: &ImageReference,
    access: &RegistryAccess,
    key: &StatementKey,
) -> Result<AttachedDecision, Refused> {
    let Some(predicate) = predicate(said, decided) else { return Ok(AttachedDecision::Undecided) };
    let public = key.public().await?;
    if let Some(known) = unchanged(&predicate, said.digest, image, access, public).await? {
        return Ok(AttachedDecision::Unchanged(known));
    }
    let failed = |error: trust::SignError| Reason::new(ReasonCode::Internal, error.to_string());
    let statement = trust::statement(said.name, said.digest, SUMMARY_TYPE, &predicate).map_err(failed)?;
    let bundle = key.sign(&statement).await?;
    let attached = attach_bundle(image, access, said.digest, bundle, SUMMARY_TYPE, said.at).await?;
    Ok(AttachedDecision::New(attached))
}

/// S26: takes away the oldest summaries of ours about this environment, so that no more than these are left. The answer is how many there are too many
/// and could not be taken away.
///
/// # Errors
/// The key cannot be had, or the registry cannot be read.
pub(crate) async fn leave_at_most(
    most: usize,
    verifier: &str,
    said: &Said<'_>,
    image: &ImageReference,
    access: &RegistryAccess,
    key: &StatementKey,
) -> Result<usize, Refused> {
    let about = json!({ "verifier": { "id": verifier }, "ecrGate_environment": said.environment });
    let Some(own) = own(&about, said.digest, image, access, key.public().await?).await? else { return Ok(0) };
    let (mut own, by) = own;
    own.sort_by_key(|(at, ..)| *at);
    let (_, client, location) = registry(image, access)?;
    let mut left = 0;
    for (_, digest, _) in own.iter().take(own.len().saturating_sub(most)) {
        let gone = client.remove_referrer(&location, said.digest, digest, by).await.map_err(|error| error.reason())?;
        left += usize::from(!gone);
    }
    Ok(left)
}

/// The predicate; nothing while the verdict is pending.
fn predicate(said: &Said<'_>, decided: &Decided<'_>) -> Option<Value> {
    let policies = said.policies;
    let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
    let digests: Vec<&str> = policies.iter().map(|policy| policy.digest.as_str()).collect();
    let digest = match policies {
        [one] => one.digest.clone(),
        _ => Digest::of(digests.join("\n").as_bytes()),
    };
    let inputs: Vec<(Option<String>, Digest)> = said
        .found
        .iter()
        .filter(|artifact| artifact.verified && artifact.content.as_ref().is_some_and(|content| !content.is_summary()))
        .map(|artifact| (Some(artifact.place.clone()), artifact.envelope.clone()))
        .collect();
    let versions = std::iter::once(("ecr-gate".to_owned(), decided.version.to_owned())).collect();
    verification_summary(&VerificationSummary {
        verifier: decided.verifier,
        versions: &versions,
        verified_at: said.at,
        resource: &format!("{}@{}", said.name, said.digest),
        policy: &format!("ecr-gate:policy/{}", names.join("+")),
        policy_digest: &digest,
        inputs: &inputs,
        verdict: said.verdict,
        levels: &[],
        environment: said.environment,
        decision: decided.decision,
        valid_until: said.valid_until,
    })
}

/// A summary by this key that says the same as `predicate` and does not end before it, if the image carries one.
async fn unchanged(
    predicate: &Value,
    subject: &Digest,
    image: &ImageReference,
    access: &RegistryAccess,
    key: PublicKey,
) -> Result<Option<Digest>, Reason> {
    let Some((own, _)) = own(predicate, subject, image, access, key).await? else { return Ok(None) };
    let mut newest: Option<Summary> = None;
    for (at, digest, known) in own {
        // Whoever reads them believes the newest; of two at one moment neither says that nothing has changed.
        match &newest {
            Some((other, ..)) if *other > at => {}
            Some((other, _, before)) if *other == at && !says_the_same(before, &known) => {
                newest = Some((at, digest, Value::Null));
            }
            _ => newest = Some((at, digest, known)),
        }
    }
    let young = |at: Timestamp| {
        let due = at.checked_add(RENEWED);
        due.is_ok_and(|due| verified_at(predicate).is_some_and(|now| at <= now && now < due))
    };
    Ok(newest.filter(|(at, _, known)| young(*at) && says_the_same(known, predicate)).map(|(_, digest, _)| digest))
}

/// A summary: of when, the manifest that carries it, and what it says.
type Summary = (Timestamp, Digest, Value);

/// The summaries by this key, by the same verifier and about the same environment as `predicate`; `None` if one could not be read, which could be any.
async fn own(
    predicate: &Value,
    subject: &Digest,
    image: &ImageReference,
    access: &RegistryAccess,
    key: PublicKey,
) -> Result<Option<(Vec<Summary>, ReferrersBy)>, Reason> {
    let (source, client, location) = registry(image, access)?;
    // Nothing that others attach keeps a decision from being attached.
    let Ok(listed) = client.referrers(&location, subject, Some(BUNDLE)).await else { return Ok(None) };
    let name = TrustName { policy: "ecr-gate".to_owned(), signer: "own".to_owned() };
    let material = Material { keys: vec![(name, key)], ..Material::none() };
    let verifier = Verifier::new(&material).map_err(|error| error.reason())?;
    let mut own = Vec::new();
    for descriptor in listed.descriptors {
        let manifest = match listed.opened.get(&descriptor.digest) {
            Some(manifest) => manifest.clone(),
            None => match source.manifest(&descriptor.digest).await {
                Ok(manifest) => manifest,
                // It could be the newest: whatever it says, what is attached now comes after it.
                Err(_) => return Ok(None),
            },
        };
        let Ok(blobs) = signals::manifest::blobs(&manifest.bytes, &signals::Limits::STANDARD) else { return Ok(None) };
        for blob in blobs {
            let Ok(bytes) = source.blob(&blob.digest, DOCUMENT_LIMIT).await else { return Ok(None) };
            let annotations = std::collections::BTreeMap::new();
            let artifact = Artifact {
                format: model::SignatureFormat::Bundle,
                media_type: &blob.media_type,
                bytes: &bytes,
                annotations: &annotations,
            };
            let Ok(authentic) = verifier.verify(subject, &artifact) else { continue };
            let Signed::Statement(statement) = authentic.content() else { continue };
            let Ok(known) = serde_json::from_slice::<Value>(&statement.predicate) else { continue };
            let same = |pointer: &str| known.pointer(pointer) == predicate.pointer(pointer);
            if statement.predicate_type != SUMMARY_TYPE || !same("/verifier/id") || !same("/ecrGate_environment") {
                continue;
            }
            let Some(at) = verified_at(&known) else { continue };
            own.push((at, descriptor.digest.clone(), known));
        }
    }
    Ok(Some((own, listed.by)))
}

fn verified_at(summary: &Value) -> Option<Timestamp> {
    let text = summary.pointer("/timeVerified").and_then(Value::as_str)?;
    text.parse().ok()
}

/// True if both summaries say the same to whoever reads them now.
fn says_the_same(known: &Value, new: &Value) -> bool {
    let same = |pointer: &str| known.pointer(pointer) == new.pointer(pointer);
    let until = |summary: &Value| summary.pointer("/ecrGate_validUntil").and_then(Value::as_str).map(str::to_owned);
    let holds = match (until(known), until(new)) {
        (None, _) => true,
        (Some(known), Some(new)) => match (known.parse::<model::Timestamp>(), new.parse::<model::Timestamp>()) {
            (Ok(known), Ok(new)) => known >= new,
            _ => false,
        },
        (Some(_), None) => false,
    };
    holds
        && ["/verifier", "/resourceUri", "/policy", "/verificationResult", "/ecrGate_verdict", "/ecrGate_environment"]
            .into_iter()
            .all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s26_a_summary_is_attached_again_only_when_it_says_something_new() {
        let one = json!({
            "verifier": { "id": "v" }, "resourceUri": "r", "policy": { "uri": "p" }, "verificationResult": "PASSED",
            "ecrGate_verdict": "allow", "ecrGate_environment": "production", "ecrGate_validUntil": "2026-11-23T00:00:00Z",
            "timeVerified": "2026-11-22T00:00:00Z",
        });
        let with = |key: &str, value: &str| {
            let mut changed = one.clone();
            changed[key] = json!(value);
            changed
        };
        assert!(says_the_same(&one, &with("timeVerified", "2026-11-22T01:00:00Z")));
        assert!(
            says_the_same(&one, &with("ecrGate_validUntil", "2026-11-22T12:00:00Z")),
            "it holds longer than is needed"
        );
        for (key, value) in [
            ("verificationResult", "FAILED"),
            ("ecrGate_verdict", "warn"),
            ("ecrGate_environment", "staging"),
            ("resourceUri", "other"),
            ("ecrGate_validUntil", "2026-11-24T00:00:00Z"),
        ] {
            assert!(!says_the_same(&one, &with(key, value)), "{key}");
        }
    }
}
