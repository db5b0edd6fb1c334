//! Copying an image from one repository to another by its digest, with everything that is attached to it: what refers to it or to its platforms,
//! cosign's tags, and what refers to those again. What is there already is not sent again; no tag that a person reads is written here. Whatever cannot
//! be read or listed to its end ends the copy: what comes to be at the destination is never less than what the source showed (S25).

mod attached;
mod blobs;
mod parts;
mod plan;
mod progress;

use futures_util::{StreamExt, TryStreamExt};
use model::Digest;

use crate::client::exchange::Follow;
use crate::client::lists::malformed;
use crate::client::sources::Source;
use crate::error::Error;
use crate::{Client, Location, Manifest, Reference};

pub use plan::Plan;
pub use progress::{CopyProgress, CopyState};

/// How much is copied at most. Beyond it nothing is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyLimits {
    /// Manifests: platforms, and all that is attached.
    pub manifests: usize,
    /// Bytes of all manifests, which are held in memory.
    pub manifest_bytes: u64,
    /// Bytes of everything that they name, by their own word.
    pub bytes: u64,
    /// Manifests, or blobs, that are worked on at the same time.
    pub concurrency: usize,
}

impl Default for CopyLimits {
    fn default() -> Self {
        Self { manifests: 2_000, manifest_bytes: 64 << 20, bytes: 256 << 30, concurrency: 4 }
    }
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copied {
    /// Manifests that are at the destination now, the image's own and all that is attached.
    pub manifests: u64,
    /// Those of them that are attached to others.
    pub attached: u64,
    /// Blobs that are at the destination now.
    pub blobs: u64,
    /// Bytes that were sent; what was there, or was mounted within the registry, is not in it.
    pub sent_bytes: u64,
    /// What whoever reads the outcome should know.
    pub warnings: Vec<String>,
}

impl Client {
    /// Copies the manifest or index of this digest with all that it names and all that is attached, and looks afterwards whether it is there. No mirror
    /// is asked for what is attached.
    pub async fn copy(
        &self,
        from: &Location,
        to: &Location,
        digest: &Digest,
        limits: &CopyLimits,
        progress: &CopyProgress,
    ) -> Result<Copied, Error> {
        let plan = self.plan_copy(from, digest, limits).await?;
        self.copy_planned(from, to, &plan, limits, progress).await
    }

    /// What [`Self::copy`] would copy: for whoever has to look at it before anything is sent.
    pub async fn plan_copy(&self, from: &Location, digest: &Digest, limits: &CopyLimits) -> Result<Plan, Error> {
        Plan::of(self, from, digest, limits).await
    }

    /// Copies exactly what was planned.
    pub async fn copy_planned(
        &self,
        from: &Location,
        to: &Location,
        plan: &Plan,
        limits: &CopyLimits,
        progress: &CopyProgress,
    ) -> Result<Copied, Error> {
        progress.begin(plan.manifests.len(), plan.blobs.values().map(|blob| blob.part.size));
        self.copy_blobs(from, to, plan, limits, progress).await?;
        self.copy_manifests(to, plan, limits, progress).await?;
        self.copy_lists(to, plan).await?;
        self.copy_cosign_tags(to, plan).await?;
        progress.verifying();
        self.copied(to, plan, limits).await?;
        let state = progress.state();
        Ok(Copied {
            manifests: plan.manifests.len() as u64,
            attached: plan.attached.len() as u64,
            blobs: plan.blobs.len() as u64,
            sent_bytes: state.sent_bytes,
            warnings: plan.warnings.clone(),
        })
    }

    /// What a tag stands for at the host itself; `None` if there is no such tag.
    pub async fn tagged(&self, location: &Location, tag: &model::Tag) -> Result<Option<Manifest>, Error> {
        let source = Source::origin(location);
        crate::referrers::absent(self.inner.manifest(&source, &Reference::Tag(tag.clone()), Follow::Registry).await)
    }

    /// Manifests after what they name; all of one step side by side.
    async fn copy_manifests(
        &self,
        to: &Location,
        plan: &Plan,
        limits: &CopyLimits,
        progress: &CopyProgress,
    ) -> Result<(), Error> {
        for step in plan.steps() {
            let pushes = step.into_iter().map(|manifest| async move {
                if !self.has(to, manifest).await? {
                    let reference = Reference::Digest(manifest.digest.clone());
                    self.push_manifest(to, &reference, &manifest.media_type, manifest.bytes.clone()).await?;
                }
                progress.manifest();
                Ok::<_, Error>(())
            });
            let pushes: Vec<_> = pushes.map(Box::pin).collect();
            futures_util::stream::iter(pushes)
                .buffer_unordered(limits.concurrency.max(1))
                .try_collect::<Vec<()>>()
                .await?;
        }
        Ok(())
    }

    /// True if the host itself gives this manifest under its digest.
    async fn has(&self, to: &Location, manifest: &Manifest) -> Result<bool, Error> {
        let source = Source::origin(to);
        let reference = Reference::Digest(manifest.digest.clone());
        let found = crate::referrers::absent(self.inner.manifest(&source, &reference, Follow::Registry).await)?;
        Ok(found.is_some_and(|found| found.bytes == manifest.bytes))
    }

    /// Looks at the destination: each manifest under its digest, and in each list what the source had in it.
    async fn copied(&self, to: &Location, plan: &Plan, limits: &CopyLimits) -> Result<(), Error> {
        let missing = |what: String| malformed(&Source::origin(to).asked("the copy".to_owned()), what);
        let looks = plan.manifests.values().map(|manifest| async move {
            if self.has(to, manifest).await? { Ok(None) } else { Ok::<_, Error>(Some(manifest.digest.clone())) }
        });
        let looks: Vec<_> = looks.map(Box::pin).collect();
        let gone: Vec<Option<Digest>> =
            futures_util::stream::iter(looks).buffer_unordered(limits.concurrency.max(1)).try_collect().await?;
        if let Some(digest) = gone.into_iter().flatten().next() {
            return Err(missing(format!("{digest} was sent, and the registry does not have it")));
        }
        if let Some((subject, entry)) = self.not_listed(to, plan).await? {
            return Err(missing(format!(
                "{entry} was sent, and the registry does not list it among what refers to {subject}"
            )));
        }
        if let Some(tag) = self.not_tagged(to, plan).await? {
            return Err(missing(format!("the tag {tag} does not hold what was sent")));
        }
        Ok(())
    }
}
