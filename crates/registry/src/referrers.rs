//! What refers to an image: signatures, bills of materials, scan reports, VEX. Source: distribution-spec 1.1, "Listing
//! Referrers" and "Referrers Tag Schema". The list is whole or it is an error (S25): "there are none" is said only by a
//! registry that answered an empty list, or that has neither the referrers API nor the fallback tag.

mod fallback;
mod opened;

use std::collections::BTreeMap;

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use model::Digest;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;

pub(crate) use fallback::{Found, absent, fallback_tag};

use crate::client::Inner;
use crate::client::exchange::Answer;
use crate::client::lists::{ACCEPT_INDEX, Pages, malformed};
use crate::client::sources::Source;
use crate::error::{Asked, Error};
use crate::media_type::{DOCKER_CONFIG, EMPTY, OCI_CONFIG, OCI_INDEX};
use crate::{Client, Descriptor, Location, Manifest, manifest};

/// Everything that refers to an image, or everything of one artifact type: always the whole list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrers {
    /// Each referrer once, sorted by digest. `artifact_type` is what the list says, and where the list says nothing of use,
    /// what the manifest says.
    pub descriptors: Vec<Descriptor>,
    /// How the registry keeps the list.
    pub by: ReferrersBy,
    /// How many questions it took, logins and repetitions left out.
    pub requests: u64,
    /// Manifests that had to be opened on the way, so that nobody fetches them again. Their `subject` is the asked digest;
    /// that of the others is still to be checked by whoever opens them.
    pub opened: BTreeMap<Digest, Manifest>,
}

/// How a registry keeps lists of referrers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferrersBy {
    /// The referrers API of distribution-spec 1.1.
    Api,
    /// The index under the tag `sha256-<hex>`, kept by those who push.
    FallbackTag,
}

/// The list as the registry gives it.
#[derive(Debug)]
struct Listed {
    by: ReferrersBy,
    descriptors: BTreeMap<Digest, Descriptor>,
    requests: u64,
}

/// What one index lists.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    schema_version: u64,
    media_type: Option<String>,
    pub(crate) manifests: Vec<Descriptor>,
}

impl Client {
    /// Everything that refers to this digest, of this artifact type if one is given. The host itself is asked, not its
    /// mirrors.
    pub async fn referrers(
        &self,
        location: &Location,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Referrers, Error> {
        let inner = &self.inner;
        let source = Source::origin(location);
        let asked = source.asked(format!("referrers of {subject}"));
        let listed = match inner.listed_by_api(&source, subject, artifact_type).await? {
            Some(listed) => listed,
            None => inner.listed_by_tag(&source, subject).await?,
        };
        let Listed { by, mut descriptors, mut requests } = listed;
        let wanted = |descriptor: &Descriptor| {
            artifact_type.is_none_or(|wanted| descriptor.artifact_type.as_deref() == Some(wanted))
        };
        let opening: Vec<Descriptor> = descriptors
            .values()
            .filter(|descriptor| {
                // Whoever asks for one type opens what is found; on the tag anybody may have written anything.
                let checked = by == ReferrersBy::FallbackTag && artifact_type.is_some() && wanted(descriptor);
                checked || says_nothing(descriptor, by)
            })
            .cloned()
            .collect();
        let opened: Vec<(Descriptor, Manifest)> = futures_util::stream::iter(opening)
            .map(|descriptor| inner.referrer(&source, &asked, subject, descriptor).boxed())
            .buffer_unordered(inner.options.concurrency.max(1))
            .try_collect()
            .await?;
        requests += opened.len() as u64;
        let mut manifests = BTreeMap::new();
        for (descriptor, manifest) in opened {
            descriptors.insert(descriptor.digest.clone(), descriptor);
            manifests.insert(manifest.digest.clone(), manifest);
        }
        let descriptors: Vec<Descriptor> = descriptors.into_values().filter(wanted).collect();
        manifests.retain(|digest, _| descriptors.iter().any(|descriptor| descriptor.digest == *digest));
        Ok(Referrers { descriptors, by, requests, opened: manifests })
    }
}

/// True if the list's word on what this referrer is must not be taken: there is none, or it is that of a placeholder
/// configuration, which some clients write to the fallback tag whatever the artifact is.
fn says_nothing(descriptor: &Descriptor, by: ReferrersBy) -> bool {
    match descriptor.artifact_type.as_deref() {
        None | Some("" | EMPTY) => true,
        Some(OCI_CONFIG | DOCKER_CONFIG) => by == ReferrersBy::FallbackTag,
        Some(_) => false,
    }
}

impl Inner {
    /// The list of the referrers API; nothing if the registry does not have it.
    async fn listed_by_api(
        &self,
        source: &Source,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Listed>, Error> {
        let mut question = self.question(source, &format!("referrers/{subject}"), format!("referrers of {subject}"))?;
        question.accept = Some(ACCEPT_INDEX);
        if let Some(artifact_type) = artifact_type {
            question.url.query_pairs_mut().append_pair("artifactType", artifact_type);
        }
        let asked = question.asked.clone();
        let cut = |why: String| Error::ReferrersCut { asked: asked.clone(), why };
        let mut listed = Listed { by: ReferrersBy::Api, descriptors: BTreeMap::new(), requests: 0 };
        let mut pages = Pages::new(question, self.options.limits.pages);
        while let Some(question) = pages.next() {
            listed.requests += 1;
            let answer = match self.ask(question, self.options.limits.manifest_bytes).await {
                Ok(answer) => answer,
                Err(error) if listed.requests == 1 && is_no_api(&error) => return Ok(None),
                Err(error) if error.is_not_found() => return Err(cut("a page of it is not there".to_owned())),
                Err(error) => return Err(error),
            };
            for descriptor in page(&answer).map_err(|why| malformed(&asked, why))?.manifests {
                listed.add(descriptor);
            }
            if listed.descriptors.len() > self.options.limits.referrers {
                return Err(cut(format!("it has more than {} entries", self.options.limits.referrers)));
            }
            pages.turn(&answer).map_err(cut)?;
        }
        Ok(Some(listed))
    }

    /// The list under the fallback tag; an empty one if there is no such tag.
    async fn listed_by_tag(&self, source: &Source, subject: &Digest) -> Result<Listed, Error> {
        // The question before, which found that there is no API, counts too.
        let mut listed = Listed { by: ReferrersBy::FallbackTag, descriptors: BTreeMap::new(), requests: 2 };
        if let Found::Index(index) = self.fallback(source, subject).await? {
            let asked = source.asked(format!("referrers of {subject} (tag {})", fallback_tag(subject)));
            let index = Index::read(&index.bytes).map_err(|why| malformed(&asked, why))?;
            for descriptor in index.manifests {
                listed.add(descriptor);
            }
            let limit = self.options.limits.referrers;
            if listed.descriptors.len() > limit {
                return Err(Error::ReferrersCut { asked, why: format!("it has more than {limit} entries") });
            }
        }
        Ok(listed)
    }

    /// Opens one referrer: what it really is, and that it is about the subject.
    async fn referrer(
        &self,
        source: &Source,
        asked: &Asked,
        subject: &Digest,
        descriptor: Descriptor,
    ) -> Result<(Descriptor, Manifest), Error> {
        let digest = &descriptor.digest;
        let manifest = match self.manifest(source, &digest.clone().into(), crate::client::exchange::Follow::No).await {
            Err(error) if error.is_not_found() => {
                let why = format!("{digest} is listed and is not there");
                return Err(Error::ReferrersCut { asked: asked.clone(), why });
            }
            other => other?,
        };
        let descriptor = opened::described(&descriptor, subject, &manifest).map_err(|why| malformed(asked, why))?;
        Ok((descriptor, manifest))
    }
}

impl Listed {
    /// Adds an entry. Two entries about one manifest that differ say nothing about what it is: it will be opened.
    fn add(&mut self, descriptor: Descriptor) {
        match self.descriptors.entry(descriptor.digest.clone()) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(descriptor);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                if entry.get().artifact_type != descriptor.artifact_type {
                    entry.get_mut().artifact_type = None;
                }
            }
        }
    }
}

impl Index {
    /// Reads an index; what is not one, or lacks its list, is an error.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let index: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("the list is not in the form of an image index: {error}"))?;
        match (index.schema_version, index.media_type.as_deref()) {
            (2, None | Some("" | OCI_INDEX)) => Ok(index),
            (2, Some(other)) => Err(format!("the list calls itself {other}, not an image index")),
            (version, _) => Err(format!("the list has the schema version {version}, not 2")),
        }
    }
}

/// One page of the referrers API.
fn page(answer: &Answer) -> Result<Index, String> {
    let header = answer.header(CONTENT_TYPE).map_or("", manifest::essence);
    let index = Index::read(&answer.body)?;
    if header == OCI_INDEX || (manifest::is_generic(header) && index.media_type.is_some()) {
        Ok(index)
    } else {
        Err(format!("the list comes as {header:?}, not as an image index"))
    }
}

/// True if this refusal says that the registry does not know the referrers API.
fn is_no_api(error: &Error) -> bool {
    match error {
        Error::NotFound { .. } | Error::Refused { status: 405 | 406 | 501, .. } => true,
        Error::Refused { code, .. } => code.as_deref() == Some("UNSUPPORTED"),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
