//! Who may what, from the words of the configuration to what the engine asks. What is wrong with it is found before anything listens.

use std::sync::Arc;

use engine::{Actor, Grant, Repositories};
use server::Token;

use crate::config::{GrantEntry, Role, TokenEntry};
use crate::failure::Failure;

/// Names that the gate gives itself to those it authenticated otherwise: no configured token takes one.
const TAKEN: [&str; 3] = ["token:", "oidc:", "mtls:"];
/// The most grants of one identity.
const MOST: usize = 100;

/// A token of the configuration.
pub(super) fn token(entry: &TokenEntry) -> Result<Token, Failure> {
    let wrong = |why: &str| Failure::configuration(format!("auth.tokens: the token {:?}: {why}", entry.name));
    let plain = !entry.name.is_empty() && entry.name.len() <= 256 && !entry.name.chars().any(char::is_control);
    if !plain {
        return Err(wrong("its name is empty, too long, or holds a control character"));
    }
    if TAKEN.iter().any(|taken| entry.name.starts_with(taken)) || entry.name == "anonymous" {
        return Err(wrong("its name begins as those of identities that the gate knows otherwise"));
    }
    let sha256 = hex::decode(&entry.sha256).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let sha256 = sha256
        .ok_or_else(|| wrong("its sha256 is not 64 hexadecimal digits").hint("printf %s \"$TOKEN\" | sha256sum"))?;
    let person = entry.person.as_deref().map(engine::person).transpose().map_err(|why| wrong(&why))?;
    let grants = match (entry.role, entry.grants.as_slice()) {
        (Some(Role::Admin), []) => {
            let roles = engine::Role::ALL.into_iter();
            // An approver is a person (S29).
            roles.filter(|role| person.is_some() || *role != engine::Role::Approver).map(Grant::everywhere).collect()
        }
        (Some(role), []) => role.roles().into_iter().map(Grant::everywhere).collect(),
        (None, grants @ [_, ..]) => self::grants(grants).map_err(|why| wrong(&why))?,
        _ => return Err(wrong("it has either a `role` or `grants`").hint("`role: read` for everything")),
    };
    Ok(Token { sha256, actor: Arc::new(Actor { identity: entry.name.as_str().into(), person, grants }) })
}

/// Grants as the engine knows them.
pub(super) fn grants(entries: &[GrantEntry]) -> Result<Vec<Grant>, String> {
    if entries.len() > MOST {
        return Err(format!("it has {} grants; at most {MOST} are read", entries.len()));
    }
    let mut grants = Vec::new();
    for GrantEntry { role, repositories, environments } in entries {
        if repositories.is_empty() || environments.is_empty() {
            return Err("a grant without repositories or environments is for nothing: `**` and `*` are all".to_owned());
        }
        let parsed: Result<Vec<_>, _> = repositories.iter().map(|one| Repositories::parse(one)).collect();
        let parsed = parsed?;
        let grant = |role| Grant { role, repositories: parsed.clone(), environments: environments.clone() };
        grants.extend(role.roles().into_iter().map(grant));
    }
    Ok(grants)
}
