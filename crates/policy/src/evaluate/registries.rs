//! The `registries` rule: the reference as the caller wrote it against patterns for registries, repositories and tags. A
//! reference that names no registry comes from no allowed one: where it comes from is unknown, never Docker Hub by default.

use model::{Ask, Gap, ImageReference, Reason, ReasonCode, Tag};

use super::{Found, listed};
use crate::document::{NamePattern, Registries as Rule, TagPattern, compared_name};

/// The tag that a reference means which names neither tag nor digest.
const LATEST: &str = "latest";

pub(super) fn judge(rule: &Rule, ask: &Ask) -> Found {
    let mut found = Found::nothing();
    let image = &ask.image;
    let name = compared_name(image);
    let tag = tag_of(image);
    if let Some(name) = &name
        && let Some(except) = rule.except.iter().flatten().find(|except| except.is_match(name, tag))
    {
        found.notes.push(format!("{image} is excepted by {:?}", except.text));
        return found;
    }
    if rule.allow.is_some() || rule.deny.is_some() {
        if let Some(name) = &name {
            places(rule, name, &mut found);
        } else {
            let message = format!("{image} names no registry, so that it cannot be told where it comes from");
            found.gaps.push(Gap::from(Reason::new(ReasonCode::ReferenceUnknown, message)));
        }
    }
    tags(rule, image, tag, &mut found);
    if rule.digest_only.is_some() && image.digest.is_none() {
        let message = format!("{image} names no digest, and the policy asks for one");
        found.failures.push(Reason::new(ReasonCode::ReferenceDigest, message));
    }
    found
}

/// The tag that a reference names: every client takes `latest` where there is neither tag nor digest.
fn tag_of(image: &ImageReference) -> Option<&str> {
    let unsaid = image.digest.is_none().then_some(LATEST);
    image.tag.as_ref().map(Tag::as_str).or(unsaid)
}

fn places(rule: &Rule, name: &str, found: &mut Found) {
    let message = if let Some(denied) = rule.deny.iter().flatten().find(|pattern| pattern.is_match(name)) {
        format!("the image comes from {name}, which the policy denies by {:?}", denied.text())
    } else if let Some(allow) = &rule.allow
        && !allow.iter().any(|pattern| pattern.is_match(name))
    {
        let allowed: Vec<&str> = allow.iter().map(NamePattern::text).collect();
        format!("the image comes from {name}; the policy allows {}", listed(&allowed))
    } else {
        return;
    };
    found.failures.push(Reason::new(ReasonCode::ReferenceRegistry, message));
}

fn tags(rule: &Rule, image: &ImageReference, tag: Option<&str>, found: &mut Found) {
    let Some(rule) = &rule.tags else { return };
    let named = match (&image.tag, tag) {
        (Some(tag), _) => format!("{image} names the tag {tag}"),
        (None, Some(_)) => format!("{image} names neither tag nor digest, which means the tag {LATEST}"),
        (None, None) => format!("{image} names no tag"),
    };
    let denied = tag.and_then(|tag| rule.deny.iter().flatten().find(|pattern| pattern.is_match(tag)));
    let message = if let Some(denied) = denied {
        format!("{named}; the policy denies {:?}", denied.text())
    } else if let Some(allow) = &rule.allow
        && !tag.is_some_and(|tag| allow.iter().any(|pattern| pattern.is_match(tag)))
    {
        let allowed: Vec<&str> = allow.iter().map(TagPattern::text).collect();
        format!("{named}; the policy allows {}", listed(&allowed))
    } else {
        return;
    };
    found.failures.push(Reason::new(ReasonCode::ReferenceTag, message));
}

#[cfg(test)]
mod tests;
