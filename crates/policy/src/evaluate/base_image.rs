//! The `baseImage` rule (B16). Anyone can write a label, so the proof is the layers: the image's begin with those of an approved
//! base as its registry has it. What the image says about its base is used for what the layers cannot say: that it was
//! built on an older build, or on an image that only a pattern approves.

use model::{Clock, Digest, Gap, ImageConfig, KnownBase, ManifestFacts, Reason, ReasonCode, Signal};

use super::{Found, age, listed};
use crate::document::{BaseImage as Rule, BaseName, full_name};

const BUILD_AGAIN: &str = "Build again with the base image of today: `docker build --pull`.";

type Bases<'a> = &'a [(String, Signal<KnownBase>)];

pub(super) fn judge(rule: &Rule, manifest: &ManifestFacts, bases: Bases<'_>, clock: &Clock) -> Found {
    match manifest.config.usable(None, clock) {
        Err(gap) => Found { gaps: vec![gap], ..Found::nothing() },
        Ok(observed) => weigh(rule, &observed.value, bases, clock),
    }
}

fn weigh(rule: &Rule, config: &ImageConfig, bases: Bases<'_>, clock: &Clock) -> Found {
    let mut gaps = Vec::new();
    let mut best: Option<Found> = None;
    for approved in &rule.approved {
        let Some(name) = approved.exact() else { continue };
        for known in known(name, bases, clock, &mut gaps) {
            if begins_with(config, known) {
                keep(&mut best, on(rule, name, known, true, clock));
            }
        }
    }
    let claim = config.base.as_ref();
    let claimed = claim.and_then(|claim| claim.name.as_deref()).and_then(full_name);
    if best.is_none() {
        let digest = claim.and_then(|claim| claim.digest.as_ref());
        best = claimed.as_deref().and_then(|name| claims(rule, config, name, digest, bases, clock));
    }
    match best {
        Some(best) if best.failures.is_empty() || gaps.is_empty() => best,
        // Another approved base, which could not be looked up, may be the one.
        _ if !gaps.is_empty() => Found { gaps, ..Found::nothing() },
        _ => {
            let failures = vec![not_approved(rule, claim.is_some(), claimed.as_deref())];
            Found { failures, ..Found::nothing() }
        }
    }
}

/// The best of several answers: one without a failure, then one without a gap.
fn keep(best: &mut Option<Found>, next: Found) {
    let weight = |found: &Found| (!found.failures.is_empty(), !found.gaps.is_empty());
    if best.as_ref().is_none_or(|best| weight(&next) < weight(best)) {
        *best = Some(next);
    }
}

/// What registries hold under this name: one manifest for each platform that was asked for.
fn known<'a>(name: &str, bases: Bases<'a>, clock: &Clock, gaps: &mut Vec<Gap>) -> Vec<&'a KnownBase> {
    let mut answers = bases.iter().filter(|(asked, _)| asked == name).map(|(_, signal)| signal).peekable();
    if answers.peek().is_none() {
        let message = format!("the base image {name} was not looked up");
        gaps.push(Gap::from(Reason::new(ReasonCode::NotCollected, message)));
    }
    let mut known = Vec::new();
    for signal in answers {
        match signal.usable(None, clock) {
            Ok(observed) if observed.value.diff_ids.is_empty() => {
                let message = format!("the base image {name} has no layers to compare with");
                gaps.push(Gap::from(Reason::new(ReasonCode::ConfigInvalid, message)));
            }
            Ok(observed) => known.push(&observed.value),
            Err(mut gap) => {
                gap.reason.message = format!("the base image {name} could not be looked up: {}", gap.reason.message);
                gaps.push(gap);
            }
        }
    }
    known
}

/// True if the image's layers begin with all layers of the base.
fn begins_with(config: &ImageConfig, base: &KnownBase) -> bool {
    !base.diff_ids.is_empty() && config.diff_ids.starts_with(&base.diff_ids)
}

/// The answer for an image that is built on `name`, as `known` has it; `current` says whether that is today's.
fn on(rule: &Rule, name: &str, known: &KnownBase, current: bool, clock: &Clock) -> Found {
    let mut found = Found::nothing();
    if rule.current.is_some() && !current {
        found.failures.push(not_current(name));
    }
    let Some(limit) = rule.max_age else { return found };
    let built = "built";
    match age::meant(known.created, built, clock).map(|at| age::older(at, limit.0, built, clock)) {
        Ok(None) => {}
        Ok(Some(what)) => {
            let message = format!("the base image {name} is too old: {what}");
            found.failures.push(Reason::new(ReasonCode::BaseImageBroken, message));
        }
        Err(what) => {
            let message = format!("the age of the base image {name} is not known: {what}");
            found.gaps.push(Gap::from(Reason::new(ReasonCode::ConfigInvalid, message)));
        }
    }
    found
}

/// The answer for an image that says that it is built on `name`; `None` if the policy does not approve that name.
fn claims(
    rule: &Rule,
    config: &ImageConfig,
    name: &str,
    digest: Option<&Digest>,
    bases: Bases<'_>,
    clock: &Clock,
) -> Option<Found> {
    let approved: Vec<&BaseName> = rule.approved.iter().filter(|approved| approved.names(name)).collect();
    if approved.is_empty() {
        return None;
    }
    // One build is approved, and another one is named.
    let only_builds = approved.iter().all(|approved| matches!(approved, BaseName::Build { .. }));
    let is_approved_build = approved
        .iter()
        .any(|approved| matches!(approved, BaseName::Build { digest: build, .. } if Some(build) == digest));
    if only_builds && !is_approved_build {
        return None;
    }
    let looked_up = |name: &str| bases.iter().any(|(asked, _)| asked == name);
    // What the tag names today.
    let mut gaps = Vec::new();
    let today = if looked_up(name) { known(name, bases, clock, &mut gaps) } else { Vec::new() };
    if let Some(known) = today.iter().find(|known| begins_with(config, known)) {
        return Some(on(rule, name, known, true, clock));
    }
    let is_today =
        |digest: &&Digest| today.iter().any(|known| known.digest == **digest || known.index.as_ref() == Some(*digest));
    if let Some(older) = digest.filter(|digest| !is_today(digest)) {
        let pinned = format!("{name}@{older}");
        if looked_up(&pinned) {
            let mut gaps = Vec::new();
            let known = known(&pinned, bases, clock, &mut gaps);
            if let Some(known) = known.iter().find(|known| begins_with(config, known)) {
                let mut found = on(rule, name, known, is_approved_build, clock);
                found.notes.push(format!(
                    "the image is built on {}, and only the image says that this was {name} once",
                    older.short()
                ));
                return Some(found);
            }
            if !gaps.is_empty() {
                return Some(Found { gaps, ..Found::nothing() });
            }
        } else if !today.is_empty() {
            // `current` is broken whatever the other build was; without it, nothing proves that it was one.
            let mut found = Found::nothing();
            if rule.current.is_some() {
                found.failures.push(not_current(name));
            } else {
                let message =
                    format!("the image says that it is built on {name} of {}, which was not looked up", older.short());
                found.gaps.push(Gap::from(Reason::new(ReasonCode::ConfigInvalid, message).remedy(BUILD_AGAIN)));
            }
            return Some(found);
        }
    }
    if !gaps.is_empty() {
        return Some(Found { gaps, ..Found::nothing() });
    }
    if !today.is_empty() || digest.is_some_and(|digest| looked_up(&format!("{name}@{digest}"))) {
        let message =
            format!("the image says that it is built on {name}, but its layers do not begin with that image's");
        let lie = Reason::new(ReasonCode::BaseImageBroken, message).remedy(
            "Build again with the base image of today (`docker build --pull`) and without squashing layers, or correct the \
             label.",
        );
        return Some(Found { failures: vec![lie], ..Found::nothing() });
    }
    if !approved.iter().any(|approved| matches!(approved, BaseName::Pattern(_))) {
        // The name stands in the policy as it is and was not looked up: the caller has that gap.
        return None;
    }
    let mut found = Found::nothing();
    if rule.current.is_some() || rule.max_age.is_some() {
        let message = format!("how old the base image {name} is cannot be told: only a pattern approves it");
        let unknown = Reason::new(ReasonCode::ConfigInvalid, message)
            .remedy("List the base image by its whole name in `approved`, so that it can be looked up.");
        found.gaps.push(Gap::from(unknown));
    }
    found.notes.push(format!("only the image's own label says that it is built on {name}"));
    Some(found)
}

fn not_current(name: &str) -> Reason {
    let message = format!("the base image is not what {name} is today, but another build");
    Reason::new(ReasonCode::BaseImageBroken, message).remedy(BUILD_AGAIN)
}

fn not_approved(rule: &Rule, says: bool, claimed: Option<&str>) -> Reason {
    let approved: Vec<&str> = rule.approved.iter().map(BaseName::text).collect();
    let approved = listed(&approved);
    let message = match claimed {
        Some(name) => format!("the image says that it is built on {name}; the policy approves {approved}"),
        None if says => format!("the image is built on none of {approved}, and gives no name for its base"),
        None => format!("the image's layers begin with those of none of {approved}, and it names no base image"),
    };
    Reason::new(ReasonCode::BaseImageBroken, message)
}

#[cfg(test)]
mod tests;
