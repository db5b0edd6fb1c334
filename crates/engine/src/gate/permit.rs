//! Leave to act on an image. Only the gate gives one, and everything that lets an image through takes one.

use std::time::Instant;

use model::{Digest, Timestamp, UnknownClass, Verdict};

use super::asking::Point;

/// What an answer rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// Every rule passed.
    Allowed,
    /// A rule failed whose action is `warn`.
    Warned,
    /// An index that covers it is allowed in this repository and environment (S1): the id of that decision.
    Inherited(String),
    /// It is denied, or not decided, and somebody who may lets it through all the same: the id of the override (S31).
    Overridden(String),
    /// It is denied, for nothing but vulnerabilities that became known or a scan that grew old, and ran in this very place before (S32): until when.
    Grandfathered(Timestamp),
    /// Something that had to be known could not be, and the policy lets the last decision stand in.
    FailOpen(UnknownClass),
}

impl Basis {
    /// `allowed`, `warned`, `inherited`, `overridden`, `grandfathered`, `failOpen`
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Warned => "warned",
            Self::Inherited(_) => "inherited",
            Self::Overridden(_) => "overridden",
            Self::Grandfathered(_) => "grandfathered",
            Self::FailOpen(_) => "failOpen",
        }
    }
}

/// Leave to act on one image, at one point, for a while. Neither copied nor stored.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    pub(super) subject: Digest,
    pub(super) children: Vec<Digest>,
    pub(super) environment: String,
    pub(super) point: Point,
    pub(super) basis: Basis,
    pub(super) until: Instant,
}

/// No leave, and what that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Policy says no.
    Denied,
    /// Not decided yet.
    Pending,
}

impl Refusal {
    /// `denied`, `pending`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Pending => "pending",
        }
    }

    /// The verdict that it is.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Denied => Verdict::Deny,
            Self::Pending => Verdict::Pending,
        }
    }
}

impl Permit {
    /// What it is for.
    pub fn subject(&self) -> &Digest {
        &self.subject
    }

    /// Manifests of an index that it covers.
    pub fn children(&self) -> &[Digest] {
        &self.children
    }

    /// For which environment.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// At which point.
    pub fn point(&self) -> Point {
        self.point
    }

    /// What it rests on.
    pub fn basis(&self) -> &Basis {
        &self.basis
    }

    /// Whether it still may be acted on.
    pub fn holds(&self, now: Instant) -> bool {
        now < self.until
    }
}
