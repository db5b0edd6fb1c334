//! Whether a tag can be moved to another image.

use aws::{Failure, Immutability, RepositorySettings};

use super::report::{About, DoctorCheck, Fix};

const TAGS: About = About {
    id: "doctor.tagImmutability",
    title: "Tag immutability",
    why: "A tag that can be moved may stand for another image at the deployment than at the check.",
};

pub(super) fn check(settings: &Result<RepositorySettings, Failure>) -> DoctorCheck {
    let tags = match settings {
        Ok(settings) => &settings.tags,
        Err(failure) => return TAGS.missed(failure),
    };
    let list = |filters: &[String]| if filters.is_empty() { "no filter".to_owned() } else { filters.join(", ") };
    match tags {
        Immutability::Immutable => TAGS.ok("tags cannot be overwritten"),
        Immutability::Mutable => TAGS
            .warning(
                "tags can be overwritten",
                "`ecr-gate doctor --fix` makes them immutable: pushes that reuse a tag fail from then on. Until then deploy by \
                 digest (`repository@sha256:…`).",
            )
            .fix(Fix::Immutability),
        // Somebody chose the exceptions: to lift them is not for us.
        Immutability::ImmutableExcept(filters) => TAGS.warning(
            format!("tags cannot be overwritten, except those that match: {}", list(filters)),
            "Deploy the excepted tags by digest only, or take the exceptions away (`aws ecr put-image-tag-mutability`).",
        ),
        Immutability::MutableExcept(filters) => TAGS.warning(
            format!("tags can be overwritten, except those that match: {}", list(filters)),
            "Check and deploy only tags that match, or deploy by digest; or make all tags immutable \
             (`aws ecr put-image-tag-mutability`).",
        ),
        Immutability::Other(word) => TAGS.untold(
            format!("the setting is {word:?}, which this version does not know"),
            "Look for a newer ecr-gate; until then deploy by digest.",
        ),
    }
}
