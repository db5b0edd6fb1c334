//! Who may ask, as the configuration says it: tokens, and what whoever shows one may.

use schemars::JsonSchema;
use serde::Deserialize;

/// A token, by its hash: `printf %s "$TOKEN" | sha256sum`. It has a `role` for everything, or `grants`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct TokenEntry {
    /// Who bears it: stands in records and in the audit log.
    pub name: String,
    /// The SHA-256 of the token, in hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"))]
    pub sha256: String,
    /// What its bearer may do, in all repositories and environments.
    #[serde(default)]
    pub role: Option<Role>,
    /// What its bearer may do, where.
    #[serde(default)]
    pub grants: Vec<GrantEntry>,
    /// The person who bears it, as identity providers name them (usually the address of their mail): only a person approves, and never what they
    /// requested themselves.
    #[serde(default)]
    pub person: Option<String>,
}

/// A role, for some repositories and environments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct GrantEntry {
    /// The role.
    pub role: Role,
    /// Patterns of `HOST/REPOSITORY`: `*` stands for anything within one part of the name, `**` for any parts.
    #[serde(default = "every_repository")]
    #[schemars(length(min = 1))]
    pub repositories: Vec<String>,
    /// Names of environments; `*` is all of them.
    #[serde(default = "every_environment")]
    #[schemars(length(min = 1))]
    pub environments: Vec<String>,
}

fn every_repository() -> Vec<String> {
    vec!["**".to_owned()]
}

fn every_environment() -> Vec<String> {
    vec!["*".to_owned()]
}

/// What somebody may do. `read` and `write` are short, and on a token `admin` is for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Short for `viewer` and `developer`.
    Read,
    /// Short for `viewer`, `developer` and `ci`.
    Write,
    /// On a token: every role; `approver` counts only with a `person`. In grants: gives out tokens, and says who is who.
    Admin,
    /// Reads.
    Viewer,
    /// Reads, asks, requests exceptions.
    Developer,
    /// A pipeline: asks, submits documents, promotes.
    Ci,
    /// Approves, rejects and revokes exceptions of others.
    Approver,
    /// Writes policies and the deny list.
    PolicyAdmin,
    /// Lets what is denied through, for a while.
    BreakGlass,
    /// Fetches what is quarantined: a scanner.
    Scanner,
    /// Fetches what is quarantined: whoever investigates.
    Forensics,
}

impl Role {
    /// The roles it stands for in a grant.
    pub(crate) fn roles(self) -> Vec<engine::Role> {
        use engine::Role as To;
        match self {
            Self::Read => server::Role::Read.roles().to_vec(),
            Self::Write => server::Role::Write.roles().to_vec(),
            Self::Admin => vec![To::Admin],
            Self::Viewer => vec![To::Viewer],
            Self::Developer => vec![To::Developer],
            Self::Ci => vec![To::Ci],
            Self::Approver => vec![To::Approver],
            Self::PolicyAdmin => vec![To::PolicyAdmin],
            Self::BreakGlass => vec![To::BreakGlass],
            Self::Scanner => vec![To::Scanner],
            Self::Forensics => vec![To::Forensics],
        }
    }
}
