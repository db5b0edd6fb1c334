//! The values that labels can have. Each is a closed list, so that the number of series is known.

use std::fmt::Write as _;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                encoder.write_str(match self { $(Self::$value => $text,)+ })
            }
        }
    };
}

label! {
    /// What became of an ask (M1).
    Outcome {
        /// Answered from what is in force.
        Answered = "answered",
        /// Answered, but not from all that should be known: by a last known good, or by `onUnknown`.
        Degraded = "degraded",
        /// There is no digest to judge, or the ask was wrong.
        Refused = "refused",
        /// Not answered.
        Failed = "failed",
    }
}

label! {
    /// The verdict of a decision.
    Verdict {
        /// Every rule passed.
        Allow = "allow",
        /// A rule failed whose action is `warn`.
        Warn = "warn",
        /// Not decided yet.
        Pending = "pending",
        /// No.
        Deny = "deny",
    }
}

label! {
    /// The class of an environment.
    Class {
        /// Fails closed.
        Production = "production",
        /// May be softened.
        NonProduction = "non-production",
    }
}

label! {
    /// How an answer came about.
    Via {
        /// A decision that still held.
        Recorded = "recorded",
        /// Known facts, judged anew.
        Evaluated = "evaluated",
        /// Facts that were collected for it.
        Collected = "collected",
    }
}

label! {
    /// Which cache.
    Cache {
        /// Of facts.
        Facts = "facts",
        /// Of judgements.
        Judgements = "judgements",
    }
}

label! {
    /// Where an image is stopped.
    Point {
        /// Kubernetes admission.
        Admission = "admission",
    }
}

label! {
    /// Why an image is stopped.
    RefusalClass {
        /// Policy says no.
        Policy = "policy",
        /// Not decided yet.
        Pending = "pending",
        /// Time ran out.
        Deadline = "deadline",
        /// The registry has no such image, does not give it, or is not there.
        Registry = "registry",
        /// The store of decisions is not there.
        Store = "store",
        /// What was asked is wrong, or is not understood.
        Request = "request",
        /// A fault of the gate.
        Internal = "internal",
    }
}

label! {
    /// The first digit of an HTTP status.
    StatusClass {
        /// 1xx
        Informational = "1xx",
        /// 2xx
        Success = "2xx",
        /// 3xx
        Redirection = "3xx",
        /// 4xx
        ClientError = "4xx",
        /// 5xx
        ServerError = "5xx",
    }
}

impl StatusClass {
    /// The class of a status.
    pub fn of(status: u16) -> Self {
        match status {
            0..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfRequest {
    pub route: &'static str,
    pub status: StatusClass,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfRoute {
    pub route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfAsk {
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfDecision {
    pub verdict: Verdict,
    pub environment: Class,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfAnswer {
    pub via: Via,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfRefusal {
    pub point: Point,
    pub class: RefusalClass,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfPoint {
    pub point: Point,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfCache {
    pub cache: Cache,
}
