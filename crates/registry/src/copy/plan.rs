//! What has to be copied: the image and all that is attached to it, found by walking the source. The walk ends with an error where something named is
//! not there, a list cannot be read, or there is more than the limits allow.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt};
use model::{Digest, Tag};

use super::CopyLimits;
use super::parts::{Part, Parts};
use crate::client::exchange::Follow;
use crate::client::lists::malformed;
use crate::client::sources::Source;
use crate::error::Error;
use crate::referrers::{Found, Index, absent, fallback_tag};
use crate::{Client, Descriptor, Location, Manifest, Reference, ReferrersBy};

/// What cosign adds to the fallback tag for signatures, attestations and bills of materials.
const COSIGN: [&str; 3] = [".sig", ".att", ".sbom"];

/// What is to be copied: found at the source, held in memory, and sent as it was found.
#[derive(Debug, Default)]
pub struct Plan {
    pub(super) manifests: BTreeMap<Digest, Manifest>,
    /// What each names: an index its manifests.
    children: BTreeMap<Digest, Vec<Digest>>,
    pub(super) blobs: BTreeMap<Digest, Blob>,
    /// By what they refer to.
    pub(super) referrers: BTreeMap<Digest, Vec<Descriptor>>,
    /// cosign's tags, and what they stand for.
    pub(super) tags: BTreeMap<Tag, Digest>,
    /// Manifests that are there because they are attached to others.
    pub(super) attached: BTreeSet<Digest>,
    pub(super) warnings: Vec<String>,
}

/// A blob, and whether a registry need hold it.
#[derive(Debug)]
pub(super) struct Blob {
    pub(super) part: Part,
    pub(super) is_needed: bool,
}

/// The most entries of lists that are about something else.
const ODD: usize = 100;

/// One manifest, and what there is around it.
struct Visited {
    manifest: Manifest,
    parts: Parts,
    referrers: Vec<(Descriptor, Manifest)>,
    tags: Vec<(Tag, Manifest)>,
    warnings: Vec<String>,
}

impl Plan {
    /// Every manifest: the image's own, its platforms, and all that is attached.
    pub fn manifests(&self) -> impl Iterator<Item = &Digest> {
        self.manifests.keys()
    }

    /// Those of them that are there because they are attached to others.
    pub fn attached(&self) -> &BTreeSet<Digest> {
        &self.attached
    }

    pub(super) async fn of(
        client: &Client,
        from: &Location,
        digest: &Digest,
        limits: &CopyLimits,
    ) -> Result<Self, Error> {
        let mut walk = Walk { client, from, limits, plan: Self::default(), seen: BTreeSet::new(), bytes: (0, 0) };
        walk.run(digest).await?;
        Ok(walk.plan)
    }

    /// The manifests in steps: what one step names was in a step before. Nothing names itself, because digests are made from what is named.
    pub(super) fn steps(&self) -> Vec<Vec<&Manifest>> {
        let mut left: BTreeSet<&Digest> = self.manifests.keys().collect();
        let mut steps = Vec::new();
        while !left.is_empty() {
            let is_ready = |digest: &&Digest| {
                let children = self.children.get(*digest).into_iter().flatten();
                children.into_iter().all(|child| !left.contains(child))
            };
            let ready: Vec<&Digest> = left.iter().copied().filter(is_ready).collect();
            if ready.is_empty() {
                break;
            }
            for digest in &ready {
                left.remove(digest);
            }
            steps.push(ready.into_iter().filter_map(|digest| self.manifests.get(digest)).collect());
        }
        steps
    }
}

struct Walk<'a> {
    client: &'a Client,
    from: &'a Location,
    limits: &'a CopyLimits,
    plan: Plan,
    seen: BTreeSet<Digest>,
    /// Of manifests, and of blobs.
    bytes: (u64, u64),
}

/// A manifest to be visited: fetched already, or not.
struct Next {
    digest: Digest,
    manifest: Option<Manifest>,
}

impl Walk<'_> {
    async fn run(&mut self, root: &Digest) -> Result<(), Error> {
        let mut queue = vec![Next { digest: root.clone(), manifest: None }];
        self.seen.insert(root.clone());
        while !queue.is_empty() {
            let (client, from) = (self.client, self.from);
            let visits: Vec<_> = queue.drain(..).map(|next| Box::pin(visit(client, from, next))).collect();
            let mut visits = futures_util::stream::iter(visits).buffered(self.limits.concurrency.max(1));
            let mut found = Vec::new();
            while let Some(visited) = visits.try_next().await? {
                found.extend(self.take(visited)?);
            }
            queue = found;
        }
        Ok(())
    }

    /// Adds what was found, and gives what has to be visited for it.
    fn take(&mut self, visited: Visited) -> Result<Vec<Next>, Error> {
        let Visited { manifest, parts, referrers, tags, warnings } = visited;
        let digest = manifest.digest.clone();
        let mut next = Vec::new();
        for part in &parts.manifests {
            self.plan.children.entry(digest.clone()).or_default().push(part.digest.clone());
            self.add(&mut next, Next { digest: part.digest.clone(), manifest: None });
        }
        let mut attached = Vec::new();
        for (entry, manifest) in referrers {
            self.plan.referrers.entry(digest.clone()).or_default().push(entry);
            attached.push(manifest);
        }
        for (tag, tagged) in tags {
            self.plan.tags.insert(tag, tagged.digest.clone());
            attached.push(tagged);
        }
        for manifest in attached {
            let one = Next { digest: manifest.digest.clone(), manifest: Some(manifest) };
            let digest = one.digest.clone();
            if self.add(&mut next, one) {
                self.plan.attached.insert(digest);
            }
        }
        for part in parts.blobs {
            let is_needed = !part.may_be_elsewhere();
            if !self.plan.blobs.contains_key(&part.digest) {
                self.bytes.1 = self.bytes.1.saturating_add(part.size);
            }
            let blob = self.plan.blobs.entry(part.digest.clone()).or_insert(Blob { part, is_needed });
            blob.is_needed |= is_needed;
        }
        self.bytes.0 = self.bytes.0.saturating_add(manifest.bytes.len() as u64);
        self.plan.manifests.insert(digest, manifest);
        self.plan.warnings.extend(warnings);
        self.within_limits()?;
        Ok(next)
    }

    /// A manifest is visited once, however often it is named; true if it had not been.
    fn add(&mut self, next: &mut Vec<Next>, one: Next) -> bool {
        let is_new = self.seen.insert(one.digest.clone());
        if is_new {
            next.push(one);
        }
        is_new
    }

    fn within_limits(&self) -> Result<(), Error> {
        let asked = Source::origin(self.from).asked("the image with all that is attached to it".to_owned());
        let limits = self.limits;
        if self.seen.len() > limits.manifests {
            return Err(malformed(&asked, format!("it has more than {} manifests", limits.manifests)));
        }
        if self.plan.warnings.len() > ODD {
            return Err(malformed(&asked, format!("more than {ODD} entries of its lists are about something else")));
        }
        for (bytes, limit) in [(self.bytes.0, limits.manifest_bytes), (self.bytes.1, limits.bytes)] {
            if bytes > limit {
                return Err(Error::TooLarge { asked, limit });
            }
        }
        Ok(())
    }
}

/// Reads a manifest and what is attached to it.
async fn visit(client: &Client, from: &Location, next: Next) -> Result<Visited, Error> {
    let source = Source::origin(from);
    let manifest = match next.manifest {
        Some(manifest) => manifest,
        None => client.manifest(from, &Reference::Digest(next.digest.clone())).await?,
    };
    let asked = source.asked(format!("manifest {}", next.digest));
    let parts = Parts::of(&manifest).map_err(|why| malformed(&asked, why))?;
    let digest = &manifest.digest;
    let listed = client.referrers(from, digest, None).await?;
    let mut entries: BTreeMap<Digest, Descriptor> =
        listed.descriptors.into_iter().map(|entry| (entry.digest.clone(), entry)).collect();
    // Those that pushed before the registry had the list left theirs under the tag.
    if listed.by == ReferrersBy::Api
        && let Found::Index(index) = client.inner.fallback(&source, digest).await?
    {
        for entry in Index::read(&index.bytes).map_err(|why| malformed(&asked, why))?.manifests {
            entries.entry(entry.digest.clone()).or_insert(entry);
        }
    }
    let mut opened = listed.opened;
    let (mut referrers, mut warnings) = (Vec::new(), Vec::new());
    for entry in entries.into_values() {
        let referrer = match opened.remove(&entry.digest) {
            Some(manifest) => manifest,
            None => referrer(client, &source, &entry.digest, digest).await?,
        };
        // Whatever anybody lists there: what is about something else is not attached to this, and what could be run is no attachment.
        let theirs = Parts::of(&referrer).map_err(|why| malformed(&asked, why))?;
        let listed = &entry.digest;
        if theirs.subject.as_ref() != Some(digest) {
            warnings.push(format!(
                "{listed} is listed among what refers to {digest} and is about something else: left behind"
            ));
        } else if theirs.is_image() {
            warnings.push(format!("{listed} is attached to {digest} and is an image itself: left behind"));
        } else {
            referrers.push((entry, referrer));
        }
    }
    let mut tags = Vec::new();
    for (tag, manifest) in cosign_tags(client, &source, digest).await? {
        if Parts::of(&manifest).map_err(|why| malformed(&asked, why))?.is_image_under_a_tag() {
            warnings.push(format!("{} under the tag {tag} is an image itself: left behind", manifest.digest));
        } else {
            tags.push((tag, manifest));
        }
    }
    Ok(Visited { manifest, parts, referrers, tags, warnings })
}

async fn referrer(client: &Client, source: &Source, listed: &Digest, subject: &Digest) -> Result<Manifest, Error> {
    let reference = Reference::Digest(listed.clone());
    match client.inner.manifest(source, &reference, Follow::Registry).await {
        Err(error) if error.is_not_found() => {
            let asked = source.asked(format!("referrers of {subject}"));
            Err(Error::ReferrersCut { asked, why: format!("{listed} is listed and is not there") })
        }
        other => other,
    }
}

/// What cosign keeps about a digest under tags of its own.
async fn cosign_tags(client: &Client, source: &Source, digest: &Digest) -> Result<Vec<(Tag, Manifest)>, Error> {
    let mut tags = Vec::new();
    for suffix in COSIGN {
        let tag: Tag = format!("{}{suffix}", fallback_tag(digest))
            .parse()
            .map_err(|error| Error::Setup(format!("{digest}: {error}")))?;
        let reference = Reference::Tag(tag.clone());
        let found = absent(client.inner.manifest(source, &reference, Follow::No).await)?;
        tags.extend(found.map(|manifest| (tag, manifest)));
    }
    Ok(tags)
}
