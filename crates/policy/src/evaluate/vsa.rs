//! The `vsa` rule: the newest verification summary (SLSA VSA v1) by a verifier and a signer that count says that this image
//! passed, in this repository (S1, S26). An older PASSED never stands in for a newer FAILED.

use model::{
    Ask, Gap, ImageReference, ManifestFacts, Reason, ReasonCode, SignedArtifact, Statement, Timestamp, format_duration,
};
use serde_json::Value;

use super::rule::Scene;
use super::signed::{described, hear, hidden, meant};
use super::{Found, predicate};
use crate::document::{VSA, Vsa};

/// What a summary says, as far as the rule asks.
struct Summary {
    passed: bool,
    /// When the image was verified; nothing if it does not say.
    at: Option<Timestamp>,
    /// Until when that holds, if it says so: the gate's own summaries do.
    until: Option<Timestamp>,
    /// It passed with a warning, by the gate's own word for that.
    warned: bool,
}

/// What a summary is to a rule.
enum Read {
    About(Summary),
    /// By another verifier, about another repository, or under another policy.
    Aside(String),
    Invalid(String),
}

pub(super) fn judge(scene: &Scene<'_, '_>, rule: &Vsa, manifest: &ManifestFacts) -> Found {
    let names = meant(scene, rule.signers.as_deref());
    let heard = match hear(scene, &names, manifest, |_, statement| statement.predicate_type == VSA) {
        Ok(heard) => heard,
        Err(gap) => return Found::open(vec![gap], Vec::new()),
    };
    // What cannot be read or told could be a newer one that says FAILED.
    let (mut gaps, mut others) = (heard.unread, heard.others);
    gaps.extend(hidden(scene, &names, false, manifest));
    let mut summaries: Vec<(Summary, &SignedArtifact)> = Vec::new();
    for (artifact, statement) in heard.counting {
        match read(rule, scene.ask, statement) {
            Read::About(summary) => summaries.push((summary, artifact)),
            Read::Aside(why) => others.push(refused(artifact, &why)),
            Read::Invalid(why) => {
                let message = format!("{}: {why}", described(artifact));
                gaps.push(Gap::from(Reason::new(ReasonCode::AttestationInvalid, message)));
            }
        }
    }
    for (artifact, statement, open) in heard.open {
        match read(rule, scene.ask, statement) {
            Read::About(_) => gaps.extend(open),
            Read::Aside(why) | Read::Invalid(why) => others.push(refused(artifact, &why)),
        }
    }
    if !gaps.is_empty() {
        return Found::open(gaps, others);
    }
    let Some(newest) = summaries.iter().map(|(summary, _)| summary.at).max() else {
        let message = format!("no verification summary by {} counts", names.join(", "));
        return Found::broken(vec![Reason::new(ReasonCode::AttestationMissing, message)], others);
    };
    // One that does not say when is as new as any; of several at one moment each has to have passed.
    let deciding = summaries.iter().filter(|(summary, _)| summary.at.is_none() || summary.at == newest);
    let mut failures = Vec::new();
    for (summary, artifact) in deciding {
        if let Some(why) = broken(rule, summary, scene) {
            failures.push(Reason::new(ReasonCode::AttestationCondition, format!("{}: {why}", described(artifact))));
        }
    }
    if !failures.is_empty() {
        return Found::broken(failures, others);
    }
    let mut found = Found::passed(others);
    if summaries.iter().any(|(summary, _)| summary.at == newest && summary.warned) {
        found.notes.insert(0, "the verification summary says that the image passed with a warning".to_owned());
    }
    found
}

fn refused(artifact: &SignedArtifact, why: &str) -> Reason {
    Reason::new(ReasonCode::AttestationCondition, format!("{} does not count: {why}", described(artifact)))
}

fn broken(rule: &Vsa, summary: &Summary, scene: &Scene<'_, '_>) -> Option<String> {
    if !summary.passed {
        return Some("the verification summary says that the image did not pass".to_owned());
    }
    let Some(at) = summary.at else {
        return Some("the verification summary does not say when the image was verified".to_owned());
    };
    if !scene.clock.reached(at) {
        return Some(format!("the verification summary is of {at}, which is in the future"));
    }
    if let Some(until) = summary.until
        && scene.clock.reached(until)
    {
        return Some(format!("the verification summary held until {until}"));
    }
    match rule.max_age {
        Some(limit) if scene.clock.older_than(at, limit.0) => {
            Some(format!("the image was verified at {at}, more than {} ago", format_duration(limit.0)))
        }
        _ => None,
    }
}

fn read(rule: &Vsa, ask: &Ask, statement: &Statement) -> Read {
    let value = match predicate::read(&statement.predicate) {
        Ok(value) => value,
        Err(error) => return Read::Invalid(format!("the predicate cannot be read: {error}")),
    };
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let (Some(verifier), Some(resource), Some(result)) =
        (text("/verifier/id"), text("/resourceUri"), text("/verificationResult"))
    else {
        return Read::Invalid("it lacks one of verifier.id, resourceUri and verificationResult".to_owned());
    };
    if !rule.verifiers.iter().any(|pattern| pattern.is_match(verifier)) {
        return Read::Aside(format!("the verifier is {verifier}"));
    }
    if !is_about(ask, resource) {
        return Read::Aside(format!("it is about {resource}, another repository"));
    }
    if let Some(pattern) = &rule.policy {
        match text("/policy/uri") {
            Some(uri) if pattern.is_match(uri) => {}
            Some(uri) => return Read::Aside(format!("the policy is {uri}, and has to be {pattern}")),
            None => return Read::Aside(format!("it names no policy, which has to be {pattern}")),
        }
    }
    // A judgement is for one environment (S1); the gate's summaries say for which.
    match value.pointer("/ecrGate_environment") {
        None => {}
        Some(Value::String(environment)) if *environment == ask.environment => {}
        Some(environment) => return Read::Aside(format!("it is for the environment {environment}")),
    }
    match (time(&value, "/timeVerified"), time(&value, "/ecrGate_validUntil")) {
        (Ok(at), Ok(until)) => {
            let warned = text("/ecrGate_verdict") == Some("warn");
            Read::About(Summary { passed: result == "PASSED", at, until, warned })
        }
        (Err(why), _) | (_, Err(why)) => Read::Invalid(why),
    }
}

/// A time, if there is one.
fn time(value: &Value, pointer: &str) -> Result<Option<Timestamp>, String> {
    let Some(value) = value.pointer(pointer) else { return Ok(None) };
    match value.as_str().map(str::parse::<Timestamp>) {
        Some(Ok(at)) => Ok(Some(at)),
        Some(Err(_)) | None => Err(format!("{} is no time", pointer.trim_start_matches('/'))),
    }
}

/// True if a resource names the repository that is asked about: a judgement never crosses repositories (S1).
fn is_about(ask: &Ask, resource: &str) -> bool {
    let repository = ask.image.repository.as_str();
    if let Some(purl) = model::Purl::parse(resource) {
        // pkg:oci/app@sha256:…?repository_url=registry.example.com/team/app
        let name = purl.qualifiers.get("repository_url");
        let digest = purl.digest().is_none_or(|digest| digest == ask.digest);
        return purl.kind == "oci" && digest && name.is_some_and(|name| is_named(ask, repository, name));
    }
    let name = ["oci://", "docker://", "https://"].iter().find_map(|scheme| resource.strip_prefix(scheme));
    is_named(ask, repository, name.unwrap_or(resource))
}

fn is_named(ask: &Ask, repository: &str, name: &str) -> bool {
    let Ok(named) = name.parse::<ImageReference>() else { return false };
    let other_digest = named.digest.as_ref().is_some_and(|digest| *digest != ask.digest);
    named.repository.as_str() == repository
        && !other_digest
        && ask.image.host.as_ref().is_none_or(|host| named.host.as_ref() == Some(host))
}

#[cfg(test)]
mod tests;
