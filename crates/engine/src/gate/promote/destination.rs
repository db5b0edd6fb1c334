//! Both ends of a promotion: whether the destination is fit, the copy, and the tag. What acts takes a [`Permit`].

use std::time::Instant;

use aws::Immutability;
use model::{Digest, ImageReference, Tag};
use registry::{Client, Copied, CopyLimits, CopyPlan, CopyProgress, Location, Manifest, Reference};

use super::super::asking::AskError;
use super::super::permit::Permit;
use super::super::{Inner, Point};
use super::{Plan, PromoteError};
use crate::place::{Place, place_of, registry};

/// Both ends, opened.
pub(super) struct Ends {
    client: Client,
    from: Location,
    to: Location,
}

impl Ends {
    pub(super) fn open(
        inner: &Inner,
        source: &ImageReference,
        destination: &ImageReference,
    ) -> Result<Self, PromoteError> {
        let (_, client, from) = registry(source, &inner.access)?;
        let (_, _, to) = registry(destination, &inner.access)?;
        Ok(Self { client, from, to })
    }

    /// Whether the image is still where it came from.
    pub(super) async fn has_source(&self, source: &ImageReference) -> Result<bool, PromoteError> {
        let Some(reference) = Reference::of(source) else { return Ok(false) };
        match self.client.head(&self.from, &reference).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(PromoteError::Registry(error.reason())),
        }
    }

    /// What the tag stands for, if there is one; a tag that stands for something else is never written over.
    pub(super) async fn is_there(&self, destination: &ImageReference, digest: &Digest) -> Result<bool, PromoteError> {
        let Some(tag) = &destination.tag else { return Ok(false) };
        let found = self.client.tagged(&self.to, tag).await.map_err(|error| error.reason())?;
        match found {
            None => Ok(false),
            Some(found) if found.digest == *digest => Ok(true),
            Some(found) => Err(PromoteError::Destination {
                what: format!("{destination} is there already and stands for {}, not for {digest}", found.digest),
                hint:
                    "a promotion never moves a tag: promote under a tag of its own, such as the version or the commit"
                        .to_owned(),
            }),
        }
    }

    /// What has to be copied of what there is leave for. Within one repository everything is there already.
    pub(super) async fn to_copy(&self, permit: &Permit) -> Result<CopyPlan, PromoteError> {
        if self.from == self.to {
            return Ok(CopyPlan::default());
        }
        let plan = self.client.plan_copy(&self.from, permit.subject(), &CopyLimits::default()).await;
        Ok(plan.map_err(|error| error.reason())?)
    }

    /// Copies exactly that.
    pub(super) async fn copy(&self, plan: &CopyPlan, progress: &CopyProgress) -> Result<Copied, PromoteError> {
        if self.from == self.to {
            return Ok(Copied::default());
        }
        let copied = self.client.copy_planned(&self.from, &self.to, plan, &CopyLimits::default(), progress).await;
        Ok(copied.map_err(|error| error.reason())?)
    }

    /// What is to be tagged, as the destination has it.
    pub(super) async fn manifest(&self, digest: &Digest) -> Result<Manifest, PromoteError> {
        let reference = Reference::Digest(digest.clone());
        Ok(self.client.manifest(&self.to, &reference).await.map_err(|error| error.reason())?)
    }

    /// Lets the tag stand for what there is leave for, and looks whether it does. The conditions of the leave are looked at last (B2).
    pub(super) async fn tag(
        &self,
        permit: &Permit,
        environment: &str,
        tag: &Tag,
        manifest: &Manifest,
    ) -> Result<(), PromoteError> {
        let digest = permit.subject();
        let is_meant =
            permit.environment() == environment && permit.point() == Point::Promotion && manifest.digest == *digest;
        if !is_meant || !permit.holds(Instant::now()) {
            let what = format!("the leave for {digest} ended before its tag was written");
            return Err(AskError::Overloaded(what).into());
        }
        let reference = Reference::Tag(tag.clone());
        let pushed =
            self.client.push_manifest(&self.to, &reference, &manifest.media_type, manifest.bytes.clone()).await;
        pushed.map_err(|error| error.reason())?;
        let found = self.client.tagged(&self.to, tag).await.map_err(|error| error.reason())?;
        if found.is_some_and(|found| found.digest == *digest) {
            return Ok(());
        }
        Err(PromoteError::Destination {
            what: format!(
                "{}:{tag} was written and stands for something else now: somebody wrote it at the same time",
                self.to
            ),
            hint: "look who else pushes to the destination; make its tags immutable".to_owned(),
        })
    }
}

impl Inner {
    /// Whether tags of the destination can be moved afterwards; what cannot be asked is a warning.
    pub(super) async fn fit_for_promotion(&self, plan: &Plan) -> Result<Option<String>, PromoteError> {
        let destination = &plan.destination;
        let Some(tag) = &destination.tag else { return Ok(None) };
        let place = place_of(destination)
            .map_err(|what| PromoteError::usage(what, "write the whole reference, with the registry's host"))?;
        let Place::Ecr(target) = place else {
            let host = destination.host.as_deref().unwrap_or("the registry");
            let what = format!(
                "whether tags at {host} can be moved cannot be asked there: deploy the digest of {}, not the tag",
                plan.to()
            );
            return Ok(Some(what));
        };
        let ecr = self.access.ecr(&target).await;
        let found = ecr.repository_settings().await.map_err(|failure| failure.reason());
        let what = match found {
            Ok(settings) if is_immutable(&settings.tags, tag.as_str()) => return Ok(None),
            Ok(_) => format!("the tag {tag} of {} can be moved to another image", plan.to()),
            Err(reason) if plan.allow_mutable => {
                return Ok(Some(format!("whether {destination} can be moved could not be asked: {}", reason.message)));
            }
            Err(reason) => return Err(PromoteError::Registry(reason)),
        };
        if plan.allow_mutable {
            return Ok(Some(format!("{what}: deploy by digest")));
        }
        Err(PromoteError::Destination {
            what,
            hint: format!(
                "aws ecr put-image-tag-mutability --repository-name {} --image-tag-mutability IMMUTABLE",
                destination.repository
            ),
        })
    }
}

/// Whether a tag, once written, stays. What is not known is no yes.
fn is_immutable(tags: &Immutability, tag: &str) -> bool {
    match tags {
        Immutability::Immutable => true,
        Immutability::ImmutableExcept(filters) => !filters.iter().any(|filter| fits(filter, tag)),
        Immutability::MutableExcept(filters) => filters.iter().any(|filter| fits(filter, tag)),
        Immutability::Mutable | Immutability::Other(_) => false,
    }
}

/// A filter of ECR: `*` stands for any characters.
fn fits(filter: &str, tag: &str) -> bool {
    let Some((start, rest)) = filter.split_once('*') else { return filter == tag };
    let Some(mut left) = tag.strip_prefix(start) else { return false };
    let Some((between, end)) = rest.rsplit_once('*') else { return left.ends_with(rest) };
    for part in between.split('*') {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or("");
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b7_a_tag_that_can_be_moved_is_never_taken_for_one_that_cannot() {
        let filters = |list: &[&str]| list.iter().map(|&filter| filter.to_owned()).collect::<Vec<_>>();
        for (tags, tag, expected) in [
            (Immutability::Immutable, "1", true),
            (Immutability::Mutable, "1", false),
            (Immutability::Other("SOMETHING_NEW".to_owned()), "1", false),
            (Immutability::ImmutableExcept(filters(&["dev-*", "sha256-*"])), "1", true),
            (Immutability::ImmutableExcept(filters(&["dev-*"])), "dev-1", false),
            (Immutability::ImmutableExcept(filters(&["*"])), "1", false),
            (Immutability::MutableExcept(filters(&["release-*"])), "release-1", true),
            (Immutability::MutableExcept(filters(&["release-*"])), "1", false),
            (Immutability::MutableExcept(filters(&[])), "1", false),
        ] {
            assert_eq!(is_immutable(&tags, tag), expected, "{tags:?} {tag}");
        }
        for (filter, tag, expected) in [
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("*x*", "axb", true),
            ("*x*", "ab", false),
            ("a*a", "a", false),
            ("latest", "latest", true),
            ("latest", "latest1", false),
        ] {
            assert_eq!(fits(filter, tag), expected, "{filter} {tag}");
        }
    }
}
