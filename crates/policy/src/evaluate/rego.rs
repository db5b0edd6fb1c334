//! A `rego` rule: whether everything it reads is known, and what its policy says (S41). An answer that rests on something that is
//! not known does not count; a break that was found counts all the same.

use std::cell::OnceCell;

use model::{
    Ask, Contents, EnvironmentClass, Facts, FactsDocument, Gap, ManifestFacts, Reason, ReasonCode, Signal, Timestamp,
};
use serde_json::Value;

use super::rule::{Scene, platform_missing};
use super::signed::hidden;
use super::sources::read;
use super::{Found, Target, targets};
use crate::document::{Compiled, Need, Rego, Source};
use crate::rego::{Input, Message};
use crate::set::Member;

/// The input of a policy's Rego rules: made when the first of them asks, for all of them.
pub(crate) struct Inputs<'a> {
    ask: &'a Ask,
    class: EnvironmentClass,
    facts: &'a Facts,
    now: Timestamp,
    made: OnceCell<Result<Input, Reason>>,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(ask: &'a Ask, class: EnvironmentClass, facts: &'a Facts, now: Timestamp) -> Self {
        Self { ask, class, facts, now, made: OnceCell::new() }
    }

    fn of(&self, member: &Member) -> Result<&Input, Reason> {
        let made = self.made.get_or_init(|| {
            document(self.ask, self.class, self.facts, self.now, member).map(Input::new).map_err(|error| {
                Reason::new(ReasonCode::RegoFailed, format!("the facts cannot be handed to Rego: {error}"))
            })
        });
        made.as_ref().map_err(Clone::clone)
    }
}

/// The facts as a policy's Rego rules see them: what `inspect` prints, with the platforms that the policy judges and its
/// parameters.
fn document(
    ask: &Ask,
    class: EnvironmentClass,
    facts: &Facts,
    now: Timestamp,
    member: &Member,
) -> Result<Value, serde_json::Error> {
    let named = member.platforms();
    let judged =
        |platform: &model::Platform| named.is_none_or(|named| named.iter().any(|wanted| wanted.covers(platform)));
    let mut document = FactsDocument::new(ask, class, facts, now, Some(&judged));
    document.parameters = member.parameters.iter().map(|(name, value)| (name.clone(), value.json())).collect();
    serde_json::to_value(&document)
}

pub(super) fn judge(scene: &Scene<'_, '_>, rule: &Rego) -> Found {
    let Scene { member, facts, clock, .. } = *scene;
    let mut found = Found::nothing();
    let Some(compiled) = member.programs.get(&scene.rule.id) else {
        let message = format!("the policy {} was not read", rule.file);
        found.gaps.push(Gap::from(Reason::new(ReasonCode::RegoFailed, message)));
        return found;
    };
    for target in targets(member, facts) {
        match target {
            Target::Missing(platform) => found.gaps.push(Gap::from(platform_missing(&platform))),
            Target::Manifest(platform, manifest) => {
                found.gaps.extend(not_there(compiled, facts, manifest));
                for need in &compiled.needs {
                    let mut gaps = unknown(scene, rule, *need, manifest);
                    if let Some(platform) = platform {
                        for gap in &mut gaps {
                            gap.reason.message.insert_str(0, &format!("{platform}: "));
                        }
                    }
                    found.gaps.append(&mut gaps);
                }
            }
        }
    }
    if facts.platforms.is_some() && compiled.needs.contains(&Need::Signatures) {
        found.gaps.extend(gap(&facts.root.signed));
        found.gaps.extend(hidden(scene, &[], true, &facts.root));
    }
    found.gaps.dedup();
    let answer = scene.inputs.of(member).and_then(|input| compiled.program.judge(input, clock.now()));
    if compiled.reads_clock {
        // Nobody knows when its answer to the time changes: it holds for this moment.
        clock.now_only();
    }
    match answer {
        Ok(answer) => {
            found.failures.extend(answer.deny.iter().map(reason));
            found.warnings.extend(answer.warn.iter().map(reason));
        }
        Err(why) => {
            if why.code == ReasonCode::RegoTime {
                // Another run may come to an end: this answer is not for keeping.
                clock.now_only();
            }
            found.gaps.push(Gap::from(why));
        }
    }
    found
}

fn reason(message: &Message) -> Reason {
    let text = match &message.code {
        Some(code) => format!("{code}: {}", message.text),
        None => message.text.clone(),
    };
    let reason = Reason::new(ReasonCode::RegoDenied, text);
    match &message.remedy {
        Some(remedy) => reason.remedy(remedy.clone()),
        None => reason,
    }
}

/// Why something that the policy reads is not known.
fn unknown(scene: &Scene<'_, '_>, rule: &Rego, need: Need, manifest: &ManifestFacts) -> Vec<Gap> {
    let unreadable = |kind| {
        let documents = manifest.unreadable.iter().filter(move |document| document.kind == kind);
        documents.map(|document| Gap::from(document.reason.clone()))
    };
    match need {
        Need::Scans => {
            let scans = rule.scans();
            let signers: Vec<&str> = scans.report_signers().iter().map(String::as_str).collect();
            let unread = hidden(scene, &signers, scans.opens(Source::Registry), manifest);
            read(scene, &scans, manifest).gaps.into_iter().chain(unread).collect()
        }
        Need::Config => gap(&manifest.config),
        Need::Layers => match &manifest.contents {
            Signal::Present(contents) => unlisted_packages(&contents.value),
            other => gap(other),
        },
        Need::Sboms => gap(&manifest.sboms).into_iter().chain(unreadable(model::DocumentKind::Sbom)).collect(),
        Need::Measurements => {
            gap(&manifest.measurements).into_iter().chain(unreadable(model::DocumentKind::Measurement)).collect()
        }
        // VEX documents lie among what is attached, which is listed with what is signed.
        Need::Signatures | Need::Vex => {
            gap(&manifest.signed).into_iter().chain(hidden(scene, &[], true, manifest)).collect()
        }
    }
}

/// Why the packages in the layers may not be all of them.
fn unlisted_packages(contents: &Contents) -> Vec<Gap> {
    if !contents.unreadable.is_empty() {
        let message = format!("package databases that cannot be read: {}", contents.unreadable.join(", "));
        return vec![Gap::from(Reason::new(ReasonCode::ContentUnsupported, message))];
    }
    match &contents.os {
        Some(os) if contents.packages.is_empty() => {
            let message = format!("the layers name {} {} and list no package", os.id, os.version);
            vec![Gap::from(Reason::new(ReasonCode::PackagesNoDatabase, message))]
        }
        _ => Vec::new(),
    }
}

/// What a policy reads that no need stands for, and that is not there.
fn not_there(compiled: &Compiled, facts: &Facts, manifest: &ManifestFacts) -> Vec<Gap> {
    let reads = |word: &str| compiled.words.contains(word);
    let mut gaps = Vec::new();
    if reads("pushedAt") && manifest.pushed_at.is_none() {
        gaps.push(Gap::from(Reason::new(
            ReasonCode::AgeNotSaid,
            "the registry does not say when the image was pushed",
        )));
    }
    let nobody = |what: &str| Gap::from(Reason::new(ReasonCode::NotCollected, format!("{what} was not looked up")));
    if reads("bases") {
        let gone = facts.bases.iter().flat_map(|(_, base)| gap(base));
        gaps.extend(gone.chain(facts.bases.is_empty().then(|| nobody("a base image"))));
    }
    if reads("firstSeen") && facts.first_seen.is_empty() {
        gaps.push(nobody("a first sighting"));
    }
    gaps
}

/// That there is none is known; anything else that is no fact is not.
fn gap<T>(signal: &Signal<T>) -> Vec<Gap> {
    match signal {
        Signal::Present(_) => Vec::new(),
        Signal::Absent(why) if why.code.class().is_none() => Vec::new(),
        other => other.why_not().cloned().map(Gap::from).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests;
