//! Promotions (B7): an image that the gate gives leave for is copied to where it runs, with all that is attached to it, by the digest that was decided
//! about. It runs behind: whoever began it asks how far it is. What a promotion leaves is a tag that was not there before, and a record; one that fails
//! leaves neither.

mod claim;
mod destination;
mod documents;
mod leave;
mod run;
mod slots;
mod there;
mod tracking;

use std::sync::Arc;
use std::time::Duration;

use model::{Digest, EnvironmentClass, ImageReference, Reason, Timestamp};
use registry::CopyState;
use store::StoreError;

use super::actor::{Actor, Right};
use super::asking::{AskError, Asked, Asker, Point, RecordedDecision};
use super::collecting::repository;
use super::permit::Refusal;
use super::understanding::canonical;
use super::{Gate, GateError, Inner};

pub(super) use tracking::Runs;

/// A promotion that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// What: `host/repository:tag` or, better, `host/repository@sha256:…`
    pub source: String,
    /// Where to: `host/repository:tag`, a tag that is not there yet.
    pub destination: String,
    /// For which environment; `None` is `production` (S7).
    pub environment: Option<String>,
    /// How long to wait for what is pending.
    pub wait: Duration,
    /// Tags of the destination may be movable. Never in an environment of the class production.
    pub allow_mutable: bool,
}

/// How far a promotion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromotionPhase {
    /// It is not decided yet whether it may be.
    Deciding,
    /// It is on its way.
    Copying,
    /// It is looked whether everything is there.
    Verifying,
    /// It came to its end.
    Ended,
}

/// A promotion as whoever waits for it sees it.
#[derive(Debug, Clone)]
pub struct PromotionStatus {
    /// Under which it is asked for.
    pub id: String,
    /// `host/repository:tag` or `host/repository@sha256:…`
    pub source: String,
    /// `host/repository:tag`
    pub destination: String,
    /// For which environment.
    pub environment: String,
    /// It brings back what ran before.
    pub is_rollback: bool,
    /// How far it is.
    pub phase: PromotionPhase,
    /// What is promoted, once that is decided.
    pub digest: Option<Digest>,
    /// How far the copy is.
    pub copy: CopyState,
    /// What whoever reads the outcome should know.
    pub warnings: Vec<String>,
    /// What it came to.
    pub ended: Option<Result<Promoted, PromoteError>>,
}

/// An image that was promoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promoted {
    /// The promotion's id on record.
    pub id: String,
    /// The decision that it rests on.
    pub decision: String,
    /// What it rests on: `allowed`, `warned`, `inherited`, `overridden`.
    /// `None` for one that is read from the record: its entry in the audit log says it.
    pub basis: Option<String>,
    /// What was promoted.
    pub digest: Digest,
    /// From `host/repository`
    pub source: String,
    /// To `host/repository:tag`
    pub destination: String,
    /// For which environment.
    pub environment: String,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// It was there already, and on record: nothing was changed.
    pub was_there: bool,
    /// Manifests at the destination: the image's own and all that is attached.
    pub manifests: u64,
    /// Those of them that are attached.
    pub attached: u64,
    /// Bytes that had to be sent.
    pub sent_bytes: u64,
}

/// Why nothing was promoted.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PromoteError {
    /// There is no decision.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// There is a decision, and it gives no leave.
    #[error("{what}")]
    Refused {
        /// What it is called.
        refusal: Refusal,
        /// The decision.
        decision: Arc<RecordedDecision>,
        /// What happened.
        what: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The destination is not as a destination has to be.
    #[error("{what}")]
    Destination {
        /// What is wrong with it.
        what: String,
        /// What to do.
        hint: String,
    },
    /// A registry did not do its part.
    #[error("{}", .0.message)]
    Registry(Reason),
    /// The caller may not do that.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
}

impl From<GateError> for PromoteError {
    fn from(error: GateError) -> Self {
        match error {
            GateError::NotFound { what } => Self::NotFound(what),
            GateError::Forbidden { what, .. } => Self::Forbidden(what),
            GateError::Invalid { what, hint } | GateError::Usage { what, hint } => {
                Self::Ask(AskError::Usage { what, hint })
            }
            error => Self::Ask(error.into()),
        }
    }
}

impl From<StoreError> for PromoteError {
    fn from(error: StoreError) -> Self {
        Self::Ask(error.into())
    }
}

impl From<Reason> for PromoteError {
    fn from(reason: Reason) -> Self {
        Self::Registry(reason)
    }
}

impl PromoteError {
    fn usage(what: impl Into<String>, hint: &str) -> Self {
        Self::Ask(AskError::Usage { what: what.into(), hint: Some(hint.to_owned()) })
    }
}

/// A promotion that was understood, by somebody who may.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) source: ImageReference,
    /// Without a tag nothing is written there: it is decided and recorded.
    pub(super) destination: ImageReference,
    pub(super) environment: String,
    pub(super) wait: Duration,
    pub(super) allow_mutable: bool,
    /// The environments for which whoever promotes may hand documents in at the destination.
    pub(super) hands_on: Vec<String>,
    pub(super) rollback: Option<BackTo>,
    pub(super) by: Asker,
    pub(super) identity: Arc<str>,
    pub(super) person: Option<Arc<str>>,
}

/// What is said of a rollback besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BackTo {
    pub(super) reason: Option<String>,
    /// Whether whoever wants it may let through what is denied.
    pub(super) may_override: bool,
}

impl Plan {
    /// `host/repository`
    pub(super) fn from(&self) -> String {
        repository(&self.source)
    }

    /// `host/repository`
    pub(super) fn to(&self) -> String {
        repository(&self.destination)
    }
}

impl Gate {
    /// Begins a promotion, and gives the id under which [`Self::promotion`] tells of it. The same again while it runs is the same.
    ///
    /// # Errors
    /// It cannot be meant so, or whoever wants it may not.
    pub fn promote(&self, promotion: &Promotion, by: &Asker, actor: &Actor) -> Result<String, PromoteError> {
        let plan = self.inner.understand_promotion(promotion, by, actor)?;
        self.begin(plan)
    }

    /// How far a promotion is, or what it came to: for an hour after its end; those on record for good.
    ///
    /// # Errors
    /// There is none with this id that the actor sees, or the store cannot be read.
    pub async fn promotion(&self, id: &str, actor: &Actor) -> Result<PromotionStatus, GateError> {
        let none = || GateError::NotFound { what: format!("promotion {id}") };
        if let Some(run) = self.inner.runs.of(id) {
            let plan = &run.plan;
            let sees = *plan.identity == *actor.identity || actor.sees(&plan.to(), Some(&plan.environment));
            return if sees { Ok(run.status()) } else { Err(none()) };
        }
        let row = self.inner.store.promotion(id).await?.ok_or_else(none)?;
        let sees = actor.sees(repository_of(&row.destination), Some(&row.environment));
        let leaf = self.inner.store.leaf(id).await?;
        if sees { Ok(tracking::recorded(row, leaf.as_ref())) } else { Err(none()) }
    }
}

impl Inner {
    fn understand_promotion(&self, wanted: &Promotion, by: &Asker, actor: &Actor) -> Result<Plan, PromoteError> {
        let asked = |image: &str| Asked {
            image: image.to_owned(),
            name: None,
            environment: wanted.environment.clone(),
            wait: wanted.wait,
            dry_run: false,
        };
        let source = self.understand(&asked(&wanted.source))?;
        let destination = self.understand(&asked(&wanted.destination))?.image;
        if destination.tag.is_none() || destination.digest.is_some() {
            let what = format!("{destination} is no place to promote to");
            return Err(PromoteError::usage(
                what,
                "name the tag that it gets there: HOST/REPOSITORY:TAG, without a digest",
            ));
        }
        let (from, to) = (repository(&source.image), repository(&destination));
        if from == to && source.image.tag == destination.tag {
            let what = format!("{destination} is both source and destination");
            return Err(PromoteError::usage(what, "promote to another repository, or under another tag"));
        }
        let environment = source.environment;
        for repository in [&from, &to] {
            may(actor, &[Right::Promote], repository, &environment)?;
        }
        let class = self.class(&environment)?;
        if wanted.allow_mutable && class == EnvironmentClass::Production {
            let what =
                format!("{environment} is of the class production, where tags of destinations may not be movable");
            return Err(PromoteError::usage(what, "make the tags of the destination immutable"));
        }
        Ok(Plan {
            hands_on: actor.environments(Right::Submit, &to),
            source: source.image,
            destination,
            environment,
            wait: wanted.wait,
            allow_mutable: wanted.allow_mutable,
            rollback: None,
            by: Asker { point: Point::Promotion, ..by.clone() },
            identity: Arc::clone(&actor.identity),
            person: actor.person.clone(),
        })
    }

    pub(super) fn class(&self, environment: &str) -> Result<EnvironmentClass, PromoteError> {
        let class = self.follower.force().policies.environment(environment);
        class.map_err(|error| {
            PromoteError::usage(
                error.to_string(),
                "environments are declared in `spec.environments` of the policy in force",
            )
        })
    }
}

/// That the actor has one of these rights about this repository in this environment. It is said by its name alone, whether it is there or not.
pub(super) fn may(actor: &Actor, rights: &[Right], repository: &str, environment: &str) -> Result<(), PromoteError> {
    if rights.iter().any(|right| actor.may(*right, repository, Some(environment))) {
        return Ok(());
    }
    let what = format!(
        "{} may not promote from or to {repository} for {environment}: that takes the role ci for both repositories and the environment",
        actor.identity
    );
    Err(PromoteError::Forbidden(what))
}

/// A repository by its name: `host/repository`.
pub(super) fn named(text: &str) -> Result<ImageReference, PromoteError> {
    let hint = "write HOST/REPOSITORY, without tag and digest";
    let image: ImageReference = text
        .parse()
        .map_err(|error| PromoteError::usage(format!("{text:?} is no name of a repository: {error}"), hint))?;
    if image.host.is_none() || image.tag.is_some() || image.digest.is_some() {
        return Err(PromoteError::usage(format!("{text:?} is no name of a repository"), hint));
    }
    Ok(canonical(image))
}

/// `host/repository` of `host/repository:tag`.
pub(super) fn repository_of(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    }
}
