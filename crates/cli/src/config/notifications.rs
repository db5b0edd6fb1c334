//! Who is told of what.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Somebody who is told of what happens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct NotificationEntry {
    /// What it is called in the log.
    pub name: String,
    /// Where it is told: `https://…`, or `http://` on this machine. Redirects are not followed.
    pub url: Address,
    /// How it is told.
    pub kind: NotificationKind,
    /// What it is told of.
    #[schemars(length(min = 1))]
    pub events: Vec<NotificationEvent>,
    /// Patterns of `HOST/REPOSITORY`: `*` stands for anything within one part of the name, `**` for any parts. What is about all of them is told of too.
    #[serde(default)]
    pub repositories: Vec<String>,
    /// Names of `teams`, whose repositories it is told of besides; `none`: those of no team.
    #[serde(default)]
    pub teams: Vec<String>,
    /// Names of environments. What is about all of them is told of too.
    #[serde(default)]
    pub environments: Vec<String>,
    /// A file with the secret that a webhook is signed with, 16 bytes or more.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
}

/// An address that whoever knows it may use: it is not shown.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Address(pub String);

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

/// How somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NotificationKind {
    /// JSON, signed with HMAC-SHA256.
    Webhook,
    /// A message as Slack takes it, and what is compatible with it.
    Slack,
}

/// What somebody is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum NotificationEvent {
    /// An image was denied.
    #[serde(rename = "block")]
    Block,
    /// A policy that came into force changes a verdict.
    #[serde(rename = "flip")]
    Flip,
    /// An exception ends soon.
    #[serde(rename = "exception.expiring")]
    ExceptionExpiring,
    /// An exception waits for an approver.
    #[serde(rename = "exception.requested")]
    ExceptionRequested,
    /// What is denied is let through.
    #[serde(rename = "override.granted")]
    OverrideGranted,
    /// A policy came into force.
    #[serde(rename = "policy.activated")]
    PolicyActivated,
    /// Something is denied everywhere.
    #[serde(rename = "denial.added")]
    DenialAdded,
}
