//! What can be asked of the store.

use model::{Digest, Timestamp, Verdict};

/// Which decisions, the newest first. Every field that is given has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecisionQuery {
    /// The image.
    pub digest: Option<Digest>,
    /// `host/repository`
    pub repository: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// Recorded at this time or later.
    pub since: Option<Timestamp>,
    /// Recorded before this time.
    pub until: Option<Timestamp>,
    /// Answered to this pipeline.
    pub pipeline: Option<String>,
    /// Answered for this commit.
    pub commit: Option<String>,
    /// Only those before this decision (its id): the cursor of the page before.
    pub before: Option<String>,
    /// How many at most.
    pub limit: u32,
}

/// Which items, the newest first. Every field that is given has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ItemQuery {
    /// `exception`, `override`, …
    pub kind: &'static str,
    /// In this state.
    pub state: Option<String>,
    /// About this repository, exactly.
    pub repository: Option<String>,
    /// About this image.
    pub digest: Option<Digest>,
    /// For this environment.
    pub environment: Option<String>,
    /// Only those before this one (its id): the cursor of the page before.
    pub before: Option<String>,
    /// How many at most.
    pub limit: u32,
}

/// Which audit entries, in the order in which they happened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeafQuery {
    /// About this image.
    pub subject: Option<Digest>,
    /// About an image in this repository.
    pub repository: Option<String>,
    /// After this entry (its id).
    pub after: Option<String>,
    /// How many at most.
    pub limit: u32,
}
