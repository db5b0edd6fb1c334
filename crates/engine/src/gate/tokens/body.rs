//! A token as it is kept.

use model::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use store::ItemRow;

use super::{ACTIVE, TokenSeen, unreadable};
use crate::gate::GateError;
use crate::gate::actor::{Actor, Grant, Repositories, Role};

/// All of it but the token itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    pub(super) name: String,
    pub(super) sha256: Digest,
    pub(super) grants: Vec<KeptGrant>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) person: Option<String>,
    pub(super) created_by: String,
    /// Whoever may be behind whoever gave it out: identities and persons.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) behind: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) revoked_by: Option<String>,
    /// S36: with it one token is made, and it is over.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(super) once: bool,
}

/// A grant, written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeptGrant {
    role: String,
    repositories: Vec<String>,
    environments: Vec<String>,
}

impl From<&Grant> for KeptGrant {
    fn from(grant: &Grant) -> Self {
        Self {
            role: grant.role.as_str().to_owned(),
            repositories: grant.repositories.iter().map(|one| one.as_str().to_owned()).collect(),
            environments: grant.environments.clone(),
        }
    }
}

impl KeptGrant {
    fn grant(&self) -> Result<Grant, GateError> {
        // A role of a newer version is no role here: nothing is guessed.
        let role = Role::named(&self.role).ok_or_else(|| unreadable(&format!("{:?} is no role", self.role)))?;
        let repositories: Result<Vec<_>, _> = self.repositories.iter().map(|one| Repositories::parse(one)).collect();
        let repositories = repositories.map_err(|why| unreadable(&why))?;
        Ok(Grant { role, repositories, environments: self.environments.clone() })
    }
}

/// How whoever bears the first token is called; what follows is its id.
pub(super) const FIRST: &str = "bootstrap:";

impl Body {
    pub(super) fn read(row: &ItemRow) -> Result<Self, GateError> {
        serde_json::from_slice(&row.body).map_err(|error| unreadable(&error.to_string()))
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, GateError> {
        serde_json::to_vec(self).map_err(|error| GateError::invalid(format!("the token cannot be written: {error}")))
    }

    fn grants(&self) -> Result<Vec<Grant>, GateError> {
        self.grants.iter().map(KeptGrant::grant).collect()
    }

    /// Whoever bears it.
    pub(super) fn actor(&self, id: &str) -> Result<Actor, GateError> {
        // Names are given again; ids are not.
        let identity = if self.once { format!("{FIRST}{id}") } else { format!("token:{}#{id}", self.name) };
        Ok(Actor { identity: identity.into(), person: self.person.as_deref().map(Into::into), grants: self.grants()? })
    }

    /// Whoever gave it out, and whoever may be behind them. The first token is given out by whoever has the machine, which is nobody in particular.
    pub(super) fn vouched(&self) -> Vec<String> {
        let by = Some(&self.created_by).filter(|_| !self.once);
        by.into_iter().chain(&self.behind).cloned().collect()
    }

    /// As it may be seen.
    pub(super) fn seen(self, row: ItemRow, now: Timestamp) -> Result<TokenSeen, GateError> {
        let grants = self.grants()?;
        let until = row.until.ok_or_else(|| unreadable("it has no end"))?;
        let is_over = row.state == ACTIVE && now >= until;
        Ok(TokenSeen {
            id: row.id,
            name: self.name,
            grants,
            person: self.person,
            created_at: row.created_at,
            created_by: self.created_by,
            until,
            state: if is_over { "expired".to_owned() } else { row.state },
            revoked_by: self.revoked_by,
        })
    }
}
