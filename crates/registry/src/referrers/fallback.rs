//! The fallback tag: where registries without the referrers API keep the list, as an image index that every writer reads,
//! extends and pushes again. Source: distribution-spec 1.1, "Referrers Tag Schema".

use model::{Digest, Tag};

use crate::client::Inner;
use crate::client::exchange::Follow;
use crate::client::sources::Source;
use crate::error::Error;
use crate::media_type::OCI_INDEX;
use crate::{Client, Location, Manifest, Reference};

/// What is under the fallback tag.
#[derive(Debug)]
pub(crate) enum Found {
    /// No such tag.
    Nothing,
    /// The list.
    Index(Manifest),
}

/// Codes of a 404 that say that the tag, or the whole repository, is not there. A plain 404 says so too.
const ABSENT: &[&str] = &["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"];

/// The tag for a digest: `:` becomes `-`, and the digits are cut to 64.
pub(crate) fn fallback_tag(subject: &Digest) -> String {
    let (algorithm, digits) = subject.as_str().split_once(':').unwrap_or((subject.as_str(), ""));
    format!("{algorithm}-{}", digits.get(..64).unwrap_or(digits))
}

impl Client {
    /// What cosign keeps about a digest under a tag of its own: the fallback tag with a suffix such as `.sig` or `.att`.
    /// Nothing if there is no such tag; the host itself is asked, not its mirrors, whose tags may be old.
    pub async fn under_tag(
        &self,
        location: &Location,
        subject: &Digest,
        suffix: &str,
    ) -> Result<Option<Manifest>, Error> {
        let tag = format!("{}{suffix}", fallback_tag(subject));
        let tag: Tag = tag.parse().map_err(|error| Error::Setup(format!("{subject}: {error}")))?;
        let source = Source::origin(location);
        absent(self.inner.manifest(&source, &Reference::Tag(tag), Follow::No).await)
    }
}

/// Only a genuine "not there" means nothing.
pub(crate) fn absent(manifest: Result<Manifest, Error>) -> Result<Option<Manifest>, Error> {
    match manifest {
        Err(Error::NotFound { code, .. }) if code.as_deref().is_none_or(|code| ABSENT.contains(&code)) => Ok(None),
        Err(Error::NotFound { asked, code, message }) => Err(Error::Refused { asked, status: 404, code, message }),
        other => other.map(Some),
    }
}

impl Inner {
    /// What is under the fallback tag of a digest. Only a genuine "not there" means nothing.
    pub(crate) async fn fallback(&self, source: &Source, subject: &Digest) -> Result<Found, Error> {
        let tag: Tag = fallback_tag(subject).parse().map_err(|error| Error::Setup(format!("{subject}: {error}")))?;
        let Some(manifest) = absent(self.manifest(source, &Reference::Tag(tag.clone()), Follow::No).await)? else {
            return Ok(Found::Nothing);
        };
        // GitLab takes `sha256-…` for the digest itself and gives the image: no list has been pushed there.
        if manifest.digest == *subject {
            return Ok(Found::Nothing);
        }
        if manifest.media_type != OCI_INDEX {
            let asked = source.asked(format!("referrers of {subject} (tag {tag})"));
            let why = format!("under the tag is a {}, not an image index", manifest.media_type);
            return Err(Error::Malformed { asked, why });
        }
        Ok(Found::Index(manifest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_the_digest_with_a_dash() {
        let digest = Digest::of(b"");
        assert_eq!(fallback_tag(&digest), digest.as_str().replace(':', "-"));
        let wide: Digest = format!("sha512:{}", "a".repeat(128)).parse().unwrap();
        assert_eq!(fallback_tag(&wide), format!("sha512-{}", "a".repeat(64)));
        assert!(fallback_tag(&wide).parse::<Tag>().is_ok());
    }
}
