//! What went wrong: problem details (RFC 9457), with the members that a program or a person needs next.

use model::{UnknownClass, Verdict};
use serde::{Deserialize, Serialize};

/// The media type of [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:ecr-gate:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is, the same for every problem of the type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, to what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// `urn:uuid:` and the id of the request: the same as in `X-Request-Id`, if that is a UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What a program tells problems apart by: a code of this API, or of a reason (`docs/reference/reasons.md`).
    pub code: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The class of unknown, if that is the problem: what exit codes and `onUnknown` go by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<UnknownClass>,
    /// For an image that could not be judged: `deny`, or `pending` where asking again may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}
