//! Who may ask, as the configuration says it: tokens, identity providers, and what whoever shows one may.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Time;

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

/// Whom the gate knows besides tokens of its own.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Identities {
    /// Identity providers whose tokens (JWT) are taken.
    pub issuers: Vec<IssuerEntry>,
    /// Certificate authorities of clients, PEM files: whoever shows a certificate of theirs is known by it. Needs `tls`.
    pub client_ca: Vec<PathBuf>,
    /// What whoever shows a certificate may; `when` looks at `uri`, `dns` and `cn` of it.
    pub certificates: Vec<RuleEntry>,
}

/// An identity provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct IssuerEntry {
    /// What it is called in messages; its `issuer` if that is left out.
    #[serde(default)]
    pub name: Option<String>,
    /// What `iss` of its tokens says, exactly.
    pub issuer: String,
    /// What `aud` of its tokens has to hold: this gate, and nobody else.
    #[schemars(length(min = 1))]
    pub audience: String,
    /// What its tokens are about.
    #[serde(default)]
    pub kind: IssuerKind,
    /// Where its keys are; found at `/.well-known/openid-configuration` of the issuer if it is left out.
    #[serde(default)]
    pub jwks: Option<String>,
    /// Certificate authorities to ask it with, PEM files, besides those of the machine.
    #[serde(default)]
    pub authorities: Vec<PathBuf>,
    /// Which claim names the person.
    #[serde(default)]
    pub person: Option<PersonEntry>,
    /// For how long a token may be good; `24h` if it is left out.
    #[serde(default)]
    pub max_lifetime: Option<Time>,
    /// What its tokens may: all that any matching rule grants.
    pub rules: Vec<RuleEntry>,
}

/// What tokens are about, and under what their bearers are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IssuerKind {
    /// People or machines: `sub`.
    #[default]
    Oidc,
    /// Jobs of GitLab: `project_id`. Rules name `project_id` or `namespace_id`.
    Gitlab,
    /// Jobs of GitHub Actions: `repository_id`. Rules name `repository_id` or `repository_owner_id`.
    Github,
    /// Service accounts of a Kubernetes cluster: `sub`.
    Kubernetes,
}

/// Which claim names a person, so that they are one person whichever identity they use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PersonEntry {
    /// The claim, such as `email`.
    pub claim: String,
    /// A claim that has to be true for it to count, such as `email_verified`.
    #[serde(default)]
    pub requires: Option<String>,
    /// What is put before it, where it is a name of this provider alone.
    #[serde(default)]
    pub prefix: Option<String>,
}

/// What somebody may of whom all of this is true.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RuleEntry {
    /// Claims, each compared as a whole text; `*` stands for anything without `/`. Of a list one entry has to match.
    #[schemars(length(min = 1))]
    pub when: BTreeMap<String, String>,
    /// What they may.
    #[schemars(length(min = 1))]
    pub grants: Vec<GrantEntry>,
}
