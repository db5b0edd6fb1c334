//! `/api/v1/tokens` and `/api/v1/whoami`: who may what.

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// A role, for some repositories and environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grant {
    /// `viewer`, `developer`, `ci`, `approver`, `policy-admin`, `break-glass`, `scanner`, `forensics`, `admin`
    pub role: String,
    /// Patterns of `HOST/REPOSITORY`; `**` is all.
    pub repositories: Vec<String>,
    /// Names of environments; `*` is all.
    pub environments: Vec<String>,
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewToken {
    /// What it is for: its bearer stands in records as `token:NAME#ID`.
    pub name: String,
    /// What its bearer may.
    pub grants: Vec<Grant>,
    /// The person who bears it, as identity providers name them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// For how long it is good, by the gate's clock.
    pub lifetime_seconds: u32,
}

/// A token as it may be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// UUIDv7.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What its bearer may.
    pub grants: Vec<Grant>,
    /// The person who bears it.
    pub person: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it ends.
    pub until: Timestamp,
    /// `active`, `expired`, `revoked`, `used`
    pub state: String,
    /// Who revoked it.
    pub revoked_by: Option<String>,
}

/// A token that was just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenMade {
    /// The token itself: nobody can say it again.
    pub secret: String,
    /// What it is.
    pub token: Token,
}

impl std::fmt::Debug for TokenMade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenMade").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Which tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokensQuery {
    /// How many at most: 50 if it is left out, never more than 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Tokens, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokensPage {
    /// Tokens.
    pub tokens: Vec<Token>,
    /// Where the next page begins; `null`: this was the last one.
    pub next: Option<String>,
}

/// Why a token is revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RevokeRequest {
    /// In words, for the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Who asks, and what they may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhoAmI {
    /// The name under which they stand in records; `null`: nobody said.
    pub identity: Option<String>,
    /// The person behind it.
    pub person: Option<String>,
    /// What they may.
    pub grants: Vec<Grant>,
}
