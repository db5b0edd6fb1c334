//! Whether what the service answered is an answer to what was asked (A5). It has to be whole, about this image and environment, and
//! say the same thing everywhere it says something; anything else is no answer, and nothing is allowed by it.

use engine::Record;
use model::{Digest, ImageReference, Timestamp, Verdict};
use serde::Deserialize;

use super::asker;
use crate::server::{Reply, Trouble};
use crate::target::canonical_name;

/// What was asked.
#[derive(Debug)]
pub(super) struct Question {
    /// The image, by the name that policies know.
    pub image: ImageReference,
    /// The image as the caller wrote it.
    pub written: String,
    /// The environment.
    pub environment: String,
    /// Only to be evaluated (S15).
    pub dry_run: bool,
}

/// The answer of the service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    verdict: Verdict,
    permit: Permit,
    /// All changes up to this moment are in it.
    #[serde(rename = "inForceAt")]
    _in_force_at: Timestamp,
    decision: Record,
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum Permit {
    Allowed,
    Warned,
    /// By the decision about an index that holds it.
    Inherited,
    /// Although it is denied or pending: an override lets it through for a while.
    Overridden,
    Denied,
    Pending,
}

impl Permit {
    fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Warned => "warned",
            Self::Inherited => "inherited",
            Self::Overridden => "overridden",
            Self::Denied => "denied",
            Self::Pending => "pending",
        }
    }
}

/// The record that was answered, as an answer to this question; and whether an override lets the image through although it is denied or pending.
pub(super) fn believed(reply: &Reply, question: &Question) -> Result<(Record, bool), Trouble> {
    let Answered { verdict, permit, decision: mut record, .. } = reply.read()?;
    let refuse = |why: String| Err(Trouble::NotUnderstood(why));
    let why = contradiction(verdict, permit, &record).or_else(|| stranger(permit, &record, question));
    if let Some(why) = why.or_else(|| unrecorded(&record, question)) {
        return refuse(why);
    }
    record.dry_run = question.dry_run;
    if question.dry_run {
        record.id = None;
    }
    record.image.reference.clone_from(&question.written);
    record.image.tag = question.image.tag.as_ref().map(ToString::to_string);
    // Who asked, and where it is acted upon, is this job (S2).
    record.answer = asker();
    (record.answer.point, record.answer.advisory) = ("ci".into(), false);
    record.answer.permit = Some(permit.as_str().into());
    Ok((record, permit == Permit::Overridden))
}

/// What the answer says in two ways.
fn contradiction(verdict: Verdict, permit: Permit, record: &Record) -> Option<String> {
    let [said, recorded] = [verdict, record.verdict].map(Verdict::as_str);
    if verdict != record.verdict {
        return Some(format!("it says {said}, and its decision says {recorded}"));
    }
    let fits = match permit {
        Permit::Allowed => verdict == Verdict::Allow,
        Permit::Warned => verdict == Verdict::Warn,
        Permit::Inherited => verdict <= Verdict::Warn,
        Permit::Overridden => verdict > Verdict::Warn,
        Permit::Denied => verdict == Verdict::Deny,
        Permit::Pending => verdict == Verdict::Pending,
    };
    if !fits {
        return Some(format!("its verdict is {said}, and its permit is {permit:?}"));
    }
    // Every verdict is the heaviest of its rules; only what could not be judged has none (S3).
    let heaviest = record.rules.iter().map(|rule| rule.verdict).max();
    if heaviest.is_some_and(|heaviest| heaviest != verdict) || (heaviest.is_none() && verdict <= Verdict::Warn) {
        return Some(format!("its decision is {recorded}, and that does not follow from its rules"));
    }
    let unsound = record.rules.iter().any(|rule| (rule.outcome == "pass") != rule.reasons.is_empty());
    if unsound || record.rules.iter().any(|rule| rule.outcome == "pass" && rule.verdict != Verdict::Allow) {
        return Some("a rule of its decision passes with a reason, or does not pass without one".to_owned());
    }
    if verdict == Verdict::Allow && !record.findings.blocking.is_empty() {
        return Some("its decision allows the image and names findings that block it".to_owned());
    }
    if verdict == Verdict::Allow && record.policies.is_empty() {
        return Some("its decision allows the image and names no policy".to_owned());
    }
    None
}

/// An allow that is on no record, although it was asked for one (S15).
fn unrecorded(record: &Record, question: &Question) -> Option<String> {
    if question.dry_run || record.verdict > Verdict::Warn {
        return None;
    }
    if record.dry_run {
        return Some("its decision is that of a dry run".to_owned());
    }
    let has_id = record.id.as_deref().is_some_and(|id| !id.trim().is_empty());
    (!has_id).then(|| "its decision allows the image and has no id".to_owned())
}

/// What the answer is about, if that is not what was asked.
fn stranger(permit: Permit, record: &Record, question: &Question) -> Option<String> {
    let name = canonical_name(&record.image.name);
    let asked = canonical_name(&question.name());
    if name.is_none() || name != asked {
        return Some(format!("it is about {:?} instead of {}", record.image.name, question.name()));
    }
    if record.environment.name != question.environment {
        return Some(format!("it is for {:?} instead of {}", record.environment.name, question.environment));
    }
    let digest = record.image.digest.as_deref().and_then(|text| text.parse::<Digest>().ok());
    let Some(digest) = digest else {
        return Some("its decision names no digest".to_owned());
    };
    let Some(asked) = &question.image.digest else { return None };
    // What an index says covers the manifests in it (S1).
    let covers = permit == Permit::Inherited
        && record.image.platforms.iter().any(|platform| platform.digest == asked.to_string());
    (digest != *asked && !covers).then(|| format!("it is about {digest} instead of {asked}"))
}

impl Question {
    fn name(&self) -> String {
        let ImageReference { host, repository, .. } = &self.image;
        host.as_ref().map_or_else(|| repository.to_string(), |host| format!("{host}/{repository}"))
    }
}
