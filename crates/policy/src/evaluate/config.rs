//! The `config` rule: each key against what the image's configuration says (B16). Every broken key is a failure of its
//! own; a configuration that could not be had is unknown. What the image says about itself (its user's name) is
//! believed only where nothing better can be had, and then a note says so.

use std::collections::BTreeSet;

use model::{Clock, Entrypoint, Gap, ImageConfig, ManifestFacts, Platform, Quantity, Reason, ReasonCode};

use super::{Found, listed};
use crate::document::{Config as Rule, PortRange};

/// The largest user number that runtimes know; above it some have cut numbers down to 0 (CVE-2024-40635).
const LARGEST_USER: i64 = i32::MAX as i64;

pub(super) fn judge(rule: &Rule, manifest: &ManifestFacts, clock: &Clock) -> Found {
    let mut found = Found::nothing();
    match manifest.config.usable(None, clock) {
        Err(gap) => found.gaps.push(gap),
        Ok(observed) => {
            let config = &observed.value;
            user(rule, config, &mut found);
            ports(rule, config, &mut found);
            labels(rule, config, &mut found);
            secrets(rule, config, &mut found);
            architecture(rule, config, &mut found);
            size(rule, config, &mut found);
        }
    }
    if rule.entrypoint.is_some() {
        match manifest.contents.usable(None, clock) {
            Err(gap) => found.gaps.push(gap),
            Ok(observed) => entrypoint(&observed.value.entrypoint, &mut found),
        }
    }
    found
}

fn broken(found: &mut Found, message: String, remedy: impl Into<String>) {
    found.failures.push(Reason::new(ReasonCode::ConfigBroken, message).remedy(remedy));
}

/// What a user is, as runtimes read it.
enum User<'a> {
    Root,
    Number(u32),
    Name(&'a str),
    /// A number that no runtime has to take for what it says.
    Impossible,
}

fn user_of<'a>(user: &'a str, platform: &Platform) -> User<'a> {
    if platform.os.eq_ignore_ascii_case("windows") {
        let name = user.rsplit('\\').next().unwrap_or(user).trim();
        let administrators = ["", "containeradministrator", "administrator", "system", "localsystem"];
        let administrates = administrators.contains(&name.to_lowercase().as_str());
        return if administrates { User::Root } else { User::Name(user) };
    }
    // `user:group`; the group of root without its user is not root.
    let name = user.split(':').next().unwrap_or(user).trim();
    let digits = name.strip_prefix(['+', '-']).unwrap_or(name);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return match name.parse::<i64>() {
            Ok(0) => User::Root,
            Ok(number @ 1..=LARGEST_USER) => u32::try_from(number).map_or(User::Impossible, User::Number),
            _ => User::Impossible,
        };
    }
    if name.is_empty() || name == "root" { User::Root } else { User::Name(name) }
}

fn user(rule: &Rule, config: &ImageConfig, found: &mut Found) {
    if rule.non_root.is_none() && rule.user_ids.is_none() {
        return;
    }
    let said = if config.user.is_empty() { "it sets no user".to_owned() } else { format!("it sets {:?}", config.user) };
    let remedy = "Add a user in the Dockerfile and end with its number: `USER 10001`.";
    let number = match user_of(&config.user, &config.platform) {
        User::Root if rule.non_root.is_some() => {
            return broken(found, format!("the image runs as root: {said}"), remedy);
        }
        User::Impossible => {
            let message = format!("the user of the image is out of range, and some runtimes take it for root: {said}");
            return broken(found, message, remedy);
        }
        User::Root => Some(0),
        User::Number(number) => Some(number),
        User::Name(name) => {
            if rule.user_ids.is_none() {
                found.notes.push(format!(
                    "the user {name:?} is a name: nothing here proves that it is not root's, and Kubernetes' runAsNonRoot \
                     asks for a number"
                ));
            }
            None
        }
    };
    let Some(ranges) = &rule.user_ids else { return };
    let allowed = |number| ranges.iter().any(|range| (range.first..=range.last).contains(&number));
    if !number.is_some_and(allowed) {
        let ranges: Vec<String> = ranges.iter().map(|range| format!("{}-{}", range.first, range.last)).collect();
        broken(
            found,
            format!("the user of the image is no number that the policy allows ({}): {said}", listed(&ranges)),
            "Set the user by a number that the policy allows, such as `USER 10001`.",
        );
    }
}

fn ports(rule: &Rule, config: &ImageConfig, found: &mut Found) {
    let Some(rule) = &rule.ports else { return };
    let (mut wrong, mut unreadable) = (Vec::new(), Vec::new());
    for text in &config.ports {
        let Ok(mut port) = text.parse::<PortRange>() else {
            unreadable.push(format!("{text:?}"));
            continue;
        };
        // A configuration that names no protocol means TCP.
        port.protocol.get_or_insert_with(|| "tcp".to_owned());
        let denied = rule.deny.iter().flatten().any(|range| range.meets(&port));
        let allowed = rule.allow.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.holds(&port)));
        if denied || !allowed {
            wrong.push(text.clone());
        }
    }
    if !wrong.is_empty() {
        broken(
            found,
            format!("the image exposes ports that the policy does not allow: {}", listed(&wrong)),
            "Take the EXPOSE out of the Dockerfile or its base image, or let the service listen on an allowed port.",
        );
    }
    if !unreadable.is_empty() {
        let message = format!("the image exposes what is no port: {}", listed(&unreadable));
        found.gaps.push(Gap::from(Reason::new(ReasonCode::ConfigInvalid, message)));
    }
}

fn labels(rule: &Rule, config: &ImageConfig, found: &mut Found) {
    let Some(rule) = &rule.labels else { return };
    let value = |name: &str| config.label(name).map(str::trim).filter(|value| !value.is_empty());
    let missing: BTreeSet<&String> = rule
        .required
        .iter()
        .flatten()
        .chain(rule.matches.iter().flat_map(|patterns| patterns.keys()))
        .filter(|name| value(name).is_none())
        .collect();
    if !missing.is_empty() {
        let missing: Vec<&String> = missing.into_iter().collect();
        broken(
            found,
            format!("the image lacks labels or their values: {}", listed(&missing)),
            "Set them when the image is built: `docker build --label NAME=VALUE`.",
        );
    }
    for (name, pattern) in rule.matches.iter().flatten() {
        if let Some(value) = value(name)
            && !pattern.is_match(value)
        {
            let value: String = value.chars().take(120).collect();
            broken(
                found,
                format!("the label {name} is {value:?}, which is not of the pattern {:?}", pattern.text),
                "Build the image where the label gets a value that the policy allows.",
            );
        }
    }
}

fn secrets(rule: &Rule, config: &ImageConfig, found: &mut Found) {
    if rule.no_secrets.is_none() || config.secrets.is_empty() {
        return;
    }
    let places: Vec<String> =
        config.secrets.iter().map(|secret| format!("{} ({})", secret.place, secret.kind)).collect();
    let message = format!("what looks like a secret is in the image: {}", listed(&places));
    found.failures.push(Reason::new(ReasonCode::ConfigSecret, message));
}

fn architecture(rule: &Rule, config: &ImageConfig, found: &mut Found) {
    let Some(allowed) = &rule.architectures else { return };
    let covers = |text: &str| {
        let wanted = format!("{}/{text}", config.platform.os).parse::<Platform>();
        wanted.is_ok_and(|wanted| wanted.covers(&config.platform))
    };
    let known = !config.platform.is_unspecified() && !config.platform.architecture.is_empty();
    if !known || !allowed.iter().any(|architecture| covers(&architecture.0)) {
        let names: Vec<&str> = allowed.iter().map(|architecture| architecture.0.as_str()).collect();
        broken(
            found,
            format!("the image is for {}; the policy allows {}", config.platform, names.join(", ")),
            "Build it for an allowed platform: `docker build --platform linux/amd64`.",
        );
    }
}

fn size(rule: &Rule, config: &ImageConfig, found: &mut Found) {
    let bytes = config.size_bytes();
    if let Some(limit) = rule.max_size
        && bytes > limit.0.amount
    {
        let shown = Quantity { amount: bytes, ..limit.0 };
        broken(
            found,
            format!("the layers have {shown} compressed ({bytes} bytes); the policy allows {}", limit.0),
            "Use a smaller base image, build in several stages, and leave build tools and caches out.",
        );
    }
    let layers = config.layers.len().max(config.diff_ids.len());
    if let Some(limit) = rule.max_layers
        && u32::try_from(layers).map_or(true, |layers| layers > limit)
    {
        broken(
            found,
            format!("the image has {layers} layers; the policy allows {limit}"),
            "Join RUN and COPY instructions, or build in several stages.",
        );
    }
}

fn entrypoint(entrypoint: &Entrypoint, found: &mut Found) {
    let what = match entrypoint {
        Entrypoint::Resolved(_) => return,
        Entrypoint::NotDecidable(why) => {
            let message = format!("it cannot be told whether the entrypoint can be run: {why}");
            found.gaps.push(Gap::from(Reason::new(ReasonCode::ContentUnsupported, message)));
            return;
        }
        Entrypoint::NotSet => "the image sets neither ENTRYPOINT nor CMD: there is nothing to run".to_owned(),
        Entrypoint::Missing(name) => format!("the image would run {name:?}, which is not in its layers"),
        Entrypoint::NotExecutable(path) => format!("the image would run {path:?}, which is not executable"),
        Entrypoint::WrongArchitecture(what) => {
            format!("what the image would run is for another architecture: {what}")
        }
        Entrypoint::InterpreterMissing(what) => {
            format!("what the image would run needs an interpreter that is not in its layers: {what}")
        }
    };
    found.failures.push(Reason::new(ReasonCode::EntrypointBroken, what));
}

#[cfg(test)]
mod tests;
