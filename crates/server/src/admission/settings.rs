//! How admission is set up.

use std::time::Duration;

use engine::ClaimPattern;
use model::ImageReference;

use super::environments::Environments;
use super::images::ImageUse;
use super::kinds::Kinds;
use super::review::{Review, User};

/// How admission is set up.
#[derive(Debug, Clone)]
pub struct AdmissionSettings {
    /// How answers, overrides and the inventory call the cluster.
    pub cluster: String,
    /// Which environment a namespace is.
    pub environments: Environments,
    /// Which kinds of objects get digests.
    pub tags: Tags,
    /// The gate's own images.
    pub own: Option<OwnImages>,
    /// The kinds whose images are known.
    pub kinds: Kinds,
    /// Who may ask for an override with the write of a workload (S31).
    pub break_glass: Option<BreakGlassRights>,
    /// Users whose word about what controls an object is believed (S32).
    pub controllers: Vec<ClaimPattern>,
    /// Callers have to show a certificate of the authority of clients.
    pub certificates_only: bool,
    /// How many reviews are worked on at the same time; more wait, as long as there is time.
    pub concurrency: usize,
}

/// Which kinds of objects get digests (D2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tags {
    /// None: whoever writes a tag is denied.
    Off,
    /// Pods: what is kept elsewhere (in a GitOps repository) stays as it is written.
    Pods,
    /// All.
    All,
}

impl Tags {
    /// Whether a review's object gets digests.
    pub(super) fn fixes(self, review: &Review<'_>) -> bool {
        match self {
            Self::Off => false,
            Self::Pods => review.is_pod(),
            Self::All => true,
        }
    }

    /// Whether a review's object may name tags: its pods get digests.
    pub(super) fn may_name_tags(self, review: &Review<'_>) -> bool {
        self == Self::Pods && !review.is_pod()
    }
}

/// The gate's own images: what starts the gate cannot wait for the gate (S40).
#[derive(Debug, Clone)]
pub struct OwnImages {
    /// Its namespace.
    pub namespace: String,
    /// By digest.
    pub images: Vec<ImageReference>,
}

impl OwnImages {
    /// Whether this is one of them, where they run.
    pub(super) fn hold(&self, namespace: &str, image: &ImageUse) -> bool {
        let (host, repository, digest) = (&image.reference.host, &image.reference.repository, &image.reference.digest);
        digest.is_some()
            && self.namespace == namespace
            && self.images.iter().any(|own| (&own.host, &own.repository, &own.digest) == (host, repository, digest))
    }
}

/// Who may ask for an override with the write of a workload, and for how long (S31).
#[derive(Debug, Clone)]
pub struct BreakGlassRights {
    /// Users.
    pub users: Vec<ClaimPattern>,
    /// Groups.
    pub groups: Vec<ClaimPattern>,
    /// The longest time.
    pub longest: Duration,
}

impl BreakGlassRights {
    /// Whether this user may.
    pub fn are_of(&self, user: &User) -> bool {
        self.users.iter().any(|one| one.matches(&user.name))
            || self.groups.iter().any(|one| user.groups.iter().any(|group| one.matches(group)))
    }
}
