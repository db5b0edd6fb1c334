//! `/api/v1/packages`, `/api/v1/workloads`, `/api/v1/promotions`: where something is, where it runs, how it got there (O4).

use model::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// Which package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackagesQuery {
    /// A package URL, with or without version: `pkg:npm/left-pad@1.3.0`
    pub purl: String,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many images at most: 50 if it is left out, never more than 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of images that hold a package, and where those run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackagesPage {
    /// The images.
    pub images: Vec<ImageWithPackage>,
    /// Where the images of this page run.
    pub workloads: Vec<RunningImage>,
    /// There are more workloads than are listed here: ask `/api/v1/workloads` for each image.
    pub more_workloads: bool,
    /// The cursor of the next page; `null`: this was the last one.
    pub next: Option<String>,
}

/// An image that holds a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageWithPackage {
    /// `host/repository`
    pub repository: String,
    /// The image.
    pub digest: Digest,
    /// The version of the package in it.
    pub version: String,
}

/// Containers that run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadsPage {
    /// The containers.
    pub workloads: Vec<RunningImage>,
    /// There are more than were asked for.
    pub more: bool,
}

/// A container that runs, as something saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningImage {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// `Deployment/web`
    pub owner: String,
    /// The container's name.
    pub container: String,
    /// `host/repository`
    pub repository: String,
    /// What runs.
    pub digest: Digest,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
}

/// Which promotions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromotionsQuery {
    /// For this environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// At this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many at most: 50 if it is left out, never more than 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Promotions, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionsPage {
    /// The promotions.
    pub promotions: Vec<PromotedImage>,
    /// There are more than were asked for: give `until`, the time of the last one here.
    pub more: bool,
}

/// That an image was promoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotedImage {
    /// Its id.
    pub id: String,
    /// The decision that allowed it.
    pub decision: String,
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
}
