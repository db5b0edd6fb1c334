//! What is known about one thing of one image, or precisely why it is not known.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Attested, Clock, Digest, Reason, UnknownClass};

/// Where a fact came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "kind", content = "name")]
pub enum Origin {
    /// The ECR API of this region.
    Ecr(String),
    /// A local file given by the caller.
    File(String),
    /// The registry: the manifest or referrer of this digest, as far as it is not signed by anybody.
    Registry(String),
    /// The registry: a signed statement. Whether its signer counts is for the policy to say (S22).
    Attestation(Box<Attested>),
}

/// A fact, where it came from, when it was read, and the digest of the raw evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Observed<T> {
    /// The fact.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
    /// When it was read.
    pub at: Timestamp,
    /// Digest of the raw bytes it was read from (pages concatenated).
    pub evidence: Digest,
}

/// A fact, or why there is none. There is no way from anything but `Present` to a value.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Signal<T> {
    /// The fact is there.
    Present(Observed<T>),
    /// The source was asked and has none.
    Absent(Reason),
    /// It is on its way.
    Pending(Reason),
    /// The source cannot produce it for this image.
    Unsupported(Reason),
    /// The source tried and failed, or its answer cannot be understood.
    Failed(Reason),
    /// The source could not be asked; `last` is the last known good fact, if one is on record.
    Unavailable {
        /// Why it could not be asked.
        why: Reason,
        /// The last known good fact.
        last: Option<Box<Observed<T>>>,
    },
    /// Nobody asked.
    NotCollected(Reason),
}

/// Why a signal cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The class that `onUnknown` of the policy decides about.
    pub class: UnknownClass,
    /// What happened.
    pub reason: Reason,
}

impl<T> Signal<T> {
    /// The only way to the fact. `stale_up_to` lets a last known good fact stand in for an unavailable source, for so
    /// long after it was read (S5).
    pub fn usable(&self, stale_up_to: Option<SignedDuration>, clock: &Clock) -> Result<&Observed<T>, Gap> {
        match self {
            Self::Present(observed) => Ok(observed),
            Self::Unavailable { last: Some(last), .. }
                if stale_up_to.is_some_and(|limit| !clock.older_than(last.at, limit)) =>
            {
                Ok(last)
            }
            Self::Absent(why)
            | Self::Pending(why)
            | Self::Unsupported(why)
            | Self::Failed(why)
            | Self::Unavailable { why, .. }
            | Self::NotCollected(why) => Err(why.clone().into()),
        }
    }

    /// Why there is no fact; `None` if there is one.
    pub fn why_not(&self) -> Option<&Reason> {
        match self {
            Self::Present(_) => None,
            Self::Absent(why)
            | Self::Pending(why)
            | Self::Unsupported(why)
            | Self::Failed(why)
            | Self::Unavailable { why, .. }
            | Self::NotCollected(why) => Some(why),
        }
    }
}

impl From<Reason> for Gap {
    /// A reason that has no class of its own is a fault of ours: `internal`, never a pass.
    fn from(reason: Reason) -> Self {
        Self { class: reason.code.class().unwrap_or(UnknownClass::Internal), reason }
    }
}
